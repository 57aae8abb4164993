"""Videos and task figures, made by their commands."""

import numpy as np
import pytest
from PIL import Image

from anymdp_bench.agents import AgentSpec
from anymdp_bench.cli.app import run
from anymdp_bench.evaluation.recording import record_video


def frames(path):
    with Image.open(path) as film:
        out = []
        for k in range(film.n_frames):
            film.seek(k)
            out.append(np.asarray(film.convert("RGB")))
    return out


@pytest.mark.parametrize(
    ("env_id", "agent", "steps"),
    [("Switch2-v0", "oracle", 12), ("CliffWalkingTerminal-v0", "oracle", 13)],
)
def test_a_gif_has_a_frame_a_step(tmp_path, env_id, agent, steps):
    out = tmp_path / "film.gif"
    returns = record_video(env_id, AgentSpec(agent), out)
    film = frames(out)
    assert 2 < len(film) <= steps + 1  # equal neighbours are merged
    assert (film[0] != film[-1]).any()
    assert returns == pytest.approx([8.3 if env_id == "Switch2-v0" else -13])


def test_a_video_begins_after_the_unrecorded_episodes(tmp_path):
    """PSRL on the lake: 60 episodes unseen, then it walks to the goal."""
    out = tmp_path / "film.gif"
    assert record_video("FrozenLake4x4-v0", AgentSpec("psrl"), out, after=60, episodes=2) == [1, 1]
    assert len(frames(out)) <= 2 * 8


@pytest.mark.parametrize("env_id", ["DiscretePendulum-g1-v0", "Switch2-v0"])
@pytest.mark.parametrize("agent", ["tql-ucb", "random"])
def test_any_agent_can_be_recorded(tmp_path, env_id, agent):
    returns = record_video(env_id, AgentSpec(agent), tmp_path / "film.gif", episodes=2)
    assert len(returns) == 2


def test_an_mp4(tmp_path):
    pytest.importorskip("moviepy")
    out = tmp_path / "new" / "film.mp4"
    assert run(["record", "Darkroom-6x6-v0", "--out", str(out)]) == 0
    assert out.read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    "env_id",
    [
        "AnyMDP-16s5a-v0",
        "Garnet-128s5a4b-v0",
        "FrozenLake4x4Slippery-v0",
        "AnyMDP-1s5a-v0",
        "Switch2-v0",
    ],
)
def test_the_picture_of_a_task(tmp_path, env_id, capsys):
    out = tmp_path / "task.png"
    assert run(["draw", env_id, "--task-seed", "3", "--out", str(out)]) == 0
    with Image.open(out) as picture:
        assert picture.width > 1000
    assert capsys.readouterr().out == f"{out}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["record", "Darkroom-6x6-v0", "--out", "film.avi"], "give a name in .gif or .mp4"),
        (["record", "CartPole-v1"], "no tasks behind 'CartPole-v1'"),
        (["record", "Darkroom-6x6-v0", "--agent", "nobody"], "no agent 'nobody'"),
        (["draw", "CartPole-v1"], "no tasks behind 'CartPole-v1'"),
        (["draw", "DiscretePendulum-g1-v0"], "no TabularMDP"),
        (["draw", "Darkroom-6x6-v0", "--out", "task.doc"], "give --out a name in .png"),
        (["draw", "Darkroom-6x6-v0", "--out", "/proc/none/task.png"], "cannot write to"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_exit_code_2(
    words, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1

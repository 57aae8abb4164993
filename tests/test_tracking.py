"""Learning curves in TensorBoard and Weights & Biases; the result stays the same to the byte."""

import importlib.util
import os
import subprocess
import sys

import pytest

from anymdp_bench import evaluate
from anymdp_bench.cli.app import run
from anymdp_bench.results.curves import learning_curve
from anymdp_bench.tracking import TrackError, open_tracker

IDS = ["AnyMDP-16s5a-v0", "AnyMDP-v0?n_states=9&n_actions=3"]
WORDS = ["--tasks", "2", "--steps", "1500", "--workers", "1", "--quiet"]
WORDS += [word for env_id in IDS for word in ("--env", env_id)]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_tensorboard_shows_the_curves_and_the_result_is_the_same(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track = ["--track", "tensorboard"]
    assert run(["run", "--agent", "psrl", *WORDS, "--out", "plain"]) == 0
    for _ in range(2):  # a complete result is shown again, once
        assert run(["run", "--agent", "psrl", *WORDS, "--out", "shown", *track]) == 0
    first, second = (tmp_path / out / "custom-psrl.csv" for out in ("plain", "shown"))
    assert first.read_bytes() == second.read_bytes()
    board = EventAccumulator(str(tmp_path / "shown" / "tensorboard" / "custom-psrl")).Reload()
    results = evaluate("psrl", IDS, tasks=2, steps=1500, out="plain", progress=False)
    assert board.Tags()["scalars"] == [f"score/{env_id}" for env_id in IDS]
    for env_id in IDS:
        band = learning_curve(results[results["env_id"] == env_id], "steps")
        events = board.Scalars(f"score/{env_id}")
        assert [event.step for event in events] == band.at.astype(int).tolist()
        assert [event.value for event in events] == pytest.approx(100 * band.mean, rel=1e-5)


def test_tensorboard_forgets_what_was_written_after_a_training_goes_on(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for begun, value in ((0, 1.0), (20, 2.0)):
        tracker = open_tracker("tensorboard", tmp_path, "x", {}, begun)
        for step in range(begun + 10, begun + 40, 10):
            tracker.add(step, {"loss": value})
        tracker.close()
    events = EventAccumulator(str(tmp_path / "tensorboard" / "x")).Reload().Scalars("loss")
    assert [(e.step, e.value) for e in events] == [(10, 1.0), (30, 2.0), (40, 2.0), (50, 2.0)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of wandb are not ours
def test_wandb_keeps_an_offline_run(tmp_path):
    pytest.importorskip("wandb")
    command = [sys.executable, "-m", "anymdp_bench", "run", "--agent", "psrl", *WORDS]
    done = subprocess.run(
        [*command, "--out", "out", "--track", "wandb"],
        env=os.environ | {"WANDB_MODE": "offline"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [log] = (tmp_path / "out" / "wandb").glob("offline-run-*/run-*.wandb")
    content = log.read_bytes()
    assert b"score/AnyMDP-16s5a-v0" in content
    assert b"suite_hash" in content


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_missing_package_is_named_in_one_line_before_anything_is_played(
    kind, monkeypatch, capsys, tmp_path
):
    find = importlib.util.find_spec
    hide = lambda name, *more: None if name == kind else find(name, *more)  # noqa: E731
    monkeypatch.setattr("anymdp_bench.runner.evaluate.find_spec", hide)
    assert run(["run", "--agent", "psrl", *WORDS, "--track", kind]) == 2
    err = capsys.readouterr().err
    assert err == f"anymdp-bench: tracking needs {kind}: pip install 'anymdp-bench[{kind}]'\n"
    assert not list(tmp_path.rglob("*"))


def test_an_unknown_tracker_is_refused(tmp_path, capsys):
    assert run(["run", "--agent", "psrl", *WORDS, "--track", "tensorbord"]) == 2
    assert "'tensorbord' is not one of 'tensorboard', 'wandb'" in capsys.readouterr().err
    with pytest.raises(TrackError, match="did you mean 'wandb'"):
        open_tracker("wandbs", tmp_path, "x", {})
    with pytest.raises(ValueError, match="track is 'w'; known: tensorboard, wandb"):
        evaluate("random", IDS, out="o", track="w")
    with pytest.raises(ValueError, match="track is given without out"):
        evaluate("random", IDS, track="wandb")

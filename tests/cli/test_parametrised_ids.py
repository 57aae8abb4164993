"""Ids with parameters, in commands, suite files and Python: the same settings give the same bytes."""

import json
import shlex
import subprocess
import sys

import pytest

from anymdp_bench import evaluate
from anymdp_bench.cli.app import run
from anymdp_bench.results.records import read_header
from anymdp_bench.results.results import Results

ID = "AnyMDP-v0?n_states=9&n_actions=3"
OTHER_ORDER = "AnyMDP-v0?n_actions=3&n_states=9.0&min_states=null"
SHORT = ["--agent", "random", "--tasks", "2", "--steps", "600", "--workers", "1", "--quiet"]
SUITE = """
description = "Two sizes"
training.steps = 600
in_context.steps = 600
rows = [{ env_id = "%s", tasks = 2 }, { env_id = "Darkroom-v0?size=4", runs = 1 }]
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_same_settings_give_the_same_bytes_however_they_are_written(tmp_path, capsys):
    for out, env_id in (("one", ID), ("two", OTHER_ORDER)):
        assert run(["run", "--env", env_id, *SHORT, "--out", out]) == 0
    evaluate("random", ID, tasks=2, steps=600, workers=1, out="three", progress=False)
    evaluate("random", [OTHER_ORDER], tasks=2, steps=600, workers=1, out="four", progress=False)
    first, *others = [path.read_bytes() for path in tmp_path.glob("*/custom-random.csv")]
    assert others == [first] * 3
    results = Results.read("one")
    assert set(results["env_id"]) == {ID}
    header = read_header(tmp_path / "one" / "custom-random.csv")
    assert json.loads(header["settings"])["environments"] == ID
    words = shlex.split(header["command"])
    assert words[words.index("--env") + 1] == ID
    assert run([*words[1:], "--out", "again", "--quiet"]) == 0
    assert (tmp_path / "again" / "custom-random.csv").read_bytes() == first


def test_settings_that_have_a_name_are_that_environment(tmp_path):
    for out, env_id in (("a", "Darkroom-v0?size=6"), ("b", "Darkroom-6x6-v0")):
        assert run(["run", "--env", env_id, *SHORT, "--out", out]) == 0
    first, second = (tmp_path / out / "custom-random.csv" for out in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_suite_file_takes_parameters(tmp_path, capsys):
    paths = []
    for name, env_id in (("mine", ID), ("other", OTHER_ORDER)):
        path = tmp_path / f"{name}.toml"
        path.write_text(SUITE % env_id)
        paths.append(path)
    assert run(["run", "--suite", "mine.toml", *SHORT, "--out", "o"]) == 0
    assert run(["table", "o", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert f"| {ID} | random |" in shown
    assert "| Darkroom-v0?size=4 | random |" in shown
    first, second = (evaluate("random", path, progress=False, workers=1) for path in paths)
    assert set(first["suite_hash"]) == set(second["suite_hash"])


def test_the_other_commands_take_parameters(tmp_path, capsys):
    assert run(["run", "--env", ID, "--env", "Darkroom-6x6-v0", *SHORT, "--out", "o"]) == 0
    assert run(["table", "o"]) == 0
    assert ID in capsys.readouterr().out
    assert run(["plot", "o", "--env", OTHER_ORDER, "--out", "c.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["env_ids"] == [ID]
    assert run(["list", "tasks", ID, "--tasks", "2", "--csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert run(["draw", ID]) == 0
    name = capsys.readouterr().out.strip()
    assert name == "AnyMDP-v0.n_states.9.n_actions.3-0.png"
    assert (tmp_path / name).stat().st_size > 0
    assert run(["record", "Darkroom-v0?size=4", "--out", "d.gif"]) == 0
    assert (tmp_path / "d.gif").stat().st_size > 0


@pytest.mark.parametrize(
    ("env_id", "says"),
    [
        ("AnyMDP-v0?n_stats=9&n_actions=3", "did you mean 'n_states'?"),
        ("AnyMDP-v0?n_states=9", "give n_actions by keyword"),
        ("AnyMDP-v0", "--env takes 'AnyMDP-v0?n_states=...&n_actions=...', in quotes"),
        ("AnyMDP-v0?n_states=9&n_actions", "is not NAME=VALUE"),
        ("AnyMDP-v0?n_states=5&n_actions=3", "n_states is 5; give an integer from 8"),
        ("AnyMDP-v0?n_states=x&n_actions=3", "n_states is 'x'; give an integer from 1"),
        ("AnyMPD-v0?n_states=9&n_actions=3", "did you mean 'AnyMDP-v0'?"),
        ("Darkroom-v0?size=5&goal=here", "goal is 'here'; give corner"),
        ("DiscretePendulum-g1-v0?gravity=3", "gravity is 3; an oracle is stored for 1, 5, 9.8"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(capsys, tmp_path, env_id, says):
    assert run(["run", "--env", env_id, *SHORT]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert not out
    assert not list(tmp_path.glob("**/*.csv"))


def test_the_same_environment_twice_is_refused(capsys):
    assert run(["run", "--env", ID, "--env", OTHER_ORDER, *SHORT]) == 2
    assert f"{ID} is named twice" in capsys.readouterr().err


def test_the_installed_script_takes_the_id_as_the_shell_gives_it():
    line = f"{sys.executable} -m anymdp_bench run {' '.join(SHORT)} --json --env '{ID}'"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["env_id"] == ID

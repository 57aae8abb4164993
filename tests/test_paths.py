"""What is written to a path, text or `Path`, with `~` and through missing folders, is read back from it."""

import inspect
import os
import pwd
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

from anymdp_baselines.planner.agent import NeuralPlanner
from anymdp_baselines.training.checkpoint import load_arrays
from anymdp_baselines.training.checkpoint import save as save_checkpoint
from anymdp_bench import Results, TabularMDP, evaluate
from anymdp_bench.agents import RunBatch
from anymdp_bench.cli.app import app
from anymdp_bench.engine.rng import stream
from anymdp_bench.paths import PathError, expand_home, keep_folder
from anymdp_bench.rendering.task_figure import draw_task
from anymdp_bench.results import plots, records
from anymdp_bench.suites import load_suite, read_suite

SMALL = {"tasks": 1, "runs": 1, "episodes": 2, "workers": 1, "progress": False}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory of our own; the working directory is elsewhere."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert not list((tmp_path / "work").iterdir())


def test_only_a_leading_tilde_is_the_home_directory(home):
    user = pwd.getpwuid(os.getuid())
    for given, meant in {
        "~": home, "~/a": home / "a", f"~{user.pw_name}/a": Path(user.pw_dir, "a"),
        "a/~": Path("a/~"), "./~": Path("~"), "~nobody-of-this-name/a": Path("~nobody-of-this-name/a"),
    }.items():  # fmt: skip
        assert expand_home(given) == meant
        assert given == "./~" or expand_home(Path(given)) == meant  # Path drops the dot


def test_a_home_that_nobody_knows_is_refused(monkeypatch):
    def unknown(user):
        raise KeyError(user)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(PathError, match=r"~/a: the home directory is not known; set HOME, or"):
        expand_home("~/a")


def test_code_that_changes_the_working_directory_changes_it_for_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with keep_folder():
        os.chdir("/")
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("kind", [str, Path])
def test_what_is_written_is_read_back(home, kind, anymdp16):
    task = anymdp16[0]
    task.save(kind("~/tasks/new/task"))
    assert TabularMDP.load(kind("~/tasks/new/task")) == task
    assert (home / "tasks/new/task").is_file()

    found = evaluate("random", ["Darkroom-8x8-v0"], out=kind("~/results"), **SMALL)
    copy = found.save(kind("~/copies/new/a.csv"))
    assert copy == home / "copies/new/a.csv"
    for path in (
        kind("~/results"),
        kind("~/results/custom-random.csv"),
        kind("~/copies/new/a.csv"),
    ):
        assert Results.read(path).equals(found)
        assert records.read_many(path).equals(records.read_many([path]))
    assert records.read_header(kind("~/copies/new/a.csv")) == found.header

    found.plot("curves", kind("~/pictures/new/a.png"))
    plots.save(found.plot(), kind("~/pictures/newer/a.svg"))
    draw_task(task, kind("~/pictures/newest/a.png"), "a task")
    assert len(list(home.glob("pictures/*/a.*"))) == 3

    (home / "mine.toml").write_text(Path(suite_file("smoke")).read_text())
    assert read_suite(kind("~/mine.toml")).rows == load_suite("smoke").rows


def suite_file(name):
    from importlib.resources import files

    return str(files("anymdp_bench.suites") / f"{name}.toml")


@pytest.mark.parametrize("kind", [str, Path])
def test_checkpoints_and_contexts_likewise(home, kind):
    save_checkpoint(kind("~/weights/new"), {"a": stream(1)}, {"b": 2})
    tensors, numbers = load_arrays(kind("~/weights/new"))
    assert (tensors["a"].tolist(), numbers) == (stream(1).tolist(), {"b": 2})

    agent = NeuralPlanner()
    agent.start(RunBatch(4, 2, stream(1)[:1]))
    agent.save_context(kind("~/contexts/new/a"))
    agent.load_context(kind("~/contexts/new/a"))
    assert (home / "contexts/new/a").is_file()


def commands(command, name="anymdp-bench"):
    """(name, command) of every command, those of other packages included."""
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
    for each in inner or {}:
        yield from commands(inner[each], f"{name} {each}")


COMMANDS = dict(commands(typer.main.get_command(app)))
TEXT_PATHS = {"checkpoint"}  # options that are a path as text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_path_of_every_command_expands_the_home_directory(home, name):
    command = COMMANDS[name]
    hints = get_type_hints(inspect.unwrap(command.callback))
    for parameter in command.params:
        if "Path" in str(hints[parameter.name]) or parameter.name in TEXT_PATHS:
            several = parameter.nargs == -1
            given = ["~/a"] if several else "~/a"
            found = parameter.process_value(typer.Context(command), given)
            assert list(map(str, found if several else [found])) == [str(home / "a")], parameter

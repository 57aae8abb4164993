"""An agent is found in a module, in a file of the working directory, or in any other file."""

import sys
from pathlib import Path

import pytest

from anymdp_bench.agents import AgentError, AgentSpec
from anymdp_bench.leaderboard.rerun import remote
from anymdp_bench.runner.agent_spec import make_spec
from anymdp_bench.user_modules import import_user_module

AGENT = """
from dataclasses import dataclass
from anymdp_baselines.tabular.random import Random

@dataclass
class Settings:
    size: int = 1

class Mine(Random):
    version = "{}"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with agents: in a new module, in one called like Python's, in a folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    (tmp_path / "below").mkdir()
    name = "agents_" + "".join(filter(str.isalnum, tmp_path.name))
    for file in (f"{name}.py", "queue.py", "below/my agent.py"):
        (tmp_path / file).write_text(AGENT.format(file))
    return tmp_path, name


def test_every_way_to_write_a_file_finds_it(folder, monkeypatch):
    import queue

    path, name = folder
    monkeypatch.setenv("HOME", str(path))
    for file, ways in {
        f"{name}.py": (name, f"{name}.py", f"./{name}.py", f"./{name}", f"{path}/{name}.py", f"~/{name}.py"),
        "queue.py": ("queue", "queue.py", "./queue.py", "./below/../queue.py"),
        "below/my agent.py": ("below/my agent.py", "below/my agent", "~/below/my agent.py"),
    }.items():  # fmt: skip
        assert {AgentSpec(f"{way}:Mine").make().version for way in ways} == {file}
    assert sys.modules["queue"] is queue  # Python's own
    assert import_user_module(name) is import_user_module(f"./{name}.py") is sys.modules[name]
    assert sys.path[-2:] == [str(path), str(path / "below")]


def test_one_file_has_one_name_in_the_records(folder):
    assert make_spec("./queue.py:Mine").name == make_spec("queue.py:Mine").name == "queue.py:Mine"


@pytest.mark.parametrize(
    "way", ["nothing.py", "./nothing.py", "below/nothing", "/nothing/at/all.py"]
)
def test_a_file_that_is_not_there_is_named(folder, way):
    file = Path(folder[0], way).with_suffix(".py")
    with pytest.raises(AgentError, match=rf"^agent \S+ cannot be loaded: there is no file {file}$"):
        AgentSpec(f"{way}:Mine").load()


def test_a_module_or_name_that_is_not_there_is_named(folder):
    with pytest.raises(AgentError, match="cannot be loaded: No module named 'no_such_module'"):
        AgentSpec("no_such_module:Mine").load()
    with pytest.raises(AgentError, match=r"cannot be loaded: .* has no attribute 'Yours'"):
        AgentSpec("queue.py:Yours").load()


def test_a_file_that_breaks_leaves_no_module_behind(folder):
    (folder[0] / "copy.py").write_text("raise RuntimeError('mine')")
    before = set(sys.modules)
    with pytest.raises(AgentError, match="RuntimeError: mine"):
        AgentSpec("copy.py:Mine").load()
    assert set(sys.modules) == before


def test_the_leaderboard_runs_an_agent_beside_files_called_like_modules(folder):
    """In a process of its own, which finds the working directory last too."""
    (folder[0] / "random.py").write_text("raise RuntimeError('not the module you want')")
    with remote(AgentSpec("queue.py:Mine")) as agent:
        assert agent.version == "queue.py"

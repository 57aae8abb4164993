"""An agent that crashes: the line names the place in its own file, and --debug prints the whole traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from anymdp_bench.agents import Agent, AgentError, AgentSpec, check_agent
from anymdp_bench.crash import describe_crash
from anymdp_bench.evaluation.recording import record_video

SCRIPT = Path(sys.executable).with_name("anymdp-bench")
MINE = """import numpy as np
from anymdp_bench.agents import Agent

def deep(n):
    return np.broadcast_to(np.zeros(2), n)  # NumPy raises, in a function of its own

class Base(Agent):
    def act(self, observation, test=False):
        return 0 * observation
    def learn(self, transition):
        pass

class Init(Base):
    def __init__(self):
        {}["weights"]

class Start(Base):
    def start(self, batch):
        deep((3,))

class Refuses(Base):
    def start(self, batch):
        raise ValueError("tasks of 9 states alone")

class Act(Base):
    def act(self, observation, test=False):
        return deep((3,))

class Learn(Base):
    def learn(self, transition):
        None.upper()
"""
PLACES = {
    "Init": ("cannot be made: KeyError: 'weights' (mine.py:15, in __init__)", 2),
    "Start": ("ValueError: operands could not be broadcast together with remapped shapes"
              " [original->remapped]: (2,) and requested shape (3,) (mine.py:5, in deep)", 2),
    "Act": ("ValueError: operands could not be broadcast together with remapped shapes"
            " [original->remapped]: (2,) and requested shape (3,) (mine.py:5, in deep)", 1),
    "Learn": ("AttributeError: 'NoneType' object has no attribute 'upper' (mine.py:31, in learn)", 1),
}  # fmt: skip
RUN = [
    "--env",
    "AnyMDP-1s5a-v0",
    "--tasks",
    "2",
    "--episodes",
    "3",
    "--quiet",
    "--time-limit",
    "300",
]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The working directory has agents in mine.py."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


def play(name, *more):
    """Runs an agent in worker processes."""
    words = [SCRIPT, "run", "--agent", f"mine:{name}", *RUN, "--workers", "2", *more]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PLACES)
def test_the_line_names_the_place_in_the_agents_file(mine, name):
    place, code = PLACES[name]
    done = play(name)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"anymdp-bench: agent mine:{name} ")
    assert place in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["Init", "Act"])
def test_debug_prints_the_whole_traceback(mine, name):
    *traceback, line = play(name, "--debug").stderr.splitlines()
    assert PLACES[name][0] in line
    assert any(line.startswith("Traceback (most recent call last)") for line in traceback)
    own = {"Init": 'mine.py", line 15, in __init__', "Act": 'mine.py", line 5, in deep'}
    assert any(own[name] in line for line in traceback)


def test_what_an_agent_refuses_is_its_own_sentence(mine):
    done = play("Refuses")
    assert done.returncode == 2
    assert done.stderr.endswith("tasks of 9 states alone\n")


@pytest.mark.parametrize("name", ["Init", "Start", "Act", "Learn"])
def test_a_recording_names_the_place_too(mine, name):
    with pytest.raises(AgentError) as raised:
        record_video("AnyMDP-1s5a-v0", AgentSpec(f"mine:{name}"), mine / "x.gif")
    assert PLACES[name][0].rpartition("(mine.py")[2] in str(raised.value)


def test_an_error_outside_the_agent_has_no_place():
    with pytest.raises(AgentError) as raised:
        AgentSpec("no_such_module:Name").make()
    assert str(raised.value) == (
        "agent no_such_module:Name cannot be loaded: No module named 'no_such_module'"
    )
    assert describe_crash(KeyError("x")) == "KeyError: 'x'"


DECLARED = [
    ({"trains": "no"}, "agent x has trains = 'no'; give True or False"),
    ({"privileged": "False"}, "agent x has privileged = 'False'; give True or False"),
    ({"shaped": 1}, "agent x has shaped = 1; give True or False"),
    ({"tuned": None}, "agent x has tuned = None; give True or False"),
    ({"tuned": True}, "agent x is tuned; give it the static method settings_for(env_id)"),
    ({"parallel": "8"}, "agent x has parallel = '8'; give a whole number from 1"),
    ({"parallel": 0}, "agent x has parallel = 0; give a whole number from 1"),
    ({"parallel": True}, "agent x has parallel = True; give a whole number from 1"),
    ({"n_parameters": "12"}, "agent x has n_parameters = '12'; give a whole number, or None"),
    ({"n_parameters": -1}, "agent x has n_parameters = -1; give a whole number, or None"),
    ({"training_cost": 3}, "agent x has training_cost = 3; give a line of at most 100 characters"),
    (
        {"training_cost": "\n"},
        "agent x has training_cost = '\\n'; give a line of at most 100 characters",
    ),
    ({"version": 2}, "agent x has version 2; give a printable string"),
    ({"policy": None}, "agent x has policy = None; give a method"),
    ({"demonstrate": []}, "agent x has demonstrate = []; give a method"),
]


@pytest.mark.parametrize(("attributes", "message"), DECLARED, ids=[str(a) for a, _ in DECLARED])
def test_a_declaration_of_another_type_is_refused(attributes, message):
    methods = {"act": lambda self, observation, test=False: 0, "learn": lambda self, step: None}
    made = type("Declares", (Agent,), methods | attributes)
    with pytest.raises(AgentError) as raised:
        check_agent(made(), "x")
    assert str(raised.value) == message

"""Agents are found and made, and bad agents are refused with a clear message."""

import numpy as np
import pytest

from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.agents import (
    AgentError,
    AgentSpec,
    RunBatch,
    installed_agents,
    is_tuned,
)

STRANGERS = """
import anymdp_baselines.tabular.random
from anymdp_baselines.tabular.random import Random

class Mine(Random):
    version = "7"

class WithCheckpoint(Random):
    def __init__(self, checkpoint="none"):
        self.checkpoint = checkpoint

def by_function():
    return Mine()

class Lacking:
    version = "1"
    def start(self, batch): ...
    def learn(self, step): ...

class Undeclared:
    version = "1"
    def start(self, batch): ...
    def act(self, observation, test=False): ...
    def learn(self, step): ...
    def policy(self): ...

class Failing(Random):
    def __init__(self):
        raise RuntimeError("no weights\\nfound")

class Blank(Random):
    version = ""

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A stranger's module in the working directory; returns its name."""
    name = f"strangers_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(STRANGERS)
    (tmp_path / f"{name}_torn.py").write_text("def torn(\n")
    (tmp_path / f"{name}_lost.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_the_built_in_agents_are_installed_like_any():
    assert {"random", "oracle", "tql-ucb"} <= set(installed_agents())
    assert isinstance(AgentSpec("random").make(), Random)
    assert isinstance(AgentSpec("oracle").make(), Oracle)
    assert isinstance(AgentSpec("tql-ucb").make(), TQLUCB)


def test_a_module_in_the_working_directory_is_found(module):
    assert AgentSpec(f"{module}:Mine").make().version == "7"
    assert AgentSpec(f"{module}:by_function").make().version == "7"


def test_making_gives_a_new_agent_every_time(module):
    spec = AgentSpec(f"{module}:Mine")
    assert spec.make() is not spec.make()


def test_a_checkpoint_reaches_the_agent(module):
    name = f"{module}:WithCheckpoint"
    assert AgentSpec(name).make().checkpoint == "none"
    assert AgentSpec(name, "weights.bin").make().checkpoint == "weights.bin"


@pytest.mark.parametrize(
    ("name", "checkpoint", "message"),
    [
        ("nobody", None, r"no agent 'nobody'; known: .*random.*, or give module:Name"),
        ("bad.py", None, "bad.py is a file; name the agent's class in it too: bad.py:Name"),
        ("random", "w", "agent random takes no --checkpoint; leave it out"),
        ("tql-ucb", "w", "agent tql-ucb takes no --checkpoint; leave it out"),
        ("no_such_module:Name", None, "cannot be loaded: No module named 'no_such_module'"),
        ("{}:Nobody", None, "cannot be loaded: .* has no attribute 'Nobody'"),
        ("{}_torn:Name", None, "cannot be loaded: SyntaxError"),
        ("{}_lost:Name", None, "cannot be loaded: No module named 'no_such_package'"),
        (":", None, "cannot be loaded"),
        ("{}:number", None, "is a int; give a class or function"),
        (
            "{}:Lacking",
            None,
            r"neither an Agent nor a CompiledAgent \(an Agent lacks: act, policy\)",
        ),
        ("{}:Undeclared", None, r"an Agent lacks: trains, privileged"),
        ("{}:Failing", None, "cannot be made: RuntimeError: no weights"),
        ("{}:Blank", None, "has version ''; give a printable string"),
    ],
)
def test_a_bad_agent_is_refused(module, name, checkpoint, message):
    with pytest.raises(AgentError, match=message):
        AgentSpec(name.format(module), checkpoint).make()


def test_only_tuned_agents_get_settings_for_an_environment():
    assert is_tuned(AgentSpec("tql-ucb").make("AnyMDP-16s5a-v0"))
    assert not is_tuned(AgentSpec("psrl").make("AnyMDP-16s5a-v0"))
    one, two = (AgentSpec("ucbvi").make(name) for name in ("AnyMDP-16s5a-v0", "Darkroom-6x6-v0"))
    batch = RunBatch(16, 5, np.zeros(1, np.uint64))
    assert one.settings(batch)[-1] != two.settings(batch)[-1]

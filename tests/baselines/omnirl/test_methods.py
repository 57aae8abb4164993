"""The methods of the study as agents: found by name, with weights that ship, of one size."""

import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.checkpoint import read_checkpoint  # noqa: E402
from anymdp_baselines.omnirl.methods import ad, dpt  # noqa: E402
from anymdp_baselines.studies.methods import METHODS, method_preset  # noqa: E402
from anymdp_bench.agents import AgentSpec  # noqa: E402
from anymdp_bench.evaluation import Budget, Demonstrations, Run, play_in_context  # noqa: E402
from anymdp_bench.tasks.family import task_source  # noqa: E402
from anymdp_bench.tasks.selection import select_tasks  # noqa: E402
from anymdp_bench.testing import AgentConformance  # noqa: E402

NAMES = [name if name != "omnirl" else "omnirl-recipe" for name in METHODS]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_an_agent_by_name_and_takes_demonstrations(name):
    tasks, _ = select_tasks(task_source("FrozenLake4x4-v0"), 1)
    runs = [Run("FrozenLake4x4-v0", tasks[0], seed) for seed in range(2)]
    agent = AgentSpec(name).make()
    curves = play_in_context(agent, runs, Budget(episodes=2), None, Demonstrations(2, 0.3))
    assert [len(curve.score) for curve in curves] == [2, 2]


def test_the_weights_that_ship_are_those_of_the_study_at_scale_small():
    from importlib.resources import files
    from pathlib import Path

    for method, name in zip(METHODS, NAMES, strict=True):
        shipped = Path(str(files("anymdp_baselines.omnirl") / "weights" / name))
        found = read_checkpoint(shipped, ("delta",))
        preset = method_preset("small", method)
        assert found.size == preset.model
        assert found.numbers["preset"]["recipe"] == method
        assert found.numbers["updates"] == preset.rounds * preset.minibatches


class TestAD(AgentConformance):
    def make_agent(self):
        return ad()


class TestDPT(AgentConformance):
    def make_agent(self):
        return dpt()

"""What an agent needs, and what it is told."""

import numpy as np
import pytest

from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.agents import (
    Agent,
    CompiledAgent,
    RunBatch,
    check_agent,
    is_privileged,
    is_trained,
)
from anymdp_bench.evaluation import Budget, Run, play_in_context
from anymdp_bench.tasks.family import task_source


def test_kinds_are_distinguished():
    for agent, kind, training, privileged in [
        (Random(), Agent, False, False),
        (Oracle(), Agent, False, True),
        (TQLUCB(), CompiledAgent, True, False),
    ]:
        assert isinstance(agent, kind)
        assert not isinstance(agent, ({Agent, CompiledAgent} - {kind}).pop())
        assert (is_trained(agent), is_privileged(agent)) == (training, privileged)


def test_the_shortest_agent_has_two_methods():
    class Shortest(Agent):
        def act(self, observation, test=False):
            return np.zeros(self.batch.n, np.int64)

        def learn(self, transition):
            self.latest = transition

    agent = check_agent(Shortest(), "shortest")
    run = Run("Garnet-16s5a2b-v0", task_source("Garnet-16s5a2b-v0").task(0), 0)
    [curve] = play_in_context(agent, [run], Budget(episodes=2))
    assert curve.episode.tolist() == [1, 2]
    assert agent.latest.truncated.tolist() == [True]


def test_agents_are_not_told_the_environment():
    batch = RunBatch(16, 5, np.zeros(1, np.uint64))
    with pytest.raises(AttributeError, match=r"not told the environment's name; .*settings_for"):
        batch.env_id  # noqa: B018
    assert not hasattr(batch, "env_id")

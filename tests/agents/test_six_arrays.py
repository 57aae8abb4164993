"""Agents whose `learn` takes six arrays play through an adapter."""

import copy

import numpy as np

from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.agents import check_agent
from anymdp_bench.agents.six_arrays import SixArrayAgent
from anymdp_bench.evaluation import Budget, Demonstrations, Run, play_in_context
from anymdp_bench.tasks.family import task_source


class SixArrays:
    """An agent of the contract up to version 0.1. It repeats an action that was rewarded."""

    version, trains, privileged, shaped = "3", False, False, False

    def start(self, batch):
        self.learned, self.demonstrated, self.last = 0, 0, np.zeros(batch.n, np.int64)

    def act(self, observation, test=False):
        return self.last

    def learn(self, observation, action, reward, next_observation, terminated, truncated):
        self.learned += len(reward)
        self.last = np.where(reward > 0, action, (action + 1) % 5)

    def demonstrate(self, observation, action, reward, after, terminated, truncated, demonstrated):
        self.demonstrated += int(demonstrated.sum())

    def policy(self):
        return None


def test_an_agent_that_learns_from_six_arrays_still_plays():
    agent = SixArrays()
    adapter = check_agent(agent, "mine")
    assert isinstance(adapter, SixArrayAgent)
    assert (adapter.version, adapter.trains, adapter.shaped) == ("3", False, False)
    run = Run("AnyMDP-16s5a-v0", task_source("AnyMDP-16s5a-v0").task(0), 0)
    [curve] = play_in_context(adapter, [run], Budget(steps=500))
    assert len(curve.score) > 0
    assert agent.learned == 500
    play_in_context(adapter, [run], Budget(steps=50), None, Demonstrations(2, 0.0))
    assert agent.demonstrated > 0
    before = agent.demonstrated
    twin = copy.deepcopy(adapter)  # as learners that play one game are
    play_in_context(twin, [run], Budget(steps=50), None, Demonstrations(2, 0.0))
    assert agent.demonstrated == before


def test_an_agent_of_the_present_contract_has_no_adapter():
    for agent in (Random(), Oracle(), TQLUCB()):
        assert check_agent(agent, "mine") is agent

"""UCBVI: the contract, its model worked by hand, its search, and that it learns."""

import json
import math

import numpy as np
import pytest

from anymdp_baselines.tabular.ucbvi import UCBVI, _model
from anymdp_baselines.tuning import ucbvi as search
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.rng import stream
from anymdp_bench.evaluation import Budget, Run, play_compiled
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, sample_tasks, task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.tabular import TabularTask
from anymdp_bench.testing import AgentConformance

STREAMS = RunBatch(4, 2, np.zeros(1, np.uint64))


class TestUCBVI(AgentConformance):
    def make_agent(self):
        return UCBVI()


def experienced(agent):
    """Three visits of (0, 1): twice to 2, once to 3 (terminal), rewards 1, 2 and 6."""
    memory, settings = agent.memory(STREAMS), agent.settings(STREAMS)
    rng = stream("unused")
    for reward, following, ended in ((1.0, 2, False), (2.0, 2, False), (6.0, 3, True)):
        agent.compiled_learn(0, 1, reward, following, ended, False, 2, memory, settings, rng)
    return memory, settings


def test_the_optimistic_model_by_hand():
    """Mean 3 and variance (4 + 1 + 9) / 3 of the rewards 1, 2, 6; ln 4 at three steps; n = 3 or 1/2."""
    memory, settings = experienced(UCBVI(0.002, gamma=0.99))
    prob, reward = _model(memory, settings, 2, 0.002)
    assert prob[0, 1] == pytest.approx([0.025 / 3.1, 0.025 / 3.1, 2.025 / 3.1, 1.025 / 3.1])
    assert prob[1, 0] == pytest.approx([0.25] * 4)
    scale = 0.002 / 0.01 * math.sqrt(14 / 3) * math.sqrt(math.log(4))
    assert reward[0, 1] == pytest.approx((9 + 0.1 * 3) / 3.1 + scale / math.sqrt(3))
    assert reward[1, 0] == pytest.approx(3 + scale / math.sqrt(0.5))


def test_without_a_bonus_it_is_the_model_that_is_tested():
    memory, settings = experienced(UCBVI())
    assert _model(memory, settings, 2, 0.0)[1][1, 0] == pytest.approx(3)


@pytest.mark.parametrize(
    ("ends", "wanted"),
    [
        ({}, [0.001, 0.01, 0.1, 1.0]),
        ({0.001: 0.5, 0.1: 0.6}, [0.01, 1.0]),
        ({0.001: 0.5, 0.01: 0.6, 0.1: 0.9, 1.0: 0.7}, [0.03, 0.3]),
        ({0.001: 0.5, 0.01: 0.6, 0.03: 0.7, 0.1: 0.9, 0.3: 0.8, 1.0: 0.7}, []),
        ({0.001: 0.7, 0.01: 0.6, 0.1: 0.4, 1.0: 0.3}, [0.0003, 0.003]),
        ({0.001: 0.5, 0.01: 0.6, 0.1: 0.6, 1.0: 0.8}, [0.3, 3.0]),
        ({0.001: 0.701, 0.01: 0.7, 0.1: 0.7, 1.0: 0.7}, [0.0003, 0.003]),  # the smallest of equals
        ({c: 1 - c / 10 for c in search.CONSTANTS}, []),  # no bonus at all is a natural bound
    ],
)
def test_the_search_goes_on_until_the_best_is_inside(ends, wanted):
    assert search.find_missing({c: (end, 0.0) for c, end in ends.items()}) == wanted


def test_speed_breaks_the_ties_of_the_search():
    assert search.find_best({0.03: (0.9, 0.8), 0.1: (0.9, 0.85), 0.3: (0.8, 0.9)}) == 0.1


@pytest.mark.parametrize("family", search.FAMILIES)
def test_each_choice_is_the_best_that_was_played_and_inside(family):
    found = json.loads(search.PATH.read_text(encoding="utf-8"))["scores"][family]
    assert found["episodes"] == 10_000
    scores = {float(c): tuple(value) for c, value in found["by constant"].items()}
    assert UCBVI.settings_for(search.FAMILIES[family][0]) == search.find_best(scores)
    assert search.find_missing(scores) == []


def test_it_approaches_the_optimum():
    """Eight training tasks at the chosen constant, fixed seeds, exact tests: no plateau below 1."""
    env_id = "AnyMDP-16s5a-v0"
    tasks, _ = select_tasks(task_source(env_id), 8, PUBLIC_SEEDS)
    agent = UCBVI(UCBVI.settings_for(env_id))
    curves = [play_compiled(agent, Run(env_id, task, 0), Budget(10_000)) for task in tasks]
    by_end = [np.mean([c.score[c.episode == n][0] for c in curves]) for n in (100, 1000, 10_000)]
    assert by_end[0] < by_end[1] < by_end[2]
    assert by_end[2] > 0.95


def test_it_learns_small_tasks_within_2000_steps():
    """Eight training tasks, fixed seeds."""
    scores = []
    for k, mdp in enumerate(sample_tasks("AnyMDP-16s5a-v0", range(2**32, 2**32 + 8))):
        task = TabularTask(k, mdp, compute_references(mdp))
        curve = play_compiled(UCBVI(0.003), Run("AnyMDP-16s5a-v0", task, 0), Budget(steps=2000))
        scores.append(curve.score[-1])
    assert np.mean(scores) > 0.5

"""PSRL: the contract, its posterior by hand, and that it learns."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from anymdp_baselines.psrl import PSRL, _layout, _model, gamma_variate
from anymdp_bench.agents import Streams
from anymdp_bench.engine.rng import stream
from anymdp_bench.protocol import Budget, Run, play_fused
from anymdp_bench.scoring import ScoredTask, references
from anymdp_bench.tasks.family import sample_tasks
from anymdp_bench.testing import AgentConformance

STREAMS = Streams("AnyMDP-v0", 4, 2, np.zeros(1, np.uint64))


class TestPSRL(AgentConformance):
    def make_agent(self):
        return PSRL()


@njit
def draws(shape, n, rng):
    out = np.empty(n)
    for k in range(n):
        out[k] = gamma_variate(shape, rng)
    return out


@pytest.mark.parametrize("shape", [0.03, 0.5, 1.0, 7.5])
def test_gamma_variates(shape):
    """Kolmogorov-Smirnov at 1e-4 each, fixed seed."""
    sample = draws(shape, 20_000, stream("test", int(shape * 100)))
    assert stats.kstest(sample, stats.gamma(shape).cdf).pvalue > 1e-4


def experienced(agent):
    """Three visits of (0, 1): twice to 2, once to 3 (terminal), rewards 1, 2 and 6."""
    memory, settings = agent.memory(STREAMS), agent.settings(STREAMS)
    rng = stream("unused")
    for reward, following, ended in ((1.0, 2, False), (2.0, 2, False), (6.0, 3, True)):
        agent.compiled_learn(0, 1, reward, following, ended, False, 2, memory, settings, rng)
    return memory, settings


def test_posterior_mean_by_hand():
    """Counts 2 and 1 with a prior of 0.5 shared by 4 ids: (2 + 1/8) / 3.5, (1 + 1/8) / 3.5, 1/8 / 3.5."""
    memory, settings = experienced(PSRL())
    prob, reward = _model(memory, settings, 2, stream("unused"), False)
    assert prob[0, 1] == pytest.approx([0.125 / 3.5, 0.125 / 3.5, 2.125 / 3.5, 1.125 / 3.5])
    assert prob[1, 0] == pytest.approx([0.25] * 4)
    assert reward[0, 1] == 3.0
    assert reward[1, 0] == 3.0  # never tried: the mean of all rewards


def test_posterior_samples_are_distributions_around_the_mean():
    memory, settings = experienced(PSRL())
    rng = stream("test")
    samples = np.array([_model(memory, settings, 2, rng, True)[0][0, 1] for _ in range(4000)])
    assert np.allclose(samples.sum(axis=1), 1)
    mean = samples.mean(axis=0)
    error = samples.std(axis=0) / np.sqrt(len(samples))
    assert (abs(mean - np.array([0.125, 0.125, 2.125, 1.125]) / 3.5) < 5 * error).all()


def test_entered_terminals_are_known():
    memory, _ = experienced(PSRL())
    begin = _layout.py_func(4, 2)[1]
    assert memory[begin : begin + 4].tolist() == [0, 0, 0, 1]


def test_it_learns_small_tasks_within_3000_steps():
    """0.85 (standard error 0.03) in the mean over task seeds 0 to 63; these eight, fixed seeds."""
    scores = []
    for k, mdp in enumerate(sample_tasks("AnyMDP-16s5a-v0", range(8))):
        task = ScoredTask(k, mdp, references(mdp))
        curve = play_fused(PSRL(), Run("AnyMDP-16s5a-v0", task, 0), Budget(steps=3000))
        scores.append(curve.score[-1])
    assert np.mean(scores) > 0.75

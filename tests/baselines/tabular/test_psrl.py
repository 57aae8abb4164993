"""PSRL: the contract, its posterior worked by hand, and that it learns."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from anymdp_baselines.tabular.counts import layout
from anymdp_baselines.tabular.psrl import PSRL, episodic, gamma_variate, model
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.rng import stream
from anymdp_bench.evaluation import Budget, Run, play_compiled
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import sample_tasks
from anymdp_bench.tasks.tabular import TabularTask
from anymdp_bench.testing import AgentConformance

STREAMS = RunBatch(4, 2, np.zeros(1, np.uint64))


class TestPSRL(AgentConformance):
    def make_agent(self):
        return PSRL()


class TestEpisodicPSRL(AgentConformance):
    def make_agent(self):
        return episodic()


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
    """Counts 2 and 1 with a prior of 0.5 shared by 4 ids: (2 + 1/8) / 3.5, (1 + 1/8) / 3.5, 1/8 / 3.5.

    To 2 it was paid 1.5 on average, to 3 once 6; for 0 and 1, never entered, the mean of all, 3, stands in.
    """
    memory, settings = experienced(episodic())
    prob, reward = model(memory, settings, 2, stream("unused"), False)
    assert prob[0, 1] == pytest.approx([0.125 / 3.5, 0.125 / 3.5, 2.125 / 3.5, 1.125 / 3.5])
    assert prob[1, 0] == pytest.approx([0.25] * 4)
    assert reward[0, 1] == pytest.approx((0.25 * 3 + 2.125 * 1.5 + 1.125 * 6) / 3.5)
    assert reward[1, 0] == pytest.approx((3 + 3 + 1.5 + 6) / 4)  # never tried: what arriving pays


def test_seen_rewards_are_sampled_with_the_spread_within_a_cell():
    """Two rewards of one cell, 1 and 2: sd sqrt(0.5), at one degree of freedom, over sqrt(2) for the mean."""
    memory, settings = experienced(PSRL(prior=1e-12))
    rng = stream("test")
    draws = [model(memory, settings, 2, rng, True) for _ in range(4000)]
    to_2 = np.array([prob[0, 1, 2] for prob, _ in draws])
    reward = np.array([r[0, 1] for _, r in draws])
    noise = np.sqrt(0.5) * np.sqrt(to_2**2 / 2 + (1 - to_2) ** 2)
    z = (reward - to_2 * 1.5 - (1 - to_2) * 6) / noise
    assert stats.kstest(z, stats.norm.cdf).pvalue > 1e-4


@pytest.mark.parametrize("doubling", [True, False])
def test_when_a_new_sample_is_drawn(doubling):
    """After steps 1, 2 and 4 of a pair within the first episode, or only when an episode ends."""
    agent = PSRL(doubling=doubling)
    memory, settings = agent.memory(STREAMS), agent.settings(STREAMS)
    rng = stream("test")

    def draws_now():
        before = rng.copy()
        agent.compiled_act(0, 2, memory, settings, rng)
        return bool((rng != before).any())

    assert draws_now()
    assert not draws_now()
    drawn = []
    for _ in range(6):
        agent.compiled_learn(0, 1, 0.0, 2, False, False, 2, memory, settings, rng)
        drawn.append(draws_now())
    assert drawn == [doubling, doubling, False, doubling, False, False]
    agent.compiled_learn(0, 1, 0.0, 2, False, True, 2, memory, settings, rng)
    assert draws_now()


def test_posterior_samples_are_distributions_around_the_mean():
    memory, settings = experienced(episodic())
    rng = stream("test")
    samples = np.array([model(memory, settings, 2, rng, True)[0][0, 1] for _ in range(4000)])
    assert np.allclose(samples.sum(axis=1), 1)
    mean = samples.mean(axis=0)
    error = samples.std(axis=0) / np.sqrt(len(samples))
    assert (abs(mean - np.array([0.125, 0.125, 2.125, 1.125]) / 3.5) < 5 * error).all()


@pytest.mark.parametrize("untried", [1.0, 3.0])
def test_untried_pairs_draw_a_reward_of_their_own(untried):
    """Of (1, 0), beside what arriving pays: `untried` times the spread of all rewards, 1, 2 and 6."""
    memory, settings = experienced(PSRL(prior=1e-12, untried=untried))
    memory[layout.py_func(4, 2)[2] : layout.py_func(4, 2)[3]] = 1.0  # every id entered,
    memory[layout.py_func(4, 2)[3] : layout.py_func(4, 2)[4]] = 0.0  # each for nothing
    rng = stream("test")
    draws = [model(memory, settings, 2, rng, True)[1][1, 0] for _ in range(2000)]
    assert stats.kstest(draws, stats.norm(0.0, untried * np.std([1, 2, 6])).cdf).pvalue > 1e-4


def test_the_tested_policy_has_the_benchmarks_discount():
    """That of the samples has no say in it."""
    memory, settings = experienced(episodic())
    short = settings.copy()
    assert (settings[2], settings[-1]) == (0.97, 0.994)
    out = np.zeros((4, 2))
    episodic().compiled_policy(4, 2, memory, settings, out)
    short[2] = 0.5
    again = np.zeros((4, 2))
    episodic().compiled_policy(4, 2, memory, short, again)
    assert (out == again).all()


def test_entered_terminals_are_known():
    memory, _ = experienced(PSRL())
    begin = layout.py_func(4, 2)[1]
    assert memory[begin : begin + 4].tolist() == [0, 0, 0, 1]


def test_it_learns_small_tasks_within_2000_steps():
    """Eight training tasks, fixed seeds."""
    scores = []
    for k, mdp in enumerate(sample_tasks("AnyMDP-16s5a-v0", range(2**32, 2**32 + 8))):
        task = TabularTask(k, mdp, compute_references(mdp))
        curve = play_compiled(PSRL(), Run("AnyMDP-16s5a-v0", task, 0), Budget(steps=2000))
        scores.append(curve.score[-1])
    assert np.mean(scores) > 0.75

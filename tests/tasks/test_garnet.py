"""Garnet tasks. Each statistical test has a false-alarm rate of 1e-3 and a fixed seed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.garnet.sampler import sample

ALPHA = 1e-3


@given(st.integers(0, 2**32 - 1), st.integers(5, 20), st.integers(2, 4), st.integers(1, 5))
def test_a_task_keeps_the_rules(seed, S, A, b):
    mdp = sample(seed, n_states=S, n_actions=A, branching=b)
    P = mdp.transition
    assert P.shape == (S, A, S)
    assert ((P > 0).sum(-1) == b).all()
    assert np.allclose(P.sum(-1), 1, rtol=0, atol=1e-14)
    assert not mdp.terminal.any()
    assert (mdp.reward_noise == 0).all()
    assert mdp.start.tolist() == np.eye(S)[0].tolist()
    assert sorted(mdp.observation) == list(range(S))
    lo = max(4 * S, 100)
    assert lo < mdp.max_steps <= math.ceil(max(min(8 * S, 500), lo + 1))


@pytest.fixture(scope="module")
def many():
    return [sample(seed, n_states=16, n_actions=5, branching=4) for seed in range(60)]


def test_successors_are_uniform(many):
    counts = sum((mdp.transition > 0).sum((0, 1)) for mdp in many)
    # Four of sixteen without replacement: a count's variance is 12/15 of that of independent draws.
    statistic = stats.chisquare(counts).statistic / (12 / 15)
    assert stats.chi2.sf(statistic, 15) > ALPHA
    own = sum(
        np.trace((mdp.transition > 0).any(1)) for mdp in many
    )  # s reaches itself like any other
    assert stats.binomtest(int(own), 60 * 16, 1 - (12 / 16) ** 5).pvalue > ALPHA


def test_probabilities_are_the_spacings_of_sorted_uniforms(many):
    # Each of b spacings of the unit interval is Beta(1, b - 1); one from each row keeps them independent.
    first = np.concatenate(
        [
            mdp.transition[s, a][mdp.transition[s, a] > 0][:1]
            for mdp in many
            for s, a in np.ndindex(16, 5)
        ]
    )
    assert stats.kstest(first, stats.beta(1, 3).cdf).pvalue > ALPHA
    two = sample(0, n_states=64, n_actions=20, branching=2).transition
    assert stats.kstest(two[two > 0].reshape(-1, 2)[:, 0], "uniform").pvalue > ALPHA


def test_rewards_are_normal_with_sd_a_tenth(many):
    values = np.concatenate([mdp.reward[mdp.transition > 0] for mdp in many])
    assert stats.kstest(values / 0.1, "norm").pvalue > ALPHA


def test_ids_are_permuted(many):
    shown = np.bincount([mdp.observation[0] for mdp in many], minlength=16)
    assert stats.chisquare(shown).pvalue > ALPHA


def test_one_successor_makes_a_deterministic_task():
    P = sample(0, n_states=8, n_actions=2, branching=1).transition
    assert set(P.ravel()) == {0.0, 1.0}


def test_seeds_and_keywords_give_unlike_tasks():
    tasks = {
        sample(seed, n_states=S, n_actions=2, branching=b)
        for seed in (0, 1, 2)
        for S in (8, 9)
        for b in (2, 3)
    }
    assert len(tasks) == 12


@pytest.mark.parametrize(
    "keywords",
    [
        {"n_states": 1},
        {"n_states": 8.0},
        {"n_actions": 1},
        {"branching": 0},
        {"branching": 9},
        {"branching": None},
    ],
)
def test_sizes_that_make_no_task(keywords):
    with pytest.raises(TaskError) as caught:
        sample(0, **{"n_states": 8, "n_actions": 2, "branching": 2} | keywords)
    (name,) = keywords
    assert str(caught.value).startswith(f"{name} is ")
    assert "\n" not in str(caught.value)

"""The score with its control variate, checked by simulation with stated error rates."""

import numpy as np
import pytest

from anymdp_bench.engine import step
from anymdp_bench.engine.rng import derive_streams, stream
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.mdp.solution import expected_return, solve
from anymdp_bench.scoring import ORACLE_GAMMA, References, compute_references, oracle_advantages
from anymdp_bench.tasks.family import TaskFamily, sample_task, task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.source import TaskSource
from naive.dense import episode_tables

EPISODES = 20_000
SIMULATED = [
    ("AnyMDP-16s5a-v0", 0),
    ("AnyMDP-16s5a-v0", 5),
    ("AnyMDP-1s5a-v0", 0),
    ("Garnet-16s5a2b-v0", 1),
]


def simulate(mdp, choose, n=EPISODES, seed=0):
    """(returns [n], sums of oracle advantages [n]) of one episode in each of n streams.

    `choose(states, rng)` gives the actions, all streams at once.
    """
    table, advantage = mdp.step_tables, oracle_advantages(mdp, compute_references(mdp).policy)
    records = np.zeros((n, 4), np.int64)
    rng = derive_streams(stream("simulate", seed), np.arange(n, dtype=np.uint64))
    obs, reward, last = np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.int64)
    ended, fresh = np.zeros((2, n), np.bool_), np.zeros(n, np.bool_)
    step.reset_streams(records, rng, *table[:2], np.ones(n, bool), obs)
    chooser = np.random.default_rng(seed)
    total, corrected, playing = np.zeros(n), np.zeros(n), np.ones(n, bool)
    for left in range(mdp.max_steps, 0, -1):
        states = records[:, step.STATE].copy()
        actions = choose(states, chooser)
        step.step_streams(
            records, rng, *table, actions, mdp.n_actions, step.NEXT_STEP,
            obs, reward, ended, fresh, last,
        )  # fmt: skip
        total[playing] += reward[playing]
        corrected[playing] += advantage[left, states, actions][playing]
        playing &= ~ended.any(0)
    assert not playing.any()
    return total, corrected


def z_score(sample, expected):
    """Standard errors (and rounding) between the sample's mean and the expected value."""
    return (sample.mean() - expected) / (sample.std() / np.sqrt(len(sample)) + 1e-9)


@pytest.mark.parametrize(("env_id", "seed"), SIMULATED)
def test_random_play_scores_zero_raw_and_corrected(env_id, seed):
    """Four standard errors: a false alarm in 16,000 comparisons; the seeds are fixed."""
    mdp = sample_task(env_id, seed)
    ends = compute_references(mdp)
    raw, advantage = simulate(mdp, lambda s, rng: rng.integers(mdp.n_actions, size=len(s)))
    corrected = ends.oracle + advantage
    assert abs(z_score(raw, ends.random)) < 4
    assert abs(z_score(corrected, ends.random)) < 4
    assert abs(z_score(raw - corrected, 0.0)) < 4
    score = np.array([ends.score(value) for value in corrected])
    assert abs(z_score(score, 0.0)) < 4


@pytest.mark.parametrize(("env_id", "seed"), SIMULATED)
def test_a_mixed_policy_has_its_exact_expected_score(env_id, seed):
    """Oracle with 30% random actions: corrected and exact mean agree within four standard errors."""
    mdp = sample_task(env_id, seed)
    ends = compute_references(mdp)
    A = mdp.n_actions

    def choose(states, rng):
        noise = rng.random(len(states)) < 0.3
        return np.where(noise, rng.integers(A, size=len(states)), ends.policy[states])

    raw, advantage = simulate(mdp, choose, seed=1)
    exact = expected_return(mdp, 0.7 * np.eye(A)[ends.policy] + 0.3 / A)
    assert abs(z_score(ends.oracle + advantage, exact)) < 4
    assert abs(z_score(raw, exact)) < 4


@pytest.mark.parametrize(("env_id", "seed"), SIMULATED)
def test_the_oracle_scores_exactly_one_in_every_episode(env_id, seed):
    mdp = sample_task(env_id, seed)
    ends = compute_references(mdp)
    raw, advantage = simulate(mdp, lambda s, _: ends.policy[s], n=5_000)
    assert (advantage == 0.0).all()
    assert {ends.score(ends.oracle + a) for a in advantage} == {1.0}
    # The raw returns have the mean and sd that the references give; the sd to its own standard error.
    assert abs(z_score(raw, ends.oracle)) < 4
    spread = (raw - raw.mean()) ** 2
    assert abs(z_score(spread, ends.oracle_sd**2)) < 4


def test_the_correction_removes_noise(anymdp16):
    """Near-oracle play: left is the variance that the agent's own slips cause, here about half the sd."""
    ratios = []
    for mdp in anymdp16[:15]:
        ends = compute_references(mdp)

        def choose(states, rng, mdp=mdp, policy=ends.policy):
            slip = rng.random(len(states)) < 0.02
            return np.where(slip, rng.integers(mdp.n_actions, size=len(states)), policy[states])

        raw, advantage = simulate(mdp, choose, n=2_000, seed=2)
        ratios.append(advantage.std() / raw.std())
    assert np.median(ratios) < 0.75
    assert max(ratios) < 1.05


def test_references_are_exact(anymdp16):
    for mdp in anymdp16[:8]:
        ends = compute_references(mdp)
        A = mdp.n_actions
        assert (ends.policy == solve(mdp, ORACLE_GAMMA).policy).all()
        for policy, value in [
            (np.eye(A)[ends.policy], ends.oracle),
            (np.full((mdp.n_states, A), 1 / A), ends.random),
        ]:
            _, V = episode_tables(mdp.transition, mdp.reward, mdp.terminal, policy, mdp.max_steps)
            assert value == pytest.approx(mdp.start @ V[-1], rel=1e-12, abs=1e-10)
        assert ends.gap == ends.oracle - ends.random
        assert ends.score(ends.oracle) == 1.0
        assert ends.score(ends.random) == pytest.approx(0.0, abs=1e-15)


def test_references_by_hand():
    """Bandit with means 1 and 3, noise sd 2: oracle 3, its sd 2, random 2, gap 1 = half an sd: scorable."""
    P = np.zeros((2, 2, 2))
    P[0, :, 1] = 1.0
    mdp = TabularMDP(
        P,
        np.array([[1.0, 3.0], [0.0, 0.0]])[:, :, None],
        reward_noise=2.0,
        start=[1, 0],
        terminal=[False, True],
        max_steps=1,
    )
    ends = compute_references(mdp)
    assert (ends.oracle, ends.oracle_sd, ends.random, ends.gap) == (3.0, 2.0, 2.0, 1.0)
    assert ends.policy[0] == 1
    assert ends.is_scorable
    assert ends.score(2.5) == 0.5


@pytest.mark.parametrize(
    ("oracle", "sd", "random", "counts"),
    [
        (1.0, 2.0, 0.0, True),
        (1.0, 2.001, 0.0, False),
        (0.0, 0.0, 0.0, False),
        (-1.0, 0.0, 0.0, False),
        (1e-9, 0.0, 0.0, True),
    ],
)
def test_which_tasks_are_scorable(oracle, sd, random, counts):
    assert References(oracle, sd, random, np.zeros(1, np.int64)).is_scorable is counts


def test_select_tasks_is_a_filter_from_the_start_seed_upward():
    source = task_source("AnyMDP-64s5a-v0")
    counts = [compute_references(source.sample(seed)).is_scorable for seed in range(80)]
    first = counts.index(False)  # about one task in fifteen does not count
    for start, n in [(0, 30), (first, 5), (max(first - 2, 0), 2), (first + 1, 1)]:
        wanted = [seed for seed in range(start, 80) if counts[seed]][:n]
        kept, skipped = select_tasks(source, n, start)
        assert [task.seed for task in kept] == wanted
        assert skipped == [seed for seed in range(start, wanted[-1]) if not counts[seed]]
        for task in kept[:3]:
            assert task.mdp == source.sample(task.seed)
            assert task.references.is_scorable


def test_select_tasks_may_select_none():
    assert select_tasks(task_source("AnyMDP-16s5a-v0"), 0) == ([], [])


def fixed(seed):
    """A task that tells little apart: the actions pay 0 and 1, with a noise of 10."""
    pays = np.array([[[0.0], [1.0]]])
    return TabularMDP(
        np.ones((1, 2, 1)), pays, reward_noise=10.0, start=[1], terminal=[False], max_steps=seed + 1
    )


def worthless(seed):
    """A task that tells nothing apart: both actions pay nothing."""
    return TabularMDP(np.ones((1, 2, 1)), 0.0, start=[1], terminal=[False], max_steps=seed + 1)


def test_a_fixed_task_is_returned_once_even_if_it_is_not_scorable():
    family = TaskFamily("Fixed", f"{__name__}:fixed", {"Fixed-v0": {}}, sampled=lambda _: False)
    kept, skipped = select_tasks(TaskSource(family, ()), 64, start=7)
    assert [(task.seed, task.mdp.max_steps) for task in kept] == [(0, 1)]
    assert not kept[0].references.is_scorable
    assert skipped == []


def test_a_fixed_task_with_nothing_to_learn_is_refused():
    family = TaskFamily("Fixed", f"{__name__}:worthless", {"Fixed-v0": {}}, sampled=lambda _: False)
    with pytest.raises(TaskError, match="Fixed: the oracle earns no more than a random policy"):
        select_tasks(TaskSource(family, ()), 64)

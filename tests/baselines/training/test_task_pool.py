"""The task pool: tasks are those of their seeds, labelled by the oracle, and scored without variance."""

import numpy as np
import pytest

from anymdp_baselines.training.task_pool import TaskPool, reward_factor, shift_rewards
from anymdp_bench.datasets.codes import WENT_ON
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import compute_references, oracle_advantages
from anymdp_bench.scoring.labels import advantage_unit
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

A = 3
FULL = task_source("AnyMDP-v0", n_states=8, n_actions=A)
FEWER = task_source("AnyMDP-v0", n_states=12, n_actions=A, min_states=8)
BANDIT = task_source("AnyMDP-v0", n_states=1, n_actions=A)


def pool_of(source, n=16):
    pool = TaskPool(n, source, source.sample(PUBLIC_SEEDS).n_observations, A)
    pool.assign(np.arange(n), np.arange(PUBLIC_SEEDS, PUBLIC_SEEDS + n))
    return pool


def test_public_seeds_are_refused():
    with pytest.raises(ValueError, match=f"is public; training draws from {PUBLIC_SEEDS} upward"):
        TaskPool(1, FULL, 8, A).assign(np.arange(1), np.array([PUBLIC_SEEDS - 1]))


@pytest.mark.parametrize("source", [FULL, FEWER, BANDIT], ids=["full", "fewer", "bandit"])
def test_a_task_is_that_of_its_seed_with_the_oracles_labels(source):
    pool = pool_of(source, 3)
    for i, seed in enumerate(pool.seeds):
        mdp = source.sample(int(seed))
        scale, live = compute_references(mdp), ~mdp.terminal
        assert pool.horizon[i] == mdp.max_steps
        assert bool(pool.is_scorable[i]) == scale.is_scorable
        label = pool.advantage[i][mdp.observation]
        np.testing.assert_array_equal(label.argmax(1)[live], solve(mdp).policy[live])
        assert (label[live].max(1) == 0.0).all()
        unit = advantage_unit(scale.gap, scale.oracle_sd)
        table = oracle_advantages(mdp, scale.policy) / unit
        found = pool.arrays.step_score[i, : table.shape[0], : table.shape[1]]
        np.testing.assert_allclose(found, table, rtol=1e-12)


@pytest.mark.parametrize("source", [FULL, FEWER, BANDIT], ids=["full", "fewer", "bandit"])
def test_the_oracle_scores_one_in_every_episode(source):
    pool = pool_of(source)
    scores = []
    for _ in range(300):
        seen = pool.observation.copy()
        action = pool.advantage[np.arange(16), seen].argmax(1)
        _, ending, arrival, score, is_over = pool.step(action)
        np.testing.assert_array_equal(ending != WENT_ON, is_over)
        np.testing.assert_array_equal(arrival[~is_over], pool.observation[~is_over])
        np.testing.assert_array_equal(np.isnan(score), ~is_over)
        scores += score[is_over].tolist()
    assert scores
    np.testing.assert_allclose(scores, 1.0, atol=1e-9)


def test_every_second_task_has_rewards_of_another_scale_and_nothing_else_changes():
    plain, scaled = (TaskPool(6, FULL, 8, A, spread) for spread in (0.0, 1.5))
    seeds = np.arange(PUBLIC_SEEDS, PUBLIC_SEEDS + 6)
    factors = [reward_factor(int(seed), 1.5) for seed in seeds]
    assert [factor == 1.0 for factor in factors] == [True, False] * 3
    assert len(set(factors)) == 4
    for pool in (plain, scaled):
        pool.assign(np.arange(6), seeds)
    for t in range(50):
        action = np.full(6, t % A)
        (reward, *rest), (other, *same) = plain.step(action), scaled.step(action)
        np.testing.assert_allclose(other, factors * reward, rtol=1e-12)
        for x, y in zip(rest, same, strict=True):
            np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(plain.advantage, scaled.advantage)


def test_the_logarithm_of_the_scale_is_normal():
    """400 draws: the mean and the deviation are off by more than 4 standard errors once in 8,000 times."""
    found = np.log([reward_factor(seed, 1.5) for seed in range(1, 801, 2)])
    assert abs(found.mean()) < 4 * 1.5 / 20
    assert abs(found.std() - 1.5) < 4 * 1.5 / np.sqrt(800)


def test_a_pool_goes_on_exactly_from_its_state():
    first, again = pool_of(FULL, 4), TaskPool(4, FULL, 8, A)
    action = np.array([0, 1, 2, 0])
    for _ in range(20):
        first.step(action)
    again.restore(first.state())
    for _ in range(20):
        for x, y in zip(first.step(action), again.step(action), strict=True):
            np.testing.assert_array_equal(x, y)


def test_every_second_task_has_a_number_taken_off_its_rewards():
    for seed in range(PUBLIC_SEEDS, PUBLIC_SEEDS + 16):
        plain = FULL.sample(seed)
        found = shift_rewards(plain, seed, 4.0)
        if seed % 2 == 1:
            assert found is plain
            continue
        off = plain.bands.reward - found.bands.reward
        most = 4.0 * abs(compute_references(plain).oracle) / plain.max_steps
        assert 0.0 <= off.min() <= off.max() <= most + 1e-9
        np.testing.assert_allclose(off, off[0], atol=1e-9)
        np.testing.assert_array_equal(found.transition, plain.transition)
        assert found.max_steps == plain.max_steps


def test_where_every_step_costs_an_early_end_is_the_best_label():
    """In some tasks the oracle changes its mind once the rewards are shifted, and the labels follow it."""
    pool = TaskPool(64, FULL, 8, A, reward_shift=4.0)
    seeds = PUBLIC_SEEDS + 2 + 4 * np.arange(64)
    pool.assign(np.arange(64), seeds)
    changed = 0
    for i, seed in enumerate(seeds):
        plain = FULL.sample(int(seed))
        shifted = shift_rewards(plain, int(seed), 4.0)
        live = ~plain.terminal
        best = solve(shifted).policy[live]
        np.testing.assert_array_equal(pool.advantage[i][plain.observation].argmax(1)[live], best)
        changed += (best != solve(plain).policy[live]).any()
    assert changed >= 3


def test_no_shift_leaves_all_tasks_as_they_are():
    mdp = FULL.sample(PUBLIC_SEEDS + 2)
    assert shift_rewards(mdp, PUBLIC_SEEDS + 2, 0.0) is mdp

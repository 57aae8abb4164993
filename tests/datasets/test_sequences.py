"""Recorded data: labels, endings, tags, and that it is the benchmark's own tasks and dynamics."""

import numpy as np
import pytest

from anymdp_bench.datasets.behaviours import KIND, draw_behaviour
from anymdp_bench.datasets.codes import SHARES, TAG_UNKNOWN, TERMINATED, TRUNCATED, WENT_ON
from anymdp_bench.datasets.sequences import synthesise
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

S, A, LENGTH = 8, 3, 600
SEEDS = range(PUBLIC_SEEDS, PUBLIC_SEEDS + 24)


@pytest.fixture(scope="module")
def data():
    return synthesise(S, A, SEEDS, LENGTH, threads=3)


@pytest.fixture(scope="module")
def mdps():
    source = task_source("AnyMDP-v0", n_states=S, n_actions=A)
    return [source.sample(seed) for seed in SEEDS]


def test_advantages_are_the_oracles_in_units_of_gap_over_horizon(data, mdps):
    for row, mdp in enumerate(mdps):
        scale = compute_references(mdp)
        unit = max(scale.gap, 0.5 * scale.oracle_sd) / mdp.max_steps
        q = solve(mdp).q
        live = ~mdp.terminal
        expected = (q - q.max(axis=1, keepdims=True))[live] / unit
        found = data.advantage[row][mdp.observation[live]]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_entropy_is_that_of_the_next_state(data, mdps):
    for row, mdp in enumerate(mdps):
        chance = mdp.transition
        expected = -(chance * np.log(np.maximum(chance, 1e-300))).sum(-1)
        np.testing.assert_allclose(data.entropy[row][mdp.observation], expected, atol=1e-5)


def test_only_possible_steps_and_rewards_happen(data, mdps):
    for row, mdp in enumerate(mdps):
        inner = np.zeros(S, np.int64)
        inner[mdp.observation] = np.arange(S)
        s, j = inner[data.seen[row]], inner[data.arrival[row]]
        a = data.action[row]
        assert (mdp.transition[s, a, j] > 0).all()
        off = np.abs(data.reward[row] - mdp.reward[s, a, j])
        assert (off <= 6 * mdp.reward_noise[s, a, j] + 1e-5).all()
        np.testing.assert_array_equal(data.ending[row] == TERMINATED, mdp.terminal[j])


def test_episodes_go_on_where_they_arrived_and_end_at_the_horizon(data, mdps):
    for row, mdp in enumerate(mdps):
        going = data.ending[row][:-1] == WENT_ON
        np.testing.assert_array_equal(data.seen[row][1:][going], data.arrival[row][:-1][going])
        ends = np.flatnonzero(data.ending[row])
        lengths = np.diff(np.concatenate([[-1], ends]))
        assert (lengths <= mdp.max_steps).all()
        truncated = data.ending[row][ends] == TRUNCATED
        assert (lengths[truncated] == mdp.max_steps).all()
        starts = data.seen[row][ends[ends < LENGTH - 1] + 1]
        assert set(starts) <= set(mdp.observation[mdp.start > 0])


def test_tags_tell_who_acted(data, mdps):
    for gamma, tag in ((0.0, 0), (0.5, 1), (0.93, 2), (0.994, 3)):
        for row, mdp in enumerate(mdps):
            policy = np.zeros(S, np.int64)
            live = ~mdp.terminal
            policy[mdp.observation[live]] = solve(mdp, gamma).policy[live]
            by = data.tag[row] == tag
            np.testing.assert_array_equal(data.action[row][by], policy[data.seen[row][by]])
    assert set(np.unique(data.tag)) <= set(range(TAG_UNKNOWN + 1))


def test_the_same_seeds_give_the_same_data_in_any_company(data):
    alone = synthesise(S, A, SEEDS[5:6], LENGTH)  # in one thread
    for mine, whole in zip(alone, data, strict=True):
        np.testing.assert_array_equal(mine[0], whole[5])


def test_behaviours_come_in_their_shares():
    rng = np.array([7], np.uint64)
    kinds = np.zeros(len(SHARES))
    out = np.empty(10)
    for _ in range(20_000):
        draw_behaviour(rng, S * A, np.array(SHARES), out)
        kinds[int(out[KIND])] += 1
    np.testing.assert_allclose(kinds / kinds.sum(), SHARES, atol=0.01)


def test_public_seeds_are_refused():
    with pytest.raises(ValueError, match="is public"):
        synthesise(S, A, range(3), 10)

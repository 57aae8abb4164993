import numpy as np
import pytest

from anymdp_baselines.omnirl.behaviours import KIND, SHARES, TAG_UNKNOWN, draw_behaviour
from anymdp_baselines.omnirl.synthesis import synthesise
from anymdp_bench.solution import solve
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

S, A = 8, 3
SEEDS = range(PUBLIC_SEEDS, PUBLIC_SEEDS + 24)


@pytest.fixture(scope="module")
def data():
    return synthesise(S, A, SEEDS, 600)


def test_labels_are_the_oracles_actions(data):
    source = task_source("AnyMDP-v0", n_states=S, n_actions=A)
    for row, seed in enumerate(SEEDS):
        mdp = source.sample(seed)
        oracle = np.full(S, -1)
        live = ~mdp.terminal
        oracle[mdp.observation[live]] = solve(mdp).policy[live]
        steps = ~data.boundary[row]
        np.testing.assert_array_equal(data.label[row][steps], oracle[data.observation[row][steps]])


def test_boundary_rows(data):
    at = data.boundary
    assert at.any(axis=1).all()
    assert (data.action[at] == A).all()
    assert (data.action[~at] < A).all()
    assert (data.reward[at] == 0).all()
    assert (data.tag[at] == TAG_UNKNOWN).all()
    assert (data.label[at] == -1).all()


def test_tags_tell_who_acted(data):
    for gamma, tag in ((0.0, 0), (0.5, 1), (0.93, 2), (0.994, 3)):
        source = task_source("AnyMDP-v0", n_states=S, n_actions=A)
        for row, seed in enumerate(SEEDS):
            mdp = source.sample(seed)
            policy = np.zeros(S, np.int64)
            live = ~mdp.terminal
            policy[mdp.observation[live]] = solve(mdp, gamma).policy[live]
            by = data.tag[row] == tag
            np.testing.assert_array_equal(data.action[row][by], policy[data.observation[row][by]])
    assert set(np.unique(data.tag)) <= set(range(8))


def test_the_same_seeds_give_the_same_data_in_any_company(data):
    alone = synthesise(S, A, SEEDS[5:6], 600)
    np.testing.assert_array_equal(alone.action[0], data.action[5])
    np.testing.assert_array_equal(alone.reward[0], data.reward[5])


def test_behaviours_come_in_their_shares():
    rng = np.array([7], np.uint64)
    kinds = np.zeros(len(SHARES))
    out = np.empty(10)
    for _ in range(20_000):
        draw_behaviour(rng, S * A, out)
        kinds[int(out[KIND])] += 1
    np.testing.assert_allclose(kinds / kinds.sum(), SHARES, atol=0.01)


def test_public_seeds_are_refused():
    with pytest.raises(ValueError, match="is public"):
        synthesise(S, A, range(3), 10)

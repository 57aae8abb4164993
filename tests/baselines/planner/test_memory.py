import numpy as np
import pytest

from anymdp_baselines.planner.features import allocate_features, compute_features
from anymdp_baselines.planner.memory import (
    empty_memory,
    estimate_branching,
    forget,
    mark_demonstrated,
    write,
    write_runs,
)

N, A = 6, 3


def history(steps=200, seed=0):
    rng = np.random.default_rng(seed)
    seen = rng.integers(N, size=steps)
    action = rng.integers(A, size=steps)
    following = rng.integers(N, size=steps)
    reward = rng.normal(size=steps)
    terminated = rng.random(steps) < 0.1
    truncated = ~terminated & (rng.random(steps) < 0.05)
    return seen, action, reward, following, terminated, truncated


def written(steps, row=0, n=1):
    memory = empty_memory(n, N, A)
    for step in zip(*steps, strict=True):
        write(memory, row, *step)
    return memory


def features_of(memory):
    n = len(memory.total)
    features = allocate_features(n, N, A)
    compute_features(memory, np.arange(n), features)
    return features


def test_a_chunk_in_any_order_equals_its_steps_one_by_one():
    steps = history()
    order = np.random.default_rng(1).permutation(len(steps[0]))
    one_by_one = features_of(written(steps))
    shuffled = features_of(written([column[order] for column in steps]))
    for a, b in zip(one_by_one, shuffled, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_rows_do_not_see_each_other_and_forgetting_is_complete():
    steps = history()
    memory = written(steps, row=1, n=3)
    alone = features_of(written(steps))
    for array, single in zip(features_of(memory), alone, strict=True):
        np.testing.assert_array_equal(array[1], single[0])
        np.testing.assert_array_equal(array[0], array[2])
    forget(memory, 1)
    assert all(not array.any() for array in memory)


def test_write_runs_writes_each_run_its_own_step():
    steps = history(4)
    runs = np.array([5, 0, 3, 1])
    together = empty_memory(6, N, A)
    write_runs(together, runs, *steps)
    mark_demonstrated(together, runs[:0], steps[0][:0], steps[1][:0])
    assert together.visits[[2, 4]].sum() == together.demonstrated.sum() == 0.0
    for k, i in enumerate(runs):
        alone = written([column[k : k + 1] for column in steps])
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_array_equal(a[i], b[0])


def test_onward_rows_are_the_transitions_that_went_on():
    steps = history(2000)
    memory = written(steps)
    onward = features_of(memory).onward[0].reshape(N, A, N)
    seen, action, _, following, terminated, _ = steps
    here = (seen == 2) & (action == 1)
    went = np.bincount(following[here & ~terminated], minlength=N) / here.sum()
    np.testing.assert_allclose(onward[2, 1], went, atol=0.05)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_rewards_does_not_show(scale):
    steps = list(history(400))
    plain = features_of(written(steps))
    steps[2] = steps[2] * scale
    scaled = features_of(written(steps))
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_permuting_the_ids_permutes_the_reading():
    steps = list(history(400))
    plain = features_of(written(steps))
    ids = np.random.default_rng(3).permutation(N)
    steps[0], steps[3] = ids[steps[0]], ids[steps[3]]
    renamed = features_of(written(steps))
    np.testing.assert_allclose(plain.slot[0], renamed.slot[0][ids], atol=1e-4)
    np.testing.assert_allclose(plain.state[0], renamed.state[0][ids], atol=1e-4)


def test_branching_is_the_effective_number_of_outcomes():
    memory = empty_memory(1, N, A)
    assert estimate_branching(memory, 0) == 1.0
    for following in (1, 1, 2, 2):  # of 12 ordered pairs of visits 4 agree
        write(memory, 0, 0, 0, 0.0, following, False, False)
    assert estimate_branching(memory, 0) == pytest.approx(3.0)
    write(memory, 0, 3, 1, 0.0, 4, False, False)  # a slot visited once says nothing
    assert estimate_branching(memory, 0) == pytest.approx(3.0)
    for _ in range(2):
        write(memory, 0, 5, 2, 0.0, 4, True, False)  # agrees with itself: 4 visits of 1/3, 2 of 1
    assert estimate_branching(memory, 0) == pytest.approx(6 / (4 / 3 + 2))


@pytest.mark.parametrize("outcomes", [1, 2, 5])
def test_branching_of_even_chances_is_their_number(outcomes):
    """The estimate's sd is below 0.02 here; a false alarm, seven of them, 3e-12."""
    rng = np.random.default_rng(outcomes)
    memory = empty_memory(1, N, A)
    for _ in range(20_000):
        o, a = rng.integers(N), rng.integers(A)
        write(memory, 0, o, a, 0.0, (o + rng.integers(outcomes)) % N, False, False)
    assert estimate_branching(memory, 0) == pytest.approx(outcomes, abs=0.15)

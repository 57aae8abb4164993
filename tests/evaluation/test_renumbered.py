"""Renumbered tasks: the same play under other numbers, the same references, the same exact scores."""

import numpy as np
import pytest

from anymdp_bench.engine.rng import stream
from anymdp_bench.evaluation import Run, expected_return, make_simulator, renumber
from anymdp_bench.tasks.family import task_source


def task_and_twin(env_id, seed=0):
    task = task_source(env_id).task(0)
    return task, renumber(task, [stream("a test", seed, k) for k in range(task.players)])


@pytest.mark.parametrize(
    "env_id", ["FrozenLake4x4Slippery-v0", "Switch2-v0", "DiscretePendulum-g1-v0"]
)
def test_a_renumbered_run_is_the_run_under_other_numbers(env_id):
    task, twin = task_and_twin(env_id)
    plain, other = (make_simulator([Run(env_id, each, 3)]) for each in (task, twin))
    streams, rng = np.arange(plain.n), np.random.default_rng(0)
    seen, played = twin.observation_number, twin.action_number
    for _ in range(300):
        np.testing.assert_array_equal(other.observation, seen[streams, plain.observation])
        np.testing.assert_array_equal(
            other.oracle_actions(), played[streams, plain.oracle_actions()]
        )
        action = rng.integers(plain.n_actions, size=plain.n)
        ours, theirs = plain.step(action), other.step(played[streams, action])
        np.testing.assert_array_equal(ours.reward, theirs.reward)
        np.testing.assert_array_equal(ours.advantage_sum, theirs.advantage_sum)
        for name in ("observation", "next_observation"):
            expected = seen[streams, getattr(ours.transition, name)]
            np.testing.assert_array_equal(getattr(theirs.transition, name), expected)
        np.testing.assert_array_equal(theirs.transition.action, played[streams, action])
        for name in ("reward", "terminated", "truncated"):
            np.testing.assert_array_equal(
                getattr(ours.transition, name), getattr(theirs.transition, name)
            )


@pytest.mark.parametrize("env_id", ["FrozenLake4x4Slippery-v0", "Switch2-v0"])
def test_a_policy_by_the_new_numbers_has_the_same_expected_return(env_id):
    task, twin = task_and_twin(env_id)
    shape = (task.players, task.n_observations, task.n_actions)
    policy = np.random.default_rng(1).dirichlet(np.ones(shape[2]), shape[:2])
    moved = np.empty_like(policy)
    for k in range(task.players):
        moved[k][np.ix_(twin.observation_number[k], twin.action_number[k])] = policy[k]
    assert expected_return(twin, moved) == pytest.approx(expected_return(task, policy), rel=1e-12)
    assert twin.references is task.references


def test_players_have_numbers_of_their_own_and_seeds_decide_them():
    _, twin = task_and_twin("Switch2-v0")
    assert (twin.observation_number[0] != twin.observation_number[1]).any()
    _, same = task_and_twin("Switch2-v0")
    _, other = task_and_twin("Switch2-v0", seed=1)
    np.testing.assert_array_equal(twin.observation_number, same.observation_number)
    assert (twin.observation_number != other.observation_number).any()
    for numbers in (*twin.observation_number, *twin.action_number):
        np.testing.assert_array_equal(np.sort(numbers), np.arange(len(numbers)))

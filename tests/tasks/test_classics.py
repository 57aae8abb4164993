"""Darkroom, CliffWalking and FrozenLake: against Gymnasium's own tables, and by hand."""

import gymnasium as gym
import numpy as np
import pytest

from anymdp_bench.mdp import TaskError
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.darkroom.sampler import split_cells
from anymdp_bench.tasks.family import sample_task, task_source

FIXED = (
    "CliffWalkingTerminal-v0",
    "FrozenLake4x4-v0",
    "FrozenLake4x4Slippery-v0",
    "Darkroom-6x6-v0",
)


def table(env_id, **keywords):
    """Gymnasium's transition table, s -> a -> [(p, s', r, done)]."""
    return gym.make(env_id, **keywords).unwrapped.P


def test_cliff_moves_as_gymnasium_but_a_fall_ends_the_episode_where_it_falls():
    mdp, theirs = sample_task("CliffWalkingTerminal-v0"), table("CliffWalking-v1")
    prob, reward = mdp.transition, mdp.reward
    for s in np.flatnonzero(~mdp.terminal):
        for a in range(4):
            [(_, following, r, _)] = theirs[s][a]
            arrived = prob[s, a].argmax()
            assert prob[s, a, arrived] == 1.0
            assert reward[s, a, arrived] == r
            if r == -100:  # Gymnasium carries the walker back to the start
                assert arrived in range(37, 47)
                assert following == 36
            else:
                assert arrived == following
    assert mdp.terminal.tolist() == [k in range(37, 48) for k in range(48)]
    assert (mdp.max_steps, mdp.start.argmax()) == (200, 36)


@pytest.mark.parametrize(
    ("env_id", "slippery"), [("FrozenLake4x4-v0", False), ("FrozenLake4x4Slippery-v0", True)]
)
def test_lake_is_gymnasiums_transition_by_transition(env_id, slippery):
    mdp = sample_task(env_id)
    prob, reward = mdp.transition, mdp.reward
    for s, actions in table("FrozenLake-v1", map_name="4x4", is_slippery=slippery).items():
        for a, outcomes in actions.items():
            if mdp.terminal[s]:
                assert prob[s, a].sum() == 0
                continue
            dense = np.zeros(16)
            for p, following, r, done in outcomes:
                dense[following] += p
                assert reward[s, a, following] == r
                assert mdp.terminal[following] == done
            assert np.allclose(prob[s, a], dense, atol=1e-15)
    assert mdp.max_steps == 100


def test_known_oracles():
    """The stationary oracle of the slippery lake has 0.740. The shortest way on the cliff has 13 steps."""
    assert compute_references(sample_task("FrozenLake4x4Slippery-v0")).oracle == pytest.approx(
        0.740, abs=5e-4
    )
    assert compute_references(sample_task("CliffWalkingTerminal-v0")).oracle == pytest.approx(-13)
    assert compute_references(sample_task("FrozenLake4x4-v0")).oracle == pytest.approx(1)


def test_darkroom_oracle_by_hand():
    """From (row, column) of a 6x6 grid the goal is 10 - row - column moves away. The last move pays 1."""
    distance = 10 - np.add.outer(np.arange(6), np.arange(6)).ravel()[:-1]
    by_hand = (1 - 0.01 * (distance - 1)).mean()
    assert compute_references(sample_task("Darkroom-6x6-v0")).oracle == pytest.approx(by_hand)


def test_darkroom_moves():
    """Actions are row+1, row-1, column+1, column-1, and walls stop: from the corner 0 of 6x6."""
    assert sample_task("Darkroom-6x6-v0").transition[0].argmax(axis=1).tolist() == [6, 0, 1, 0]


def test_darkroom_goal_by_seed():
    goals = [sample_task("Darkroom-6x6-v0", k, goal="random").terminal.argmax() for k in range(40)]
    assert len(set(goals)) > 20
    assert sample_task("Darkroom-6x6-v0", 3, goal="random").terminal.argmax() == goals[3]
    with pytest.raises(TaskError, match="goal is 'middle'"):
        sample_task("Darkroom-6x6-v0", goal="middle")


@pytest.mark.parametrize("size", [2, 6, 8, 10])
def test_darkroom_split(size):
    """A fifth of the cells is held out; seeds draw from their own side alone, and from all of it."""
    training, held_out = split_cells(size)
    assert sorted([*training, *held_out]) == list(range(size * size))
    assert len(held_out) == max(1, round(0.2 * size * size))
    for goal, cells in (("training", training), ("heldout", held_out)):
        tasks = [sample_task("Darkroom-6x6-v0", k, size=size, goal=goal) for k in range(600)]
        assert {int(task.terminal.argmax()) for task in tasks} == set(cells.tolist())


def test_darkroom_ids_by_goal():
    assert sample_task("Darkroom-10x10-heldout-v0", 3).terminal.argmax() in split_cells(10)[1]
    assert sample_task("Darkroom-8x8-training-v0", 3).terminal.argmax() in split_cells(8)[0]
    assert task_source("Darkroom-8x8-random-v0").is_sampled
    assert not task_source("Darkroom-8x8-v0").is_sampled


@pytest.mark.parametrize("env_id", FIXED)
def test_the_task_seed_has_no_effect_and_is_recorded_as_0(env_id):
    assert sample_task(env_id, 5) == sample_task(env_id, 0)
    assert task_source(env_id).recorded_seed(5) == 0
    env = gym.make(env_id, task_seed=5)
    assert env.reset(seed=0)[1]["task_seed"] == 0

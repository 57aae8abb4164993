"""What the renderings show."""

import gymnasium as gym
import numpy as np
import pytest

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.state_strip import find_goal


def line(goal_reward=5.0, pit_reward=-1.0, last_terminal=True):
    """Five states in a line, the first a pitfall; action 0 goes left, 1 right; start in the middle."""
    P = np.zeros((5, 2, 5))
    for s in range(5):
        P[s, 0, max(s - 1, 0)] = P[s, 1, min(s + 1, 4)] = 1
    reward = np.zeros((5, 2, 5))
    reward[:, :, 0], reward[:, :, 4] = pit_reward, goal_reward
    return TabularMDP(
        P, reward, start=[0, 0, 1, 0, 0], terminal=[True, False, False, False, last_terminal],
        max_steps=6, observation=[10, 11, 12, 13, 14], n_observations=16,
    )  # fmt: skip


def env_of(task, mode):
    env = gym.make("AnyMDP-v0", n_states=16, n_actions=2, render_mode=mode)
    env.reset(seed=0, options={"task": task})
    return env


def test_ansi_is_a_map_and_a_line_of_facts():
    env = env_of(line(), "ansi")
    assert env.render() == "x.[S].G\nstep 0/6  observation 12\n"
    env.step(1)
    assert env.render() == "x.S[.]G\nstep 1/6  observation 13  action 1  reward +0.000\n"
    env.step(1)
    assert env.render() == "x.S.[G]\nstep 2/6  observation 14  action 1  reward +5.000\n"
    env.reset()
    assert env.render() == "x.[S].G\nstep 0/6  observation 12\n"


def test_the_goal_is_the_last_terminal_state_that_no_pitfall_outdoes():
    assert find_goal(line()) == 4
    assert find_goal(line(goal_reward=-2.0)) is None
    assert find_goal(line(last_terminal=False)) is None


@pytest.mark.parametrize("env_id", ["AnyMDP-1s5a-v0", "AnyMDP-16s5a-v0", "Garnet-128s5a4b-v0"])
def test_rgb_is_a_picture_of_its_own(env_id):
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.dtype == np.uint8
    assert frame.ndim == 3
    assert frame.shape[2] == 3
    assert frame.shape[1] >= 384
    assert frame.shape[0] == frame.shape[1] + 2 * 28
    kept = frame.copy()
    frame[:] = 0
    assert np.array_equal(env.render(), kept)


def test_the_current_state_is_seen():
    """Two frames differ exactly in the columns and rows of the two states, and in the bar of time."""
    env = env_of(line(), "rgb_array")
    before = env.render()
    env.step(1)
    after = env.render()
    cell = before.shape[1] // 5
    changed = (before != after).any(axis=2)
    strips, matrix = changed[3:56], changed[56:]
    columns, rows = (
        np.flatnonzero(strips.any(axis=0)) // cell,
        np.flatnonzero(matrix.any(axis=1)) // cell,
    )
    assert set(columns.tolist()) == {2, 3}
    assert set(rows.tolist()) == {2, 3}
    assert changed[:3].any()  # a sixth of the horizon is gone


def test_starts_pitfalls_and_goals_have_their_colours():
    frame = env_of(line(), "rgb_array").render()
    cell = frame.shape[1] // 5
    kinds = [tuple(int(v) for v in frame[40, s * cell + cell // 2]) for s in range(5)]
    assert kinds[1] == kinds[3]
    assert len({kinds[0], kinds[1], kinds[2], kinds[4]}) == 4


def test_the_matrix_is_dark_where_the_task_leads():
    frame = env_of(line(), "rgb_array").render()
    cell = frame.shape[1] // 5
    centre = [
        [int(frame[56 + i * cell + cell // 2, j * cell + cell // 2].sum()) for j in range(5)]
        for i in range(5)
    ]
    dark = np.array(centre) < 3 * 128
    reach = np.array(line().transition.max(axis=1) > 0.5)
    assert np.array_equal(dark, reach)


def test_rendering_without_a_mode_warns_and_an_unknown_mode_is_refused(monkeypatch):
    said = []
    monkeypatch.setattr(gym.logger, "warn", said.append)
    env = gym.make("AnyMDP-16s5a-v0").unwrapped
    env.reset(seed=0)
    assert env.render() is None
    assert len(said) == 1
    assert "render_mode" in said[0]
    with pytest.raises(ValueError, match="'ansi' or 'rgb_array'"):
        type(env)("AnyMDP", n_states=16, n_actions=5, render_mode="human")


def test_a_vector_draws_one_picture_a_stream():
    envs = gym.make_vec(
        "AnyMDP-16s5a-v0", num_envs=3, task_seeds=[0, 1, 0], render_mode="rgb_array"
    )
    envs.reset(seed=4)
    frames = envs.render()
    assert len(frames) == 3
    single = gym.make("AnyMDP-16s5a-v0", task_seed=1, render_mode="rgb_array")
    single.reset(seed=5)
    assert np.array_equal(frames[1], single.render())


# Grids


def test_ansi_grids_look_like_grids():
    env = gym.make("CliffWalkingTerminal-v0", render_mode="ansi")
    env.reset(seed=0)
    floor = "." * 12 + "\n"
    facts = "step 0/200  observation 36\n"
    assert env.render() == 3 * floor + "@xxxxxxxxxxG\n" + facts
    env.step(0)
    up = "@" + "." * 11 + "\n"
    assert env.render().startswith(
        2 * floor + up + "SxxxxxxxxxxG\nstep 1/200  observation 24  action 0"
    )


def test_rgb_grids_have_one_square_a_cell_and_the_walker_on_one():
    env = gym.make("FrozenLake4x4-v0", render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    env.step(1)
    after = env.render()
    side = before.shape[0] // 4
    assert before.shape == after.shape == (4 * side, 4 * side, 3)
    changed = (before != after).any(axis=2).reshape(4, side, 4, side).any(axis=(1, 3))
    assert set(np.flatnonzero(changed)) == {0, 4}
    edges = [tuple(after[side * r + 1, side * c + 1].tolist()) for r, c in ((1, 1), (1, 3), (3, 3))]
    assert edges[0] == edges[1] != edges[2]  # two holes and the goal


def test_a_vector_of_grids_draws_grids():
    envs = gym.make_vec(
        "Darkroom-6x6-random-v0", num_envs=2, task_seeds=[0, 1], render_mode="rgb_array"
    )
    envs.reset(seed=0)
    one, two = envs.render()
    assert one.shape == two.shape == (384, 384, 3)
    assert (one != two).any()

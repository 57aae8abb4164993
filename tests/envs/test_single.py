"""`TabularEnv`: its seeds, its options, its errors and its info."""

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.scoring import compute_references, oracle_advantages

ID = "AnyMDP-16s5a-v0"


def make(env_id=ID, **keywords):
    return gym.make(env_id, **keywords).unwrapped


def chain(horizon=3, end=True):
    """0 -> 1 -> 2 with action 1, stay with action 0; arriving in 2 pays 5; ids 7, 3, 0."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 0] = P[0, 1, 1] = P[1, 0, 1] = P[1, 1, 2] = P[2, :, 2] = 1
    reward = np.zeros((3, 2, 3))
    reward[1, 1, 2] = 5
    terminal = [False, False, end]
    return TabularMDP(
        P, reward, start=[1, 0, 0], terminal=terminal, max_steps=horizon,
        observation=[7, 3, 0], n_observations=16,
    )  # fmt: skip


def play(env, n, seed=None, options=None, actions=5):
    """(observations, rewards, flags) of n steps, new episodes as they come."""
    rng = np.random.default_rng(1)
    seen, _ = env.reset(seed=seed, options=options)
    out = [(seen, 0.0, False, False)]
    for _ in range(n):
        step = env.step(rng.integers(actions))
        out.append(step[:4])
        if step[2] or step[3]:
            out.append((env.reset()[0], 0.0, False, False))
    return out


def test_a_seed_fixes_the_trajectory():
    first = play(make(), 400, seed=3)
    assert play(make(), 400, seed=3) == first
    assert play(make(), 400, seed=4) != first


def test_reseeding_starts_the_same_trajectory_over():
    env = make()
    first = play(env, 150, seed=3)
    assert play(env, 150, seed=3) == first
    assert play(env, 150) != first  # goes on with its stream


def test_an_unseeded_environment_has_its_own_dynamics():
    assert play(make(), 60) != play(make(), 60)


def test_the_dynamics_seed_leaves_the_task_alone():
    env = make(task_seed=2)
    task = env.task
    for seed in (0, 1, 2**63):
        env.reset(seed=seed)
        assert env.task is task


def test_what_comes_back_has_gymnasiums_types():
    env = make()
    seen, info = env.reset(seed=0)
    assert type(seen) is np.int64
    assert info == {"task_seed": 0}
    seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert type(seen) is np.int64
    assert type(reward) is float
    assert (type(terminated), type(truncated)) == (bool, bool)
    assert info == {"task_seed": 0}


def test_a_known_task_is_played_to_its_terminal_state():
    env = make(task_seed=0, n_states=16, n_actions=2, env_id="AnyMDP-v0")
    seen, info = env.reset(seed=0, options={"task": chain(horizon=5)})
    assert (seen, info) == (7, {"task_seed": -1})
    assert env.step(0)[:4] == (7, 0.0, False, False)
    assert env.step(1)[:4] == (3, 0.0, False, False)
    assert env.step(1)[:4] == (0, 5.0, True, False)


def test_the_horizon_truncates_and_a_terminal_state_on_the_last_step_terminates():
    env = make("AnyMDP-v0", n_states=16, n_actions=2)
    env.reset(options={"task": chain(horizon=2)})
    env.step(0)
    assert env.step(1)[:4] == (3, 0.0, False, True)
    env.reset()
    env.step(1)
    assert env.step(1)[:4] == (0, 5.0, True, False)


def test_bandits_end_after_one_step():
    env = make("AnyMDP-1s5a-v0")
    assert env.reset(seed=0)[0] == 0
    assert env.step(2)[2:4] == (True, False)


@pytest.mark.parametrize(
    "action", [-1, 5, 2**40, 1.0, 0.5, "1", None, np.array([1]), np.float64(2)]
)
def test_a_refused_action_changes_nothing(action):
    env, twin = make(), make()
    env.reset(seed=5), twin.reset(seed=5)
    with pytest.raises(ValueError, match=r"give an integer in 0\.\.4"):
        env.step(action)
    assert [env.step(a % 5)[:4] for a in range(20)] == [twin.step(a % 5)[:4] for a in range(20)]


@pytest.mark.parametrize("action", [3, np.int64(3), np.int32(3), np.uint8(3), np.array(3)])
def test_all_integers_are_actions(action):
    env, twin = make(), make()
    env.reset(seed=5), twin.reset(seed=5)
    assert env.step(action)[:4] == twin.step(3)[:4]


def test_no_step_before_reset_or_after_the_end():
    env = make("AnyMDP-1s5a-v0")
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset()
    env.step(0)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(0)


def test_options_change_the_task_for_good():
    env = make(task_seed=1)
    assert env.reset(options={"task_seed": 8})[1] == {"task_seed": 8}
    assert env.task == anymdp_bench.sample_task(ID, 8)
    assert env.reset()[1] == {"task_seed": 8}
    assert play(env, 200, seed=3) == play(make(task_seed=8), 200, seed=3)
    mine = anymdp_bench.sample_task(ID, 9)
    assert env.reset(options={"task": mine})[1] == {"task_seed": -1}
    assert env.task is mine


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"task": chain()}, ValueError, "16 observations and 2 actions; this environment 16 and 5"),
        ({"task": "chain"}, ValueError, "is a str; give a TabularMDP"),
        ({"task": chain(), "task_seed": 1}, ValueError, "give one of them"),
        ({"task_seed": -1}, TaskError, "task_seed is -1"),
        ({"task_seed": None}, TaskError, "task_seed is None"),
    ],
)
def test_refused_options_change_nothing(options, error, message):
    env, twin = make(), make()
    env.reset(seed=5), twin.reset(seed=5)
    with pytest.raises(error, match=message):
        env.reset(seed=6, options=options)
    assert [env.step(a % 5)[:4] for a in range(20)] == [twin.step(a % 5)[:4] for a in range(20)]
    assert env.task == twin.task


def test_a_refused_seed_changes_nothing():
    env, twin = make(), make()
    env.reset(seed=5), twin.reset(seed=5)
    with pytest.raises(gym.error.Error):
        env.reset(seed=-1, options={"task_seed": 8})
    assert [env.step(a % 5)[:4] for a in range(20)] == [twin.step(a % 5)[:4] for a in range(20)]
    assert env.task == twin.task


def test_privileged_info_is_exact_and_only_there_on_request():
    env = make(privileged_info=True)
    task = env.task
    policy = compute_references(task).policy
    advantage = oracle_advantages(task, policy)
    inner = {int(task.observation[s]): s for s in np.flatnonzero(~task.terminal)}
    rng = np.random.default_rng(0)
    seen, info = env.reset(seed=0)
    assert info["regret"] == 0.0
    ends = 0
    for _ in range(3):
        left = task.max_steps
        while True:
            state = inner[int(seen)]
            assert info["optimal_action"] == policy[state]
            action = rng.integers(5)
            seen, _, terminated, truncated, info = env.step(action)
            assert set(info) == {"task_seed", "optimal_action", "regret"}
            assert info["regret"] == -advantage[left, state, action]
            left -= 1
            if terminated or truncated:
                assert info["optimal_action"] == (0 if terminated else policy[inner[int(seen)]])
                ends += 1
                break
        seen, info = env.reset()
    assert ends == 3


def test_the_oracle_has_no_regret():
    env = make(privileged_info=True)
    _, info = env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(info["optimal_action"])
        assert info["regret"] == 0.0
        over = terminated or truncated


def test_observations_hide_the_rank():
    """Ids are a random permutation of the inner states, so a learner cannot read value off them."""
    task = make().task
    assert sorted(task.observation) == list(range(16))
    assert not np.array_equal(task.observation, np.arange(16))

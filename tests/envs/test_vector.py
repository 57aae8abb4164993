"""TabularVectorEnv against single environments, Gymnasium's SyncVectorEnv, and itself in parallel."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from anymdp_bench.engine.threads import fixed_threads
from anymdp_bench.envs.vector import TabularVectorEnv
from anymdp_bench.mdp import TabularMDP, TaskError
from naive.random_tasks import random_task

ID = "AnyMDP-16s5a-v0"
N = 5
MODES = list(AutoresetMode)
MASK = np.array([True, False, False, True, True])


def native(task_seeds=0, mode=AutoresetMode.NEXT_STEP, env_id=ID, n=N, **keywords):
    return gym.make_vec(env_id, num_envs=n, task_seeds=task_seeds, autoreset_mode=mode, **keywords)


def sync(task_seeds=0, mode=AutoresetMode.NEXT_STEP, env_id=ID, n=N, **keywords):
    """Gymnasium's own vector over single environments."""
    seeds = np.broadcast_to(task_seeds, n).tolist()
    makers = [lambda k=k: gym.make(env_id, task_seed=k, **keywords).unwrapped for k in seeds]
    return SyncVectorEnv(makers, autoreset_mode=mode)


def short_task(seed=0, horizon=6):
    """9 states on 16 ids, 5 actions, two terminals: episodes end in both ways within a few steps."""
    rng = np.random.default_rng(seed)
    dense = random_task(rng, S=9, A=5, terminals=2, horizon=horizon)
    return TabularMDP(
        dense.P, dense.R, reward_noise=dense.N, start=dense.start, terminal=dense.terminal,
        max_steps=horizon, observation=rng.permutation(16)[:9], n_observations=16,
    )  # fmt: skip


def assert_same_info(ours, theirs):
    """The same keys and masks, and the same values where a mask holds; the rest is filling."""
    assert set(ours) == set(theirs)
    for key in ours:
        if key.startswith("_"):
            assert np.array_equal(ours[key], theirs[key]), key
            assert ours[key].dtype == np.bool_
        elif isinstance(ours[key], dict):
            assert_same_info(ours[key], theirs[key])
        else:
            held = theirs[f"_{key}"]
            assert ours[key].shape == theirs[key].shape
            assert np.array_equal(ours[key][held], theirs[key][held]), key


def assert_same_reset(ours, theirs, **call):
    def fresh(options):
        return None if options is None else dict(options)  # Gymnasium takes the mask out of it

    options = call.pop("options", None)
    seen, info = ours.reset(options=fresh(options), **call)
    expected, expected_info = theirs.reset(options=fresh(options), **call)
    assert seen.dtype == expected.dtype == np.int64
    assert np.array_equal(seen, expected)
    assert_same_info(info, expected_info)


def assert_same_steps(ours, theirs, n, mode, seed=0):
    """n steps; returns how many episodes were terminated and truncated."""
    rng = np.random.default_rng(seed)
    ends = np.zeros(2, int)
    for _ in range(n):
        actions = rng.integers(5, size=ours.num_envs)
        got, expected = ours.step(actions), theirs.step(actions)
        for a, b in zip(got[:4], expected[:4], strict=True):
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)
        assert_same_info(got[4], expected[4])
        ends += got[2].sum(), got[3].sum()
        over = got[2] | got[3]
        if mode is AutoresetMode.DISABLED and over.any():
            assert_same_reset(ours, theirs, options={"reset_mask": over})
    return ends


@pytest.mark.parametrize("privileged", [False, True], ids=["blind", "privileged"])
@pytest.mark.parametrize("mode", MODES)
def test_it_equals_gymnasiums_vector(mode, privileged):
    setting = {"task_seeds": [3, 1, 4, 1, 5], "mode": mode, "privileged_info": privileged}
    ours, theirs = native(**setting), sync(**setting)
    assert_same_reset(ours, theirs, seed=11)
    assert assert_same_steps(ours, theirs, 120, mode).sum() > 0
    assert_same_reset(ours, theirs, seed=[5, None, 7, 8, None], options={"reset_mask": MASK})
    assert_same_steps(ours, theirs, 30, mode, seed=1)
    assert_same_reset(ours, theirs, options={"task_seed": 9})
    assert_same_steps(ours, theirs, 30, mode, seed=2)
    assert_same_reset(ours, theirs, options={"task": short_task()})
    terminated, truncated = assert_same_steps(ours, theirs, 60, mode, seed=3)
    assert min(terminated, truncated) > 5
    options = {"task": short_task(1, horizon=4), "reset_mask": MASK}
    assert_same_reset(ours, theirs, options=options, seed=2)
    assert_same_steps(ours, theirs, 30, mode, seed=4)
    assert_same_reset(ours, theirs, options={"task_seed": 2, "reset_mask": ~MASK})
    assert_same_steps(ours, theirs, 30, mode, seed=5)


@pytest.mark.parametrize("mode", MODES)
def test_bandits_equal_gymnasiums_vector(mode):
    setting = {"env_id": "AnyMDP-1s5a-v0", "mode": mode, "privileged_info": True}
    ours, theirs = native(**setting), sync(**setting)
    assert_same_reset(ours, theirs, seed=0)
    assert assert_same_steps(ours, theirs, 20, mode)[1] == 0


def test_the_streams_that_go_on_may_have_more_states_than_the_new_task():
    """A reset under a mask shows them as they are, whatever the tasks of the others."""
    ours, theirs = native(), sync()
    assert_same_reset(ours, theirs, seed=1)
    assert_same_steps(ours, theirs, 20, AutoresetMode.NEXT_STEP)
    states = ours._streams[~MASK, 0]
    assert states.max() >= 2  # inner states that a task of two lacks
    two = TabularMDP(
        np.full((2, 5, 2), 0.5), 1.0, start=[1, 0], terminal=[False, False], max_steps=9,
        n_observations=16,
    )  # fmt: skip
    assert_same_reset(ours, theirs, options={"task": two, "reset_mask": MASK})
    assert_same_steps(ours, theirs, 20, AutoresetMode.NEXT_STEP)


def test_array_task_seeds_at_reset_give_each_stream_its_own_task():
    seeds = [8, 2, 8, 0, 3]
    ours, theirs = native(), sync(seeds)
    ours.reset(seed=1)
    seen, info = ours.reset(seed=4, options={"task_seed": np.array(seeds)})
    assert np.array_equal(seen, theirs.reset(seed=4)[0])
    assert info["task_seed"].tolist() == ours.task_seeds.tolist() == seeds
    assert_same_steps(ours, theirs, 130, AutoresetMode.NEXT_STEP)


def test_array_task_seeds_under_a_mask_leave_the_others():
    ours = native([0, 1, 2, 3, 4])
    ours.reset(seed=1)
    before = ours.tasks
    _, info = ours.reset(options={"task_seed": [9, 9, 9, 9, 9], "reset_mask": MASK})
    assert ours.task_seeds.tolist() == [9, 1, 2, 9, 9]
    assert info["_task_seed"].tolist() == MASK.tolist()
    assert all(a is b for a, b, m in zip(ours.tasks, before, MASK, strict=True) if not m)
    assert ours.tasks[0] is ours.tasks[3]  # equal seeds share one task


def test_stream_i_is_the_single_environment_with_seed_plus_i():
    envs = native([5, 6, 5, 7, 8])
    singles = [gym.make(ID, task_seed=k).unwrapped for k in (5, 6, 5, 7, 8)]
    seen, _ = envs.reset(seed=40)
    for i, single in enumerate(singles):
        assert single.reset(seed=40 + i)[0] == seen[i]
    rng = np.random.default_rng(0)
    over = [False] * N
    ends = 0
    for _ in range(150):
        actions = rng.integers(5, size=N)
        steps = [
            (single.reset()[0], 0.0, False, False) if again else single.step(a)[:4]
            for single, a, again in zip(singles, actions, over, strict=True)
        ]
        columns = envs.step(actions)[:4]
        assert [tuple(c[i] for c in columns) for i in range(N)] == steps
        over = [s[2] or s[3] for s in steps]
        ends += sum(over)
    assert ends >= N


@pytest.mark.parametrize("mode", MODES)
def test_five_thousand_streams_on_three_threads_equal_one_loop(mode):
    """Threads may share a step from 2,048 streams on; blocks of 1,000 streams are stepped by one."""
    n, part = 5000, 1000
    tasks = np.arange(n) % 7
    many = native(tasks, mode, n=n)
    few = [native(tasks[lo : lo + part], mode, n=part) for lo in range(0, n, part)]
    many._threads = fixed_threads(3)
    seen = many.reset(seed=3)[0]
    parts = [env.reset(seed=3 + part * k)[0] for k, env in enumerate(few)]
    assert np.array_equal(seen, np.concatenate(parts))
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(140):
        actions = rng.integers(5, size=n)
        columns = many.step(actions)[:4]
        steps = [env.step(a) for env, a in zip(few, np.split(actions, 5), strict=True)]
        for k in range(4):
            assert np.array_equal(columns[k], np.concatenate([step[k] for step in steps]))
        over = columns[2] | columns[3]
        ended += over.sum()
        if mode is AutoresetMode.DISABLED and over.any():
            fresh = many.reset(options={"reset_mask": over})[0]
            for env, mask, seen in zip(few, np.split(over, 5), np.split(fresh, 5), strict=True):
                if mask.any():
                    assert np.array_equal(env.reset(options={"reset_mask": mask})[0], seen)
    assert ended > n


@pytest.mark.parametrize("n", [N, 1500])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: np.where(np.arange(len(a)) == len(a) - 1, 5, a),
        lambda a: np.where(np.arange(len(a)) == 1, -1, a),
        lambda a: a[:-1],
        lambda a: a + 0.0,
        lambda a: a[:, None],
        lambda a: 0,
    ],
    ids=["high", "low", "short", "float", "tall", "scalar"],
)
def test_refused_actions_change_nothing(spoil, n):
    env, twin = native(n=n), native(n=n)
    env.reset(seed=1), twin.reset(seed=1)
    good = np.random.default_rng(0).integers(5, size=(20, n))
    for step in range(20):
        with pytest.raises(ValueError, match=r"out of range; give 0\.\.4|give \d+ integers"):
            env.step(spoil(good[step]))
        got, expected = env.step(good[step]), twin.step(good[step])
        assert all(np.array_equal(a, b) for a, b in zip(got[:4], expected[:4], strict=True))


def test_the_refused_stream_is_named():
    env = native()
    env.reset(seed=1)
    with pytest.raises(ValueError, match="action 7 of stream 3"):
        env.step([0, 1, 2, 7, 4])


@pytest.mark.parametrize(
    "actions", [[0, 1, 2, 3, 4], (0, 1, 2, 3, 4), np.arange(5, dtype=np.int32)]
)
def test_lists_and_small_integers_are_actions(actions):
    env, twin = native(), native()
    env.reset(seed=1), twin.reset(seed=1)
    assert np.array_equal(env.step(actions)[1], twin.step(np.arange(5))[1])


def test_disabled_mode_refuses_finished_streams_and_moves_none():
    env, twin = (native(env_id="AnyMDP-1s5a-v0", mode=AutoresetMode.DISABLED) for _ in range(2))
    zeros = np.zeros(N, np.int64)
    for e in (env, twin):
        e.reset(seed=1)
        e.step(zeros)
        e.reset(options={"reset_mask": ~MASK})
    with pytest.raises(gym.error.ResetNeeded, match="stream 0 is over"):
        env.step(zeros)
    for e in (env, twin):
        e.reset(options={"reset_mask": MASK})
    assert np.array_equal(env.step(zeros)[1], twin.step(zeros)[1])


def test_next_step_mode_pays_nothing_for_the_reset_and_ignores_its_action():
    env = native(env_id="AnyMDP-1s5a-v0")
    env.reset(seed=1)
    assert env.step(np.zeros(N, int))[2].all()
    _, reward, terminated, truncated, info = env.step(np.full(N, 3))
    assert (reward == 0).all()
    assert not (terminated | truncated).any()
    assert info["_task_seed"].all()


def test_no_step_before_the_first_reset_in_disabled_mode():
    with pytest.raises(gym.error.ResetNeeded):
        native(mode=AutoresetMode.DISABLED).step(np.zeros(N, int))


@pytest.mark.parametrize("mode", MODES)
def test_what_is_returned_is_the_callers(mode):
    """Spoiling every array that was returned changes nothing, and no later call changes them."""
    env, twin = native(mode=mode), native(mode=mode)
    kept = []

    def spoil(columns, expected):
        for a, b in zip(columns, expected, strict=True):
            assert np.array_equal(a, b)
            a[:] = 77
            kept.append(a)

    spoil([env.reset(seed=1)[0]], [twin.reset(seed=1)[0]])
    for step in range(25):
        actions = np.full(N, step % 5)
        spoil(env.step(actions)[:4], twin.step(actions)[:4])
        assert (actions == step % 5).all()
    spoil(
        [env.reset(options={"reset_mask": MASK})[0]], [twin.reset(options={"reset_mask": MASK})[0]]
    )
    assert all((a == a.dtype.type(77)).all() for a in kept)


def test_observations_are_int64_and_inside_the_space():
    env = native()
    for seen in (env.reset(seed=0)[0], env.step(np.zeros(N, int))[0]):
        assert seen.dtype == np.int64
        assert env.observation_space.contains(seen)
    assert env.action_space.contains(np.zeros(N, np.int64))


def test_privileged_info_is_not_there_by_default():
    env = native(mode=AutoresetMode.SAME_STEP)
    keys = set(env.reset(seed=0)[1])
    for _ in range(130):
        info = env.step(np.zeros(N, int))[4]
        keys |= set(info) | set(info.get("final_info", {}))
    assert keys == {
        "task_seed",
        "_task_seed",
        "final_obs",
        "_final_obs",
        "final_info",
        "_final_info",
    }


def test_a_seed_fixes_the_trajectory_and_not_the_task():
    first, second, third = native(), native(), native()
    assert np.array_equal(first.reset(seed=9)[0], second.reset(seed=9)[0])
    third.reset(seed=10)
    rng = np.random.default_rng(0)
    actions = rng.integers(5, size=(60, N))
    rewards = [[env.step(a)[1] for a in actions] for env in (first, second, third)]
    assert np.array_equal(rewards[0], rewards[1])
    assert not np.array_equal(rewards[0], rewards[2])
    assert first.tasks == third.tasks


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"seed": [1, 2]}, ValueError, "2 seeds for 5 streams"),
        ({"seed": -1}, gym.error.Error, "seed is -1; give an integer from 0"),
        ({"seed": [0, 1, 2, 3, -1]}, ValueError, r"seed\[4\] is -1"),
        ({"options": {"reset_mask": [True] * N}}, TypeError, "numpy array of bool"),
        ({"options": {"reset_mask": np.ones(N, int)}}, TypeError, "numpy array of bool"),
        ({"options": {"reset_mask": np.zeros(N, bool)}}, ValueError, "at least one True"),
        ({"options": {"reset_mask": np.ones(3, bool)}}, ValueError, r"shape \(5,\)"),
        ({"options": {"task_seed": [1, 2]}}, ValueError, "give one int or 5 of them"),
        ({"options": {"task_seed": [1, 2, 3, 4, -1]}}, TaskError, "task_seed is -1"),
        ({"options": {"task_seed": [1] * N, "task": short_task()}}, ValueError, "give one of them"),
        ({"options": {"task": "it"}}, ValueError, "is a str; give a TabularMDP"),
        (
            {"options": {"task": random_task(np.random.default_rng(0)).mdp()}},
            ValueError,
            "make another",
        ),
    ],
)
def test_a_refused_reset_changes_nothing(call, error, message):
    env, twin = native(), native()
    env.reset(seed=1), twin.reset(seed=1)
    with pytest.raises(error, match=message):
        env.reset(**({"seed": 8} | call))
    for action in range(5):
        got, expected = (e.step(np.full(N, action)) for e in (env, twin))
        assert all(np.array_equal(a, b) for a, b in zip(got[:4], expected[:4], strict=True))
    assert env.tasks == twin.tasks


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"render_mode": "ansi"}, "give None or 'rgb_array'"),
        ({"task_seeds": [1, 2]}, "give one int or 3 of them"),
        ({"autoreset_mode": "Never"}, "Never"),
    ],
)
def test_wrong_settings_are_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        TabularVectorEnv(
            **({"num_envs": 3, "family": "AnyMDP", "n_states": 8, "n_actions": 2} | keywords)
        )

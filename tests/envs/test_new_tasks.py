"""A new task at every reset: seeds, tasks, and vectors that play what single environments play."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from anymdp_bench import TaskError, sample_task

IDS = ["AnyMDP-16s5a-v0", "AnyMDP-1s5a-v0", "Darkroom-6x6-random-v0", "Garnet-16s5a2b-v0"]
SMALL = {"n_states": 12, "n_actions": 3, "min_states": 8}  # tasks of several sizes inside
POOL = range(20, 60, 3)


def make(env_id=IDS[0], **keywords):
    return gym.make(env_id, new_task_every_reset=True, **keywords)


def make_vec(env_id=IDS[0], num_envs=3, **keywords):
    return gym.make_vec(env_id, num_envs=num_envs, new_task_every_reset=True, **keywords)


def seeds_of(env, n, seed=None):
    found = [env.reset(seed=seed)[1]["task_seed"]]
    return found + [env.reset()[1]["task_seed"] for _ in range(n - 1)]


def test_every_reset_plays_a_new_task_with_a_seed_for_training():
    env = make()
    seeds = seeds_of(env, 8, seed=5)
    assert len(set(seeds)) == 8
    assert all(2**32 <= seed < 2**63 for seed in seeds)
    assert env.unwrapped.task == sample_task(IDS[0], seeds[-1])
    assert env.step(0)[4]["task_seed"] == seeds[-1]
    assert seeds_of(make(), 8, seed=5) == seeds
    assert seeds_of(env, 8, seed=5) == seeds
    assert seeds_of(make(), 8, seed=6) != seeds


def test_seeds_are_drawn_from_the_callers_pool():
    assert set(seeds_of(make(task_seeds=POOL), 200, seed=0)) == set(POOL)
    assert set(seeds_of(make(task_seeds=[3, 2**64 - 1]), 20, seed=0)) == {3, 2**64 - 1}
    vec = make_vec(task_seeds=[3, 2**64 - 1], num_envs=20)
    assert set(vec.reset(seed=0)[1]["task_seed"]) == {3, 2**64 - 1}


def test_an_option_chooses_the_task_of_one_reset():
    env, other = make(), make()
    env.reset(seed=1)
    other.reset(seed=1)
    assert env.reset(options={"task_seed": 7})[1]["task_seed"] == 7
    assert env.reset()[1] == other.reset()[1]
    vec = make_vec()
    vec.reset(seed=1)
    assert vec.reset(options={"task_seed": 7})[1]["task_seed"].tolist() == [7] * 3


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasiums_check_has_no_complaint(env_id):
    check_env(make(env_id).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", [*IDS, "AnyMDP-v0"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("limit", [None, 17])
def test_a_vector_plays_what_single_environments_play(env_id, mode, limit):
    """Gymnasium's own vector of single environments is the measure, `info` included."""
    keywords = SMALL if env_id == "AnyMDP-v0" else {}
    keywords = keywords | {"task_seeds": POOL, "max_episode_steps": limit, "privileged_info": True}
    native = make_vec(env_id, autoreset_mode=mode, **keywords)
    makers = [lambda: make(env_id, **keywords)] * 3
    sync = gym.vector.SyncVectorEnv(makers, autoreset_mode=mode)
    rng = np.random.default_rng(0)
    assert_same(native.reset(seed=3), sync.reset(seed=3))
    met = set()
    for _ in range(60 if limit else 240):
        actions = rng.integers(native.single_action_space.n, size=3)
        step = native.step(actions)
        assert_same(step, sync.step(actions))
        met |= set(step[4]["task_seed"].tolist())
        over = step[2] | step[3]
        if mode is AutoresetMode.DISABLED and over.any():
            options = {"reset_mask": over}
            assert_same(native.reset(options=options), sync.reset(options=options))
    assert len(met) > 3


def assert_same(ours, theirs):
    """Equal arrays; `info` is compared where its mask says that there is something."""
    for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert np.array_equal(mine, other)
    assert_same_info(ours[-1], theirs[-1])


def assert_same_info(ours, theirs):
    assert ours.keys() == theirs.keys()
    for key in ours:
        if key.startswith("_"):
            assert np.array_equal(ours[key], theirs[key]), key
        elif isinstance(ours[key], dict):
            assert_same_info(ours[key], theirs[key])
        else:
            held = ours["_" + key]
            mine, other = ours[key][held], theirs[key][held]
            if mine.dtype.kind == "f":
                assert mine == pytest.approx(np.asarray(other, float))
            else:
                assert mine.tolist() == other.tolist(), key


def test_a_bad_action_changes_nothing():
    vec, other = make_vec(IDS[1]), make_vec(IDS[1])
    vec.reset(seed=0)
    other.reset(seed=0)
    vec.step([0, 0, 0])  # a bandit: all are over
    other.step([0, 0, 0])
    with pytest.raises(ValueError, match="out of range"):
        vec.step([0, 9, 0])
    assert_same(vec.step([1, 1, 1]), other.step([1, 1, 1]))


@pytest.mark.parametrize("copy_of", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_the_environment_stands(copy_of):
    vec, env = make_vec("AnyMDP-v0", **SMALL), make("AnyMDP-v0", **SMALL).unwrapped
    vec.reset(seed=0)
    env.reset(seed=0)
    again, single = copy_of(vec), copy_of(env)
    for _ in range(130):
        assert_same(vec.step([0, 1, 2]), again.step([0, 1, 2]))
    assert seeds_of(env, 3) == seeds_of(single, 3)


@pytest.mark.parametrize("build", [make, make_vec])
@pytest.mark.parametrize(
    ("env_id", "pool", "says"),
    [
        (IDS[0], [], "task_seeds is empty; give the seeds to draw from"),
        (IDS[0], range(0), "task_seeds is empty"),
        (IDS[0], 5, r"task_seeds is 5; with new_task_every_reset give the seeds to draw from"),
        (IDS[0], [1, -1], "task_seed is -1"),
        (IDS[0], range(-3, 5), "task_seed is -3"),
        (IDS[0], range(5, -9, -1), "task_seed is -8"),
        (IDS[0], ["1"], "task_seed is '1'"),
        ("Darkroom-6x6-v0", None, "every task seed gives the same task here"),
        ("DiscretePendulum-g1-v0", None, "new_task_every_reset"),
    ],
)
def test_pools_that_cannot_be_drawn_from(build, env_id, pool, says):
    keywords = {} if pool is None else {"task_seeds": pool}
    with pytest.raises(TaskError, match=says):
        build(env_id, **keywords)


def test_without_it_a_single_environment_still_refuses_task_seeds():
    with pytest.raises(TaskError, match="a single environment takes task_seed"):
        gym.make(IDS[0], task_seeds=range(3))

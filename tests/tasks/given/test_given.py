"""Tasks of the user's own: a table, a file, a function, in Gymnasium and in an evaluation."""

import copy
import pickle
import sys

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench
from anymdp_bench import TabularMDP, TaskError, evaluate, make, make_vec, sample_task
from anymdp_bench.cli.app import run
from anymdp_bench.suites import SuiteError, find_suite
from anymdp_bench.tasks.canonical import canonical_id
from registered import TWO_ROOMS

FILE = """
import numpy as np

from anymdp_bench import TabularMDP


def ring(seed, size=4, noise=0.0):
    step = np.roll(np.eye(size), 1, axis=1)
    reward = np.random.default_rng(seed).random(size)
    return TabularMDP(
        np.stack([step, np.eye(size)], axis=1), reward, reward_noise=noise, start=np.eye(size)[0],
        terminal=np.zeros(size, bool), max_steps=10,
    )


def fixed(size=4):
    return ring(0, size)


def growing(seed):
    return ring(seed, 4 + seed)


def equal(seed):
    return TabularMDP(np.ones((1, 2, 1)), 0.5, start=[1], terminal=[False], max_steps=3)


def number(seed):
    return 3


def broken(seed):
    raise RuntimeError("no such ring")
"""
SHORT = {"steps": 60, "tasks": 3, "progress": False, "workers": 1}


@pytest.fixture
def rings(tmp_path, monkeypatch):
    """The module of FILE, which lies in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "rings.py").write_text(FILE)
    import rings

    yield rings
    sys.modules.pop("rings", None)


def test_make_plays_the_task_as_any_other():
    env = make(TWO_ROOMS, privileged_info=True)
    assert env.unwrapped.task is TWO_ROOMS
    same = gym.make("TabularMDP-v0", mdp=TWO_ROOMS, privileged_info=True)
    assert env.reset(seed=3) == same.reset(seed=3)
    for _ in range(5):
        copies = pickle.loads(pickle.dumps(env.unwrapped)), copy.deepcopy(env.unwrapped)
        step = env.step(0)
        assert [each.step(0) for each in (same, *copies)] == [step] * 3


def test_make_vec_steps_many_streams_natively():
    vec = make_vec(TWO_ROOMS, num_envs=5)
    assert type(vec).__name__ == "TabularVectorEnv"
    single = [make(TWO_ROOMS) for _ in range(5)]
    seen = [env.reset(seed=7 + k)[0] for k, env in enumerate(single)]
    assert vec.reset(seed=7)[0].tolist() == seen
    assert vec.step([1] * 5)[0].tolist() == [env.step(1)[0] for env in single]


def test_make_takes_ids_with_parameters():
    env = make("AnyMDP-v0?n_states=9&n_actions=3", task_seed=2)
    assert env.unwrapped.task == sample_task("AnyMDP-v0", 2, n_states=9, n_actions=3)
    assert make_vec("Darkroom-v0?size=5", num_envs=2).single_observation_space.n == 25


def test_a_function_makes_a_task_for_each_seed_and_takes_keywords(rings):
    ids = ("TabularMDP-v0?mdp=rings.py:ring&size=5", "TabularMDP-v0?mdp=rings:ring&size=5")
    for seed in range(3):
        expected = rings.ring(seed, 5)
        assert make(rings.ring, task_seed=seed, size=5).unwrapped.task == expected
        assert [sample_task(env_id, seed) for env_id in ids] == [expected] * 2
    assert make(rings.ring, task_seed=5).reset()[1]["task_seed"] == 5
    assert make(rings.fixed, task_seed=5).reset()[1]["task_seed"] == 0
    seeds = [4, 5, 4]
    vec = make_vec(rings.ring, num_envs=3, task_seeds=seeds)
    assert vec.tasks == tuple(map(rings.ring, seeds))
    assert canonical_id("TabularMDP-v0?noise=0.0&size=5&mdp=rings:ring") == ids[1]


def test_files_and_functions_are_evaluated_on_workers_as_in_one_process(rings, tmp_path):
    rings.fixed(5).save("ring.safetensors")
    ids = ["TabularMDP-v0?mdp=ring.safetensors", "TabularMDP-v0?mdp=rings.py:ring&size=5"]
    given = [*ids, rings.fixed(6)]
    one, two = (evaluate("psrl", given, **SHORT | {"workers": n}) for n in (1, 2))
    assert one.equals(two)
    own = f"TabularMDP-v0?fingerprint={rings.fixed(6).fingerprint()[:12]}"
    assert list(dict.fromkeys(one["env_id"])) == [*ids, own]
    assert set(one[one["env_id"] == ids[1]]["task_seed"]) == {0, 1, 2}
    final = one.groupby("env_id", observed=True)["score"].last()
    assert np.isfinite(final).all()
    assert (evaluate("oracle", given, **SHORT)["score"] == 1.0).all()


def test_the_hash_of_the_suite_is_that_of_the_tasks(rings, tmp_path):
    env_id = "TabularMDP-v0?mdp=ring.safetensors"
    rings.fixed(5).save("ring.safetensors")
    first = find_suite(env_id).hash
    assert find_suite(env_id).hash == first
    evaluate("random", env_id, **SHORT, out="out")
    rings.fixed(6).save("ring.safetensors")
    assert find_suite(env_id).hash != first
    with pytest.raises(ValueError, match="suite_hash"):
        evaluate("random", env_id, **SHORT, out="out")
    assert find_suite(rings.fixed(5)).hash != find_suite(rings.fixed(6)).hash


@pytest.mark.parametrize(
    ("mdp", "says"),
    [
        ("nothing", "mdp is 'nothing'; give a TabularMDP, its file"),
        ("nothing.safetensors", "mdp: cannot read nothing.safetensors: no such file"),
        ("rings.py", "mdp is 'rings.py'; give a TabularMDP"),
        ("rings.py:wring", "mdp rings.py:wring cannot be loaded: module 'rings' has no attribute"),
        ("nowhere.py:ring", "mdp nowhere.py:ring cannot be loaded: there is no file"),
        ("rings.py:ring&sise=3", "'sise'; did you mean 'size'? known: mdp, size, noise"),
        ("rings.py:ring&size=-1", "rings.py:ring: ValueError"),
        ("rings.py:ring&noise=-1", "rings.py:ring: reward_noise is negative"),
        ("rings.py:number", "rings.py:number returned a int; return a TabularMDP"),
        ("rings.py:broken", "rings.py:broken: RuntimeError: no such ring (rings.py:3"),
        ("rings.py:growing", "task seed 1 has (observations, actions) (5, 2), another one (4, 2)"),
        ("rings.py:equal", "of the first 1000 tasks none has a gap"),
        ("", "'mdp=' is not NAME=VALUE"),
    ],
)
def test_what_makes_no_task_is_refused_in_one_line(rings, capsys, mdp, says):
    words = ["run", "--agent", "random", "--env", f"TabularMDP-v0?mdp={mdp}", "--tasks", "2"]
    assert run([*words, "--steps", "60", "--workers", "1"]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert not out


def test_a_task_in_which_nothing_can_be_learnt_is_refused(rings):
    with pytest.raises(TaskError, match="earns no more than a random policy"):
        evaluate("random", rings.equal(0), **SHORT)


def test_a_recorded_fingerprint_makes_no_task():
    env_id = str(find_suite(TWO_ROOMS).rows[0].env_id)
    with pytest.raises(SuiteError, match="known by its fingerprint alone"):
        find_suite(env_id)


@pytest.mark.parametrize("wrong", [3, [3], [TWO_ROOMS, None], TWO_ROOMS.transition])
def test_what_is_no_environment_is_refused(wrong):
    with pytest.raises(
        ValueError, match="give a suite's name, a file, or environment ids and tasks"
    ):
        evaluate("random", wrong, **SHORT)


def test_the_same_task_twice_is_refused():
    with pytest.raises(SuiteError, match="is named twice"):
        find_suite([TWO_ROOMS, TabularMDP.from_bands(**vars_of(TWO_ROOMS))])


def vars_of(mdp):
    names = ("bands", "start", "terminal", "max_steps", "observation", "n_observations")
    return {name: getattr(mdp, name) for name in names}


def test_the_names_are_in_the_package():
    assert {"make", "make_vec"} <= set(anymdp_bench.__all__)

"""The Pendulum with one start: the state is Gymnasium's, and every way to play starts from it."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.evaluation import Budget, Run, SteppedAgent, play_compiled, play_training
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.pendulum.dynamics import FIXED_START, observe
from anymdp_bench.tasks.pendulum.game import load_pendulum

ID = "DiscretePendulum-g5-v0?start=fixed"
SEEN = int(observe(*FIXED_START))


def test_the_start_is_that_of_gymnasium_after_reset_with_seed_123():
    env = gym.make("Pendulum-v1")
    env.reset(seed=123, options={"low": -0.7, "high": 0.5})  # options that it does not read
    assert tuple(env.unwrapped.state) == pytest.approx(FIXED_START, abs=1e-12)


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_every_episode_of_every_environment_starts_there(mode):
    env = anymdp_bench.make(ID)
    for seed in (0, None, 7):
        assert env.reset(seed=seed)[0] == SEEN
        assert env.unwrapped.true_state == FIXED_START
    vec = anymdp_bench.make_vec(ID, 3, autoreset_mode=mode)
    assert vec.reset(seed=1)[0].tolist() == [SEEN] * 3
    for _ in range(200 + (mode == "NextStep")):
        seen, *_ = vec.step([0, 2, 4])
    assert seen.tolist() == [SEEN] * 3
    assert (vec.true_states == FIXED_START).all()


def test_its_references_are_of_that_start():
    task = task_source(ID).task(0)
    game = load_pendulum(5.0, "fixed")
    exact = float(game.oracle_returns(np.array([FIXED_START]))[0])
    assert task.references.oracle == pytest.approx(exact, abs=1e-3)
    assert task.references.oracle_sd == 0.0
    simulator = task.simulator([task], np.array([3], np.uint64))
    total = 0.0
    for _ in range(200):
        result = simulator.step(simulator.oracle_actions())
        total += float(result.reward[0])
    assert total == pytest.approx(exact)
    assert result.advantage_sum.tolist() == [0.0]
    for same in (copy.deepcopy(game), pickle.loads(pickle.dumps(game))):
        assert same is load_pendulum(5.0, "fixed")


def test_compiled_and_stepped_learners_play_the_same():
    run = Run(ID, task_source(ID).task(0), 0)
    fast = play_compiled(TQLUCB(), run, Budget(100))
    slow = play_training(SteppedAgent(TQLUCB()), run, Budget(100))
    for name in ("episode", "steps", "return_", "score", "regret"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-12)
    assert fast.return_[0] <= task_source(ID).task(0).references.oracle + 1e-3


@pytest.mark.parametrize("start", ["upright", 3, True])
def test_another_start_is_refused_everywhere(start):
    with pytest.raises(TaskError, match="give 'uniform' or 'fixed'"):
        gym.make("DiscretePendulum-g5-v0", start=start)
    with pytest.raises(TaskError, match="give 'uniform' or 'fixed'"):
        gym.make_vec("DiscretePendulum-g5-v0", num_envs=2, start=start)
    with pytest.raises(TaskError, match="give 'uniform' or 'fixed'"):
        task_source("DiscretePendulum-g5-v0", start=start).task(0)

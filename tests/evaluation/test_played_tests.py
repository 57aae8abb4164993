"""Tests of learners that are played, where they could be exact."""

import numpy as np
import pytest

from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.evaluation import (
    Budget,
    IndependentLearners,
    Run,
    SteppedAgent,
    expected_return,
    play_compiled,
    play_training,
)
from anymdp_bench.evaluation.compiled import PolicyTests
from anymdp_bench.tasks.family import task_source

IDS = ("AnyMDP-16s5a-v0", "Switch2-v0", "AnyMDP-1s5a-v0", "FrozenLake4x4Slippery-v0?max_steps=200")


@pytest.mark.parametrize("env_id", IDS)
def test_the_compiled_and_the_stepped_learner_are_tested_by_the_same_episodes(env_id):
    run = Run(env_id, task_source(env_id).task(0), 3)
    players = run.task.players
    stepped = [SteppedAgent(TQLUCB()) for _ in range(players)]
    agent = stepped[0] if players == 1 else IndependentLearners(stepped)
    fast = play_compiled(TQLUCB(), run, Budget(200), exact_tests=False)
    slow = play_training(agent, run, Budget(200), exact_tests=False)
    assert fast.measure == slow.measure == "test"
    assert fast.episode.tolist() == [100, 200]
    for name in ("episode", "steps", "return_", "return_corrected", "score", "regret"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-9)


@pytest.mark.parametrize("env_id", IDS)
def test_learning_is_the_same_whatever_the_tests_are(env_id):
    run = Run(env_id, task_source(env_id).task(0), 3)
    played = play_compiled(TQLUCB(), run, Budget(200), exact_tests=False)
    exact = play_compiled(TQLUCB(), run, Budget(200))
    assert exact.measure == "exact"
    at = np.searchsorted(exact.episode, played.episode)
    np.testing.assert_array_equal(exact.steps[at], played.steps)
    np.testing.assert_allclose(exact.regret[at], played.regret, rtol=1e-12)


@pytest.mark.parametrize("env_id", IDS[:2])
def test_the_mean_of_played_tests_is_the_exact_return(env_id):
    task = task_source(env_id).task(1)
    run = Run(env_id, task, 0)
    rng = np.random.default_rng(5)
    size = (task.players, task.n_observations, task.n_actions)
    policies = rng.dirichlet(np.ones(task.n_actions), size[:2])
    exact = expected_return(task, policies)
    tests = PolicyTests(run)
    found = np.array([tests.play(policies, 5) for _ in range(200)])
    errors = found.std(axis=0) / np.sqrt(len(found))
    assert (abs(found.mean(axis=0) - exact) < 4 * errors).all()
    assert (errors > 0).all()

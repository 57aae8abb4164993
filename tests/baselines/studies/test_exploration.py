"""The study of exploration: entropy and regret worked by hand, and a tiny run."""

import numpy as np
import pandas as pd
import pytest

from anymdp_baselines.studies.exploration import (
    AGENTS,
    ENV_ID,
    collision_rate,
    record_history,
    run,
)
from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.evaluation import Budget, Run, SteppedAgent, play_compiled
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks


@pytest.fixture(scope="module")
def runs():
    tasks, _ = select_tasks(task_source(ENV_ID), 2)
    return [Run(ENV_ID, task, 0) for task in tasks]


def test_collisions_by_hand():
    """State 0: episode 0 chose 1, 1, episode 1 chose 1, 0: of 4 pairs across, 2 are alike. State 1: none."""
    seen = np.array([0, 0, 0, 0, 1])
    action = np.array([1, 1, 1, 0, 0])
    episode = np.array([3, 3, 4, 4, 4])
    assert collision_rate(seen, action, episode, 2) == pytest.approx(0.5)
    assert np.isnan(collision_rate(seen[:2], action[:2], episode[:2], 2))


def test_collisions_estimate_the_sum_of_squares_without_bias():
    rng = np.random.default_rng(0)
    p = np.array([0.5, 0.3, 0.2])
    found = [
        collision_rate(np.zeros(4, int), rng.choice(3, 4, p=p), np.arange(4), 3)
        for _ in range(4000)
    ]
    assert np.mean(found) == pytest.approx((p**2).sum(), abs=0.015)


def test_the_regret_is_that_of_the_evaluation(runs):
    curve = play_compiled(TQLUCB(), runs[0], Budget(episodes=8))
    steps = int(curve.steps[-1])
    history = record_history(SteppedAgent(TQLUCB()), runs[:1], steps)
    gap = runs[0].task.references.gap
    assert history.regret[0, -1] * gap == pytest.approx(curve.regret[-1])
    assert history.episode[0, -1] == 7


def test_a_settled_agent_has_no_entropy(runs):
    class Settled(Oracle):
        def start(self, streams):
            self.turn = 0

        def act(self, observation, test=False):
            return observation % 5

        def learn(self, step):
            pass

    history = record_history(Settled(), runs, 1500)
    parts = (history.observation[0], history.action[0], history.episode[0])
    assert collision_rate(*parts, 5) == 1.0


def test_a_tiny_study_ends_in_a_table_and_a_picture_and_goes_on(tmp_path):
    pytest.importorskip("torch")
    paths = run("tiny", tmp_path)
    table = pd.read_csv(paths[1])
    assert table["agent"].tolist() == list(AGENTS)
    assert paths[-1].read_bytes()[:4] == b"\x89PNG"
    before = paths[0].stat().st_mtime_ns
    run("tiny", tmp_path)
    assert paths[0].stat().st_mtime_ns == before

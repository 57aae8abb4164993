import math

import numpy as np
import pytest

from anymdp_baselines.planner.aliasing import (
    EVIDENCE_LIMIT,
    IDS_PER_OBSERVATION,
    PRIOR_VISITS,
    assign_ids,
    count_ids,
    make_aliasing_state,
    update_evidence,
    update_previous,
)
from anymdp_baselines.planner.memory import empty_memory, write_runs
from anymdp_bench.evaluation import Budget, Run, play_in_context
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

pytest.importorskip("torch")

from anymdp_baselines.planner.agent import NeuralPlanner

N, A = 4, 2


class Tracker:
    """One run, watched step by step."""

    def __init__(self, n=N):
        self.state = make_aliasing_state(1, n)
        self.by_observation, self.by_id = empty_memory(1, n, A), empty_memory(1, count_ids(n), A)

    def step(self, observation, action, following, terminated=False, truncated=False):
        seen, then = np.array([observation]), np.array([following])
        over = np.array([terminated or truncated])
        ids = assign_ids(self.state, self.state.previous, seen)
        before = np.where(then == seen, self.state.previous, seen)
        following_ids = assign_ids(self.state, before, then)
        rest = np.array([action]), np.zeros(1), np.array([terminated]), np.array([truncated])
        update_evidence(
            self.state,
            self.by_observation,
            self.by_id,
            seen,
            rest[0],
            then,
            rest[2],
            ids,
            following_ids,
        )
        update_previous(self.state, seen, then, over)
        for memory, now, later in (
            (self.by_observation, seen, then),
            (self.by_id, ids, following_ids),
        ):
            write_runs(memory, np.zeros(1, int), now, rest[0], rest[1], later, rest[2], rest[3])
        return int(ids[0])


def test_an_id_is_what_was_seen_and_what_was_seen_before_it():
    tracker = Tracker()
    assert tracker.step(0, 0, 1) == 0  # an episode's first
    a = tracker.step(1, 0, 1)
    assert tracker.step(1, 1, 2) == a  # standing still changes nothing
    assert tracker.step(2, 0, 1) not in (0, 1, 2, a)
    assert tracker.step(1, 0, 0, truncated=True) not in (1, a)
    assert tracker.step(1, 0, 1) == 1  # the next episode begins


def test_ids_without_room_share_the_observations_own():
    n = IDS_PER_OBSERVATION + 3
    state = make_aliasing_state(1, n)
    for before in range(n):
        for o in range(n):
            assign_ids(state, np.array([before]), np.array([o]))
    assert state.n_assigned[0] == IDS_PER_OBSERVATION * n
    assert state.ids.max() < IDS_PER_OBSERVATION * n
    shared = [(b, o) for b in range(n) for o in range(n) if state.ids[0, b, o] == o]
    assert len(shared) == n * n - (IDS_PER_OBSERVATION - 1) * n
    for before in range(n):
        np.testing.assert_array_equal(state.id_observation[0, state.ids[0, before]], range(n))


def test_the_evidence_is_the_log_ratio_of_two_predictions():
    tracker = Tracker()
    tracker.step(0, 0, 1)
    tracker.step(1, 0, 2)  # from 0: to 2, never seen, says nothing
    assert tracker.state.evidence[0] == 0.0
    tracker.step(2, 0, 1)
    tracker.step(1, 0, 3)  # from 2: to 3, never seen
    tracker.step(3, 0, 0)
    tracker.step(0, 0, 1)  # 0 was first seen as an episode's first, and led to 1
    assert tracker.state.evidence[0] == pytest.approx(0.0)
    tracker.step(1, 0, 2)  # from 0 again, again to 2: once of two, once of once
    q = (1 + PRIOR_VISITS / 2) / (1 + PRIOR_VISITS)
    assert tracker.state.evidence[0] == pytest.approx(math.log(q / 0.5))


def test_a_direction_that_is_hidden_is_noticed():
    """On a ring of 4 the walker goes on as it came; which way is drawn at an episode's start."""
    tracker, rng = Tracker(), np.random.default_rng(0)
    for _ in range(200):
        way, o = rng.choice([-1, 1]), int(rng.integers(N))
        for k in range(10):
            tracker.step(o, 0, (o + way) % N, truncated=k == 9)
            o = (o + way) % N
    assert tracker.state.is_hidden[0]
    assert EVIDENCE_LIMIT < tracker.state.evidence[0] < EVIDENCE_LIMIT + 5  # and no more is added


@pytest.mark.parametrize("env_id", ["Garnet-16s5a2b-v0", "FrozenLake4x4Slippery-v0"])
def test_nothing_is_noticed_where_nothing_is_hidden(env_id):
    """A likelihood ratio of exp(25) by chance: below 2e-11 a run, were the predictions exact."""
    tasks, _ = select_tasks(task_source(env_id), 4 if "Garnet" in env_id else 1)
    runs = [Run(env_id, tasks[k % len(tasks)], k) for k in range(8)]
    agent = NeuralPlanner()
    play_in_context(agent, runs, Budget(steps=3000))
    assert not agent._aliasing.is_hidden.any()
    assert agent._aliasing.evidence.max() < 5.0


def test_the_pendulums_hidden_state_is_noticed():
    env_id = "DiscretePendulum-g5-v0"
    task = select_tasks(task_source(env_id), 1)[0][0]
    agent = NeuralPlanner()
    play_in_context(agent, [Run(env_id, task, k) for k in range(3)], Budget(steps=12_000))
    assert agent._aliasing.is_hidden.all()
    assert (agent._by_id.memory.total[:, 0] == 12_000).all()  # it remembers from the first step on


def test_a_run_with_a_history_does_not_depend_on_its_company():
    env_id = "DiscretePendulum-g1-v0"
    task = select_tasks(task_source(env_id), 1)[0][0]
    runs = [Run(env_id, task, k) for k in range(3)]
    together = play_in_context(NeuralPlanner(), runs, Budget(steps=3000))
    alone = play_in_context(NeuralPlanner(), runs[1:2], Budget(steps=3000))[0]
    np.testing.assert_array_equal(together[1].score, alone.score)

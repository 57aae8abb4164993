"""The rollout of the planner: play by preferences, demonstrations, and temperatures."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.planner import presets  # noqa: E402
from anymdp_baselines.planner.memory import empty_memory  # noqa: E402
from anymdp_baselines.planner.rollout import PlannerRollout, demonstrate, play  # noqa: E402
from anymdp_baselines.training.task_pool import TaskPool  # noqa: E402
from anymdp_baselines.training.temperature import TemperatureSchedule  # noqa: E402
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source  # noqa: E402

S, A = 8, 3
FULL = task_source("AnyMDP-v0", n_states=S, n_actions=A)
FEWER = task_source("AnyMDP-v0", n_states=12, n_actions=A, min_states=8)


def in_play(n, source=FULL, n_observations=S):
    pool = TaskPool(n, source, n_observations, A)
    pool.assign(np.arange(n), np.arange(PUBLIC_SEEDS, PUBLIC_SEEDS + n))
    return pool, empty_memory(n, n_observations, A)


def play_oracle(pool, memory, steps):
    age, tally = np.zeros(pool.n, np.int64), np.zeros((2, 2))
    visited = np.zeros(pool.advantage.shape[:2])
    preference = 1e9 * np.eye(A)[pool.advantage.argmax(-1)]
    counts, scorable = np.full(pool.n, steps), np.ones(pool.n, np.bool_)
    play(
        pool.arrays, memory, preference, counts, age, pool.horizon, scorable, np.array([10**9]),
        tally, visited,
    )  # fmt: skip
    return tally[0, 0] / tally[0, 1], age, visited


def test_the_oracle_scores_one_and_every_step_is_written():
    pool, memory = in_play(32)
    score, age, visited = play_oracle(pool, memory, 2000)
    assert score == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(visited, memory.visits.sum(2))
    assert (age == 2000).all()
    assert (memory.total[:, 0] == 2000).all()


def test_tasks_with_fewer_states_never_leave_them():
    pool, memory = in_play(16, FEWER, 12)
    score, _, visited = play_oracle(pool, memory, 3000)
    assert score == pytest.approx(1.0, abs=1e-6)
    for i in range(16):
        unknown = np.setdiff1d(np.arange(12), FEWER.sample(PUBLIC_SEEDS + i).observation)
        assert visited[i, unknown].sum() == 0


def test_demonstrations_are_the_oracles_and_are_marked():
    pool, memory = in_play(2)
    steps = demonstrate(pool.arrays, memory, pool.advantage, 0, 7, 0.0)
    demonstrate(pool.arrays, memory, pool.advantage, 1, 200, 0.3)
    np.testing.assert_array_equal(memory.demonstrated, memory.visits)
    assert memory.total[0].tolist()[::3] == [steps, 7]
    best = pool.advantage.argmax(-1)
    for o in range(S):
        assert memory.demonstrated[0, o].sum() == memory.demonstrated[0, o, best[0, o]]
    chosen = memory.demonstrated[1, np.arange(S), best[1]].sum()
    n = memory.demonstrated[1].sum()
    share = 0.7 + 0.3 / A  # false-alarm rate of five standard deviations: 6e-7
    assert abs(chosen / n - share) < 5 * np.sqrt(share * (1 - share) / n)


def test_experts_settle_in_training_as_at_play():
    schedules = (TemperatureSchedule(1.0, 1e6, 0.05), TemperatureSchedule(1.0, 2.0, 0.05))
    group = presets.expert(8, 4, 1.0, schedules)
    rollout = PlannerRollout(group, 3.0, 0.06, PUBLIC_SEEDS, np.random.default_rng(0))
    rollout.age[:] = 4 * rollout.slots
    expected = np.where(rollout.schedule_of % 2, 1 / 16, 1.0)
    np.testing.assert_allclose(rollout.temperatures(), expected)
    assert rollout.memory.assumes_anymdp.all()

"""PSRL with the steps left: its plans against a twin, what it knows of the horizon, and what it is worth."""

import numpy as np
import pytest

from anymdp_baselines.tabular.counts import EVERY_EPISODE, memory_layout
from anymdp_baselines.tabular.finite_horizon import (
    LONGEST,
    FiniteHorizonPSRL,
    solve_backward,
)
from anymdp_baselines.tabular.psrl import PSRL
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.rng import stream
from anymdp_bench.evaluation import Budget, Run, play_compiled
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.testing import AgentConformance

STREAMS = RunBatch(4, 2, np.zeros(1, np.uint64))


class TestFiniteHorizonPSRL(AgentConformance):
    def make_agent(self):
        return FiniteHorizonPSRL()


def twin(prob, reward, terminal, steps):
    """The best actions and values with 1 to `steps` steps left, as the formula is written."""
    value, actions = np.zeros(len(reward)), []
    for _ in range(steps):
        q = reward + prob @ value
        actions.append(q.argmax(axis=1))
        value = np.where(terminal, 0.0, q.max(axis=1))
    return np.array(actions), value


def planned(prob, reward, terminal, steps):
    best = np.full((steps, len(reward)), -1.0)
    solve_backward(prob, reward, terminal, best)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_plans_are_those_of_the_plain_twin(seed):
    rng = np.random.default_rng(seed)
    prob = rng.dirichlet(np.full(7, 0.3), size=(7, 3))
    prob[prob < 0.02] = 0.0
    prob /= prob.sum(axis=-1, keepdims=True)
    reward, terminal = rng.standard_normal((7, 3)), np.arange(7) == 6
    expected, _ = twin(prob, reward, terminal, 200)
    assert (planned(prob, reward, terminal, 200)[:, :6] == expected[:, :6]).all()


def test_what_is_best_depends_on_the_steps_left_by_hand():
    """Here: 1 a step. There: 3 a step, after a step for nothing. With one step left, stay here."""
    prob, reward = np.zeros((2, 2, 2)), np.array([[1.0, 0.0], [3.0, 3.0]])
    prob[0, 0, 0] = prob[0, 1, 1] = prob[1, :, 1] = 1.0
    best = planned(prob, reward, np.zeros(2, bool), 50)
    assert best[:, 0].tolist() == [0] + [1] * 49
    assert (best[:, 1] == 0).all()


def step(agent, memory, settings, terminated, truncated):
    agent.compiled_learn(0, 1, 1.0, 2, terminated, truncated, 2, memory, settings, stream("unused"))


def test_it_knows_the_horizon_from_truncations_alone():
    agent = FiniteHorizonPSRL()
    memory, settings = agent.memory(STREAMS), agent.settings(STREAMS)
    clock = memory_layout(4, 2)[-1]
    for _ in range(3):
        step(agent, memory, settings, False, False)
    assert memory[clock : clock + 2].tolist() == [3.0, 0.0]
    step(agent, memory, settings, True, False)  # a terminal state says nothing of the horizon
    assert memory[clock : clock + 2].tolist() == [0.0, 0.0]
    for cut in (False, True):
        step(agent, memory, settings, False, cut)
    assert memory[clock : clock + 2].tolist() == [0.0, 2.0]
    step(agent, memory, settings, False, True)  # a run's last episode may be cut short
    assert memory[clock : clock + 2].tolist() == [0.0, 2.0]


def test_without_a_horizon_it_acts_as_psrl_does():
    """The first episode, before anything was truncated: the same draws, and the same actions."""
    chosen = []
    for agent in (FiniteHorizonPSRL(), PSRL()):
        memory, settings = agent.memory(STREAMS), agent.settings(STREAMS)
        rng, world, seen = stream("test"), np.random.default_rng(3), 0
        chosen.append([])
        for _ in range(300):
            action = agent.compiled_act(seen, 2, memory, settings, rng)
            after = int(world.integers(3))
            reward = float(after) + 0.1 * world.standard_normal()
            agent.compiled_learn(
                seen, action, reward, after, False, False, 2, memory, settings, rng
            )
            chosen[-1].append(action)
            seen = after
    assert chosen[0] == chosen[1]


def test_doublings_draw_a_sample_in_the_first_episodes_alone():
    agent = FiniteHorizonPSRL()
    for episodes, draws in ((0, True), (EVERY_EPISODE, False)):
        memory, settings, rng = agent.memory(STREAMS), agent.settings(STREAMS), stream("test")
        for _ in range(episodes):
            step(agent, memory, settings, False, True)
        agent.compiled_act(0, 2, memory, settings, rng)
        before = rng.copy()
        for _ in range(max(1, episodes)):  # to a power of two of visits, if it was none
            step(agent, memory, settings, False, False)
            agent.compiled_act(0, 2, memory, settings, rng)
        assert bool((rng != before).any()) == draws


def test_an_episode_beyond_the_longest_plan_is_played():
    agent = FiniteHorizonPSRL()
    memory, settings, rng = agent.memory(STREAMS), agent.settings(STREAMS), stream("test")
    for k in range(2 * (LONGEST + 50)):
        assert agent.compiled_act(0, 2, memory, settings, rng) in (0, 1)
        step(agent, memory, settings, False, k % (LONGEST + 50) == LONGEST + 49)


def test_the_steps_left_are_worth_more_than_the_best_stationary_policy():
    """Episodes 1,000 to 3,000 of eight training tasks, fixed seeds; 1 is the best stationary policy."""
    tasks, _ = select_tasks(task_source("AnyMDP-16s5a-v0"), 8, PUBLIC_SEEDS)
    found = []
    for agent in (FiniteHorizonPSRL(), PSRL()):
        scores = []
        for task in tasks:
            curve = play_compiled(agent, Run("AnyMDP-16s5a-v0", task, 0), Budget(3000))
            regret = curve.regret[curve.episode == 3000] - curve.regret[curve.episode == 1000]
            scores.append(1 - regret / 2000 / task.references.gap)
        found.append(np.mean(scores))
    assert found[0] > 1.01
    assert found[1] < 1.0

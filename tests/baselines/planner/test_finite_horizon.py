"""Plans by the steps that are left: by hand, against a twin, and at play."""

import copy
import itertools

import numpy as np
import pytest

from anymdp_baselines.planner.agent import NeuralPlanner
from anymdp_baselines.planner.checkpoint import find_shipped, load_weights
from anymdp_baselines.planner.finite_horizon import (
    LONGEST_HORIZON,
    NO_ACTION,
    PSEUDO_VISITS,
    plan_remaining_steps,
    solve_backward,
)
from anymdp_baselines.planner.memory import empty_memory, write
from anymdp_baselines.planner.policy import PlannedRuns
from anymdp_baselines.planner.schedule import Schedule
from anymdp_bench.agents import RunBatch, Transition

WORK, CASH = 0, 1


def best_actions(model, reward, unseen, steps):
    best = np.empty((steps, len(reward)), np.int16)
    solve_backward(model, reward, unseen, best)
    return best


def test_what_is_best_depends_on_the_steps_left_by_hand():
    # Here: 1 at once and stay, or nothing and go there, where every step pays 3.
    # One left: 1 > 0. Two: 1 + 1 < 0 + 3. There both actions are alike, so the first.
    model = np.zeros((2, 2, 2))
    model[0, 0, 0] = model[0, 1, 1] = model[1, :, 1] = 1.0
    reward = np.array([[1.0, 0.0], [3.0, 3.0]])
    best = best_actions(model, reward, np.zeros((2, 2)), 4)
    np.testing.assert_array_equal(best, [[0, 0], [1, 0], [1, 0], [1, 0]])


def test_a_step_into_the_unseen_is_worth_its_mean_for_every_step_after_it():
    # Stay for 1.1 a step, or 0 and out, where 2 a step are expected: 2 t against 1.1 (t + 1).
    model, reward = np.zeros((1, 2, 1)), np.array([[1.1, 0.0]])
    model[0, 0, 0] = 1.0
    best = best_actions(model, reward, np.array([[0.0, 2.0]]), 4)
    np.testing.assert_array_equal(best[:, 0], [0, 0, 1, 1])


def paid(model, reward, start, plan):
    """Expected return of a plan, actions by (steps gone, state), by following the distribution."""
    here, total = np.eye(len(reward))[start], 0.0
    for actions in plan:
        total += sum(here[s] * reward[s, a] for s, a in enumerate(actions))
        here = sum(here[s] * model[s, a] for s, a in enumerate(actions))
    return total


def test_no_plan_pays_more():
    rng = np.random.default_rng(0)
    for _ in range(5):
        model = 0.9 * rng.dirichlet(np.ones(2), (2, 2))
        reward = rng.normal(size=(2, 2))
        best = best_actions(model, reward, np.zeros((2, 2)), 3)
        every = list(itertools.product(itertools.product(range(2), repeat=2), repeat=3))
        for start in range(2):
            most = max(paid(model, reward, start, plan) for plan in every)
            assert paid(model, reward, start, best[::-1]) == pytest.approx(most)


def a_run(n=6, n_actions=3, steps=400, seed=0):
    """(Memory of a run that never acts in the last state, its steps one by one)."""
    rng, memory, log = np.random.default_rng(seed), empty_memory(1, n, n_actions), []
    for _ in range(steps):
        o, a, following = rng.integers(n - 1), rng.integers(n_actions), rng.integers(n)
        log.append((o, a, float(rng.normal(following)), following, bool(rng.random() < 0.1)))
        write(memory, 0, *log[-1], False)
    return memory, log


def known(log, n, n_actions):
    """(Transitions [n, A, n], rewards [n, A]), step by step, with `PSEUDO_VISITS` of the state's average."""
    count, reward, visits = (
        np.zeros((n, n_actions, n)),
        np.zeros((n, n_actions)),
        np.zeros((n, n_actions)),
    )
    for o, a, r, following, ended in log:
        visits[o, a] += 1.0
        reward[o, a] += r
        count[o, a, following] += not ended
    acted = visits.sum(1) > 0.0
    for o in np.flatnonzero(acted):
        mean, middle = count[o].sum(0) / visits[o].sum(), reward[o].sum() / visits[o].sum()
        for a in range(n_actions):
            count[o, a] = (count[o, a] + PSEUDO_VISITS * mean) / (visits[o, a] + PSEUDO_VISITS)
            reward[o, a] = (reward[o, a] + PSEUDO_VISITS * middle) / (visits[o, a] + PSEUDO_VISITS)
    return count, reward, acted


@pytest.mark.parametrize("steps", [1, 40, LONGEST_HORIZON + 100])
def test_the_plan_is_that_of_a_twin(steps):
    n, n_actions = 6, 3
    memory, log = a_run(n, n_actions)
    timed_action = np.zeros((LONGEST_HORIZON, n), np.int16)
    plan_remaining_steps(memory, 0, steps, timed_action)
    model, reward, acted = known(log, n, n_actions)
    mean = np.mean([step[2] for step in log])
    value = np.zeros(n)
    for t in range(min(steps, LONGEST_HORIZON)):
        value[~acted] = t * mean
        q = reward + model @ value
        np.testing.assert_array_equal(timed_action[t, acted], q[acted].argmax(1))
        value[acted] = q[acted].max(1)
    assert (timed_action[:, ~acted] == NO_ACTION).all()
    assert (timed_action[steps:] == NO_ACTION).all()


TIMED = Schedule(9.0, 0.0, familiar=True, known=10.0, ending=0.6)


def one_run(schedule=TIMED):
    """Of one state beside its end, where work pays 1 a step and cash pays 5 and ends the episode."""
    return PlannedRuns(
        load_weights(find_shipped()).planner(True, 2),
        np.arange(1, 2, dtype=np.uint64),
        2,
        2,
        schedule,
    )


def play_episode(planned, actions, limit):
    """Plays `actions`, or those of the plan where they are None, until the episode ends; what it paid."""
    runs, start, total = np.arange(1), np.zeros(1, np.int64), 0.0
    for k, given in enumerate(actions, 1):
        action = planned.act(runs, start, False)
        if given is not None:
            action[:] = given
        cash = action == CASH
        reward = np.where(cash, 5.0, 1.0)
        planned.learn(
            runs,
            Transition(start, action, reward, cash.astype(np.int64), cash, ~cash & (k == limit)),
        )
        total += reward[0]
        if cash[0]:
            break
    return total


def experienced(schedule=TIMED, limit=6):
    planned = one_run(schedule)
    for _ in range(15):
        play_episode(planned, [WORK] * limit, limit)
        play_episode(planned, [WORK, CASH], limit)
        play_episode(planned, [CASH], limit)
    planned.plan(np.arange(1))
    return planned


def test_a_settled_run_cashes_in_the_last_step_and_no_sooner():
    planned = experienced()
    assert [play_episode(planned, [None] * 6, 6) for _ in range(4)] == [10.0] * 4
    # Were the end not known, it would do one or the other, always.
    other = experienced(Schedule(9.0, 0.0, familiar=True, known=10.0))
    assert {play_episode(other, [None] * 6, 6) for _ in range(4)} <= {5.0, 6.0}


def test_the_limit_is_the_longest_episode_that_was_cut():
    planned = one_run()
    for length, expected in ((4, 4), (3, 4), (7, 7)):
        play_episode(planned, [WORK] * length, length)
        assert (planned._episode_limit[0], planned._episode_steps[0]) == (expected, 0)
    play_episode(planned, [WORK] * 9 + [CASH], 12)  # it ended by itself
    assert (planned._episode_limit[0], planned._episode_steps[0]) == (7, 0)
    play_episode(planned, [WORK] * 2, 12)
    assert planned._episode_steps[0] == 2


def test_an_episode_that_outlasts_the_others_is_played_on():
    planned = experienced()
    assert play_episode(planned, [WORK] * 6 + [None], 50) in (7.0, 11.0)


def test_neither_unsettled_nor_demonstrated_runs_play_by_the_end():
    planned = experienced(Schedule(1e9, 0.0, familiar=True, known=10.0, ending=0.6))
    assert (planned._timed_action == NO_ACTION).all()
    planned = experienced()
    assert (planned._timed_action != NO_ACTION).any()
    planned.memory.demonstrated[0, 0, WORK] = 1.0
    planned.plan(np.arange(1))
    assert (planned._timed_action == NO_ACTION).all()


def test_runs_of_one_step_have_no_end_to_plan_for():
    planned = one_run()
    for _ in range(60):
        play_episode(planned, [WORK], 1)
    planned.plan(np.arange(1))
    assert planned._episode_limit[0] == 1
    assert (planned._timed_action == NO_ACTION).all()


def test_an_interrupted_run_goes_on_by_the_same_clock(tmp_path):
    path = tmp_path / "context.safetensors"
    agents, streams = [NeuralPlanner(), NeuralPlanner()], one_stream()
    for agent in agents:
        agent.start(streams)
    agents[0]._by_observation = experienced()
    play_episode(agents[0]._by_observation, [None] * 2, 6)  # in the middle of an episode
    agents[0].save_context(path)
    agents[1].load_context(path)
    seen = []
    for agent in agents:
        planned = copy.deepcopy(agent._by_observation)
        seen.append([play_episode(planned, [None] * 4, 4), play_episode(planned, [None] * 6, 6)])
    assert seen[0] == seen[1] == [8.0, 10.0]


def test_a_context_whose_actions_are_none_is_refused(tmp_path):
    path = tmp_path / "context.safetensors"
    agent = NeuralPlanner()
    agent.start(one_stream())
    agent._by_observation._timed_action[0, 3, 1] = 2
    agent.save_context(path)
    with pytest.raises(ValueError, match=r"mind\.ending lies outside -1 to 1"):
        agent.load_context(path)


def one_stream():
    return RunBatch(
        n_observations=2,
        n_actions=2,
        seeds=np.arange(1, 2, dtype=np.uint64),
    )

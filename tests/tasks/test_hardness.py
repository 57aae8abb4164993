"""Measures of hardness: values worked by hand, a naive twin, and what must not change them."""

import numpy as np
import pytest

from anymdp_bench import TabularMDP, sample_task, sample_tasks, solve, task_table
from anymdp_bench.tasks.hardness import diameter, hardness


def chain(forward, n=4, reward=0.0):
    """States in a line: action 0 steps back, action 1 forward with probability `forward`, else it stays."""
    P = np.zeros((n, 2, n))
    for s in range(n):
        P[s, 0, max(s - 1, 0)] = 1.0
        P[s, 1, min(s + 1, n - 1)] += forward
        P[s, 1, s] += 1.0 - forward
    return TabularMDP(P, reward, start=np.eye(n)[0], terminal=[False] * n, max_steps=20)


def test_the_diameter_of_a_line_is_the_way_up():
    """Up takes 1 / 0.25 steps a state, down takes one: 3 states up."""
    assert diameter(chain(0.25)) == pytest.approx(12.0)
    assert diameter(chain(1.0, n=6)) == pytest.approx(5.0)


def test_an_episodes_end_leads_back_to_the_start():
    """0 -> 1 -> end: from 1 back to 0 takes one step, the one that ends the episode."""
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = P[1, 0, 2] = 1.0
    mdp = TabularMDP(P, 0, start=[1, 0, 0], terminal=[False, False, True], max_steps=3)
    assert diameter(mdp) == pytest.approx(1.0)


def test_states_that_are_left_for_good_have_no_finite_diameter():
    P = np.zeros((2, 1, 2))
    P[0, 0, 1] = P[1, 0, 1] = 1.0
    mdp = TabularMDP(P, 0, start=[1, 0], terminal=[False, False], max_steps=3)
    assert diameter(mdp) == np.inf


def test_states_out_of_reach_play_no_part():
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = P[1, 0, 0] = P[2, 0, 0] = 1.0
    mdp = TabularMDP(P, 0, start=[1, 0, 0], terminal=[False] * 3, max_steps=3)
    assert diameter(mdp) == pytest.approx(1.0)


def test_a_bandit_with_two_arms():
    """Arms pay 1 and 0.2, an episode is one step: gaps 0 and 1 in units of the range, so 1/0.1 + 1/1.1."""
    P = np.zeros((2, 2, 2))
    P[0, :, 1] = 1.0
    R = np.zeros((2, 2, 2))
    R[0, 0, 1], R[0, 1, 1] = 1.0, 0.2
    mdp = TabularMDP(P, R, start=[1, 0], terminal=[False, True], max_steps=1)
    found = hardness(mdp)
    assert found.diameter == 0.0
    assert found.reciprocal_gaps == pytest.approx(10 + 1 / 1.1)
    assert found.value_norm == pytest.approx(0.0, abs=1e-12)


def test_the_value_norm_by_hand():
    """0 goes to 1 or 2 by a fair coin; 1 pays 1 and ends, 2 pays 0 and ends: V = 1 or 0, their sd is 1/2."""
    P = np.zeros((4, 1, 4))
    P[0, 0, 1] = P[0, 0, 2] = 0.5
    P[1, 0, 3] = P[2, 0, 3] = 1.0
    R = np.zeros((4, 1, 4))
    R[1, 0, 3] = 1.0
    mdp = TabularMDP(P, R, start=[1, 0, 0, 0], terminal=[False] * 3 + [True], max_steps=5)
    assert hardness(mdp).value_norm == pytest.approx(0.5)


def naive_diameter(mdp):
    """Value iteration for every goal, on states reachable from the start."""
    S, A = mdp.n_states, mdp.n_actions
    P = [
        [
            {
                j: sum(
                    mdp.transition[s, a, k] * (mdp.start[j] if mdp.terminal[k] else float(k == j))
                    for k in range(S)
                )
                for j in range(S)
            }
            for a in range(A)
        ]
        for s in range(S)
    ]
    reached = {s for s in range(S) if mdp.start[s] > 0}
    while True:
        more = {j for s in reached for a in range(A) for j in range(S) if P[s][a][j] > 0} | reached
        if more == reached:
            break
        reached = more
    worst = 0.0
    for goal in reached:
        time = dict.fromkeys(reached, 0.0)
        for _ in range(4000):
            for s in reached - {goal}:
                time[s] = 1 + min(
                    sum(p * time.get(j, 0) for j, p in P[s][a].items()) for a in range(A)
                )
            time[goal] = 0.0
        worst = max(worst, *time.values())
    return worst


def test_the_diameter_is_that_of_a_naive_twin():
    for mdp in sample_tasks("AnyMDP-v0", range(3), n_states=8, n_actions=2):
        assert diameter(mdp) == pytest.approx(naive_diameter(mdp), rel=1e-4)


def test_measures_know_no_scale_of_rewards():
    mdp = sample_task("Garnet-16s5a2b-v0", 3)
    larger = TabularMDP(
        mdp.transition, 7.0 * mdp.reward, start=mdp.start, terminal=mdp.terminal,
        max_steps=mdp.max_steps,
    )  # fmt: skip
    one, two = hardness(mdp), hardness(larger)
    assert two.diameter == one.diameter
    assert two.reciprocal_gaps == pytest.approx(one.reciprocal_gaps)
    assert two.value_norm == pytest.approx(one.value_norm)


def test_the_value_norm_is_the_definition(anymdp16):
    for mdp in anymdp16[:4]:
        v, live = solve(mdp).v, ~mdp.terminal
        mean = (mdp.transition * mdp.reward).sum(-1)[live]
        norms = []
        for s in np.flatnonzero(live):
            for a in range(mdp.n_actions):
                p = mdp.transition[s, a]
                norms.append(np.sqrt(p @ (v - p @ v) ** 2))
        assert hardness(mdp).value_norm <= max(norms) / np.ptp(mean) + 1e-9
        assert hardness(mdp).value_norm > 0


def test_the_table_has_a_row_a_task():
    table = task_table("AnyMDP-16s5a-v0", range(4))
    assert list(table["task_seed"]) == [0, 1, 2, 3]
    assert table["counts"].dtype == bool
    assert (table["diameter"] > 1).all()
    assert table["diameter"][2] == diameter(sample_task("AnyMDP-16s5a-v0", 2))

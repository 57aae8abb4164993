"""The alias tables imply the probabilities of their task."""

import numpy as np
import pytest
from numba import njit

from anymdp_bench.engine.alias_tables import draw_cell, stack_tables
from anymdp_bench.mdp import TabularMDP
from naive.dense import row_probabilities
from naive.random_tasks import random_task


def implied(table, row, begin, end, n_states):
    """(P [S], reward [S], noise [S], observation [S], terminal [S]) that an alias row implies, exactly."""
    P, R, N = np.zeros((3, n_states))
    seen, terminal = np.full(n_states, -1), np.zeros(n_states, bool)
    for k, probability in row_probabilities(table.cells, begin, end).items():
        word = int(table.cells[k, 3])
        state = word >> 32
        P[state] += probability
        R[state], N[state] = table.values[k, 1:3]
        seen[state], terminal[state] = (word & 0xFFFFFFFF) >> 1, word & 1
    return P, R, N, seen, terminal


def assert_tables_say(table, t, task):
    """Row t of the table implies the task's P, R, N, start, ids, flags and horizon."""
    S, A, _ = task.P.shape
    row = table.rows[t]
    assert row[-1] == task.horizon
    for s, a in np.ndindex(S, A):
        begin, end = row[s * A + a], row[s * A + a + 1]
        if task.terminal[s]:
            assert begin == end
            continue
        P, R, N, seen, terminal = implied(table, row, begin, end, S)
        live = P > 0
        assert abs(P - task.P[s, a]).max() < 1e-8
        assert ((task.P[s, a] > 0) == live).all()
        assert (R[live] == task.R[s, a, live]).all()
        assert (N[live] == task.N[s, a, live]).all()
        assert (seen[live] == task.observation[live]).all()
        assert (terminal[live] == task.terminal[live]).all()
    P, _, _, seen, terminal = implied(table, row, row[-3], row[-2], S)
    assert abs(P - task.start).max() < 1e-8
    assert (seen[P > 0] == task.observation[P > 0]).all()
    assert not terminal.any()


def test_alias_tables_imply_the_probabilities(small_tasks):
    for task in small_tasks:
        assert_tables_say(task.mdp().step_tables, 0, task)


def test_stacked_tables_imply_those_of_each_task():
    rng = np.random.default_rng(1)
    tasks = [random_task(rng, S=S, A=3, terminals=S % 2) for S in (4, 9, 2, 7)]
    table = stack_tables([task.mdp().step_tables for task in tasks])
    assert len(table.rows) == 4
    for t, task in enumerate(tasks):
        assert_tables_say(table, t, task)


@njit
def draw(row, k, cells, u):
    return draw_cell(row, np.uint64(k), cells, u)


def test_draw_reads_every_bit_as_documented(small_tasks):
    """The cell that 64 bits pick, at the ends of each cell's share and on both sides of its threshold."""
    for task in small_tasks[3:6]:
        table = task.mdp().step_tables
        row = table.rows[0]
        for k in range(len(row) - 2):
            begin, n = int(row[k]), int(row[k + 1] - row[k])
            for j in range(n):
                word = int(table.cells[begin + j, 0])
                threshold, alias = word >> 32, word & 0xFFFFFFFF
                first, last = -(-j * 2**32 // n), -(-(j + 1) * 2**32 // n) - 1
                for low in {0, max(threshold - 1, 0), threshold, 2**32 - 1}:
                    for high in (first, last):
                        u = np.uint64(high << 32 | low)
                        expected = begin + (j if low < threshold else alias)
                        assert draw(row, k, table.cells, u) == expected


def test_a_stack_of_one_is_itself(small_tasks):
    table = small_tasks[0].mdp().step_tables
    assert stack_tables([table]) is table


def test_values_are_the_cells_read_as_floats(small_tasks):
    table = stack_tables([task.mdp().step_tables for task in small_tasks[:2]])
    assert (table.values.view(np.uint64) == table.cells).all()
    assert np.shares_memory(table.values, table.cells)


def test_probabilities_of_very_different_size():
    # One chance in 10^9 is kept and exact to 2^-32; one in 10^12 cannot be told from 0 and is left out.
    P = np.zeros((4, 1, 4))
    P[:, 0, 0] = 1.0
    P[0, 0] = [1 - 1e-9 - 1e-12, 1e-9, 1e-12, 0]
    mdp = TabularMDP(P, 0.0, start=np.eye(4)[0], terminal=np.zeros(4, bool), max_steps=1)
    table = mdp.step_tables
    chances, *_ = implied(table, table.rows[0], table.rows[0, 0], table.rows[0, 1], 4)
    assert chances[0] == pytest.approx(1.0, abs=2e-9)
    assert chances[1] == pytest.approx(1e-9, abs=2.0**-32)
    assert chances[1] > 0
    assert chances[2] == chances[3] == 0.0


def test_a_certain_transition_is_certain():
    # A deterministic cycle 0 -> 1 -> 2 -> 0: no draw may ever leave it.
    P = np.zeros((3, 1, 3))
    P[[0, 1, 2], 0, [1, 2, 0]] = 1.0
    mdp = TabularMDP(P, 0.0, start=[1, 0, 0], terminal=np.zeros(3, bool), max_steps=10**9)
    table = mdp.step_tables
    for row in range(3):
        begin, end = table.rows[0, row], table.rows[0, row + 1]
        assert row_probabilities(table.cells, begin, end) == {begin: 1.0}

"""Measures from theory of how hard a task is, computed exactly, and tables to choose tasks from.

The measures are those of Colosseum (Conserva and Rauber 2022, "Hardness in Markov decision processes:
theory and practice"). They are taken over the live states that can be reached from the start. The mean
rewards r(s,a) of these states are scaled to [0, 1], as theory assumes. After the end of an episode the next
one begins from the start distribution. The horizon plays no part, and it plays no part for the oracle
either.

diameter         max over s != s' of min over policies of E[steps from s to s'] (Jaksch, Ortner and Auer
                 2010); infinite if some state cannot be reached again
reciprocal_gaps  sum over s, a of 1 / (V*(s) - Q*(s,a) + 0.1) (Simchowitz and Jamieson 2019, who sum over
                 gaps above 0; Colosseum's 0.1 keeps ties finite)
value_norm       max over s, a of the standard deviation of V*(s') under P(.|s,a) (Maillard, Mann and
                 Mannor 2014)
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anymdp_bench.engine.arrays import Bools, Float64s
from anymdp_bench.engine.processors import available_cores
from anymdp_bench.engine.solve import solve_dense
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import ORACLE_GAMMA, compute_references
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.source import TaskSource

if TYPE_CHECKING:
    import pandas as pd

REGULARISATION = 0.1


@dataclass(frozen=True)
class Hardness:
    """The measures of one task; the head of the module defines them."""

    diameter: float
    reciprocal_gaps: float
    value_norm: float


def hardness(mdp: TabularMDP, gamma: float = ORACLE_GAMMA) -> Hardness:
    """Computes the measures of a task.

    Args:
        mdp: the task.
        gamma: the discount of the optimal values.
    """
    chain = _restart_episodes(mdp)
    live = _find_reachable(chain, mdp.start > 0) & ~mdp.terminal
    mean = np.einsum("saj,saj->sa", mdp.transition, mdp.reward)
    scale = max(float(np.ptp(mean[live])), 1e-12)
    solution = solve(mdp, gamma)
    gaps = (solution.v[live, None] - solution.q[live]) / scale
    ahead = mdp.transition[live]
    value = solution.v / scale
    middle = ahead @ value
    spread = np.einsum("saj,saj->sa", ahead, (value - middle[..., None]) ** 2)
    return Hardness(
        diameter(mdp),
        float((1.0 / (np.maximum(gaps, 0.0) + REGULARISATION)).sum()),
        float(np.sqrt(spread.max())),
    )


def diameter(mdp: TabularMDP) -> float:
    """Computes the diameter: the largest least expected number of steps from one state to another."""
    chain = _restart_episodes(mdp)
    inside = np.flatnonzero(_find_reachable(chain, mdp.start > 0) & ~mdp.terminal)
    if len(inside) < 2:
        return 0.0
    return max(float(_measure_times(chain, int(goal), inside).max()) for goal in inside)


def _restart_episodes(mdp: TabularMDP) -> Float64s:
    """Returns transitions [S, A, S] that lead to the start distribution instead of a terminal state."""
    chain = mdp.transition.copy()
    ended = chain[:, :, mdp.terminal].sum(axis=2)
    chain[:, :, mdp.terminal] = 0.0
    chain += ended[:, :, None] * mdp.start
    return chain


def _find_reachable(chain: Float64s, start: Bools) -> Bools:
    """Finds the states that can be reached from `start` (bool [S]), the start included; bool [S]."""
    edges: Bools = np.any(chain > 0.0, axis=1)
    seen = start.copy()
    while True:
        more: Bools = seen | edges[seen].any(axis=0)
        if (more == seen).all():
            return seen
        seen = more


def _measure_times(chain: Float64s, goal: int, inside: Any) -> Float64s:
    """Computes min over policies of E[steps to `goal`] from each state of `inside`.

    This is a stochastic shortest path problem. Policy iteration solves it, from a policy that always
    approaches the goal. All times are infinite if some state cannot reach the goal. Nothing here starts the
    threads of a BLAS, which wait for each other on cores that others use.
    """
    n_states, n_actions, _ = chain.shape
    rank = np.full(n_states, n_states)
    rank[goal] = 0
    policy = np.zeros(n_states, np.int64)
    for level in range(1, n_states):
        reach = chain[:, :, rank < level].sum(axis=2)
        fresh = (rank == n_states) & (reach.max(axis=1) > 0.0)
        if not fresh.any():
            break
        policy[fresh] = reach[fresh].argmax(axis=1)
        rank[fresh] = level
    if (rank[inside] == n_states).any():
        return np.full(len(inside), np.inf)
    others = inside[inside != goal]
    inner = chain[np.ix_(others, np.arange(n_actions), others)]
    while True:
        rows = inner[np.arange(len(others)), policy[others]]
        time: Float64s = solve_dense(np.eye(len(others)) - rows, np.ones(len(others)))
        cost = 1.0 + inner @ time
        best = cost.argmin(axis=1)
        better = cost.min(axis=1) < time - 1e-9 * time.max()
        if not better.any():
            return time
        policy[others[better]] = best[better]


def measure_hardness(source: TaskSource, seed: int) -> dict[str, Any]:
    """Measures one task and returns its row of the table; see `task_table`."""
    mdp = source.sample(seed)
    ends = compute_references(mdp)
    return {
        "task_seed": source.recorded_seed(seed),
        "counts": ends.is_scorable,
        "oracle": ends.oracle,
        "random": ends.random,
        "noise": ends.oracle_sd / ends.gap if ends.gap > 0 else np.inf,
        "max_steps": mdp.max_steps,
        "terminal": int(mdp.terminal.sum()),
        **asdict(hardness(mdp)),
    }


def task_table(env_id: str, seeds: Iterable[int], **keywords: Any) -> pd.DataFrame:
    """Makes a table with a row for each task seed of a tabular environment. It serves to choose tasks.

        tasks = task_table("AnyMDP-16s5a-v0", range(100))
        hard = tasks[tasks.counts].nlargest(10, "diameter").task_seed

    Args:
        env_id: a Gymnasium id.
        seeds: the task seeds.
        **keywords: those of `gym.make`.

    Returns:
        A table with these columns: task_seed; counts, which says whether the task is scorable; oracle and
        random, the exact returns; noise, the standard deviation of one oracle episode divided by their
        difference; max_steps; terminal, the number of terminal states; diameter, reciprocal_gaps and
        value_norm, which the head of `anymdp_bench.tasks.hardness` defines.

    Raises:
        KeyError: there is no such environment.
        TaskError: a seed makes no task, or the tasks are no tables.
    """
    import pandas as pd

    source = task_source(env_id, **keywords)
    with ThreadPoolExecutor(available_cores()) as pool:
        return pd.DataFrame(list(pool.map(lambda seed: measure_hardness(source, seed), seeds)))

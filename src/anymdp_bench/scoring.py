"""The scale of a task: its exact references, and the variance-free score.

0 is the uniform random policy, 1 the oracle: the best stationary policy at gamma 0.994. With A_h the oracle's
advantages with h steps left, E[return] = oracle + E[sum of A_h(s_t, a_t)] for any agent (the
performance-difference lemma, Kakade and Langford 2002, for a finite horizon), so oracle + that sum
estimates the same mean as the return, without the luck of transitions and rewards. `docs/scoring.md`
derives it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.engine.evaluate import advantages
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.solution import expected_return, return_moments, solve
from anymdp_bench.tasks.family import TaskSource
from anymdp_bench.tasks.pendulum.game import Pendulum
from anymdp_bench.tasks.switch2.game import Switch2

ORACLE_GAMMA = 0.994
LEAST_GAP_IN_SD = 0.5
_AHEAD = 128  # tasks scored at a time, when looking for those that count


@dataclass(frozen=True)
class References:
    """The ends of a task's scale, exact.

    Attributes:
        oracle: the oracle's expected episode return.
        oracle_sd: standard deviation of one oracle episode's return.
        random: the uniform policy's expected episode return.
        policy: the oracle's action for each inner state, int64 [S].
    """

    oracle: float
    oracle_sd: float
    random: float
    policy: Int64s

    @property
    def gap(self) -> float:
        """Oracle return minus random return."""
        return self.oracle - self.random

    @property
    def counts(self) -> bool:
        """Whether the task can tell good from bad: gap > 0 and gap >= 0.5 oracle standard deviations."""
        return self.gap > 0.0 and self.gap >= LEAST_GAP_IN_SD * self.oracle_sd

    def score(self, value: float) -> float:
        """An expected return on the scale random = 0, oracle = 1."""
        return 1.0 + (value - self.oracle) / self.gap


def references(mdp: TabularMDP) -> References:
    """The exact references of a task."""
    policy = solve(mdp, ORACLE_GAMMA).policy
    oracle, sd = return_moments(mdp, policy)
    uniform = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
    return References(oracle, sd, expected_return(mdp, uniform), policy)


def oracle_advantages(mdp: TabularMDP, policy: Int64s) -> Float64s:
    """A[h, s, a], float64 [H + 1, S, A]: the advantage of a over the oracle `policy` with h steps left."""
    table, _ = advantages(mdp.bands, mdp.terminal, policy, mdp.n_actions, mdp.max_steps)
    out: Float64s = table
    return out


@dataclass(frozen=True)
class ScoredTask:
    """A task with its seed and references: a table that one agent plays, or another game."""

    seed: int
    game: TabularMDP | Pendulum | Switch2
    references: References

    @property
    def mdp(self) -> TabularMDP:
        """The task as a table; of Switch2, the joint one.

        Raises:
            TypeError: it is no table.
        """
        if isinstance(self.game, TabularMDP):
            return self.game
        if isinstance(self.game, Switch2):
            return self.game.mdp
        raise TypeError(f"{type(self.game).__name__} is no TabularMDP")

    @property
    def players(self) -> int:
        """Number of agents that play it."""
        return 1 if isinstance(self.game, TabularMDP) else self.game.players


def scored_task(source: TaskSource, seed: int) -> ScoredTask:
    """The task of `seed` with its references: exact, but for the Pendulum's, which were measured.

    Raises:
        TaskError: `seed` or the keywords make no task.
    """
    game = source.game()
    if game is None:
        mdp = source.sample(seed)
        return ScoredTask(seed, mdp, references(mdp))
    if isinstance(game, Pendulum):
        ends = References(game.oracle, game.oracle_sd, game.random, np.zeros(0, np.int64))
        return ScoredTask(seed, game, ends)
    return ScoredTask(seed, game, references(game.mdp))


def tasks_that_count(
    source: TaskSource, n: int, start: int = 0
) -> tuple[list[ScoredTask], list[int]]:
    """The first `n` tasks from seed `start` upward that count, and the seeds skipped on the way.

    A fixed task (one that every seed gives) is returned once, as seed 0, whether or not it counts.
    """
    if not source.sampled:
        return [scored_task(source, 0)], []
    kept: list[ScoredTask] = []
    skipped: list[int] = []
    if n == 0:
        return kept, skipped
    for task in _scored_tasks(source, n, start):
        if task.references.counts:
            kept.append(task)
        else:
            skipped.append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def seeds_that_count(source: TaskSource, n: int, start: int = 0) -> tuple[list[int], list[int]]:
    """(seeds, seeds skipped) of `tasks_that_count`, without keeping the tasks in memory."""
    if not source.sampled:
        return [0], []
    kept: list[int] = []
    skipped: list[int] = []
    for task in _scored_tasks(source, n, start):
        (kept if task.references.counts else skipped).append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def _scored_tasks(source: TaskSource, n: int, start: int) -> Iterator[ScoredTask]:
    """Scored tasks in order of seed from `start` on, computed in threads, a batch ahead of their use."""
    yield scored_task(source, start)  # compiles before the threads start
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from _ahead(pool, source, start + 1, min(2 * n, _AHEAD))


def _ahead(
    pool: ThreadPoolExecutor, source: TaskSource, start: int, batch: int
) -> Iterator[ScoredTask]:
    """Scored tasks in order of seed, computed a batch at a time."""
    for begin in itertools.count(start, batch):
        yield from pool.map(lambda seed: scored_task(source, seed), range(begin, begin + batch))

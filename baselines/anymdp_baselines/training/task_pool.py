"""Training tasks that are played side by side, labelled by the oracle in every state.

Tasks are sampled, solved and stepped by the benchmark's own parts. The score of an episode is the
variance-free one: 1 plus the sum of the oracle's advantages at the actions taken, in units of the gap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_bench.datasets.codes import TERMINATED, TRUNCATED, WENT_ON
from anymdp_bench.datasets.sequences import refuse_public
from anymdp_bench.engine.alias_tables import (
    StepTables,
    draw_start,
    draw_transition,
    stack_tables,
    unpack,
)
from anymdp_bench.engine.arrays import AnyArray, Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.engine.step import LEFT, STATE, TASK, add_noise, reset_streams
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import compute_references, oracle_advantages
from anymdp_bench.scoring.labels import advantage_unit, label_task
from anymdp_bench.tasks.family import PUBLIC_SEEDS
from anymdp_bench.tasks.source import TaskSource

_GROUPS, _GROUP_SEEDS = 16, 2**28  # task groups of a training seed, and the task seeds of each
_PROCESS_SEEDS = 2**44  # task seeds of one process among several; beyond those of evaluations


def first_task_seed(seed: int, group: int, process: int = 0) -> int:
    """Returns the first task seed of task group number `group` of a training with `seed`."""
    return PUBLIC_SEEDS + (_GROUPS * seed + group) * _GROUP_SEEDS + process * _PROCESS_SEEDS


def reward_factor(seed: int, spread: float) -> float:
    """Returns what the rewards of a training task are multiplied by: 1 for every second task.

    For the others its logarithm is normal with a standard deviation of `spread`. Multiplied rewards change
    neither the best policy nor any score, and teach a network that their scale means nothing.
    """
    if not spread or seed % 2 == 0:
        return 1.0
    rng = np.random.default_rng(stream("training", "rewards", seed))
    return float(np.exp(spread * rng.standard_normal()))


def shift_rewards(mdp: TabularMDP, seed: int, most: float) -> TabularMDP:
    """Returns every second task with a number taken off all of its rewards, the others as they are.

    The number is 0 to `most` times what the oracle gets a step, small ones being likelier. So there are tasks
    in which every step costs, and an early end is good.
    """
    if not most or seed % 2 == 1:
        return mdp
    rng = np.random.default_rng(stream("training", "shift", seed))
    gain = abs(compute_references(mdp).oracle) / mdp.max_steps
    reward = mdp.bands.reward - most * rng.random() ** 2 * gain
    return TabularMDP.from_bands(
        mdp.bands._replace(reward=reward), start=mdp.start, terminal=mdp.terminal, max_steps=mdp.max_steps,
        observation=mdp.observation, n_observations=mdp.n_observations,
    )  # fmt: skip


class TasksInPlay(NamedTuple):
    """The arrays of a pool of n tasks, as kernels take them."""

    streams: Int64s  # [n, 4]  records of `engine.step`
    rng: UInt64s  # [n]
    tables: StepTables
    observation: Int64s  # [n]  the current one
    step_score: Float64s  # [n, H + 1, S, A]  the oracle's advantages over the gap, by steps left
    score: Float64s  # [n]  of the current episode so far


@njit(cache=True, nogil=True)
def step_task(tasks, i, n_actions, action):
    """Steps task `i` and begins a new episode where this one ended.

    Returns (observation arrived at, reward, terminated, truncated, score of a finished episode or NaN).
    """
    streams, rng = tasks.streams, tasks.rng
    rows, cells, values = tasks.tables
    row, state = rows[streams[i, TASK]], streams[i, STATE]
    tasks.score[i] += tasks.step_score[i, streams[i, LEFT], state, action]
    word, mean, noise = draw_transition(row, cells, values, state * n_actions + action, rng, i)
    reward = add_noise(mean, noise, rng, i)
    streams[i, STATE], arrival, terminated = unpack(word)
    streams[i, LEFT] -= 1
    truncated = (not terminated) and streams[i, LEFT] <= 0
    tasks.observation[i] = arrival
    score = np.nan
    if terminated or truncated:
        score = tasks.score[i]
        tasks.score[i] = 1.0
        streams[i, STATE], tasks.observation[i], _ = unpack(draw_start(row, cells, rng, i))
        streams[i, LEFT] = row[len(row) - 1]
    return arrival, reward, terminated, truncated, score


@njit(cache=True, nogil=True)
def _step_all(tasks, n_actions, action, reward, ending, arrival, score):
    """Steps every task by its action (int64 [n]); writes the rest, [n] each."""
    for i in range(len(action)):
        arrival[i], reward[i], terminated, truncated, score[i] = step_task(
            tasks, i, n_actions, action[i]
        )
        ending[i] = TERMINATED if terminated else (TRUNCATED if truncated else WENT_ON)


class TaskPool:
    """`n` training tasks of one source in play.

    Args:
        n: the number of tasks.
        source: where the tasks come from; all have the same numbers of observations and actions.
        n_observations: O.
        n_actions: A.
        reward_spread: see `reward_factor`.
        reward_shift: see `shift_rewards`.

    Attributes:
        seeds: the task seed of each, int64 [n]; -1 before `assign`.
        advantage: the labels, float32 [n, O, A]; entropy likewise (`anymdp_bench.scoring.labels`).
        is_scorable: whether the score of a task means something, bool [n] (`scoring.References.counts`).
        horizon: steps an episode of each lasts at most, int64 [n].
    """

    def __init__(
        self,
        n: int,
        source: TaskSource,
        n_observations: int,
        n_actions: int,
        reward_spread: float = 0.0,
        reward_shift: float = 0.0,
    ) -> None:
        self.n, self.n_actions, self._source = n, n_actions, source
        self._reward_shift = reward_shift
        self._reward_spread, self._factor = reward_spread, np.ones(n)
        self.seeds, self.horizon = np.full(n, -1, np.int64), np.zeros(n, np.int64)
        self.advantage = np.zeros((n, n_observations, n_actions), np.float32)
        self.entropy = np.zeros_like(self.advantage)
        self.is_scorable = np.zeros(n, np.bool_)
        self._mdps: list[TabularMDP | None] = [None] * n
        self._streams = np.zeros((n, 4), np.int64)
        self._streams[:, TASK] = np.arange(n)
        self._rng = np.zeros(n, np.uint64)
        self.observation = np.zeros(n, np.int64)
        self._step_score, self._score = np.zeros((n, 0, 0, n_actions)), np.ones(n)
        self.arrays: TasksInPlay  # there from the first `assign` on

    def assign(self, rows: Int64s, seeds: Int64s) -> None:
        """Puts the tasks of `seeds` in the places `rows` (int64 [k] each) and begins an episode of each.

        Raises:
            ValueError: a seed is public (below 2**32).
        """
        for i, seed in zip(rows.tolist(), seeds.tolist(), strict=True):
            self._assign(i, seed)
        mdps = [mdp for mdp in self._mdps if mdp is not None]
        if len(mdps) < self.n or not mdps:
            return
        tables = stack_tables([mdp.step_tables for mdp in mdps])
        self.arrays = TasksInPlay(
            self._streams, self._rng, tables, self.observation, self._step_score, self._score
        )
        chosen = np.zeros(self.n, np.bool_)
        chosen[rows] = True
        reset_streams(self._streams, self._rng, *tables[:2], chosen, self.observation)

    def _assign(self, i: int, seed: int) -> None:
        refuse_public(seed)
        mdp = shift_rewards(self._source.sample(seed), seed, self._reward_shift)
        scale = compute_references(mdp)
        self.advantage[i], self.entropy[i] = label_task(mdp, scale)
        unit = advantage_unit(scale.gap, scale.oracle_sd)
        table = oracle_advantages(mdp, scale.policy) / unit
        most = np.maximum(self._step_score.shape[1:3], table.shape[:2])
        if tuple(most) != self._step_score.shape[1:3]:  # the largest task so far
            grown = np.zeros((self.n, *most, self.n_actions))
            grown[:, : self._step_score.shape[1], : self._step_score.shape[2]] = self._step_score
            self._step_score = grown
        self._step_score[i, : table.shape[0], : table.shape[1]] = table
        self._mdps[i], self.seeds[i], self.horizon[i] = mdp, seed, mdp.max_steps
        self.is_scorable[i], self._score[i] = scale.is_scorable, 1.0
        self._rng[i] = stream("training", "dynamics", seed)[0]
        self._factor[i] = reward_factor(seed, self._reward_spread)

    def step(self, action: Int64s) -> tuple[Float64s, Int64s, Int64s, Float64s, Bools]:
        """Steps every task by its action, int64 [n].

        Returns (reward, ending, observation arrived at, score of a finished episode or NaN, whether it
        finished), [n] each.
        """
        reward, score = np.empty((2, self.n))
        ending, arrival = np.empty((2, self.n), np.int64)
        _step_all(self.arrays, self.n_actions, action, reward, ending, arrival, score)
        return self._factor * reward, ending, arrival, score, ending != WENT_ON

    def state(self) -> dict[str, AnyArray]:
        """Returns what `restore` needs to continue exactly."""
        return {
            "seeds": self.seeds.copy(),
            "streams": self._streams.copy(),
            "rng": self._rng.view(np.int64).copy(),
            "observation": self.observation.copy(),
            "score": self._score.copy(),
        }

    def restore(self, state: dict[str, AnyArray]) -> None:
        """Continues where `state` was taken."""
        self.assign(np.arange(self.n), state["seeds"])
        self._streams[:] = state["streams"]
        self._rng[:] = state["rng"].view(np.uint64)
        self.observation[:], self._score[:] = state["observation"], state["score"]

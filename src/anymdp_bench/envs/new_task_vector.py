"""`NewTaskVectorEnv`: streams of which each gets a new task at every reset."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.utils import seeding

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.step import DISABLED, DONE, NEXT_STEP, SAME_STEP, TASK, reset_streams
from anymdp_bench.engine.table_slots import TableSlots
from anymdp_bench.envs.oracle_info import OracleInfo
from anymdp_bench.envs.task_draw import TaskDraw, parse_pool
from anymdp_bench.envs.vector import TabularVectorEnv
from anymdp_bench.mdp import TabularMDP


def make_vector(
    num_envs: int = 1, *, new_task_every_reset: bool = False, **keywords: Any
) -> TabularVectorEnv:
    """Makes the native vector environment of tabular tasks; Gymnasium's `make_vec` calls it.

    Args:
        num_envs: the number of streams.
        new_task_every_reset: whether each reset of a stream, the automatic one too, gives it a new task.
        **keywords: those of `TabularVectorEnv`, or of `NewTaskVectorEnv`.
    """
    if new_task_every_reset:
        return NewTaskVectorEnv(num_envs, **keywords)
    return TabularVectorEnv(num_envs, **keywords)


class NewTaskVectorEnv(TabularVectorEnv):
    """`num_envs` streams. Each reset of a stream gives it a new task, the automatic reset too.

    With seed s, stream i plays what a single environment with `new_task_every_reset` and seed s + i plays.
    `info["task_seed"]` holds the task seed of each stream. The option "task_seed" or "task" of `reset`
    chooses the task of that reset. A step in which streams are reset waits until their tasks are sampled. The
    1024 latest tasks are kept, so that a small pool of `task_seeds` is sampled only once.

    Args:
        num_envs: the number of streams.
        family: the name of the task family.
        task_seeds: the seeds that tasks are drawn from, a range or a list. By default they are training
            seeds, 2**32 to 2**63 - 1, which no published suite uses.
        **keywords: those of `TabularVectorEnv`.

    Raises:
        TaskError: the seeds or the keywords make no task, or every seed gives the same task.
    """

    def __init__(
        self, num_envs: int = 1, *, family: str, task_seeds: Any = None, **keywords: Any
    ) -> None:
        self._slots: TableSlots | None = None
        self._generators: list[np.random.Generator] | None = None
        pool = parse_pool(task_seeds)
        super().__init__(num_envs, family=family, task_seeds=pool[0], **keywords)
        self._draw = TaskDraw(self._source, pool)
        self._mode = self._kernel_mode
        if self._mode == SAME_STEP:
            self._kernel_mode = (
                DISABLED  # the streams are reset here, once they have their new tasks
            )

    def _assign(self, tasks: list[tuple[TabularMDP, int]], mask: Bools) -> None:
        """Gives the streams of `mask` their new tasks."""
        streams = np.flatnonzero(mask)
        self._check_sizes([tasks[i] for i in streams])
        if self._slots is None:
            self._slots = TableSlots([task.step_tables for task, _ in tasks])
            self._tasks = list(tasks)
            self._streams[:, TASK] = np.arange(self.num_envs)
            self._n_actions = tasks[0][0].n_actions
        else:
            for i in streams:
                self._tasks[i] = tasks[i]
                self._slots.put(int(i), tasks[i][0].step_tables)
        self._tables = self._slots.tables
        self._set_limits(self._slots.horizon)
        self._set_task_seeds()
        if self._privileged:
            known = dict(enumerate(self._oracle_infos)) | {
                int(i): OracleInfo(tasks[i][0]) for i in streams
            }
            self._oracle_infos = list(known.values())

    def _choose_tasks(
        self, options: dict[str, Any], mask: Bools, given: Bools, seeds: UInt64s
    ) -> None:
        """Gives the streams of `mask` the tasks of the options, or else new ones."""
        if self._generators is None:
            start = self.np_random.integers(2**63, size=self.num_envs)
            self._generators = [seeding.np_random(int(each))[0] for each in start]
        for i in np.flatnonzero(given & mask):
            self._generators[i] = seeding.np_random(int(seeds[i]))[0]
        if "task" in options or "task_seed" in options:
            super()._choose_tasks(options, mask, given, seeds)
        else:
            self._renew(mask)

    def _renew(self, mask: Bools) -> None:
        """Draws a new task for each stream of `mask`."""
        assert self._generators is not None
        streams = np.flatnonzero(mask)
        drawn = [self._draw.draw(self._generators[i]) for i in streams]
        tasks = list(self._tasks)
        for i, seed, task in zip(streams, drawn, self._draw.make(drawn), strict=True):
            tasks[i] = task, seed
        self._assign(tasks, mask)

    def _step_streams(
        self, played: Int64s, seen: Int64s, reward: Float64s, ended: Bools, fresh: Bools
    ) -> int:
        """Steps the streams; those that are reset have new tasks by then."""
        if self._mode == NEXT_STEP:
            over = self._streams[:, DONE] != 0
            is_valid = ((played >= 0) & (played < self._n_actions)).all()
            if is_valid and over.any():
                self._renew(over)
        resets = super()._step_streams(played, seen, reward, ended, fresh)
        if self._mode != SAME_STEP or resets < 0:
            return resets
        over = self._streams[:, DONE] != 0
        if over.any():
            self._last[over] = seen[over]
            fresh[over] = True
            self._renew(over)
            reset_streams(self._streams, self._rng, *self._tables[:2], over, seen)
        return int(over.sum())

"""`TabularVectorEnv`: many streams of tabular tasks that one compiled call steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from anymdp_bench.engine.alias_tables import stack_tables
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.seeding import parse_reset_mask
from anymdp_bench.engine.shared_step import step_shared
from anymdp_bench.engine.step import DONE, LEFT, STATE, TASK, reset_streams
from anymdp_bench.envs.oracle_info import OracleInfo, parse_task_options
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.cells import draw_cells
from anymdp_bench.rendering.state_strip import render_rgb
from anymdp_bench.tasks.env_arguments import (
    check_options,
    parse_actions,
    parse_max_steps,
    parse_seeds,
    parse_task_seeds,
    refuse_action,
    refuse_unused,
)
from anymdp_bench.tasks.family import families
from anymdp_bench.tasks.source import TaskSource
from anymdp_bench.tasks.stream_vector import StreamVectorEnv


class TabularVectorEnv(StreamVectorEnv):
    """`num_envs` streams over one or many tasks of a family.

    With seed s, stream i plays what a single environment with seed s + i plays. `reset` takes Gymnasium's
    `options={"reset_mask": bool [num_envs]}`. The options "task_seed" (an int, or one for each stream) and
    "task" change the tasks of the streams that are reset. The caller may keep and change the arrays that
    `reset` and `step` return. A copy, by `pickle` or `copy.deepcopy`, goes on where the environment stands.

    Args:
        num_envs: the number of streams.
        family: the name of the task family.
        task_seeds: one task seed for all streams, or `num_envs` of them.
        max_episode_steps: a step count at which every episode is truncated, as Gymnasium's `TimeLimit` does
            it: also if that step terminates it. None or -1 leaves the horizon to the task. A task with a
            shorter horizon ends by its own.
        autoreset_mode: one of Gymnasium's `AutoresetMode`, or its value.
        render_mode: None or "rgb_array".
        privileged_info: whether `info` holds `optimal_action` and `regret`, as in `TabularEnv`.
        **keywords: the keywords of the family.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        family: str,
        task_seeds: int | Sequence[int] | Int64s = 0,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        privileged_info: bool = False,
        **keywords: Any,
    ) -> None:
        super().__init__(num_envs, autoreset_mode, render_mode, fps=8)
        self._limit = parse_max_steps(max_episode_steps)
        self._source = TaskSource(families()[family], tuple(sorted(keywords.items())))
        self._privileged = privileged_info
        self._streams: Int64s = np.zeros((num_envs, 4), np.int64)
        self._streams[:, DONE] = 1
        self._last: Int64s = np.zeros(num_envs, np.int64)
        self._tasks: list[tuple[TabularMDP, int]] = []
        self._oracle_infos: list[OracleInfo] = []
        self._assign(self._sample(task_seeds), self._everyone)
        first = self._tasks[0][0]
        self._set_spaces(first.n_observations, first.n_actions)

    def _sample(self, seeds: int | Sequence[int] | Int64s) -> list[tuple[TabularMDP, int]]:
        """Samples (task, recorded seed) for each stream. Equal seeds share one task."""
        wanted = parse_task_seeds(seeds, self.num_envs)
        known = {seed: self._source.sample(seed) for seed in dict.fromkeys(wanted)}
        return [(known[seed], self._source.recorded_seed(seed)) for seed in wanted]

    def _assign(self, tasks: list[tuple[TabularMDP, int]], mask: Bools) -> None:
        """Gives the streams of `mask` their new tasks and rebuilds the tables."""
        self._check_sizes(tasks)
        old = self._tasks or tasks
        self._tasks = [new if m else was for new, was, m in zip(tasks, old, mask, strict=True)]
        unique = {id(task): task for task, _ in self._tasks}
        index = {key: k for k, key in enumerate(unique)}
        self._streams[:, TASK] = [index[id(task)] for task, _ in self._tasks]
        self._tables = stack_tables([task.step_tables for task in unique.values()])
        rows = self._tables.rows.copy()  # the task owns the old rows
        self._tables = self._tables._replace(rows=rows)
        self._set_limits(rows[:, -1].copy())
        self._n_actions = tasks[0][0].n_actions
        self._set_task_seeds()
        self._oracle_infos = [OracleInfo(t) for t in unique.values()] if self._privileged else []

    def _check_sizes(self, tasks: list[tuple[TabularMDP, int]]) -> None:
        """Raises a `ValueError` unless all tasks have the size of this environment."""
        first = (self._tasks or tasks)[0][0]
        for task, _ in tasks:
            if (task.n_observations, task.n_actions) != (first.n_observations, first.n_actions):
                raise ValueError(
                    f"a task has {task.n_observations} observations and {task.n_actions} actions; the others "
                    f"{first.n_observations} and {first.n_actions}: make another environment"
                )

    def _set_task_seeds(self) -> None:
        """Collects the recorded seeds in a new array, since the older ones are in the hands of users."""
        recorded = [seed for _, seed in self._tasks]
        exact = np.int64 if max(recorded) < 2**63 else np.object_  # NumPy would round the largest
        self.task_seeds = np.array(recorded, exact)
        self._protect()

    def _set_limits(self, own: Int64s) -> None:
        """Shortens the horizons in the tables to `max_episode_steps`.

        Args:
            own: the horizon of each task, int64 [tasks].
        """
        rows, of_stream = self._tables.rows, self._streams[:, TASK]
        limit = own if self._limit is None else self._limit
        rows[:, -1] = np.minimum(own, limit)
        self._steps_cut: Int64s = (own - rows[:, -1])[of_stream]
        self._is_limited: Bools | None = None  # which streams the limit ends
        if self._limit is not None and (self._limit <= own).any():
            self._is_limited = (self._limit <= own)[of_stream]

    @property
    def tasks(self) -> tuple[TabularMDP, ...]:
        """The task of each stream, in order."""
        return tuple(task for task, _ in self._tasks)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Int64s, dict[str, Any]]:
        """Starts episodes in all streams, or in those of `options["reset_mask"]`.

        Args:
            seed: one seed for all streams, or one seed or None for each stream; see the class.
            options: see the class.

        Raises:
            SeedError: a seed is no integer from 0. Nothing has changed then.
            TypeError: the reset mask is no array of bool. Nothing has changed then.
            ValueError: the seeds or options are wrong. Nothing has changed then.
        """
        options = check_options(options, ("reset_mask", "task_seed", "task"))
        mask = parse_reset_mask(options, self.num_envs)
        one, given, seeds = parse_seeds(seed, self.num_envs)
        seen = self._observations()  # before some streams get other tasks
        self._choose_tasks(options, mask, given, seeds)
        self._seed_streams(one, given, seeds, mask)
        self._least_left = 0
        rows, cells, _ = self._tables
        reset_streams(self._streams, self._rng, rows, cells, mask, seen)
        info: dict[str, Any] = {"task_seed": self.task_seeds, "_task_seed": mask}
        if self._privileged:
            info |= {"optimal_action": self._optimal(), "_optimal_action": mask}
            info |= {"regret": np.zeros(self.num_envs), "_regret": mask}
        return seen, info

    def _choose_tasks(
        self, options: dict[str, Any], mask: Bools, given: Bools, seeds: UInt64s
    ) -> None:
        """Gives the streams of `mask` the tasks that the options of `reset` choose, if they choose any."""
        if "task_seed" in options and "task" not in options:
            self._assign(self._sample(options["task_seed"]), mask)
            return
        task, task_seed = parse_task_options(self._source, options)
        if task is not None:
            self._assign([(task, task_seed)] * self.num_envs, mask)

    def step(self, actions: npt.ArrayLike) -> tuple[Int64s, Float64s, Bools, Bools, dict[str, Any]]:
        """Plays one action in every stream. A finished stream does what the autoreset mode says.

        Raises:
            ValueError: an action is out of range. No stream has moved then.
            gymnasium.error.ResetNeeded: a stream was never reset, or a finished stream is stepped in the
                DISABLED mode.
        """
        if not self._is_ready:
            refuse_unused(self._unused)
        played = parse_actions(actions, self.num_envs)
        before = self._streams.copy() if self._privileged else None
        is_last = self._find_last_steps()
        n = self.num_envs
        seen, reward = np.empty(n, np.int64), np.empty(n)
        ended, fresh = np.empty((2, n), np.bool_), np.empty(n, np.bool_)
        self._at_step = self.task_seeds, self._oracle_infos, self._steps_cut
        resets = self._step_streams(played, seen, reward, ended, fresh)
        if resets < 0:
            refuse_action(-resets - 1, int(played[-resets - 1]), self._n_actions)
        if is_last is not None:
            ended[1] |= ended[0] & is_last  # as TimeLimit does
        info: dict[str, Any] = {"task_seed": self.task_seeds, "_task_seed": self._everyone}
        if resets or before is not None:
            self._add_to_info(info, played, before, fresh, ended[0])
        return seen, reward, ended[0], ended[1], info

    def _step_streams(
        self, played: Int64s, seen: Int64s, reward: Float64s, ended: Bools, fresh: Bools
    ) -> int:
        """Steps the streams in compiled code; returns how many were reset, as `step_streams` does."""
        return step_shared(
            self._threads, self._streams, self._rng, *self._tables, played,
            self._n_actions, self._kernel_mode, seen, reward, ended, fresh, self._last,
        )  # fmt: skip

    def _find_last_steps(self) -> Bools | None:
        """Returns which streams make the last step of their limit now, bool [n]; None if surely none does."""
        if self._is_limited is None:
            return None
        self._least_left -= 1  # a lower bound: a stream that is reset has no fewer steps left
        if self._least_left > 1:
            return None
        left = self._streams[:, LEFT]
        self._least_left = int(left.min())
        is_last: Bools = self._is_limited & (left == 1)
        return is_last

    def _add_to_info(
        self,
        info: dict[str, Any],
        played: Int64s,
        before: Int64s | None,
        fresh: Bools,
        terminated: Bools,
    ) -> None:
        """Adds privileged information, and what ended in the streams that were reset in this step."""
        final: dict[str, Any] = {"task_seed": self._at_step[0], "_task_seed": fresh}
        if before is not None:
            started = self.autoreset_mode is AutoresetMode.NEXT_STEP
            regret = self._regret(before, played, ~(fresh & started))
            info |= {"optimal_action": self._optimal(), "_optimal_action": self._everyone}
            info |= {"regret": np.where(fresh, 0.0, regret), "_regret": self._everyone}
            final |= {"regret": np.where(fresh, regret, 0.0), "_regret": fresh}
            optimal = self._optimal_at_end(fresh & ~terminated)
            final |= {"optimal_action": optimal, "_optimal_action": fresh}
        if self.autoreset_mode is AutoresetMode.SAME_STEP and fresh.any():
            last = np.full(self.num_envs, None, dtype=object)
            last[fresh] = list(self._last[fresh])
            info |= {"final_obs": last, "_final_obs": fresh}
            info |= {"final_info": final, "_final_info": fresh}

    def _observations(self) -> Int64s:
        """Returns what every stream shows now, int64 [num_envs]."""
        pairs = zip(self._tasks, self._streams[:, STATE], strict=True)
        return np.array([task.observation[s] for (task, _), s in pairs], np.int64)

    def _optimal(self) -> Int64s:
        pairs = zip(self._streams[:, TASK], self._streams[:, STATE], strict=True)
        return np.array([self._oracle_infos[k].action(s) for k, s in pairs], np.int64)

    def _optimal_at_end(self, alive: Bools) -> Int64s:
        """Returns the oracle's action in the last state of each episode in `alive` (bool [n]), else 0."""
        out = np.zeros(self.num_envs, np.int64)
        for i in np.flatnonzero(alive):
            out[i] = self._at_step[1][self._streams[i, TASK]].action_at(self._last[i])
        return out

    def _regret(self, before: Int64s, played: Int64s, moved: Bools) -> Float64s:
        out, (_, oracle_infos, steps_cut) = np.zeros(self.num_envs), self._at_step
        for i in np.flatnonzero(moved):
            state, left, k = before[i, [STATE, LEFT, TASK]]
            left += steps_cut[i]  # the oracle knows the task's own horizon
            out[i] = oracle_infos[k].regret(int(left), state, played[i])
        return out

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """Draws one frame for each stream, as `TabularEnv` does."""
        if not self._is_rendered():
            return None
        grid = self._source.grid()
        pairs = [
            (task, int(s)) for task, s in zip(self.tasks, self._streams[:, STATE], strict=True)
        ]
        if grid is not None and all(task.n_states == grid[0] * grid[1] for task, _ in pairs):
            return tuple(draw_cells(task, grid, s) for task, s in pairs)
        left = (self._streams[:, LEFT] + self._steps_cut).tolist()
        return tuple(
            render_rgb(task, s, task.max_steps - steps, None)
            for (task, s), steps in zip(pairs, left, strict=True)
        )

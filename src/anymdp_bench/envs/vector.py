"""`TabularVectorEnv`: many streams of tabular tasks that one compiled call steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.seeding import dynamics_streams, parse_reset_mask, parse_seeds
from anymdp_bench.engine.shared_step import step_shared
from anymdp_bench.engine.step import (
    AUTORESET_MODES,
    DONE,
    LEFT,
    STATE,
    TASK,
    reset_streams,
    stack_tables,
)
from anymdp_bench.engine.threads import ThreadChoice
from anymdp_bench.envs.oracle_info import OracleInfo, parse_task_options
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.cells import draw_cells
from anymdp_bench.rendering.state_strip import render_rgb
from anymdp_bench.tasks.env_arguments import check_render_mode, parse_actions, refuse_action
from anymdp_bench.tasks.family import TaskSource, families


class TabularVectorEnv(gym.vector.VectorEnv[Int64s, Int64s, Any]):
    """`num_envs` streams over one or many tasks of a family.

    With seed s, stream i plays what a single environment with seed s + i plays. `reset` takes Gymnasium's
    `options={"reset_mask": bool [num_envs]}`. The options "task_seed" (an int, or one for each stream) and
    "task" change the tasks of the streams that are reset. The caller may keep and change the arrays that
    `reset` and `step` return.

    Args:
        num_envs: the number of streams.
        family: the name of the task family.
        task_seeds: one task seed for all streams, or `num_envs` of them.
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        privileged_info: bool = False,
        **keywords: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; give at least 1")
        self.num_envs = num_envs
        self.render_mode = check_render_mode(render_mode, ("rgb_array",))
        self._mode = AutoresetMode(autoreset_mode)
        self._kernel_mode = AUTORESET_MODES[self._mode.value]
        self._threads = ThreadChoice(num_envs)
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": 8,
            "autoreset_mode": self._mode,
        }
        self._source = TaskSource(families()[family], tuple(sorted(keywords.items())))
        self._privileged = privileged_info
        self._streams: Int64s = np.zeros((num_envs, 4), np.int64)
        self._streams[:, DONE] = 1
        self._rng = np.zeros(num_envs, np.uint64)
        self._seeded = False
        self._last: Int64s = np.zeros(num_envs, np.int64)
        self._tasks: list[tuple[TabularMDP, int]] = []
        self._assign(self._sample(task_seeds), np.ones(num_envs, np.bool_))
        first = self._tasks[0][0]
        self.single_observation_space = gym.spaces.Discrete(first.n_observations)
        self.single_action_space = gym.spaces.Discrete(first.n_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def _sample(self, seeds: int | Sequence[int] | Int64s) -> list[tuple[TabularMDP, int]]:
        """Samples (task, recorded seed) for each stream. Equal seeds share one task."""
        wanted = np.asarray(seeds)
        if wanted.ndim == 0:
            wanted = np.full(self.num_envs, wanted)
        if wanted.shape != (self.num_envs,):
            raise ValueError(
                f"task seeds have shape {list(wanted.shape)}; give one int or {self.num_envs} of them"
            )
        known = {seed: self._source.sample(seed) for seed in dict.fromkeys(wanted.tolist())}
        return [(known[seed], self._source.recorded_seed(seed)) for seed in wanted.tolist()]

    def _assign(self, tasks: list[tuple[TabularMDP, int]], mask: Bools) -> None:
        """Gives the streams of `mask` their new tasks and rebuilds the tables."""
        first = (self._tasks or tasks)[0][0]
        for task, _ in tasks:
            if (task.n_observations, task.n_actions) != (first.n_observations, first.n_actions):
                raise ValueError(
                    f"a task has {task.n_observations} observations and {task.n_actions} actions; the others "
                    f"{first.n_observations} and {first.n_actions}: make another environment"
                )
        old = self._tasks or tasks
        self._tasks = [new if m else was for new, was, m in zip(tasks, old, mask, strict=True)]
        unique = {id(task): task for task, _ in self._tasks}
        index = {key: k for k, key in enumerate(unique)}
        self._streams[:, TASK] = [index[id(task)] for task, _ in self._tasks]
        self._tables = stack_tables([task.step_tables for task in unique.values()])
        self._n_actions = first.n_actions
        self.task_seeds: Int64s = np.array([seed for _, seed in self._tasks])
        self.task_seeds.setflags(write=False)
        self._oracle_infos = [OracleInfo(t) for t in unique.values()] if self._privileged else []

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
            TypeError: the reset mask is no array of bool. Nothing has changed then.
            ValueError: the seeds or options are wrong. Nothing has changed then.
        """
        mask = parse_reset_mask(options, self.num_envs)
        seeded, words = self._dynamics(seed, mask)
        seen = self._observations()  # before some streams get other tasks
        if options and "task_seed" in options and np.ndim(options["task_seed"]) > 0:
            if "task" in options:
                raise ValueError("options has both 'task' and 'task_seed'; give one of them")
            self._assign(self._sample(options["task_seed"]), mask)
        else:
            task, task_seed = parse_task_options(self._source, options)
            if task is not None:
                self._assign([(task, task_seed)] * self.num_envs, mask)
        if not self._seeded:
            size = self.num_envs
            self._rng[:] = dynamics_streams(
                self.np_random.integers(2**64, size=size, dtype=np.uint64)
            )
            self._seeded = True
        self._rng[seeded] = words
        rows, cells, _ = self._tables
        reset_streams(self._streams, self._rng, rows, cells, mask, seen)
        info: dict[str, Any] = {"task_seed": self.task_seeds, "_task_seed": mask}
        if self._privileged:
            info |= {"optimal_action": self._optimal(), "_optimal_action": mask}
        return seen, info

    def _dynamics(
        self, seed: int | Sequence[int | None] | None, mask: Bools
    ) -> tuple[Bools, UInt64s]:
        """Returns (which streams of `mask` are seeded, bool [num_envs]; the random stream of each of them).

        Raises:
            ValueError: the number of seeds is not `num_envs`, or a seed is negative.
        """
        given, seeds = parse_seeds(seed, self.num_envs)
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        chosen = given & mask
        return chosen, dynamics_streams(seeds[chosen])

    def step(self, actions: npt.ArrayLike) -> tuple[Int64s, Float64s, Bools, Bools, dict[str, Any]]:
        """Plays one action in every stream. A finished stream does what the autoreset mode says.

        Raises:
            ValueError: an action is out of range. No stream has moved then.
            gymnasium.error.ResetNeeded: a finished stream is stepped in the DISABLED mode.
        """
        played = parse_actions(actions, self.num_envs)
        before = self._streams.copy() if self._privileged else None
        n = self.num_envs
        seen, reward = np.empty(n, np.int64), np.empty(n)
        ended, fresh = np.empty((2, n), np.bool_), np.empty(n, np.bool_)
        resets = step_shared(
            self._threads, self._streams, self._rng, *self._tables, played,
            self._n_actions, self._kernel_mode, seen, reward, ended, fresh, self._last,
        )  # fmt: skip
        if resets < 0:
            refuse_action(-resets - 1, int(played[-resets - 1]), self._n_actions)
        is_quiet = not resets and before is None
        info = {} if is_quiet else self._step_info(played, before, fresh, ended[0])
        return seen, reward, ended[0], ended[1], info

    def _step_info(
        self, played: Int64s, before: Int64s | None, fresh: Bools, terminated: Bools
    ) -> dict[str, Any]:
        """Returns the `info` of a step: which streams were reset, and privileged information."""
        info: dict[str, Any] = {}
        final: dict[str, Any] = {}
        if before is not None:
            started = fresh if self._mode is AutoresetMode.NEXT_STEP else np.zeros_like(fresh)
            regret = self._regret(before, played, ~started)
            info |= {"optimal_action": self._optimal(), "_optimal_action": np.ones_like(fresh)}
            if not fresh.all():
                info |= {"regret": np.where(fresh, 0.0, regret), "_regret": ~fresh}
            final = {"regret": np.where(fresh, regret, 0.0), "_regret": fresh}
            optimal = self._optimal_at_end(fresh & ~terminated)
            final |= {"optimal_action": optimal, "_optimal_action": fresh}
        if fresh.any():
            info |= {"task_seed": self.task_seeds, "_task_seed": fresh}
            if self._mode is AutoresetMode.SAME_STEP:
                last = np.full(self.num_envs, None, dtype=object)
                last[fresh] = list(self._last[fresh])
                info |= {"final_obs": last, "_final_obs": fresh}
                info |= {"final_info": final, "_final_info": fresh}
        return info

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
            out[i] = self._oracle_infos[self._streams[i, TASK]].action_at(self._last[i])
        return out

    def _regret(self, before: Int64s, played: Int64s, moved: Bools) -> Float64s:
        out = np.zeros(self.num_envs)
        for i in np.flatnonzero(moved):
            state, left, k = before[i, [STATE, LEFT, TASK]]
            out[i] = self._oracle_infos[k].regret(int(left), state, played[i])
        return out

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """Draws one frame for each stream, as `TabularEnv` does."""
        if self.render_mode is None:
            gym.logger.warn("render() needs make_vec(..., render_mode='rgb_array')")
            return None
        grid = self._source.grid()
        pairs = [(task, s) for (task, _), s in zip(self._tasks, self._streams, strict=True)]
        if grid is not None and all(task.n_states == grid[0] * grid[1] for task, _ in pairs):
            return tuple(draw_cells(task, grid, int(s[STATE])) for task, s in pairs)
        return tuple(
            render_rgb(task, int(s[STATE]), task.max_steps - int(s[LEFT]), None)
            for task, s in pairs
        )

"""`TabularEnv`: one stream of a tabular task as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding

from anymdp_bench.engine.arrays import Int64s, UInt64s
from anymdp_bench.engine.step import DONE, LEFT, STATE, reset_one, step_one
from anymdp_bench.envs.oracle_info import OracleInfo, parse_task_options
from anymdp_bench.envs.task_draw import TaskDraw, parse_pool
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.cells import draw_cells, write_cells
from anymdp_bench.rendering.state_strip import render_ansi, render_rgb
from anymdp_bench.tasks.env_arguments import (
    check_options,
    check_render_mode,
    make_dynamics_stream,
    parse_action,
    parse_seed,
)
from anymdp_bench.tasks.family import families
from anymdp_bench.tasks.keywords import refuse_keyword
from anymdp_bench.tasks.source import TaskSource


class TabularEnv(gym.Env[np.int64, np.int64]):
    """One tabular task. Observations and actions are Discrete.

    `reset(seed=)` seeds the dynamics alone. The options `{"task_seed": k}` and `{"task": mdp}` of `reset`
    change the task. The spaces stay as they are, so the new task must have the same sizes. Every `info`
    holds `task_seed`, which is -1 for a task that the caller gives. A copy, by `pickle` or `copy.deepcopy`,
    goes on where the environment stands.

    Args:
        family: the name of the task family.
        task_seed: which task of the family is played; not with `new_task_every_reset`.
        render_mode: None, "ansi" or "rgb_array".
        privileged_info: whether `info` holds the oracle's action for the observation that is returned
            (`optimal_action`) and the regret of the action that was played (`regret`, 0 at `reset`). Agents
            under test must not see them.
        new_task_every_reset: whether every `reset` draws a new task, for agents that learn to learn. The
            draw follows `reset(seed=)`, and `info["task_seed"]` tells which task it is.
        task_seeds: the seeds that new tasks are drawn from, a range or a list. By default they are training
            seeds, 2**32 to 2**63 - 1, which no published suite uses.
        **keywords: the keywords of the family.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 8}  # noqa: RUF012 (a name of Gymnasium)

    def __init__(
        self,
        family: str,
        task_seed: int = 0,
        render_mode: str | None = None,
        privileged_info: bool = False,
        new_task_every_reset: bool = False,
        task_seeds: Any = None,
        **keywords: Any,
    ) -> None:
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._privileged = privileged_info
        self._source = TaskSource(families()[family], tuple(sorted(keywords.items())))
        self._draw: TaskDraw | None = None
        if new_task_every_reset:
            pool = parse_pool(task_seeds)
            self._draw, task_seed = TaskDraw(self._source, pool), pool[0]
        elif task_seeds is not None:
            refuse_keyword(family, "task_seeds")
        self._stream: Int64s = np.zeros(4, np.int64)
        self._rng: UInt64s | None = None
        self._set_task(self._source.sample(task_seed), self._source.recorded_seed(task_seed))
        self._last: tuple[int, float] | None = None
        self._size = self.task.n_observations, self.task.n_actions
        self.observation_space, self.action_space = map(gym.spaces.Discrete, self._size)
        self._stream[DONE] = 1

    def _set_task(self, task: TabularMDP, task_seed: int) -> None:
        self.task = task
        self.task_seed = task_seed
        self._tables = task.step_tables
        self._n_actions = task.n_actions
        self._oracle_info = OracleInfo(task) if self._privileged else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Starts an episode.

        After an error nothing has changed.

        Args:
            seed: the seed of the dynamics. None goes on with the random stream.
            options: see the class.

        Raises:
            SeedError: the seed is no integer from 0.
            TaskError: the task seed makes no task.
            ValueError: the options are wrong, or the task has other sizes.
        """
        options = check_options(options, ("task_seed", "task"))
        seed = parse_seed(seed)
        task, task_seed = parse_task_options(self._source, options)
        generator = None
        if task is None and self._draw is not None:
            generator = self.np_random if seed is None else seeding.np_random(seed)[0]
            task_seed = self._draw.draw(generator)
            [task] = self._draw.make([task_seed])
        if task is not None:
            size, own = (task.n_observations, task.n_actions), self._size
            if size != own:
                raise ValueError(
                    f"the task has {size[0]} observations and {size[1]} actions; this environment"
                    f" {own[0]} and {own[1]}: make another one"
                )
        super().reset(seed=seed)
        if generator is not None:
            self._np_random = generator  # it has drawn the task already
        if task is not None:
            self._set_task(task, task_seed)
        if seed is not None or self._rng is None:
            self._rng = make_dynamics_stream(seed, self.np_random)
        seen = np.int64(reset_one(self._stream, self._rng, self._tables.rows, self._tables.cells))
        self._last = None
        info: dict[str, Any] = {"task_seed": self.task_seed}
        if self._oracle_info is not None:
            info["optimal_action"] = self._oracle_info.action(self._stream[STATE])
            info["regret"] = 0.0
        return seen, info

    def step(self, action: np.int64 | int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Plays one action.

        The episode is `terminated` when it enters a terminal state. Otherwise it is `truncated` at the
        horizon.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over.
            ValueError: `action` is no integer in 0..A-1. Nothing has changed then.
        """
        stream = self._stream
        if stream[DONE]:
            raise gym.error.ResetNeeded("the episode is over; call reset() before step()")
        played = parse_action(action, self._n_actions)
        rows, cells, values = self._tables
        if self._oracle_info is not None:
            regret = self._oracle_info.regret(int(stream[LEFT]), stream[STATE], played)
        seen, reward, terminated, truncated = step_one(
            stream, self._rng, rows, cells, values, self._n_actions, played
        )
        self._last = (played, reward)
        info: dict[str, Any] = {"task_seed": self.task_seed}
        if self._oracle_info is not None:
            info["optimal_action"] = self._oracle_info.action(stream[STATE])
            info["regret"] = regret
        return np.int64(seen), reward, terminated, truncated, info

    def render(self) -> Any:
        """Shows the task with the current state, as a string ("ansi") or a frame ("rgb_array")."""
        if self.render_mode is None:
            gym.logger.warn("render() needs gym.make(..., render_mode='ansi' or 'rgb_array')")
            return None
        state, elapsed = int(self._stream[STATE]), self.task.max_steps - int(self._stream[LEFT])
        grid = self._source.grid()
        if grid is not None and self.task.n_states == grid[0] * grid[1]:
            if self.render_mode == "ansi":
                return write_cells(self.task, grid, state, elapsed, self._last)
            return draw_cells(self.task, grid, state)
        draw = render_ansi if self.render_mode == "ansi" else render_rgb
        return draw(self.task, state, elapsed, self._last)

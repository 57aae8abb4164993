"""`TaskEnv`: any task as a Gymnasium environment, through its simulator.

A family whose tasks are no tables can name this class as its `env`. Then it needs no environment of its own.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from anymdp_bench.engine.arrays import Float64s, UInt64s
from anymdp_bench.engine.seeding import dynamics_streams, seed_array
from anymdp_bench.tasks.env_arguments import (
    check_options,
    check_render_mode,
    parse_action,
    parse_actions,
    parse_seed,
)
from anymdp_bench.tasks.family import families
from anymdp_bench.tasks.source import TaskSource
from anymdp_bench.tasks.task import VectorSimulator


class TaskEnv(gym.Env[Any, Any]):
    """One run of a task.

    With several players, observations and actions are arrays with one entry for each player. The reward is
    what the step adds to the return of the run. With several players it is the sum of their rewards, and
    `info["rewards"]` holds the reward of each player, float64 [players], which is 0 at `reset`.

    `reset(seed=)` seeds the dynamics alone, and the option `{"task_seed": k}` changes the task. Every `info`
    holds `task_seed`.

    Args:
        family: the name of the task family.
        task_seed: which task of the family is played.
        render_mode: None or "rgb_array".
        **keywords: the keywords of the family.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 (a name of Gymnasium)

    def __init__(
        self, family: str, task_seed: int = 0, render_mode: str | None = None, **keywords: Any
    ) -> None:
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._source = TaskSource(families()[family], tuple(sorted(keywords.items())))
        self.task = self._source.task(task_seed)
        self.task_seed = self._source.recorded_seed(task_seed)
        self.observation_space = self._space(self.task.n_observations)
        self.action_space = self._space(self.task.n_actions)
        self._rng: UInt64s | None = None
        self._simulator: VectorSimulator | None = None
        self._over = True

    def _space(self, n: int) -> gym.spaces.Space[Any]:
        players = self.task.players
        return gym.spaces.Discrete(n) if players == 1 else gym.spaces.MultiDiscrete([n] * players)

    def _to_output(self, observation: Any) -> Any:
        return observation.copy() if self.task.players > 1 else np.int64(observation[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode.

        After an error nothing has changed.

        Raises:
            SeedError: the seed is no integer from 0.
            TaskError: the task seed makes no task.
            ValueError: the options have an unknown key, or the task has other sizes.
        """
        options = check_options(options, ("task_seed",))
        seed = parse_seed(seed)
        if "task_seed" in options:
            self._set_task(options["task_seed"])
        super().reset(seed=seed)
        if seed is not None or self._rng is None:
            first = self.np_random.integers(2**64, dtype=np.uint64) if seed is None else seed
            self._rng = dynamics_streams(seed_array(int(first), self.task.players))
            self._simulator = None
        if (
            self._simulator is None or not self._over
        ):  # else the simulator has already begun a new episode
            self._simulator = self.task.simulator([self.task], self._rng)
        self._over = False
        return self._to_output(self._simulator.observation), self._info(np.zeros(self.task.players))

    def _set_task(self, task_seed: int) -> None:
        """Changes the task. The spaces stay as they are."""
        task = self._source.task(task_seed)
        sizes = [(t.n_observations, t.n_actions, t.players) for t in (task, self.task)]
        if sizes[0] != sizes[1]:
            names = "observations, actions and players"
            raise ValueError(f"the task has {sizes[0]} {names}, this environment {sizes[1]}")
        self.task, self.task_seed = task, self._source.recorded_seed(task_seed)
        self._simulator = None

    def _info(self, rewards: Float64s) -> dict[str, Any]:
        several = {"rewards": rewards.copy()} if self.task.players > 1 else {}
        return {"task_seed": self.task_seed} | several

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Plays one action of each player.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over.
            ValueError: an action is no integer in range. Nothing has changed then.
        """
        if self._over or self._simulator is None:
            raise gym.error.ResetNeeded("the episode is over; call reset() before step()")
        n, players = self.task.n_actions, self.task.players
        if players == 1:
            played = np.array([parse_action(action, n)])
        else:
            played = parse_actions(action, players)
            if (played < 0).any() or (played >= n).any():
                raise ValueError(f"action is {action!r}; give {players} integers in 0..{n - 1}")
        result = self._simulator.step(played)
        step = result.transition
        self._over = len(result.finished) > 0
        ends = bool(step.terminated[0]), bool(step.truncated[0])
        seen = self._to_output(step.next_observation)
        return seen, float(result.reward[0]), *ends, self._info(step.reward)

    def render(self) -> Any:
        """Draws the task in its current state; after the end of an episode, in its final state."""
        if self.render_mode is None:
            gym.logger.warn("render() needs gym.make(..., render_mode='rgb_array')")
            return None
        assert self._simulator is not None
        return self._simulator.frame(final=self._over)

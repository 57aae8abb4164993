"""TaskEnv: any task as a Gymnasium environment, through its simulator.

A family of tasks that are no tables names this class as its `env`, and needs no environment of its own.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from anymdp_bench.engine.arrays import UInt64s
from anymdp_bench.engine.seeding import dynamics_streams, seed_array
from anymdp_bench.tasks.family import TaskSource, families
from anymdp_bench.tasks.task import VectorSimulator


class TaskEnv(gym.Env[Any, Any]):
    """One run of a task. With several players, observations and actions are arrays of one entry a player.

    The reward is what the step adds to the run's return: with several players the sum of theirs, which
    `info["rewards"]` of a step holds one by one, float64 [players].

    Args:
        family: name of the task family.
        task_seed: which task of the family.
        render_mode: None or "rgb_array".
        **keywords: the family's own.

    `reset(seed=)` seeds the dynamics alone; `info` of `reset` holds `task_seed`.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012 (Gymnasium's own)

    def __init__(
        self, family: str, task_seed: int = 0, render_mode: str | None = None, **keywords: Any
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode is {render_mode!r}; give None or 'rgb_array'")
        self.render_mode = render_mode
        source = TaskSource(families()[family], tuple(sorted(keywords.items())))
        self.task, self.task_seed = source.task(task_seed), source.recorded_seed(task_seed)
        self.observation_space = self._space(self.task.n_observations)
        self.action_space = self._space(self.task.n_actions)
        self._rng: UInt64s | None = None
        self._simulator: VectorSimulator | None = None
        self._over = True

    def _space(self, n: int) -> gym.spaces.Space[Any]:
        players = self.task.players
        return gym.spaces.Discrete(n) if players == 1 else gym.spaces.MultiDiscrete([n] * players)

    def _shown(self, observation: Any) -> Any:
        return observation.copy() if self.task.players > 1 else np.int64(observation[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode.

        Raises:
            ValueError: `options` holds anything.
        """
        if options:
            raise ValueError(f"options has {', '.join(options)}; this environment takes none")
        super().reset(seed=seed)
        if seed is not None or self._rng is None:
            first = self.np_random.integers(2**64, dtype=np.uint64) if seed is None else seed
            self._rng = dynamics_streams(seed_array(int(first), self.task.players))
            self._simulator = None
        if self._simulator is None or not self._over:  # else a fresh episode has begun already
            self._simulator = self.task.simulator([self.task], self._rng)
        self._over = False
        return self._shown(self._simulator.observation), {"task_seed": self.task_seed}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step of all players.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over.
            ValueError: an action is no integer in range; nothing has changed.
        """
        if self._over or self._simulator is None:
            raise gym.error.ResetNeeded("the episode is over; call reset() before step()")
        played = np.atleast_1d(np.asarray(action))
        n, players = self.task.n_actions, self.task.players
        if played.shape != (players,) or played.dtype.kind not in "iu":
            raise ValueError(f"action is {action!r}; give {players} integer(s) in 0..{n - 1}")
        if (played < 0).any() or (played >= n).any():
            raise ValueError(f"action is {action!r}; give {players} integer(s) in 0..{n - 1}")
        result = self._simulator.step(played.astype(np.int64))
        step = result.transition
        self._over = len(result.finished) > 0
        info = {"rewards": step.reward.copy()} if players > 1 else {}
        ends = bool(step.terminated[0]), bool(step.truncated[0])
        return self._shown(step.next_observation), float(result.reward[0]), *ends, info

    def render(self) -> Any:
        """The task as it stands now, uint8 [height, width, 3]; at an episode's end its final state."""
        if self.render_mode is None:
            gym.logger.warn("render() needs gym.make(..., render_mode='rgb_array')")
            return None
        assert self._simulator is not None
        return self._simulator.frame(final=self._over)

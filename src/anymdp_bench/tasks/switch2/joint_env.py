"""Switch2 as one Gymnasium environment, so that Gymnasium's wrappers (RecordVideo) can hold it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.tasks.switch2.env import AGENTS, Switch2Env


class JointView(gym.Env[Int64s, Int64s]):
    """Both agents' observations and actions as arrays [2]; the reward is their sum.

    `info["rewards"]` of a step holds each agent's own, float64 [2].
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self._env = Switch2Env(render_mode)
        self.render_mode = render_mode
        sizes = [(105, 5) for _ in AGENTS]
        self.observation_space = gym.spaces.MultiDiscrete([seen for seen, _ in sizes])
        self.action_space = gym.spaces.MultiDiscrete([actions for _, actions in sizes])

    @property
    def joint_state(self) -> int:
        """The index of the joint state (see `tasks.switch2.game.Switch2`)."""
        return self._env.joint_state

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Int64s, dict[str, Any]]:
        """Starts an episode."""
        super().reset(seed=seed)
        seen, _ = self._env.reset(seed, options)
        return np.array(list(seen.values()), np.int64), {}

    def step(self, action: Int64s) -> tuple[Int64s, float, bool, bool, dict[str, Any]]:
        """Both agents' moves."""
        seen, reward, terminated, truncated, _ = self._env.step(
            dict(zip(AGENTS, action, strict=True))
        )
        own: Float64s = np.array(list(reward.values()))
        over = terminated[AGENTS[0]], truncated[AGENTS[0]]
        return np.array(list(seen.values()), np.int64), float(own.sum()), *over, {"rewards": own}

    def render(self) -> Any:
        """As `Switch2Env.render`."""
        return self._env.render()

"""`StreamVectorEnv`: what vector environments have in common whose streams one compiled call steps."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from anymdp_bench.engine.arrays import Bools, Int64s, UInt64s
from anymdp_bench.engine.seeding import dynamics_streams
from anymdp_bench.engine.step import AUTORESET_MODES
from anymdp_bench.engine.threads import ThreadChoice
from anymdp_bench.tasks.env_arguments import check_render_mode


class StreamVectorEnv(gym.vector.VectorEnv[Int64s, Int64s, Any]):
    """`num_envs` streams, each with a random stream of its own. A subclass resets and steps them.

    Args:
        num_envs: the number of streams.
        autoreset_mode: one of Gymnasium's `AutoresetMode`, or its value.
        render_mode: None or "rgb_array".
        fps: frames a second.
    """

    def __init__(
        self, num_envs: int, autoreset_mode: AutoresetMode | str, render_mode: str | None, fps: int
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; give at least 1")
        self.num_envs = num_envs
        self.render_mode = check_render_mode(render_mode, ("rgb_array",))
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self._kernel_mode = AUTORESET_MODES[self.autoreset_mode.value]
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": fps,
            "autoreset_mode": self.autoreset_mode,
        }
        self._threads = ThreadChoice(num_envs)
        self._rng, self._seeded = np.zeros(num_envs, np.uint64), False
        self._everyone = np.ones(num_envs, np.bool_)
        self._unused = np.ones(num_envs, np.bool_)  # the streams that were never reset
        self._is_ready = False
        self.task_seeds: Int64s = np.zeros(num_envs, np.int64)
        self._protect()

    def _set_spaces(self, n_observations: int, n_actions: int) -> None:
        self.single_observation_space = gym.spaces.Discrete(n_observations)
        self.single_action_space = gym.spaces.Discrete(n_actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._protect()  # unpickled arrays are not

    def _protect(self) -> None:
        """Makes the arrays read-only that every `info` shares."""
        self.task_seeds.setflags(write=False)
        self._everyone.setflags(write=False)

    def _seed_streams(self, one: int | None, given: Bools, seeds: UInt64s, mask: Bools) -> None:
        """Seeds the streams of `mask` that are reset; what is given is from `parse_seeds`."""
        if one is not None:
            super().reset(seed=one)
        if not self._seeded:
            fresh = self.np_random.integers(2**64, size=self.num_envs, dtype=np.uint64)
            self._rng[:] = dynamics_streams(fresh)
            self._seeded = True
        self._rng[given & mask] = dynamics_streams(seeds[given & mask])
        self._unused &= ~mask
        self._is_ready = not self._unused.any()

    def _is_rendered(self) -> bool:
        """Tells whether there is a render mode; says how to get one where there is none."""
        if self.render_mode is None:
            gym.logger.warn("render() needs make_vec(..., render_mode='rgb_array')")
        return self.render_mode is not None

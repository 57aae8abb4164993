"""An adapter from our vector environment to Stable-Baselines3's `VecEnv`, for all its learners.

    model = stable_baselines3.PPO("MlpPolicy", SB3VecEnv("AnyMDP-64s5a-v0", num_envs=64, task_seeds=7))

A step is one compiled call for all streams. Python handles only the streams whose episode has just ended.
Needs `pip install 'anymdp-bench[sb3]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

import anymdp_bench  # noqa: F401  # registers the ids


class SB3VecEnv(VecEnv):
    """`num_envs` streams of an environment; a stream resets in the step that ends its episode.

    Args:
        env: a Gymnasium id of this package; or a Gymnasium vector environment, such as a `SyncVectorEnv`,
            that resets in the same step (`AutoresetMode.SAME_STEP`).
        num_envs: the number of streams; a vector environment has its own number.
        **keywords: further keywords of `gym.make_vec`, for example `task_seeds`.

    Raises:
        ValueError: the vector environment has another autoreset mode.
    """

    def __init__(self, env: str | gym.vector.VectorEnv, num_envs: int = 1, **keywords: Any) -> None:
        mode = AutoresetMode.SAME_STEP
        if isinstance(env, str):
            self.envs = gym.make_vec(env, num_envs=num_envs, autoreset_mode=mode, **keywords)
        else:
            self.envs = env
        if self.envs.metadata.get("autoreset_mode") is not mode:
            raise ValueError(
                "make the vector environment with autoreset_mode=AutoresetMode.SAME_STEP"
            )
        super().__init__(
            self.envs.num_envs, self.envs.single_observation_space, self.envs.single_action_space
        )
        self._none: dict[str, Any] = {}

    def reset(self) -> npt.NDArray[Any]:
        """Returns the first observations, [num_envs]; a seed given to `seed()` is used once."""
        seeds = [None if seed is None else int(seed) for seed in self._seeds]
        given = None if all(seed is None for seed in seeds) else seeds
        seen, _ = self.envs.reset(seed=given)  # type: ignore[arg-type]
        self._reset_seeds()
        self._reset_options()
        return np.asarray(seen)

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Stores the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Steps all streams, and returns (observations, rewards, dones, infos).

        The info of a stream whose episode ended has `terminal_observation` and `TimeLimit.truncated`.
        """
        seen, reward, terminated, truncated, info = self.envs.step(self._actions)
        done = terminated | truncated
        infos = [self._none] * self.num_envs
        for i in np.flatnonzero(done):
            infos[i] = {
                "terminal_observation": info["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
            }
        return seen, reward.astype(np.float32), done, infos

    def close(self) -> None:
        """Closes the environment."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Returns an attribute of the vector environment, once for each of `indices`."""
        return [getattr(self.envs, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Raises AttributeError, since streams have no attributes of their own."""
        raise AttributeError("streams of a native vector environment have no attributes to set")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Raises AttributeError, since streams have no methods of their own."""
        raise AttributeError("streams of a native vector environment have no methods to call")

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """Returns False for each of `indices`, since no stream is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[npt.NDArray[np.uint8] | None]:
        """Returns one image per stream where `render_mode` is "rgb_array", else None for each."""
        pictures = self.envs.render()
        return [None] * self.num_envs if pictures is None else [np.asarray(p) for p in pictures]

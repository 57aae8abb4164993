"""DiscretePendulumEnv: Gymnasium's Pendulum-v1 through bins, one stream."""

from __future__ import annotations

from operator import index
from typing import Any

import gymnasium as gym
import numpy as np

from anymdp_bench.engine.arrays import Int64s, UInt64s
from anymdp_bench.engine.seeding import dynamics_streams
from anymdp_bench.engine.step import DISABLED
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.pendulum.dynamics import (
    ANGLE_BINS,
    DT,
    HORIZON,
    N_ACTIONS,
    SPEED_BINS,
    reset_pendulums,
    step_pendulums,
)
from anymdp_bench.tasks.pendulum.frame import draw_pendulum
from anymdp_bench.tasks.pendulum.game import load_pendulum

N_OBSERVATIONS = ANGLE_BINS * SPEED_BINS
_ONE = np.ones(1, np.bool_)


def check_gravity(family: str, gravity: float) -> float:
    """`gravity` as a float.

    Raises:
        TaskError: it is no finite number.
    """
    if isinstance(gravity, bool) or not isinstance(gravity, (int, float, np.number)):
        raise TaskError(f"{family}: gravity is {gravity!r}; give a number")
    if not np.isfinite(gravity):
        raise TaskError(f"{family}: gravity is {gravity}; give a finite number")
    return float(gravity)


def refuse_task(options: dict[str, Any] | None) -> None:
    """Refuses `options["task"]`; a task seed is taken, and changes nothing.

    Raises:
        ValueError: a task is given.
    """
    if options and "task" in options:
        raise ValueError("the Pendulum is no TabularMDP: options takes no 'task' here")


class DiscretePendulumEnv(gym.Env[np.int64, np.int64]):
    """Gymnasium's pendulum seen through 12 x 5 bins and pushed by five torques; truncated after 200 steps.

    Args:
        family: name of the task family.
        gravity: g in m/s^2.
        task_seed: has no effect; there is one task.
        render_mode: None, "ansi" or "rgb_array".
        privileged_info: put the oracle's action (`optimal_action`) into `info`. Not for agents under test.

    Observation: 5 * angle bin + speed bin, Discrete(60). Actions: torques -2, -1, 0, 1, 2, Discrete(5).
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": round(1 / DT)}  # noqa: RUF012

    def __init__(
        self,
        gravity: float,
        family: str = "DiscretePendulum",
        task_seed: int = 0,
        render_mode: str | None = None,
        privileged_info: bool = False,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode is {render_mode!r}; give None, 'ansi' or 'rgb_array'")
        self.render_mode = render_mode
        self.gravity = check_gravity(family, gravity)
        self.observation_space = gym.spaces.Discrete(N_OBSERVATIONS)
        self.action_space = gym.spaces.Discrete(N_ACTIONS)
        self.task_seed = 0
        self._oracle = load_pendulum(self.gravity) if privileged_info else None
        self._state, self._left = np.zeros((1, 2)), np.zeros(1, np.int64)
        self._rng: UInt64s | None = None
        self._seen: Int64s = np.zeros(1, np.int64)
        self._last: tuple[int, float] | None = None

    @property
    def true_state(self) -> tuple[float, float]:
        """(angle from upright in rad, never wrapped; speed in rad/s): what the bins hide."""
        return float(self._state[0, 0]), float(self._state[0, 1])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Starts an episode: angle uniform over the turn, speed uniform on [-1, 1)."""
        refuse_task(options)
        super().reset(seed=seed)
        if seed is not None or self._rng is None:
            start = (
                self.np_random.integers(2**64, dtype=np.uint64) if seed is None else seed % 2**64
            )
            self._rng = dynamics_streams(np.array([start], np.uint64))
        reset_pendulums(self._state, self._left, self._rng, _ONE, self._seen)
        self._last = None
        return self._seen[0], {"task_seed": 0} | self._oracle_info()

    def step(self, action: np.int64 | int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """One step of 0.05 s; never terminated.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over.
            ValueError: `action` is no integer in 0..4; nothing has changed.
        """
        if not self._left[0]:
            raise gym.error.ResetNeeded("the episode is over; call reset() before step()")
        try:
            played = index(action)
        except TypeError:
            played = -1
        if not 0 <= played < N_ACTIONS:
            raise ValueError(f"action is {action!r}; give an integer in 0..{N_ACTIONS - 1}")
        seen, reward = np.empty(1, np.int64), np.empty(1)
        truncated, fresh = np.empty(1, np.bool_), np.empty(1, np.bool_)
        step_pendulums(
            self._state, self._left, self._rng, self.gravity, np.array([played]), DISABLED,
            seen, reward, truncated, fresh, self._seen,
        )  # fmt: skip
        self._last = (played, float(reward[0]))
        return seen[0], float(reward[0]), False, bool(truncated[0]), self._oracle_info()

    def _oracle_info(self) -> dict[str, Any]:
        if self._oracle is None:
            return {}
        return {"optimal_action": self._oracle.oracle_actions(self._state)[0]}

    def render(self) -> Any:
        """The pendulum over its bins: a line ("ansi") or uint8 [384, 384, 3] ("rgb_array")."""
        if self.render_mode is None:
            gym.logger.warn("render() needs gym.make(..., render_mode='ansi' or 'rgb_array')")
            return None
        theta, speed = self.true_state
        elapsed = HORIZON - int(self._left[0])
        if self.render_mode == "rgb_array":
            return draw_pendulum(theta, speed, None if self._last is None else self._last[0])
        move = (
            "" if self._last is None else f"  action {self._last[0]}  reward {self._last[1]:+.3f}"
        )
        return f"step {elapsed}/{HORIZON}  angle {theta:+.3f}  speed {speed:+.3f}{move}\n"

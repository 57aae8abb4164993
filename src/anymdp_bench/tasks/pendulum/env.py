"""`DiscretePendulumEnv`: one stream of Gymnasium's Pendulum-v1 through bins."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from anymdp_bench.engine.arrays import Int64s, UInt64s
from anymdp_bench.engine.step import DISABLED
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.env_arguments import (
    check_options,
    check_render_mode,
    make_dynamics_stream,
    parse_action,
    parse_seed,
)
from anymdp_bench.tasks.keywords import parse_task_seed, refuse_keyword
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
from anymdp_bench.tasks.pendulum.game import (
    check_start,
    find_first_state,
    load_pendulum,
    set_first_states,
)

N_OBSERVATIONS = ANGLE_BINS * SPEED_BINS
_ONE = np.ones(1, np.bool_)


def check_gravity(family: str, gravity: float) -> float:
    """Returns `gravity` as a float.

    Args:
        family: the name of the family, for messages.
        gravity: g in m/s^2.

    Raises:
        TaskError: it is no finite number.
    """
    if isinstance(gravity, bool) or not isinstance(gravity, (int, float, np.number)):
        raise TaskError(f"{family}: gravity is {gravity!r}; give a number")
    if not np.isfinite(gravity):
        raise TaskError(f"{family}: gravity is {gravity}; give a finite number")
    return float(gravity)


def refuse_task(options: dict[str, Any] | None) -> None:
    """Checks that the options of `reset` hold no task.

    Raises:
        ValueError: a task is given.
    """
    if isinstance(options, dict) and "task" in options:
        raise ValueError("the Pendulum is no TabularMDP: options takes no 'task' here")


class DiscretePendulumEnv(gym.Env[np.int64, np.int64]):
    """Gymnasium's pendulum, seen through 12 x 5 bins and pushed by five torques.

    The observation is 5 * angle bin + speed bin, Discrete(60). The actions are the torques -2, -1, 0, 1 and
    2, Discrete(5). An episode is truncated after 200 steps.

    Args:
        gravity: g in m/s^2.
        start: where episodes start, "uniform" or "fixed"; see `tasks.pendulum.task.make_task`.
        family: the name of the task family.
        task_seed: it has no effect, because there is one task.
        render_mode: None, "ansi" or "rgb_array".
        privileged_info: whether `info` holds the oracle's action (`optimal_action`). Agents under test must
            not see it.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": round(1 / DT)}  # noqa: RUF012

    def __init__(
        self,
        gravity: float,
        family: str = "DiscretePendulum",
        task_seed: int = 0,
        render_mode: str | None = None,
        privileged_info: bool = False,
        start: str = "uniform",
        **unknown: Any,
    ) -> None:
        for name in unknown:
            refuse_keyword(family, name)
        parse_task_seed(task_seed)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.gravity = check_gravity(family, gravity)
        self._first = find_first_state(check_start(start, family))
        self.observation_space = gym.spaces.Discrete(N_OBSERVATIONS)
        self.action_space = gym.spaces.Discrete(N_ACTIONS)
        self.task_seed = 0
        self._oracle = load_pendulum(self.gravity, start) if privileged_info else None
        self._state, self._left = np.zeros((1, 2)), np.zeros(1, np.int64)
        self._rng: UInt64s | None = None
        self._seen: Int64s = np.zeros(1, np.int64)
        self._last: tuple[int, float] | None = None

    @property
    def true_state(self) -> tuple[float, float]:
        """The state behind the bins: (angle from upright in rad, never wrapped; speed in rad/s)."""
        return float(self._state[0, 0]), float(self._state[0, 1])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Starts an episode, by default with an angle uniform over the turn and a speed uniform on [-1, 1).

        The option "task_seed" is allowed, and changes nothing.

        Raises:
            SeedError: the seed is no integer from 0.
            ValueError: the options hold a task or an unknown key.
        """
        refuse_task(options)
        parse_task_seed(check_options(options, ("task_seed",)).get("task_seed", 0))
        seed = parse_seed(seed)
        super().reset(seed=seed)
        if seed is not None or self._rng is None:
            self._rng = make_dynamics_stream(seed, self.np_random)
        reset_pendulums(self._state, self._left, self._rng, _ONE, self._seen)
        set_first_states(self._first, self._state, self._seen, _ONE)
        self._last = None
        return self._seen[0], self._info()

    def step(self, action: np.int64 | int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Plays one step of 0.05 s. An episode is never terminated.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over.
            ValueError: `action` is no integer in 0..4. Nothing has changed then.
        """
        if not self._left[0]:
            raise gym.error.ResetNeeded("the episode is over; call reset() before step()")
        played = parse_action(action, N_ACTIONS)
        seen, reward = np.empty(1, np.int64), np.empty(1)
        truncated, fresh = np.empty(1, np.bool_), np.empty(1, np.bool_)
        step_pendulums(
            self._state, self._left, self._rng, self.gravity, np.array([played]), DISABLED,
            seen, reward, truncated, fresh, self._seen,
        )  # fmt: skip
        self._last = (played, float(reward[0]))
        return seen[0], float(reward[0]), False, bool(truncated[0]), self._info()

    def _info(self) -> dict[str, Any]:
        if self._oracle is None:
            return {"task_seed": 0}
        return {"task_seed": 0, "optimal_action": self._oracle.oracle_actions(self._state)[0]}

    def render(self) -> Any:
        """Shows the pendulum over its bins, as a line ("ansi") or a frame ("rgb_array")."""
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

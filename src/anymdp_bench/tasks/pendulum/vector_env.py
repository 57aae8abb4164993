"""`DiscretePendulumVectorEnv`: many pendulums that one compiled call steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.engine.seeding import parse_reset_mask
from anymdp_bench.tasks.env_arguments import (
    check_options,
    parse_actions,
    parse_max_steps,
    parse_seeds,
    parse_task_seeds,
    refuse_action,
    refuse_unused,
)
from anymdp_bench.tasks.keywords import refuse_keyword
from anymdp_bench.tasks.pendulum.dynamics import (
    DT,
    HORIZON,
    N_ACTIONS,
    advance,
    find_refused_pendulum,
    reset_pendulums,
)
from anymdp_bench.tasks.pendulum.env import N_OBSERVATIONS, check_gravity, refuse_task
from anymdp_bench.tasks.pendulum.frame import draw_pendulum
from anymdp_bench.tasks.pendulum.game import (
    check_start,
    find_first_state,
    load_pendulum,
    set_first_states,
)
from anymdp_bench.tasks.pendulum.shared_step import step_shared
from anymdp_bench.tasks.stream_vector import StreamVectorEnv


class DiscretePendulumVectorEnv(StreamVectorEnv):
    """`num_envs` pendulums.

    `DiscretePendulumEnv` describes the task, and `TabularVectorEnv` describes the seeds and options.

    Args:
        num_envs: the number of streams.
        gravity: g in m/s^2.
        family: the name of the task family.
        task_seeds: they have no effect, because there is one task.
        max_episode_steps: as in `TabularVectorEnv`.
        autoreset_mode: one of Gymnasium's `AutoresetMode`, or its value.
        render_mode: None or "rgb_array".
        privileged_info: whether `info` holds the oracle's action (`optimal_action`).
        start: where episodes start, as in `DiscretePendulumEnv`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        gravity: float,
        family: str = "DiscretePendulum",
        task_seeds: int | Sequence[int] | Int64s = 0,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        privileged_info: bool = False,
        start: str = "uniform",
        **unknown: Any,
    ) -> None:
        for name in unknown:
            refuse_keyword(family, name)
        super().__init__(num_envs, autoreset_mode, render_mode, fps=round(1 / DT))
        self.gravity = check_gravity(family, gravity)
        self._first = find_first_state(check_start(start, family))
        parse_task_seeds(task_seeds, num_envs)
        self._horizon = min(parse_max_steps(max_episode_steps) or HORIZON, HORIZON)
        self._oracle = load_pendulum(self.gravity, start) if privileged_info else None
        self._state, self._left = np.zeros((num_envs, 2)), np.zeros(num_envs, np.int64)
        self._seen: Int64s = np.zeros(num_envs, np.int64)
        self._set_spaces(N_OBSERVATIONS, N_ACTIONS)

    @property
    def true_states(self) -> Float64s:
        """The states behind the bins: (angle, speed) of each stream, float64 [num_envs, 2]."""
        return self._state.copy()

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Int64s, dict[str, Any]]:
        """Starts episodes in all streams, or in those of `options["reset_mask"]`.

        Raises:
            TypeError: the reset mask is no array of bool. Nothing has changed then.
            ValueError: the seeds or options are wrong. Nothing has changed then.
        """
        refuse_task(options)
        options = check_options(options, ("reset_mask", "task_seed"))
        parse_task_seeds(options.get("task_seed", 0), self.num_envs)
        mask = parse_reset_mask(options, self.num_envs)
        one, given, seeds = parse_seeds(seed, self.num_envs)
        self._seed_streams(one, given, seeds, mask)
        reset_pendulums(self._state, self._left, self._rng, mask, self._seen)
        set_first_states(self._first, self._state, self._seen, mask)
        self._left[mask] = self._horizon
        return self._seen.copy(), self._info(mask)

    def step(self, actions: npt.ArrayLike) -> tuple[Int64s, Float64s, Bools, Bools, dict[str, Any]]:
        """Plays one action in every stream. A finished stream does what the autoreset mode says.

        Raises:
            ValueError: an action is out of range. No stream has moved then.
            gymnasium.error.ResetNeeded: a stream was never reset, or a finished stream is stepped in the
                DISABLED mode.
        """
        if not self._is_ready:
            refuse_unused(self._unused)
        n = self.num_envs
        played = parse_actions(actions, n)
        mode = self._kernel_mode
        refused = find_refused_pendulum(self._left, played, mode)
        if refused >= 0:
            refuse_action(refused, int(played[refused]), N_ACTIONS)
        seen, reward, last = np.empty(n, np.int64), np.empty(n), np.zeros(n, np.int64)
        truncated, fresh = np.empty(n, np.bool_), np.empty(n, np.bool_)
        before = None if self._oracle is None else self._state.copy()
        step_shared(
            self._threads, self._state, self._left, self._rng, self.gravity, played, mode,
            seen, reward, truncated, fresh, last,
        )  # fmt: skip
        set_first_states(self._first, self._state, seen, fresh)
        self._seen[:] = seen
        if fresh.any():
            self._left[fresh] = self._horizon
        info = self._info(self._everyone)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and fresh.any():
            final = np.full(n, None, dtype=object)
            final[fresh] = list(last[fresh])
            info |= {"final_obs": final, "_final_obs": fresh}
            ended: dict[str, Any] = {"task_seed": self.task_seeds, "_task_seed": fresh}
            if self._oracle is not None and before is not None:
                optimal = np.zeros(n, np.int64)
                pairs = zip(before[fresh], played[fresh], strict=True)
                ends = [advance(s[0], s[1], a, self.gravity)[:2] for s, a in pairs]
                optimal[fresh] = self._oracle.oracle_actions(np.array(ends))
                ended |= {"optimal_action": optimal, "_optimal_action": fresh}
            info |= {"final_info": ended, "_final_info": fresh}
        return seen, reward, np.zeros(n, np.bool_), truncated, info

    def _info(self, known: Bools) -> dict[str, Any]:
        info: dict[str, Any] = {"task_seed": self.task_seeds, "_task_seed": known}
        if self._oracle is not None:
            optimal = self._oracle.oracle_actions(self._state)
            info |= {"optimal_action": optimal, "_optimal_action": known}
        return info

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """Draws one frame for each stream, as `DiscretePendulumEnv` does."""
        if not self._is_rendered():
            return None
        return tuple(draw_pendulum(theta, speed, None) for theta, speed in self._state)

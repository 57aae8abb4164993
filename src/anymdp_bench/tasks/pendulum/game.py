"""The Discrete-Pendulum of a gravity, with the oracle that is stored for it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn

import numpy as np

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.pendulum.dynamics import (
    ANGLE_BINS,
    FIXED_START,
    N_ACTIONS,
    SPEED_BINS,
    observe,
)
from anymdp_bench.tasks.pendulum.pendulum_oracle import oracle_actions, oracle_returns

GAMMA = 0.994
NUMBERS, GRIDS = "oracle.json", "oracle.npz"
STARTS = ("uniform", "fixed")
"""The values of the keyword `start`."""


@dataclass(frozen=True, eq=False)
class Pendulum:
    """A Discrete-Pendulum with its oracle. True states are float64 pairs (angle, speed).

    Attributes:
        gravity: g, in m/s^2.
        value: the oracle's values on its grid, float64 [n, m]; see `pendulum_oracle`.
        oracle: the mean episode return of the oracle.
        oracle_sd: the standard deviation of the return of one oracle episode.
        random: the mean episode return of the uniform random policy.
        start: where episodes start, one of `STARTS`.
        n_observations: the number of observations.
        n_actions: the number of actions.
    """

    gravity: float
    value: Float64s
    oracle: float
    oracle_sd: float
    random: float
    start: str = "uniform"
    n_observations: int = ANGLE_BINS * SPEED_BINS
    n_actions: int = N_ACTIONS

    def __reduce__(self) -> tuple[Callable[[float, str], Pendulum], tuple[float, str]]:
        return load_pendulum, (self.gravity, self.start)

    @property
    def first_state(self) -> Float64s:
        """The true state of every start, float64 [2], read-only; empty if starts are drawn."""
        return find_first_state(self.start)

    def oracle_actions(self, state: Float64s) -> Int64s:
        """Returns the oracle's action in each true state (float64 [n, 2]), int64 [n]."""
        out: Int64s = oracle_actions(self.value, GAMMA, self.gravity, state)
        return out

    def oracle_returns(self, state: Float64s) -> Float64s:
        """Computes the exact return of the oracle from each true state (float64 [n, 2]), float64 [n]."""
        out: Float64s = oracle_returns(self.value, GAMMA, self.gravity, state)
        return out


@cache
def load_pendulum(gravity: float, start: str = "uniform") -> Pendulum:
    """Loads the pendulum of a published gravity.

    Args:
        gravity: g in m/s^2.
        start: where episodes start, one of `STARTS`.

    Raises:
        TaskError: no oracle is stored for `gravity`, or there is no such start.
    """
    check_start(start)
    known = load_numbers()["gravities"]
    name = f"{gravity:g}"
    if name not in known:
        raise TaskError(f"gravity is {gravity!r}; an oracle is stored for {', '.join(known)}")
    found = known[name]
    data = (files("anymdp_bench.tasks.pendulum") / GRIDS).read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as grids:
        value = grids[f"g{name}"].astype(np.float64)
    value.setflags(write=False)
    if start == "fixed":
        found = found["fixed_start"] | {"oracle_sd": 0.0}  # the oracle's episode is always the same
    return Pendulum(gravity, value, found["oracle"], found["oracle_sd"], found["random"], start)


def set_first_states(
    first: Float64s, state: Float64s, seen: Int64s, streams: slice | Int64s | Bools
) -> None:
    """Moves streams that were reset to the state of every start; does nothing if starts are drawn.

    Args:
        first: the state of every start, float64 [2], or empty; see `Pendulum.first_state`.
        state: the states, float64 [n, 2]; changed in place.
        seen: the observations, int64 [n]; changed in place.
        streams: which streams were reset.
    """
    if len(first):
        state[streams] = first
        seen[streams] = observe(first[0], first[1])


@cache
def find_first_state(start: str) -> Float64s:
    """Returns the true state of every start, float64 [2], read-only; empty if starts are drawn."""
    state = np.array(FIXED_START if start == "fixed" else ())
    state.setflags(write=False)
    return state


def check_start(start: object, family: str = "DiscretePendulum") -> str:
    """Returns the keyword `start` of a family.

    Raises:
        TaskError: it is none of `STARTS`.
    """
    if not isinstance(start, str) or start not in STARTS:
        raise TaskError(f"{family}: start is {start!r:.40}; give {' or '.join(map(repr, STARTS))}")
    return start


def load_numbers() -> dict[str, Any]:
    """Loads the numbers that `tasks.pendulum.make_oracle` measured, with their standard errors."""
    text = (files("anymdp_bench.tasks.pendulum") / NUMBERS).read_text(encoding="utf-8")
    out: dict[str, Any] = json.loads(text)
    return out


def shape(
    reward: Float64s, terminated: Bools, *, gravity: float, start: str = "uniform"
) -> Float64s:
    """Shapes rewards [n] for in-context agents: max(r / 30 + 0.1, -0.1)."""
    out: Float64s = np.maximum(reward / 30 + 0.1, -0.1)
    return out


def refuse_table(seed: int, *, gravity: float, start: str = "uniform") -> NoReturn:
    """Refuses to make a `TabularMDP`, because the true state is continuous.

    Raises:
        TaskError: always.
    """
    raise TaskError(
        "Discrete-Pendulum's true state is continuous, so it is no TabularMDP;"
        " play it through gym.make or anymdp-bench run"
    )

"""A target of fuzzing: a strategy of inputs, and a function that must accept or refuse each of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from .guard import guarded


@dataclass(frozen=True)
class Target:
    """A target; `call(input, folder)` raises where the input is neither accepted nor refused correctly.

    `share` is the target's part of all inputs, relative to the other targets.
    """

    name: str
    inputs: Any
    call: Callable[[Any, Path], None]
    share: float


def fuzz(target, n, start, folder):
    """Gives `n` inputs to a target, the same for the same `start`; returns (number of inputs, seconds)."""
    n_inputs, begin = 0, time.perf_counter()

    @seed(start)
    @settings(
        max_examples=n, database=None, deadline=None, derandomize=False,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(target.inputs)
    def each(given):
        nonlocal n_inputs
        n_inputs += 1
        with guarded(folder):
            target.call(given, folder)

    each()
    return n_inputs, time.perf_counter() - begin

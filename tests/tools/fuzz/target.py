"""A target: where inputs come from, and what is done with one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from .guard import guarded


@dataclass(frozen=True)
class Target:
    """`call(input, folder)` raises where the input is not taken, or not refused as promised.

    `share` is the target's part of the inputs of a command, relative to the others'.
    """

    name: str
    inputs: Any
    call: Callable[[Any, Path], None]
    share: float


def fuzz(target, n, start, folder):
    """Gives `n` inputs to a target, the same for the same `start`; (how many it had, seconds)."""
    had, begin = 0, time.perf_counter()

    @seed(start)
    @settings(
        max_examples=n, database=None, deadline=None, derandomize=False,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(target.inputs)
    def each(given):
        nonlocal had
        had += 1
        with guarded(folder):
            target.call(given, folder)

    each()
    return had, time.perf_counter() - begin

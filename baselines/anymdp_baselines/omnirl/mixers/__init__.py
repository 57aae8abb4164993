"""Sequence mixers, one file each, behind one small interface.

A mixer turns the stream of a run into one that knows the past. It has two forms that give the same
numbers: `forward` for a whole segment in training, and `step` for one step in inference. What it
remembers is its state, of constant size (but for attention without a window); passing it from one segment
to the next (detached) makes sequences of any length.

A module here may declare `MIXERS`, by name what makes a mixer of (width, heads): `mixers` finds them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Addresses(NamedTuple):
    """Addresses of the steps, int64 [B, T]."""

    slot: Tensor  # left * A + action of the step that led here, -1 where there is none
    seen: Tensor  # the current observation
    going: Tensor  # 1.0 where the episode went on in the step that led here, else 0.0


class HiddenStreams(NamedTuple):
    """The hidden state that flows through the blocks."""

    main: Tensor  # [B, T, width]
    actions: Tensor  # [B, T, A, d]: one row for each action of the current state; d = 0 if unused


class Mixer(Protocol):
    """A sequence mixer; `state` is a tensor [B, ...] that only the mixer itself reads."""

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns the state of `n` runs that have seen nothing."""

    def __call__(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a whole segment; returns (stream with the past mixed in, state after it)."""

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step (T = 1) without gradients; it may write to `state`."""


@cache
def mixers() -> dict[str, Callable[[int, int], Any]]:
    """Returns, by name, functions that make a mixer of (width, heads)."""
    found: dict[str, Callable[[int, int], Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= getattr(import_module(f"{__name__}.{module.name}"), "MIXERS", {})
    return found

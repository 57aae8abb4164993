"""Kernels of flash-linear-attention, where there are a CUDA device and the package; else None.

Each function takes what the chunkwise form of its mixer takes, [B, H, T, ...], float32, and gives the same.
The kernels want time before heads and multiply in bfloat16, so they agree to about 1e-2, not to 1e-4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor


@cache
def find_kernel(module: str, name: str) -> Callable[..., Any] | None:
    """Returns function `name` of `fla.ops.MODULE`, or None where it cannot run."""
    if not torch.cuda.is_available() or find_spec("fla") is None:
        return None
    found: Callable[..., Any] = getattr(import_module(f"fla.ops.{module}"), name)
    return found


def kernel_for(state: Tensor, module: str, name: str) -> Callable[..., Any] | None:
    """Returns the kernel for a state on a CUDA device, else None."""
    return find_kernel(module, name) if state.is_cuda else None


def to_kernel(*given: Tensor) -> list[Tensor]:
    """Returns [B, H, T, ...] as [B, T, H, ...] in bfloat16."""
    return [x.transpose(1, 2).contiguous().bfloat16() for x in given]


def from_kernel(out: Tensor) -> Tensor:
    """Returns [B, T, H, ...] as [B, H, T, ...] in float32."""
    return out.transpose(1, 2).float()

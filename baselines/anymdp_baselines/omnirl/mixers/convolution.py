"""The short convolution that mixers look through: each channel mixes its own last four steps.

    y_t = b + sum_{k=0..3} w_k x_{t-k},

so that a memory is written with what neighbouring tokens say together. The inputs of the three steps before
a segment are state, carried with the mixer's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

TAPS = 4


def random_taps(channels: int) -> nn.Parameter:
    """Returns weights [channels, TAPS] to begin with, that of the oldest step first."""
    bound = TAPS**-0.5
    return nn.Parameter(torch.empty(channels, TAPS).uniform_(-bound, bound))


def unmixed_taps(channels: int) -> Tensor:
    """Returns the weights of y = x."""
    return torch.eye(TAPS)[-1].repeat(channels, 1)


def convolve(
    x: Tensor, past: Tensor, taps: Tensor, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Returns (y, past after) of x [B, T, channels] and `past` [B, TAPS - 1, channels]; float32."""
    length = x.shape[1]
    seen = torch.cat([past, x.float()], 1)
    parts = [seen[:, k : k + length] * taps[:, k] for k in range(TAPS)]
    y = parts[0] + parts[1] + parts[2] + parts[3]
    return y if shift is None else y + shift, seen[:, length:]

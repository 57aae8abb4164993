"""What mixers with a decaying matrix memory share: chunks of a segment, and memories at their starts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def in_chunks(length: int, chunk: int, *given: Tensor) -> list[Tensor]:
    """Returns [B, H, T, ...] as [B, H, T / chunk, chunk, ...], with zeros added to the end."""
    missing = -length % chunk
    out = []
    for x in given:
        trailing = (0, 0) * (x.ndim - 3)
        padded = pad(x, (*trailing, 0, missing)) if missing else x
        out.append(padded.unflatten(2, (-1, chunk)))
    return out


def chunk_starts(decay: Tensor, added: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Computes M <- decay * M + added chunk by chunk; returns (memories at the starts, memory at the end).

    Args:
        decay: [B, H, N, K, 1] or broadcast.
        added: [B, H, N, K, V].
        state: [B, H, K, V].
    """
    starts = []
    for factor, more in zip(decay.unbind(2), added.unbind(2), strict=True):
        starts.append(state)
        state = factor * state + more
    return torch.stack(starts, 2), state

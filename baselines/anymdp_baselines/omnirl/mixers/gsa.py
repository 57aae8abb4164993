"""Gated slot attention (Zhang et al. 2024, arXiv 2409.07146, section 3): attention to slots that fade.

Per head, with m slots, forget gates alpha_t in (0, 1)^m and * elementwise over slots,

    K_t = alpha_t * K_{t-1} + (1 - alpha_t) k_t^T,   V_t = alpha_t * V_{t-1} + (1 - alpha_t) v_t^T,
    o_t = V_t^T softmax(K_t q_t),                    alpha_t = sigmoid(W x_t)^(1/8).

Inside a chunk, with c_t the sum of log alpha up to t, and s = 1 - alpha,

    K_t q_t = exp(c_t) * (K_start q_t + sum_{j<=t} (k_j . q_t) s_j exp(-c_j)),

and V_t is read in the same way by the softmax, so a segment is two passes of linear attention.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, kernels
from anymdp_baselines.omnirl.mixers.linear import chunk_starts, in_chunks

_CHUNK = 32
_SHARPNESS = 8.0  # the root taken of the gates: they forget slowly
_FASTEST = -2.5  # least log alpha: exp(_CHUNK * 2.5) is a float32 still


class GatedSlotAttention(nn.Module):
    """The mixer; see the module. Memory: [heads, slots, 2 * size] a run, size = slots = width / heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.norm, self.norm_out = nn.RMSNorm(width), nn.RMSNorm(width)
        self.to_all = nn.Linear(width, 4 * width)
        self.to_main = nn.Linear(width, width, bias=False)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, heads, slots, 2 * size]: keys, then values."""
        device = self.to_main.weight.device
        return torch.zeros(n, self.heads, self.size, 2 * self.size, device=device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment, chunk by chunk."""
        q, k, v, log = self._project(stream.main)
        with torch.autocast(state.device.type, enabled=False):
            out, state = chunkwise(q, k, v, log, state)
        return self._mix(stream, out), state

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step."""
        q, k, v, log = (x[:, :, 0] for x in self._project(stream.main))
        out, state = recurrent(q, k, v, log, state)
        return self._mix(stream, out[:, :, None]), state

    def _project(self, main: Tensor) -> tuple[Tensor, ...]:
        """Returns q, k, v [B, H, T, size], log alpha [B, H, T, slots]."""
        every = self.to_all(self.norm(main)).unflatten(-1, (4, self.heads, self.size))
        q, k, v, gate = every.permute(2, 0, 3, 1, 4).float()
        log = (logsigmoid(gate) / _SHARPNESS).clamp(min=_FASTEST)
        return silu(q) * self.size**-0.5, silu(k), silu(v), log

    def _mix(self, stream: HiddenStreams, out: Tensor) -> HiddenStreams:
        heads = self.norm_out(silu(out.transpose(1, 2).flatten(2)))
        return HiddenStreams(stream.main + self.to_main(heads), stream.actions)


def recurrent(q: Tensor, k: Tensor, v: Tensor, log: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Reads one step: q, k, v [B, H, size], log alpha [B, H, slots].

    Returns (output [B, H, size], state after).
    """
    alpha = log.exp()[..., None]
    state = alpha * state + (1.0 - alpha) * torch.cat([k, v], -1)[:, :, None]
    keys, values = state.chunk(2, -1)
    found = torch.einsum("bhmd,bhd->bhm", keys, q).softmax(-1)
    return torch.einsum("bhmd,bhm->bhd", values, found), state


def chunkwise(q: Tensor, k: Tensor, v: Tensor, log: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Reads a segment: q, k, v [B, H, T, size], log alpha [B, H, T, slots].

    Returns (output, state after), float32.
    """
    if kernel := kernels.kernel_for(state, "gsa", "chunk_gsa"):
        return _on_cuda(kernel, q, k, v, log, state)
    length, size = q.shape[2:]
    chunk = min(_CHUNK, length)
    q, k, v, log = in_chunks(length, chunk, q, k, v, log)
    total = log.cumsum(-2)
    fade, written = total.exp(), (1.0 - log.exp()) * (-total).exp()
    last = fade[..., -1, :, None]
    added = last * (written.transpose(-1, -2) @ torch.cat([k, v], -1))
    starts, state = chunk_starts(last, added, state)
    keys, values = starts.split(size, -1)
    alike = (q @ k.transpose(-1, -2)).tril()
    found = (fade * (alike @ written + q @ keys.transpose(-1, -2))).softmax(-1) * fade
    out = (found @ written.transpose(-1, -2)).tril() @ v + found @ values
    return out.flatten(2, 3)[:, :, :length], state


def _on_cuda(
    kernel: Callable[..., Any], q: Tensor, k: Tensor, v: Tensor, log: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    keys, values = state.chunk(2, -1)
    begin = keys.transpose(-1, -2).contiguous(), values.contiguous()
    out, (keys, values) = kernel(
        *kernels.to_kernel(q, k, v, 1.0 - log.exp()), log.transpose(1, 2).contiguous(),
        scale=1.0, initial_state=begin, output_final_state=True,
    )  # fmt: skip
    return kernels.from_kernel(out), torch.cat([keys.transpose(-1, -2), values], -1)


MIXERS = {"gsa": GatedSlotAttention}

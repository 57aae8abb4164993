"""Mamba-2 (Dao and Gu 2024, arXiv 2405.21060, sections 5 to 7): a state space with one scalar decay a head.

Per head, with inputs x_t, a positive step dt_t = softplus(.), and B_t, C_t shared by the heads,

    M_t = exp(-a dt_t) M_{t-1} + B_t (dt_t x_t)^T,   y_t = M_t^T C_t + D x_t,

where x, B and C have passed a causal convolution over four steps. The output is gated: RMSNorm(y * silu(z)).
Inside a chunk it is attention without softmax, faded by the decays between two steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, kernels
from anymdp_baselines.omnirl.mixers.convolution import TAPS, convolve, random_taps
from anymdp_baselines.omnirl.mixers.linear import chunk_starts, in_chunks

_CHUNK, _EXPAND = 32, 2


class Mamba2(nn.Module):
    """The mixer; see the module. Memory: [heads, columns, 2 * width / heads] a run and three steps of inputs.

    Args:
        width: of the main stream.
        heads: number of decays.
        columns: of the memory, the length of B and C; by default width / heads.
    """

    def __init__(self, width: int, heads: int, columns: int = 0) -> None:
        super().__init__()
        self.heads, self.inner, self.columns = heads, _EXPAND * width, columns or width // heads
        self.norm, self.norm_out = nn.RMSNorm(width), nn.RMSNorm(self.inner)
        self.convolved = self.inner + 2 * self.columns
        self.to_all = nn.Linear(width, self.inner + self.convolved + heads, bias=False)
        self.taps = random_taps(self.convolved)
        self.shift = nn.Parameter(torch.zeros(self.convolved))
        spans = torch.exp(torch.linspace(math.log(1e-3), math.log(1e-1), heads))
        self.step_bias = nn.Parameter(
            spans + torch.log(-torch.expm1(-spans))
        )  # softplus gives spans
        self.log_rate = nn.Parameter(torch.log(torch.linspace(1.0, 16.0, heads)))
        self.direct = nn.Parameter(torch.ones(heads))
        self.to_main = nn.Linear(self.inner, width, bias=False)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros: three steps of inputs, then the memory."""
        size = (TAPS - 1) * self.convolved + self.columns * self.inner
        return torch.zeros(n, size, device=self.to_main.weight.device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment, chunk by chunk."""
        z, x, b, c, dt, past, memory = self._project(stream.main, state)
        decay = -self.log_rate.exp()[:, None] * dt
        with torch.autocast(state.device.type, enabled=False):
            out, memory = chunkwise(c, b, x * dt[..., None], decay, memory)
        return self._mix(stream, out, x, z), torch.cat([past.flatten(1), memory.flatten(1)], 1)

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step."""
        z, x, b, c, dt, past, memory = self._project(stream.main, state)
        decay = -self.log_rate.exp()[:, None] * dt
        c, b, written = c[:, :, 0], b[:, :, 0], (x * dt[..., None])[:, :, 0]
        out, memory = recurrent(c, b, written, decay[:, :, 0], memory)
        mixed = self._mix(stream, out[:, :, None], x, z)
        return mixed, torch.cat([past.flatten(1), memory.flatten(1)], 1)

    def _project(self, main: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """Returns z [B, T, inner].

        X [B, H, T, P], B and C [B, 1, T, N], dt [B, H, T]; past inputs; the memory.
        """
        z, raw, dt = self.to_all(self.norm(main)).split(
            [self.inner, self.convolved, self.heads], -1
        )
        n_past = (TAPS - 1) * self.convolved
        past = state[:, :n_past].unflatten(1, (TAPS - 1, self.convolved))
        mixed, past = convolve(raw, past, self.taps, self.shift)
        x, b, c = silu(mixed).split([self.inner, self.columns, self.columns], -1)
        x = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        dt = softplus(dt.float() + self.step_bias).transpose(1, 2)
        memory = state[:, n_past:].unflatten(1, (self.heads, self.columns, -1))
        return z, x, b[:, None], c[:, None], dt, past, memory

    def _mix(self, stream: HiddenStreams, out: Tensor, x: Tensor, z: Tensor) -> HiddenStreams:
        y = (out + self.direct[:, None, None] * x).transpose(1, 2).flatten(2)
        return HiddenStreams(stream.main + self.to_main(self.norm_out(y * silu(z))), stream.actions)


def recurrent(
    c: Tensor, b: Tensor, x: Tensor, decay: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Reads one step: C, B [B, 1, N], x [B, H, P], log decay [B, H].

    Returns (output [B, H, P], state after).
    """
    state = state * decay.exp()[..., None, None] + b[..., None] * x[:, :, None]
    return torch.einsum("bhnp,bhn->bhp", state, c.expand(-1, x.shape[1], -1)), state


def chunkwise(
    c: Tensor, b: Tensor, x: Tensor, decay: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Reads a segment: C, B [B, 1, T, N], x [B, H, T, P], log decay [B, H, T].

    Returns (output, state after), float32.
    """
    if kernel := kernels.kernel_for(state, "simple_gla", "chunk_simple_gla"):
        heads = x.shape[1]
        given = kernels.to_kernel(c.expand(-1, heads, -1, -1), b.expand(-1, heads, -1, -1), x)
        out, state = kernel(
            *given, g=decay.transpose(1, 2).contiguous(), scale=1.0, initial_state=state.contiguous(),
            output_final_state=True,
        )  # fmt: skip
        return kernels.from_kernel(out), state
    length = x.shape[2]
    chunk = min(_CHUNK, length)
    c, b, x, decay = in_chunks(length, chunk, c, b, x, decay)
    total = decay.cumsum(-1)
    order = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).tril()
    ratio = (total[..., :, None] - total[..., None, :]).masked_fill(~order, -math.inf).exp()
    inside = ((c @ b.transpose(-1, -2)) * ratio) @ x
    left = (total[..., -1:] - total).exp()[..., None]
    starts, state = chunk_starts(
        total[..., -1].exp()[..., None, None], b.transpose(-1, -2) @ (left * x), state
    )
    out = inside + total.exp()[..., None] * (c @ starts)
    return out.flatten(2, 3)[:, :, :length], state


MIXERS = {"mamba2": Mamba2}

"""Gated DeltaNet (Yang, Kautz and Hatamizadeh 2025): a delta-rule memory with learned keys and learned decay.

Per head, with unit keys k and queries q, write gate beta and decay alpha in (0, 1),

    M_t = alpha_t M_{t-1} + k_t u_t^T,   u_t = beta_t (v_t - alpha_t M_{t-1}^T k_t),   o_t = M_t^T q_t,

where q, k and v have passed a short convolution.
Inside a chunk, with d_t the product of its decays up to t, u solves the triangular system

    u_t + beta_t sum_{j<t} (d_t / d_j) (k_t . k_j) u_j = beta_t (v_t - d_t M_start^T k_t).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize, silu

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, kernels
from anymdp_baselines.omnirl.mixers.convolution import (
    TAPS,
    convolve,
    random_taps,
    unmixed_taps,
)

_CHUNK = 32
_SLOWEST, _FASTEST = 4096.0, 16.0  # steps over which heads forget at first


class GatedDeltaNet(nn.Module):
    """The mixer; see the module. Memory: [heads, size, size] a run and three steps of inputs.

    Args:
        width: of the main stream.
        heads: number of memories.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.norm, self.norm_out = nn.RMSNorm(width), nn.RMSNorm(self.size)
        self.to_all = nn.Linear(width, 4 * width + 2 * heads)
        spans = torch.logspace(math.log10(_FASTEST), math.log10(_SLOWEST), heads)
        with torch.no_grad():
            self.to_all.bias[4 * width + heads :] = torch.log(spans)
            self.to_all.weight[4 * width + heads :] *= 0.1
        self.taps = random_taps(3 * width)
        self.to_main = nn.Linear(width, width, bias=False)
        self.register_load_state_dict_pre_hook(_without_taps)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros: three steps of inputs, then the memory."""
        size = 3 * (TAPS - 1) + self.size
        return torch.zeros(n, self.heads * self.size * size, device=self.to_main.weight.device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment, chunk by chunk."""
        (q, k, v, beta, decay), gate, past, memory = self._project(stream.main, state)
        with torch.autocast(state.device.type, enabled=False):
            out, memory = chunkwise(q, k, v, beta, decay, memory)
        return self._mix(stream, out, gate), torch.cat([past.flatten(1), memory.flatten(1)], 1)

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step."""
        given, gate, past, memory = self._project(stream.main, state)
        q, k, v, beta, decay = (x[:, :, 0] for x in given)
        out, memory = recurrent(q, k, v, beta, decay, memory)
        mixed = self._mix(stream, out[:, :, None], gate)
        return mixed, torch.cat([past.flatten(1), memory.flatten(1)], 1)

    def _project(
        self, main: Tensor, state: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]:
        """Returns ((q, k, v [B, H, T, size], beta, log decay [B, H, T]), gate, past inputs, memory)."""
        width, n_past = main.shape[-1], (TAPS - 1) * 3 * main.shape[-1]
        raw, gate, rates = self.to_all(self.norm(main)).split(
            [3 * width, width, 2 * self.heads], -1
        )
        past = state[:, :n_past].unflatten(1, (TAPS - 1, 3 * width))
        mixed, past = convolve(raw, past, self.taps)
        q, k, v = silu(mixed).unflatten(-1, (3, self.heads, self.size)).permute(2, 0, 3, 1, 4)
        beta, slow = rates.float().transpose(1, 2).chunk(2, 1)
        memory = state[:, n_past:].unflatten(1, (self.heads, self.size, self.size))
        given = (normalize(q, dim=-1), normalize(k, dim=-1), v, beta.sigmoid(), logsigmoid(slow))
        return given, gate, past, memory

    def _mix(self, stream: HiddenStreams, out: Tensor, gate: Tensor) -> HiddenStreams:
        heads = self.norm_out(out.transpose(1, 2)).flatten(2)
        main = stream.main + self.to_main(heads.to(gate.dtype) * silu(gate))
        return HiddenStreams(main, stream.actions)


def _without_taps(module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Adds to weights from before there was a convolution one that passes everything through."""
    channels = module.get_parameter("taps").shape[0]
    weights.setdefault(f"{prefix}taps", unmixed_taps(channels))


def recurrent(
    q: Tensor, k: Tensor, v: Tensor, beta: Tensor, decay: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Reads one step: q, k, v [B, H, size], beta and log decay [B, H].

    Returns (output [B, H, size], state after).
    """
    state = state * decay.exp()[..., None, None]
    error = v - torch.einsum("bhkv,bhk->bhv", state, k)
    state = state + torch.einsum("bhk,bhv->bhkv", k, beta[..., None] * error)
    return torch.einsum("bhkv,bhk->bhv", state, q), state


def chunkwise(
    q: Tensor, k: Tensor, v: Tensor, beta: Tensor, decay: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Reads a segment: q, k, v [B, H, T, size], beta and log decay [B, H, T].

    Returns (output, state after), float32.
    """
    if kernel := kernels.kernel_for(state, "gated_delta_rule", "chunk_gated_delta_rule"):
        out, state = kernel(
            *kernels.to_kernel(q, k, v), g=decay.transpose(1, 2).contiguous(),
            beta=beta.transpose(1, 2).contiguous().bfloat16(), scale=1.0,
            initial_state=state.contiguous(), output_final_state=True,
        )  # fmt: skip
        return kernels.from_kernel(out), state
    n, heads, length, size = q.shape
    chunk = min(_CHUNK, length)
    pad = -length % chunk
    if pad:  # steps that neither write nor decay
        q, k, v = (torch.nn.functional.pad(x, (0, 0, 0, pad)) for x in (q, k, v))
        beta, decay = (torch.nn.functional.pad(x, (0, pad)) for x in (beta, decay))
    q, k, v = (x.reshape(n, heads, -1, chunk, size) for x in (q, k, v))
    beta, decay = (x.reshape(n, heads, -1, chunk) for x in (beta, decay))
    total = decay.cumsum(-1)
    order = torch.ones(chunk, chunk, dtype=torch.bool, device=q.device).tril()
    ratio = (total[..., :, None] - total[..., None, :]).masked_fill(~order, -math.inf).exp()
    inner = (q @ k.transpose(-1, -2)) * ratio
    system = torch.tril((k @ k.transpose(-1, -2)) * ratio * beta[..., None], -1)
    fade = total.exp()[..., None]
    right = torch.cat([beta[..., None] * v, beta[..., None] * fade * k], -1)
    solved = torch.linalg.solve_triangular(
        system + torch.eye(chunk, device=q.device), right, upper=False, unitriangular=True
    )
    fresh, erase = solved.split(size, -1)  # u = fresh - erase @ M_start
    last = total[..., -1:, None].exp()
    key = k * (total[..., -1:] - total).exp()[..., None]
    outs = []
    parts = (x.unbind(2) for x in (q * fade, inner, fresh, erase, key, last))
    for q_c, inner_c, fresh_c, erase_c, key_c, last_c in zip(*parts, strict=True):
        u = fresh_c - erase_c @ state
        outs.append(q_c @ state + inner_c @ u)
        state = last_c * state + key_c.transpose(-1, -2) @ u
    return torch.stack(outs, 2).reshape(n, heads, -1, size)[:, :, :length], state


MIXERS = {"gated": GatedDeltaNet}

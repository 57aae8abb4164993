"""RWKV-7 (Peng et al. 2025, arXiv 2503.14456, section 4): a delta rule with decays by channel.

Per head, with removal keys kappa of length 1, and for each channel a decay w in (0.545, 1) and a rate a,

    M_t = diag(w_t) M_{t-1} - (a_t * kappa_t) (kappa_t^T M_{t-1}) + k_t v_t^T,   y_t = M_t^T r_t,

where the key written is k (1 + (a - 1) alpha), and w = exp(-exp(-1/2) sigmoid(.)). All are read off the
token mixed with the one before. A bonus (r . rho k) v of the current token is added; the output is normed by
head and gated. The paper's blend of values with those of the first layer is left out: a mixer sees its own
block alone.

Inside a chunk, with D_t the product of decays up to t, u_t = -kappa_t^T M_{t-1} solves

    u_t + sum_{j<t} (kappa_t * D_{t-1} / D_j) . (a_j * kappa_j) u_j
        = -(kappa_t * D_{t-1})^T M_start - sum_{j<t} (kappa_t * D_{t-1} / D_j) . k_j v_j.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, kernels
from anymdp_baselines.omnirl.mixers.linear import in_chunks

_CHUNK = 32
_FASTEST = math.exp(-0.5)  # the greatest -log w; exp(_CHUNK * 0.61) is far inside float32


class RWKV7(nn.Module):
    """The mixer; see the module. Memory: [heads, size, size] a run and the token before.

    Args:
        width: of the main stream.
        heads: number of memories.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        low = max(16, width // 4)
        self.norm, self.norm_out = nn.RMSNorm(width), nn.GroupNorm(heads, width, eps=64e-5)
        self.blend = nn.Parameter(
            torch.full((6, width), 0.5)
        )  # of the token before: r, w, k, v, a, g
        self.to_r, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in "rkv")
        last = nn.Linear(low, width)
        with torch.no_grad():
            last.bias.copy_(torch.linspace(-9.0, -1.0, self.size).repeat(heads))
        self.decay = nn.Sequential(nn.Linear(width, low, bias=False), nn.Tanh(), last)
        self.rate = nn.Sequential(nn.Linear(width, low, bias=False), nn.Linear(low, width))
        self.gate = nn.Sequential(
            nn.Linear(width, low, bias=False), nn.Sigmoid(), nn.Linear(low, width, bias=False)
        )
        self.removal = nn.Parameter(torch.full((width,), 0.85))  # xi
        self.rate_share = nn.Parameter(torch.ones(width))  # alpha
        self.bonus = nn.Parameter(torch.zeros(width))  # rho
        self.to_main = nn.Linear(width, width, bias=False)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros: the token before, then the memory."""
        width = self.heads * self.size
        return torch.zeros(n, width + width * self.size, device=self.to_main.weight.device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment, chunk by chunk."""
        (r, log, k, v, kappa, b), gate, bonus, token, memory = self._project(stream.main, state)
        with torch.autocast(state.device.type, enabled=False):
            out, memory = chunkwise(r, log, k, v, kappa, b, memory)
        return self._mix(stream, out, gate, bonus), torch.cat([token, memory.flatten(1)], 1)

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step."""
        given, gate, bonus, token, memory = self._project(stream.main, state)
        r, log, k, v, kappa, b = (x[:, :, 0] for x in given)
        out, memory = recurrent(r, log, k, v, kappa, b, memory)
        mixed = self._mix(stream, out[:, :, None], gate, bonus)
        return mixed, torch.cat([token, memory.flatten(1)], 1)

    def _project(self, main: Tensor, state: Tensor):
        """Returns ((r, log w, k, v, kappa, b) [B, H, T, size], gate, bonus [B, T, width], token, memory)."""
        x = self.norm(main).float()
        width = x.shape[-1]
        before = torch.cat([state[:, None, :width], x[:, :-1]], 1)
        r, w, k, v, a, g = (x + (before - x) * share for share in self.blend)
        r, k, v = self.to_r(r).float(), self.to_k(k).float(), self.to_v(v).float()
        log = -_FASTEST * self.decay(w).float().sigmoid()
        rate = self.rate(a).float().sigmoid()
        kappa = normalize(self._by_head(k * self.removal), dim=-1)
        k = k * (1.0 + (rate - 1.0) * self.rate_share)
        heads = [self._by_head(each) for each in (r, log, k, v)]
        alike = self._by_head(r * self.bonus * k).sum(-1, keepdim=True)
        bonus = (alike * heads[3]).transpose(1, 2).flatten(2)
        memory = state[:, width:].unflatten(1, (self.heads, self.size, self.size))
        return (*heads, kappa, self._by_head(rate) * kappa), self.gate(g), bonus, x[:, -1], memory

    def _by_head(self, x: Tensor) -> Tensor:
        out: Tensor = x.unflatten(-1, (self.heads, self.size)).transpose(1, 2)
        return out

    def _mix(
        self, stream: HiddenStreams, out: Tensor, gate: Tensor, bonus: Tensor
    ) -> HiddenStreams:
        flat = out.transpose(1, 2).flatten(2)
        normed = self.norm_out(flat.flatten(0, 1)).view_as(flat)
        return HiddenStreams(stream.main + self.to_main((normed + bonus) * gate), stream.actions)


def recurrent(
    r: Tensor, log: Tensor, k: Tensor, v: Tensor, kappa: Tensor, b: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Reads one step: [B, H, size] each, `log` of the decay, b = a * kappa.

    Returns (output [B, H, size], state after).
    """
    u = -torch.einsum("bhkv,bhk->bhv", state, kappa)
    state = log.exp()[..., None] * state
    state = state + torch.einsum("bhk,bhv->bhkv", b, u) + torch.einsum("bhk,bhv->bhkv", k, v)
    return torch.einsum("bhkv,bhk->bhv", state, r), state


def chunkwise(
    r: Tensor, log: Tensor, k: Tensor, v: Tensor, kappa: Tensor, b: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Reads a segment: [B, H, T, size] each; returns (output, state after), float32."""
    name = "chunk_dplr_delta_rule"
    if kernel := kernels.kernel_for(state, "generalized_delta_rule", name):
        out, state = kernel(
            *kernels.to_kernel(r, k, v, -kappa, b), log.transpose(1, 2).contiguous(), scale=1.0,
            initial_state=state.contiguous(), output_final_state=True,
        )  # fmt: skip
        return kernels.from_kernel(out), state
    length, size = r.shape[2:]
    chunk = min(_CHUNK, length)
    r, log, k, v, kappa, b = in_chunks(length, chunk, r, log, k, v, kappa, b)
    total = log.cumsum(-2)
    remove, read = kappa * (total - log).exp(), r * total.exp()  # kappa * D_{t-1}, r * D_t
    b, k = b * (-total).exp(), k * (-total).exp()
    system = (remove @ b.transpose(-1, -2)).tril(-1)
    right = torch.cat([(remove @ k.transpose(-1, -2)).tril(-1) @ v, remove], -1)
    solved = torch.linalg.solve_triangular(
        system + torch.eye(chunk, device=r.device), right, upper=False, unitriangular=True
    )
    fresh, erase = solved.split(size, -1)  # u = -(fresh + erase @ M_start)
    by_u, by_v = (read @ b.transpose(-1, -2)).tril(), (read @ k.transpose(-1, -2)).tril() @ v
    last = total[..., -1, :, None].exp()
    b, added = last * b.transpose(-1, -2), last * (k.transpose(-1, -2) @ v)
    outs = []
    parts = (x.unbind(2) for x in (fresh, erase, read, by_u, by_v, last, b, added))
    for fresh_c, erase_c, read_c, by_u_c, by_v_c, last_c, b_c, added_c in zip(*parts, strict=True):
        u = -(fresh_c + erase_c @ state)
        outs.append(read_c @ state + by_u_c @ u + by_v_c)
        state = last_c * state + b_c @ u + added_c
    return torch.stack(outs, 2).flatten(2, 3)[:, :, :length], state


MIXERS = {"rwkv7": RWKV7}

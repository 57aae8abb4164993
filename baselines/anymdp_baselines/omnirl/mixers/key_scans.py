"""The delta memory of learned keys as arithmetic: recurrent (compiled), and chunkwise in PyTorch.

As `slot_scans`, but a slot has no row of its own. It has a key z of length 1, a row of a learned table, and
what is kept is one matrix M. A step that left slot k and arrived at state s writes, and then reads
M^T z[s, a] for all a, and M^T z[k]:

    M <- M + z[k] u^T,   u = beta (v + sum_a g_a M^T z[s, a] - M^T z[k])                            (1)

With g = 0 this is linear attention with the delta rule (Schlag et al. 2021; Yang et al. 2024); with an
orthonormal table it is `slot_scans`. Products come from the table's Gram matrix G, so that reads after the
write cost nothing: M_new^T z[j] = M^T z[j] + G[k, j] u. Going backward, M is regained from (1).

Every form takes what that of `slot_scans` takes, with the table [O * A, K] before the memory, which is M
transposed, [B, V, K]. A head owns an equal share of V. Floats are float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from anymdp_baselines.omnirl.mixers.slot_scans import as_array, compute_in_chunks
from anymdp_baselines.omnirl.recurrence import key_scan, key_scan_back


class _KeyScan(torch.autograd.Function):
    """The recurrent form, with its adjoint."""

    @staticmethod
    def forward(ctx: Any, slot, seen, value, beta, g, table, memory):
        after = memory.clone()
        read, wrote, error = scan_(slot, seen, value, beta, g, table, after)
        ctx.save_for_backward(slot, seen, beta, g, table, read, error, after)
        return read, wrote, after

    @staticmethod
    def backward(ctx: Any, d_read, d_wrote, d_after):
        slot, seen, beta, g, table, read, error, after = ctx.saved_tensors
        ahead = d_after.clone(memory_format=torch.contiguous_format)
        d_value, d_beta, d_g = (torch.zeros(x.shape) for x in (error, beta, g))
        d_table = torch.zeros(len(slot), *table.shape)
        given = (
            slot, seen, beta, g, table, table @ table.T, after.clone(), read, error, d_read, d_wrote,
            ahead, d_value, d_beta, d_g, d_table,
        )  # fmt: skip
        key_scan_back(*(as_array(x) for x in given))
        return None, None, d_value, d_beta, d_g, d_table.sum(0), ahead


def scan_(
    slot: Tensor,
    seen: Tensor,
    value: Tensor,
    beta: Tensor,
    g: Tensor,
    table: Tensor,
    memory: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the recurrent form without gradients.

    Returns (read [B, T, A, V], wrote [B, T, V], error); changes `memory`.
    """
    n, length = slot.shape
    read = torch.empty(n, length, g.shape[3], value.shape[2])
    wrote, error = torch.empty(value.shape), torch.empty(value.shape)
    given = (slot, seen, value, beta, g, table, table @ table.T, memory, read, wrote, error)
    key_scan(*(as_array(x) for x in given))
    return read, wrote, error


def scan(*given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the recurrent form with gradients, on the CPU.

    Returns (read [B, T, A, V], wrote [B, T, V], memory after).
    """
    out: tuple[Tensor, Tensor, Tensor] = _KeyScan.apply(*(x.contiguous() for x in given))
    return out


def at_once(
    slot: Tensor,
    seen: Tensor,
    value: Tensor,
    beta: Tensor,
    g: Tensor,
    table: Tensor,
    memory: Tensor,
) -> tuple[Tensor, Tensor]:
    """Computes one step (T = 1) of `scan` without gradients, for accelerators; changes `memory`.

    Returns (read, wrote).

    It asks nothing of the device and so can be captured in a graph.
    """
    heads, n_actions = g.shape[2], g.shape[3]
    size = value.shape[-1] // heads
    writes = (slot >= 0).to(value.dtype)  # [B, 1]
    key = table[slot[:, 0].clamp(min=0)] * writes  # [B, K]
    here = table.view(-1, n_actions, table.shape[-1])[seen[:, 0]]  # [B, A, K]
    asked = torch.cat([here, key[:, None]], 1)
    found = asked @ memory.transpose(1, 2)  # [B, A + 1, V]
    boot = torch.einsum("bhx,bxhc->bhc", g[:, 0], found[:, :-1].unflatten(-1, (heads, -1)))
    change = value[:, 0] + boot.flatten(1) - found[:, -1]
    u = beta[:, 0].repeat_interleave(size, 1) * change * writes  # [B, V]
    memory.baddbmm_(u[..., None], key[:, None])
    out = found + (asked @ key[..., None]) * u[:, None]
    return out[:, None, :-1], out[:, None, -1] * writes[..., None]


def chunkwise(*given: Tensor, chunk: int = 128) -> tuple[Tensor, Tensor, Tensor]:
    """Computes `scan` in parallel over chunks, for accelerators: matrix products and one solve a chunk."""
    return compute_in_chunks(_one_chunk, given, chunk)


def _one_chunk(slot, seen, value, beta, g, table, memory):
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    split = (n, length, heads, value.shape[-1] // heads)
    # rows are selected, as the gradient of an index sorts it
    key = table.index_select(0, slot.clamp(min=0).flatten()).view(n, length, -1)
    key = key * (slot >= 0)[..., None]  # [B, T, K]
    here = table.view(-1, n_actions * table.shape[-1]).index_select(0, seen.flatten())
    here = here.view(n, length, n_actions, -1)  # [B, T, A, K]
    erase = key[:, :, None] - g @ here  # [B, T, H, K]
    order = torch.ones(length, length, device=value.device).tril()
    product = (erase.flatten(1, 2) @ key.transpose(1, 2)).view(n, length, heads, length)
    product = product.transpose(1, 2) * beta.transpose(1, 2)[..., None]
    before = torch.einsum("bthk,bhck->bthc", erase, memory.view(n, heads, split[3], -1))
    target = beta[..., None] * (value.view(split) - before)
    u = torch.linalg.solve_triangular(
        torch.tril(product, -1) + torch.eye(length, device=value.device),
        target.transpose(1, 2), upper=False, unitriangular=True,
    )  # fmt: skip
    u = u.transpose(1, 2).flatten(2)
    every = torch.cat([here, key[:, :, None]], 2).flatten(1, 2)  # the queries, and the key itself
    inside = (every @ key.transpose(1, 2)).view(n, length, -1, length) * order[:, None]
    out = every @ memory.transpose(1, 2) + inside.flatten(1, 2) @ u
    out = out.view(n, length, n_actions + 1, -1)
    return out[:, :, :-1], out[:, :, -1], memory + u.transpose(1, 2) @ key

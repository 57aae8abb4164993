"""The hard-addressed delta memory as arithmetic: recurrent (compiled), and chunkwise in PyTorch.

A memory M has one row for every slot (o, a). A step that left slot k and arrived at state s writes

    M[k] <- M[k] + beta (v + sum_a g_a M[s, a] - M[k])                                         (1)

and then reads M[s, a] for all a, and M[k]. With g = 0 this is the delta rule with a one-hot key
(Schlag et al. 2021); with g = gamma * pi it is TD(0) (Sutton 1988), whose rows are as linear in M, so
the chunkwise form of the delta rule (Yang et al. 2024) holds: with e_t the one-hot of k_t less the g_t
at the slots of s_t, and u_t what (1) adds,

    u_t + beta_t sum_{j<t, same chunk} (e_t . key_j) u_j = beta_t (v_t - e_t . M_start)          (2)

a triangular system; key products are comparisons of addresses. `beta` and `g` have one entry a head;
a head owns an equal share of M's columns.

Every form takes (slot, seen, value, beta, g, memory). Shapes: slot, seen int64 [B, T], slot -1 writes
nothing; value [B, T, V]; beta [B, T, H]; g [B, T, H, A]; memory [B, O, A, V]. All floats are float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.recurrence import slot_scan, slot_scan_back


class _SlotScan(torch.autograd.Function):
    """The recurrent form, with its adjoint."""

    @staticmethod
    def forward(ctx: Any, slot, seen, value, beta, g, memory):
        after = memory.clone()
        read, wrote, error = scan_(slot, seen, value, beta, g, after)
        ctx.save_for_backward(slot, seen, beta, g, read, wrote, error)
        return read, wrote, after

    @staticmethod
    def backward(ctx: Any, d_read, d_wrote, d_after):
        slot, seen, beta, g, read, wrote, error = ctx.saved_tensors
        d_value, d_beta, d_g = (torch.zeros(x.shape) for x in (error, beta, g))
        ahead = d_after.clone(memory_format=torch.contiguous_format)
        given = (slot, seen, beta, g, read, wrote, error, d_read, d_wrote, _rows(ahead))
        slot_scan_back(*(as_array(x) for x in (*given, d_value, d_beta, d_g)))
        return None, None, d_value, d_beta, d_g, ahead


def as_array(tensor: Tensor) -> np.ndarray:
    """Returns the numbers of a tensor for compiled code."""
    return tensor.detach().contiguous().numpy()


def _rows(memory: Tensor) -> Tensor:
    return memory.view(memory.shape[0], -1, memory.shape[-1])


def scan_(
    slot: Tensor, seen: Tensor, value: Tensor, beta: Tensor, g: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the recurrent form without gradients.

    Returns (read [B, T, A, V], wrote [B, T, V], error); changes `memory`.
    """
    n, length = slot.shape
    read = torch.empty(n, length, g.shape[3], value.shape[2])
    wrote, error = torch.empty_like(value), torch.empty_like(value)
    given = (slot, seen, value, beta, g, _rows(memory), read, wrote, error)
    slot_scan(*(as_array(x) for x in given))
    return read, wrote, error


def scan(*given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the recurrent form with gradients, on the CPU.

    Returns (read [B, T, A, V], wrote [B, T, V], memory after).
    """
    out: tuple[Tensor, Tensor, Tensor] = _SlotScan.apply(*(x.contiguous() for x in given))
    return out


def at_once(
    slot: Tensor, seen: Tensor, value: Tensor, beta: Tensor, g: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """Computes one step (T = 1) of `scan` without gradients, for accelerators; changes `memory`.

    Returns (read, wrote).

    It asks nothing of the device and so can be captured in a graph.
    """
    n, heads, n_actions = len(slot), g.shape[2], g.shape[3]
    rows, k, o = torch.arange(n, device=slot.device), slot[:, 0], seen[:, 0]
    writes, at = (k >= 0).to(value.dtype), k.clamp(min=0)
    flat = memory.view(n, -1, memory.shape[-1])
    here, old = memory[rows, o], flat[rows, at]  # [B, A, V], [B, V]
    boot = torch.einsum("bhx,bxhc->bhc", g[:, 0], here.unflatten(-1, (heads, -1))).flatten(1)
    size = value.shape[-1] // heads
    u = beta[:, 0].repeat_interleave(size, 1) * (value[:, 0] + boot - old) * writes[:, None]
    flat[rows, at] = old + u
    same = (o * n_actions)[:, None] + torch.arange(n_actions, device=slot.device) == at[:, None]
    read = here + same[..., None] * u[:, None]
    return read[:, None], ((old + u) * writes[:, None])[:, None]


def chunkwise(*given: Tensor, chunk: int = 128) -> tuple[Tensor, Tensor, Tensor]:
    """Computes `scan` in parallel over chunks, for accelerators: matrix products and one solve a chunk."""
    return compute_in_chunks(_one_chunk, given, chunk)


def compute_in_chunks(
    one_chunk: Callable[..., tuple[Tensor, Tensor, Tensor]], given: tuple[Tensor, ...], chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes `one_chunk` of one chunk after another.

    Args:
        one_chunk: returns (read, wrote, memory after) of a chunk.
        given: five tensors [B, T, ...], and then what is not cut; the last is the memory.
        chunk: steps of a chunk.
    """
    *others, memory = given[5:]
    reads, wrotes = [], []
    for part in zip(*(x.split(chunk, dim=1) for x in given[:5]), strict=True):
        read, wrote, memory = one_chunk(*part, *others, memory)
        reads.append(read)
        wrotes.append(wrote)
    return torch.cat(reads, 1), torch.cat(wrotes, 1), memory


def _one_chunk(slot, seen, value, beta, g, memory):
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    size = memory.shape[-1]
    writes = slot >= 0
    left, action = slot.clamp(min=0) // n_actions, slot.clamp(min=0) % n_actions
    beta = beta * writes[..., None]
    same_slot = (slot[:, :, None] == slot[:, None]) & writes[:, None]  # [B, t, j]
    here = (seen[:, :, None] == left[:, None]) & writes[:, None]
    of = torch.nn.functional.one_hot(action, n_actions).to(value.dtype)  # [B, j, A]
    # e_t . key_j by head, [B, H, t, j]
    toward = torch.einsum("bthx,bjx->bhtj", g, of) * here[:, None]
    product = same_slot[:, None].to(value.dtype) - toward
    order = torch.ones(length, length, device=value.device).tril()
    flat, index = memory.reshape(n, -1, size), slot.clamp(min=0)[..., None].expand(-1, -1, size)
    # gathered, as the gradient of an index sorts it
    at_seen = memory.flatten(2).gather(1, seen[..., None].expand(-1, -1, n_actions * size))
    at_seen, at_slot = at_seen.view(n, length, n_actions, size), flat.gather(1, index)
    split = (n, length, heads, size // heads)
    boot = torch.einsum("bthx,btxhc->bthc", g, at_seen.view(n, length, n_actions, *split[2:]))
    target = beta[..., None] * (value.view(split) - at_slot.view(split) + boot)
    system = torch.tril(beta.transpose(1, 2)[..., None] * product, -1)
    system = system + torch.eye(length, device=value.device)
    u = torch.linalg.solve_triangular(
        system, target.transpose(1, 2), upper=False, unitriangular=True
    )
    u = u.transpose(1, 2).reshape(n, length, size)
    spread = (of[..., None] * u[:, :, None]).reshape(n, length, n_actions * size)
    read = at_seen + ((here * order) @ spread).view(n, length, n_actions, size)
    wrote = (at_slot + (same_slot * order) @ u) * writes[..., None]
    after = flat.scatter_add(1, index, u).view_as(memory)
    return read, wrote, after

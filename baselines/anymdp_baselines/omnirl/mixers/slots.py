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

With a trace, a change spreads to the steps that led here, at most R of them, as in tree backup (Precup,
Sutton and Singh 2000): where step t changes M[k_t] by u_t, the slots left before change by

    M[k_(t-r)] <- M[k_(t-r)] + w_(t-r) ... w_(t-1) u_t,   w_j = trace * g_j at the action taken next  (3)

This is still linear in M: what step t writes to is no longer the one-hot of k_t, but a row that (3) gives.
g is 0 where an episode ended, so nothing spreads beyond its start.

Shapes: slot, seen int64 [B, T], slot -1 writes nothing; value [B, T, V]; beta [B, T, H];
g [B, T, H, A]; trace [H]; memory [B, O + X, A, V], of which the last X = `history_rows` hold the slots and g
of the last R steps. All floats are float32.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.recurrence import history_rows, slot_scan, slot_scan_back

Inputs: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
"""(slot, seen, value, beta, g, trace)."""


def _n_slots(memory: Tensor, depth: int, heads: int) -> int:
    """Returns O * A."""
    _, rows, n_actions, columns = memory.shape
    return (rows - history_rows(depth, heads, n_actions, columns)) * n_actions


@torch.library.custom_op("anymdp::slot_scan", mutates_args=())
def _slot_scan(
    slot: Tensor, seen: Tensor, value: Tensor, beta: Tensor, g: Tensor, trace: Tensor, depth: int,
    memory: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    after = memory.clone()
    read, wrote, error = scan_((slot, seen, value, beta, g, trace), depth, after)
    return read, wrote, error, after


@_slot_scan.register_fake
def _(slot, seen, value, beta, g, trace, depth, memory):
    n, length = slot.shape
    read = value.new_empty(n, length, g.shape[3], value.shape[2])
    return read, torch.empty_like(value), torch.empty_like(value), torch.empty_like(memory)


@torch.library.custom_op("anymdp::slot_scan_back", mutates_args=())
def _slot_scan_back(
    slot: Tensor, seen: Tensor, beta: Tensor, g: Tensor, trace: Tensor, depth: int, tails: Tensor,
    read: Tensor, wrote: Tensor, error: Tensor, d_read: Tensor, d_wrote: Tensor, d_after: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    d_value, d_beta = torch.zeros_like(error), torch.zeros_like(beta)
    d_g, d_trace = torch.zeros(g.shape), torch.zeros(len(slot), len(trace))
    ahead = d_after.clone(memory_format=torch.contiguous_format)
    given = [_array(x) for x in (slot, seen, beta, g, trace)]
    saved = [_array(x) for x in (_rows(tails), read, wrote, error, d_read, d_wrote, _rows(ahead))]
    slot_scan_back(*given, depth, *saved, *(_array(x) for x in (d_value, d_beta, d_g, d_trace)))
    return d_value, d_beta, d_g, d_trace.sum(0), ahead


@_slot_scan_back.register_fake
def _(slot, seen, beta, g, trace, depth, tails, read, wrote, error, d_read, d_wrote, d_after):
    return (
        torch.empty_like(error),
        torch.empty_like(beta),
        torch.empty(g.shape, device=g.device),
        torch.empty_like(trace),
        torch.empty(d_after.shape, device=g.device),
    )


def _keep(ctx, inputs, output):
    slot, seen, _, beta, g, trace, depth, memory = inputs
    read, wrote, error, _ = output
    tails = memory[:, _n_slots(memory, depth, len(trace)) // memory.shape[2] :].clone()
    ctx.depth = depth
    ctx.save_for_backward(slot, seen, beta, g, trace, tails, read, wrote, error)


def _back(ctx, d_read, d_wrote, d_error, d_after):
    *first, tails, read, wrote, error = ctx.saved_tensors
    d_value, d_beta, d_g, d_trace, d_memory = _slot_scan_back(
        *first, ctx.depth, tails, read, wrote, error, d_read.contiguous(), d_wrote.contiguous(),
        d_after,
    )  # fmt: skip
    return None, None, d_value, d_beta, d_g, d_trace, None, d_memory


_slot_scan.register_autograd(_back, setup_context=_keep)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _rows(memory: Tensor) -> Tensor:
    return memory.reshape(memory.shape[0], -1, memory.shape[-1])


def scan_(given: Inputs, depth: int, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the recurrent form without gradients.

    Returns (read [B, T, A, V], wrote [B, T, V], error); changes `memory`.
    """
    slot, _, value, _, g, trace = given
    n, length = slot.shape
    read = torch.empty(n, length, g.shape[3], value.shape[2])
    wrote, error = torch.empty_like(value), torch.empty_like(value)
    n_slots = _n_slots(memory, depth, len(trace))
    arrays = [_array(x) for x in (_rows(memory), read, wrote, error)]
    slot_scan(*(_array(x) for x in given), depth, n_slots, *arrays)
    return read, wrote, error


def scan(given: Inputs, depth: int, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the recurrent form with gradients, on the CPU.

    Returns (read [B, T, A, V], wrote [B, T, V], memory after).
    """
    *first, contiguous = (x.contiguous() for x in (*given, memory))
    read, wrote, _, after = _slot_scan(*first, depth, contiguous)
    return read, wrote, after


def chunkwise(
    given: Inputs, depth: int, memory: Tensor, chunk: int = 128
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes `scan` in parallel over chunks, for accelerators: matrix products and one solve a chunk."""
    trace = given[5]
    parts = [x.split(chunk, dim=1) for x in given[:5]]
    reads, wrotes = [], []
    rows = _n_slots(memory, depth, len(trace)) // memory.shape[2]
    tail, memory = memory[:, rows:], memory[:, :rows]
    history = _unpack(tail.detach(), depth, given[4])
    for slot, seen, value, beta, g in zip(*parts, strict=True):
        past, history = history, _continue(history, slot, g, depth)
        read, wrote, memory = _one_chunk((slot, seen, value, beta, g, trace), past, memory)
        reads.append(read)
        wrotes.append(wrote)
    after = torch.cat([memory, _pack(*history, tail).detach()], 1)
    return torch.cat(reads, 1), torch.cat(wrotes, 1), after


def _unpack(tail: Tensor, depth: int, g: Tensor) -> tuple[Tensor, Tensor]:
    """Returns (slots [B, R], weights [B, R, H, A]) of the last steps, the oldest first."""
    heads, n_actions = g.shape[2:]
    size = 1 + heads * n_actions
    entries = tail.flatten(1)[:, : depth * size].view(len(tail), depth, size)
    return entries[..., 0].long() - 1, entries[..., 1:].unflatten(-1, (heads, n_actions))


def _continue(
    history: tuple[Tensor, Tensor], slot: Tensor, g: Tensor, depth: int
) -> tuple[Tensor, Tensor]:
    """Returns the history after a chunk."""
    slots, weights = torch.cat([history[0], slot], 1), torch.cat([history[1], g], 1)
    start = slots.shape[1] - depth
    return slots[:, start:], weights[:, start:]


def _pack(slots: Tensor, weights: Tensor, tail: Tensor) -> Tensor:
    """Returns what `_unpack` reads, in the shape of `tail`."""
    entries = torch.cat([(slots + 1)[..., None].to(weights.dtype), weights.flatten(2)], -1)
    flat = entries.flatten(1)
    rest = tail.flatten(1).shape[1] - flat.shape[1]
    return torch.nn.functional.pad(flat, (0, rest)).view(tail.shape)


def at_once(given: Inputs, depth: int, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Computes one step (T = 1) of `scan` without gradients, for accelerators; changes `memory`.

    Returns (read, wrote).

    It asks nothing of the device and so can be captured in a graph.
    """
    slot, seen, value, beta, g, trace = given
    n, (heads, n_actions) = len(slot), g.shape[2:]
    rows, k, o = torch.arange(n, device=slot.device), slot[:, 0], seen[:, 0]
    writes, at = (k >= 0).to(value.dtype)[:, None], k.clamp(min=0)
    n_rows = _n_slots(memory, depth, heads) // n_actions
    slots, weights = _unpack(memory[:, n_rows:], depth, g)
    flat = memory.view(n, -1, memory.shape[-1])
    here, old = memory[rows, o], flat[rows, at]  # [B, A, V], [B, V]
    boot = torch.einsum("bhx,bxhc->bhc", g[:, 0], here.unflatten(-1, (heads, -1))).flatten(1)
    size = value.shape[-1] // heads
    u = beta[:, 0].repeat_interleave(size, 1) * (value[:, 0] + boot - old) * writes
    wrote = (old + u) * writes
    flat[rows, at] = old + u
    taken = at % n_actions
    for r in range(depth):
        before = slots[:, depth - 1 - r]
        weight = trace * weights[:, depth - 1 - r].gather(
            2, taken[:, None, None].expand(-1, heads, 1)
        ).squeeze(2)
        u = u * (weight * (before >= 0)[:, None]).repeat_interleave(size, 1)
        taken, before = before.clamp(min=0) % n_actions, before.clamp(min=0)
        flat[rows, before] = flat[rows, before] + u
    if depth:
        tail = memory[:, n_rows:]
        later = torch.cat([slots, slot], 1)[:, 1:], torch.cat([weights, g], 1)[:, 1:]
        tail.copy_(_pack(*later, tail))
    return memory[rows, o][:, None], wrote[:, None]


def _traced(slots: Tensor, weights: Tensor, trace: Tensor, depth: int) -> Tensor:
    """Returns (3): the shares at which the changes of steps go to slots, [B, H, T, R + T].

    `slots` and `weights` are those of the R steps before, too; column j is the slot of step j - R.
    """
    n, total = slots.shape
    length = total - depth
    heads, n_actions = weights.shape[2:]
    eye = torch.eye(length, total, device=trace.device).roll(depth, 1)
    shares = eye.expand(n, heads, length, total)
    action = slots[:, 1:].clamp(min=0) % n_actions  # the action taken after each step but the last
    index = action[:, :, None, None].expand(-1, -1, heads, 1)
    factor = trace[:, None] * weights[:, :-1].gather(3, index)[..., 0].transpose(1, 2)
    lives = (slots[:, None, :-1] >= 0) & (factor.sum(1, keepdim=True) > 0)  # no episode ended there
    factor = factor * lives  # [B, H, R + T - 1]
    going = torch.ones(n, heads, length, device=trace.device)
    place = torch.arange(length, device=trace.device).expand(n, heads, -1)[..., None]
    for r in range(1, depth + 1):
        going = going * factor[:, :, depth - r : depth - r + length]
        shares = shares.scatter(3, place + depth - r, going[..., None])
    return shares


def _one_chunk(given, past, memory):
    slot, seen, value, beta, g, trace = given
    depth = past[0].shape[1]
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    size = memory.shape[-1]
    slots = torch.cat([past[0], slot], 1)  # of the steps before, too
    writes, known = slot >= 0, slots >= 0
    left, action = slots.clamp(min=0) // n_actions, slots.clamp(min=0) % n_actions
    beta = beta * writes[..., None]
    same_slot = ((slot[:, :, None] == slots[:, None]) & known[:, None]).to(value.dtype)  # [B, t, m]
    here = ((seen[:, :, None] == left[:, None]) & known[:, None]).to(value.dtype)
    of = torch.nn.functional.one_hot(action, n_actions).to(value.dtype)  # [B, m, A]
    # e_t . key_m by head, [B, H, t, m]
    toward = torch.einsum("bthx,bmx->bhtm", g, of) * here[:, None]
    product = same_slot[:, None] - toward
    if depth:
        shares = _traced(slots, torch.cat([past[1], g], 1), trace, depth)  # [B, H, j, m]
        product = product @ shares.transpose(2, 3)  # e_t . (what step j writes to)
    order = torch.ones(length, length, device=value.device).tril()
    flat = memory.reshape(n, -1, size)
    index = slot.clamp(min=0)[..., None].expand(-1, -1, size)
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
    )  # [B, H, t, V / H]
    if depth:
        reached = torch.tril(same_slot[:, None] @ shares.transpose(2, 3), -1)
        own = torch.eye(length, device=value.device)
        added = ((reached + own) @ u).transpose(1, 2).reshape(n, length, size)
        rows = here[:, :, None] * of.transpose(1, 2)[:, None]  # [B, t, A, m]
        rows = torch.einsum("btam,bhjm->bhtaj", rows, shares) * order[:, None]
        read = at_seen + torch.einsum("bhtaj,bhjc->btahc", rows, u).reshape(at_seen.shape)
        spread = torch.einsum("bhjm,bhjc->bmhc", shares, u).reshape(n, -1, size)
    else:
        spread = u.transpose(1, 2).reshape(n, length, size)
        added = (same_slot * order) @ spread
        rows = (of[..., None] * spread[:, :, None]).reshape(n, length, n_actions * size)
        read = at_seen + ((here * order) @ rows).view(n, length, n_actions, size)
    wrote = (at_slot + added) * writes[..., None]
    where = slots.clamp(min=0)[..., None].expand(-1, -1, size)
    after = flat.scatter_add(1, where, spread * known[..., None]).view_as(memory)
    return read, wrote, after

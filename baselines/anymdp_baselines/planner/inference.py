"""The network at play: the preferences of `model.Planner`, compiled, run by run, and without PyTorch.

They are equal but for rounding (tested), and cost less. States that a run has never met have the same
features, so one stands for all of them. Where no action was tried, all actions have the same features, so one
stands for all. With m states acted in, k that were met but not acted in and one for the rest, the products
are with matrices [m A, m + k + 1] in place of [O A, O]. The equations and the layers' names are `model`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_baselines.layers import layer_norm, product, silu
from anymdp_baselines.planner.edges import build_edges, multiply_sparse
from anymdp_baselines.planner.features import (
    KNOWN,
    SLOT_FEATURES,
    STATE_FEATURES,
    compute_run_features,
)
from anymdp_baselines.planner.memory import Float32s

TRUST = 10.0  # nats a unit of advantage that the output `trust` stands for
LEVELS = (
    0.1,
    0.25,
    0.5,
    0.7,
    0.8,
    0.9,
    0.95,
)  # of the advantage's quantiles; for training alone
_VISITED, _ARRIVALS = 5, 7  # columns of `Features.state`


class Network(NamedTuple):
    """The weights of a planner as [in, out]; those with a common input lie side by side."""

    slot: Float32s  # [SLOT_FEATURES, 2 d]  slot_in, out_raw
    state: Float32s  # [STATE_FEATURES, 2 d]  slot_state, state_in
    state_bias: Float32s  # [2 d]
    h: Float32s  # [d, 2 d]  from_state, from_next
    update: Float32s  # [3 d, d]
    update_bias: Float32s  # [d]
    out_slot: Float32s  # [d, d]
    out_state: Float32s  # [d, d]
    out_bias: Float32s  # [d]
    head: Float32s  # [d, 1]
    head_bias: Float32s  # [1]
    trust: Float32s  # [d, 1]
    trust_bias: Float32s  # [1]
    loops: int


def build_network(layers: Mapping[str, npt.NDArray[Any]], width: int, loops: int) -> Network:
    """Builds the network from the layers of `model.Planner` by name.

    Raises:
        ValueError: a layer is missing or of another shape, type or finiteness; the message is one line.
    """
    d = width
    shapes: dict[str, tuple[int, ...]] = {
        "slot_in.weight": (d, SLOT_FEATURES), "slot_in.bias": (d,),
        "slot_state.weight": (d, STATE_FEATURES), "slot_state.bias": (d,),
        "state_in.weight": (d, STATE_FEATURES), "state_in.bias": (d,),
        "from_state.weight": (d, d), "from_next.weight": (d, d),
        "update.weight": (d, 3 * d), "update.bias": (d,),
        "out_slot.weight": (d, d), "out_slot.bias": (d,), "out_state.weight": (d, d),
        "out_raw.weight": (d, SLOT_FEATURES),
        "head.weight": (1 + len(LEVELS), d), "head.bias": (1 + len(LEVELS),),
        "trust.weight": (1, d), "trust.bias": (1,),
    }  # fmt: skip
    if layers.keys() != shapes.keys():
        raise ValueError(f"its layers are not those of a planner: {', '.join(layers)[:100]}")
    for name, shape in shapes.items():
        layer = layers[name]
        if layer.shape != shape:
            raise ValueError(f"{name} has shape {list(layer.shape)}, not {list(shape)}")
        if layer.dtype != np.float32:
            raise ValueError(f"its weights are not float32: {name}")
        if not np.isfinite(layer).all():
            raise ValueError(f"its weights are not finite: {name}")

    def side_by_side(*names: str) -> Float32s:
        return np.ascontiguousarray(np.concatenate([layers[f"{n}.weight"] for n in names]).T)

    slot_bias = layers["slot_in.bias"] + layers["slot_state.bias"]
    return Network(
        side_by_side("slot_in", "out_raw"),
        side_by_side("slot_state", "state_in"),
        np.concatenate([slot_bias, layers["state_in.bias"]]),
        side_by_side("from_state", "from_next"),
        side_by_side("update"),
        layers["update.bias"],
        side_by_side("out_slot"),
        side_by_side("out_state"),
        layers["out_slot.bias"],
        layers["head.weight"][0][:, None].copy(),
        layers["head.bias"][:1].copy(),
        np.ascontiguousarray(layers["trust.weight"].T),
        layers["trust.bias"],
        loops,
    )


@njit(cache=True, nogil=True)
def _find_distinct_states(state):
    """Returns (distinct states: acted in, then met, then one of the rest; the place of each state; m)."""
    n = len(state)
    distinct, place = np.empty(n, np.int64), np.empty(n, np.int64)
    count = acted = 0
    for o in range(n):
        if state[o, _VISITED] > 0.0:
            distinct[count], place[o] = o, count
            count += 1
    acted = count
    for o in range(n):
        if state[o, _VISITED] == 0.0 and state[o, _ARRIVALS] > 0.0:
            distinct[count], place[o] = o, count
            count += 1
    rest = count
    for o in range(n):
        if state[o, _VISITED] == 0.0 and state[o, _ARRIVALS] == 0.0:
            distinct[rest], place[o] = o, rest
            count = rest + 1
    return distinct[:count], place, acted


@njit(cache=True, nogil=True)
def _gather_features(features, row, distinct, acted):
    """Returns (features of slots [m A + k - m, F], of states [k, F]) of the distinct states."""
    n_actions = features.slot.shape[2]
    k, rows = len(distinct), acted * n_actions
    slot = np.empty((rows + k - acted, features.slot.shape[3]), np.float32)
    state = np.empty((k, features.state.shape[2]), np.float32)
    for i in range(k):
        state[i] = features.state[row, distinct[i]]
        if i >= acted:
            slot[rows + i - acted] = features.slot[row, distinct[i], 0]
        else:
            slot[i * n_actions : (i + 1) * n_actions] = features.slot[row, distinct[i]]
    return slot, state


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _pool_actions(z, acted, n_actions, message):
    """Writes maximum and mean of z over every state's actions to the first 2 d columns of `message`."""
    k, d = len(message), z.shape[1]
    for i in range(k):
        width = n_actions if i < acted else 1
        first = i * n_actions if i < acted else acted * n_actions + i - acted
        most, mean = message[i, :d], message[i, d : 2 * d]
        most[:] = mean[:] = z[first]
        for r in range(first + 1, first + width):
            one = z[r]
            for j in range(d):
                most[j] = max(most[j], one[j])
                mean[j] += one[j]
        for j in range(d):
            mean[j] /= np.float32(width)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _add_inputs(x, row_state, both, z):
    """Adds x and the first d columns of the row's state in `both` to z."""
    for r in range(len(z)):
        i = row_state[r]
        for j in range(z.shape[1]):
            z[r, j] += x[r, j] + both[i, j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def compute_logits(network, features, row, out):
    """Writes the logit of every (o, a) to `out` [O, A], from row `row` of `features`."""
    d, n_actions = len(network.head), features.slot.shape[2]
    distinct, place, acted = _find_distinct_states(features.state[row])
    onward, inward = build_edges(features, row, distinct, place, acted)
    slot, state = _gather_features(features, row, distinct, acted)
    k, rows = len(distinct), acted * n_actions
    row_state = np.empty(len(slot), np.int64)
    for r in range(len(slot)):
        row_state[r] = r // n_actions if r < rows else acted + r - rows
    raw, about = product(slot, network.slot), product(state, network.state)
    x, h = np.empty((len(slot), d), np.float32), np.empty((k, d), np.float32)
    for r in range(len(slot)):
        for j in range(d):
            x[r, j] = raw[r, j] + about[row_state[r], j] + network.state_bias[j]
    for i in range(k):
        for j in range(d):
            h[i, j] = about[i, d + j] + network.state_bias[d + j]
    layer_norm(h)
    z = np.empty_like(x)
    following, arrived = np.empty((k, d), np.float32), np.empty((k, d), np.float32)
    message = np.empty((k, 3 * d), np.float32)
    for _ in range(network.loops):
        both = product(h, network.h)
        following[:] = both[:, d:]
        multiply_sparse(onward, following, z)
        z[rows:] = 0.0
        _add_inputs(x, row_state, both, z)
        silu(z.ravel())
        _pool_actions(z, acted, n_actions, message)
        multiply_sparse(inward, z, arrived)
        message[:, 2 * d :] = arrived
        change = product(message, network.update)
        for i in range(k):
            for j in range(d):
                h[i, j] += change[i, j] + network.update_bias[j]
        layer_norm(h)
    hidden, own = product(z, network.out_slot), product(h, network.out_state)
    for r in range(len(slot)):
        for j in range(d):
            hidden[r, j] += own[row_state[r], j] + raw[r, d + j] + network.out_bias[j]
    silu(hidden.ravel())
    answer = product(hidden, network.head)
    trust = product(h, network.trust)
    for o in range(len(place)):
        i = place[o]
        for a in range(n_actions):
            r = i * n_actions + a if i < acted else rows + i - acted
            nats = TRUST * (trust[i, 0] + network.trust_bias[0])
            out[o, a] = answer[r, 0] + network.head_bias[0] + nats * features.slot[row, o, a, KNOWN]


@njit(cache=True, nogil=True)
def plan_runs_without_network(memory, runs, features, advantage):
    """Plans `runs` in the first model of `features` alone; writes the `advantage` of `plan_runs`."""
    for i in runs:
        compute_run_features(memory, i, features, 0)
        advantage[i] = features.slot[0, :, :, KNOWN]


@njit(cache=True, nogil=True)
def plan_runs(network, memory, runs, features, logit, advantage):
    """Plans `runs` (int64 [k]).

    Args:
        network: the network.
        memory: what the runs have seen.
        runs: the runs to plan.
        features: features of one run, which are overwritten.
        logit: is written, [n, O, A].
        advantage: is written, [n, O, A]: the advantage in the first model of `features`, in units of what a
            choice of action is worth, at least -2.
    """
    for i in runs:
        compute_run_features(memory, i, features, 0)
        compute_logits(network, features, 0, logit[i])
        advantage[i] = features.slot[0, :, :, KNOWN]

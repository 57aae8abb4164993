"""The planning memory in compiled code, without PyTorch: a step of what `mixers.planning_memory` computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.layers import add_layer, hidden_layer, matmul, rms_norm
from anymdp_baselines.omnirl.value_iteration import (
    STEEPNESS,
    PlanWeights,
    backups,
    is_linear,
    plan_step,
)
from anymdp_bench.datasets.codes import NOTHING, TERMINATED
from anymdp_bench.engine.arrays import AnyArray


class PlanLayers(NamedTuple):
    """The weights of `mixers.planning_memory`; matrices are [in, out], all empty where there is none."""

    to_write: AnyArray
    to_write_bias: AnyArray
    from_rows: AnyArray
    from_rows_bias: AnyArray
    from_main: AnyArray
    to_actions: AnyArray
    to_actions_bias: AnyArray
    to_main: AnyArray
    to_main_bias: AnyArray
    norm_main: AnyArray
    weights: PlanWeights
    backups: int  # states that a step backs up


def plan_layers(tensors: Mapping[str, AnyArray], in_turn: int) -> PlanLayers:
    """Returns the weights of a planning memory by the names that a model's state dict has for them.

    Args:
        tensors: the weights.
        in_turn: states backed up in turn at each step.
    """

    def one(name: str) -> AnyArray:
        array = np.asarray(tensors.get(f"plan.{name}", np.zeros((0, 0))), np.float32)
        return np.ascontiguousarray(
            array.T if name.endswith("weight") and array.ndim == 2 else array
        )

    def vector(name: str) -> AnyArray:
        return one(name).ravel()

    names = ("to_write", "from_rows", "to_actions", "to_main")
    first, rows, actions, main = ((one(f"{n}.weight"), vector(f"{n}.bias")) for n in names)
    discount = 1.0 / (1.0 + np.exp(-STEEPNESS * vector("discount")))
    share = 1.0 - discount
    learned = (
        share, discount, vector("prior"), np.exp(vector("pseudo")),
        STEEPNESS * vector("sharpness") / share,
    )  # fmt: skip
    weights = PlanWeights(*(x.astype(np.float32) for x in learned))
    from_main, norm = one("from_main.weight"), vector("norm_main.weight")
    states = backups(in_turn)
    return PlanLayers(*first, *rows, from_main, *actions, *main, norm, weights, states)


@njit(cache=True, nogil=True)
def pool(actions, n, out, first):
    """Writes the mean and the maximum over a run's `actions` [n A, d] to `out`, from column `first` on."""
    d, n_actions = actions.shape[1], len(actions) // n
    share = np.float32(1.0 / n_actions)
    for i in range(n):
        for j in range(d):
            total = most = actions[i * n_actions, j]
            for a in range(i * n_actions + 1, (i + 1) * n_actions):
                total += actions[a, j]
                most = max(most, actions[a, j])
            out[i, first + j], out[i, first + d + j] = total * share, most


@njit(cache=True, nogil=True, error_model="numpy")
def _squash(x):
    return x / np.sqrt(np.float32(1.0) + abs(x))


@njit(cache=True, nogil=True, error_model="numpy")
def read_plan(
    layers, memory, main, actions, slot, seen, reward, scale, ending, arrival, n_observations
):
    """Begins `actions` with what the planning memory [n, F] reads, and adds it to `main` [n, width]."""
    n, columns = len(main), layers.to_write.shape[1]
    n_actions, d, one = len(actions) // n, actions.shape[1], np.float32(1.0)
    given = np.empty((n, columns), np.float32)
    matmul(main, layers.to_write, given)
    rows = np.empty((n * n_actions, layers.from_rows.shape[0]), np.float32)
    pooled = np.empty((n, columns + 2 * d), np.float32)
    order = np.empty(layers.backups, np.int64)
    log = np.empty((0, n_actions, columns), np.float32)
    share = layers.weights.share
    for i in range(n):
        unit = one / max(scale[i], np.float32(1e-6))
        for c in range(columns):
            if is_linear(c, columns):
                given[i, c] = reward[i]
            else:
                given[i, c] += layers.to_write_bias[c]
        is_over = ending[i] == NOTHING or ending[i] == TERMINATED
        visits, table, value = plan_step(
            memory[i], n_observations, n_actions, slot[i], -1 if is_over else arrival[i], seen[i],
            given[i], scale[i], layers.weights, order, log,
        )  # fmt: skip
        for c in range(columns):
            u = unit if is_linear(c, columns) else one
            pooled[i, c] = value[seen[i], c] * u
            for a in range(n_actions):
                x = table[seen[i] * n_actions + a, c]
                rows[i * n_actions + a, c] = x * u
                better = (x - value[seen[i], c]) * (u / share[c])
                rows[i * n_actions + a, columns + c] = _squash(better)
        for a in range(n_actions):
            count = visits[seen[i] * n_actions + a]
            rows[i * n_actions + a, 2 * columns] = np.log(one + count) / np.float32(4.0)
            rows[i * n_actions + a, 2 * columns + 1] = one / (one + count)
    each = np.empty((n, layers.from_main.shape[1]), np.float32)
    matmul(rms_norm(main, layers.norm_main), layers.from_main, each)
    hidden = hidden_layer(rows, layers.from_rows, layers.from_rows_bias, each)
    add_layer(actions, hidden, layers.to_actions, layers.to_actions_bias)
    pool(actions, n, pooled, columns)
    add_layer(main, pooled, layers.to_main, layers.to_main_bias)

"""`omnirl` and `omnirl-linear` in compiled code, without PyTorch: one call a step for all runs.

The equations and names are those of `model` and `mixers.delta_memory`; the numbers equal theirs but for
rounding (tested). A run's numbers do not depend on the runs beside it, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.layers import add_bias, add_layer, hidden_layer, matmul, rms_norm
from anymdp_baselines.omnirl.codes import REWARD_FEATURES, state_codes
from anymdp_baselines.omnirl.inference_plan import plan_layers, pool, read_plan
from anymdp_baselines.omnirl.recurrence import (
    POWER_STEEPNESS,
    key_step,
    slot_step,
    sum_rows,
)
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.value_iteration import plan_size
from anymdp_bench.datasets.codes import ENDINGS, NOTHING, TAGS, WENT_ON
from anymdp_bench.engine.arrays import AnyArray, Float32s, Float64s


class Weights(NamedTuple):
    """The weights of a model; matrices are [in, out], and those of L blocks are stacked, [L, ...]."""

    embed: AnyArray
    embed_bias: AnyArray
    norm_main: AnyArray
    norm_actions: AnyArray
    to_write: AnyArray
    to_write_bias: AnyArray
    policy: AnyArray
    power: AnyArray  # [L, H], or [L, 0] where the memory does not average
    from_slots: AnyArray
    from_slots_bias: AnyArray
    from_main: AnyArray
    to_actions: AnyArray
    to_actions_bias: AnyArray
    to_main: AnyArray
    to_main_bias: AnyArray
    norm: AnyArray
    widen: AnyArray
    widen_bias: AnyArray
    narrow: AnyArray
    narrow_bias: AnyArray
    last_norm: AnyArray
    last_norm_actions: AnyArray
    last_from_main: AnyArray
    last_from_main_bias: AnyArray
    last_from_actions: AnyArray
    last_from_actions_bias: AnyArray
    to_action: AnyArray
    to_action_bias: AnyArray


def stack_weights(tensors: Mapping[str, AnyArray], n_blocks: int) -> Weights:
    """Returns the weights of a model by the names that its state dict has for them."""

    def one(name: str) -> AnyArray:
        array = np.asarray(tensors[name], np.float32)
        return np.ascontiguousarray(array.T if array.ndim == 2 else array)

    def each(name: str) -> AnyArray:
        return np.stack([one(name.format(k)) for k in range(n_blocks)])

    def layer(name: str, get: Any = each) -> tuple[AnyArray, AnyArray]:
        return get(f"{name}.weight"), get(f"{name}.bias")

    power: AnyArray = np.zeros((n_blocks, 0), np.float32)
    if "mixers.0.power" in tensors:
        power = 1.0 / (1.0 + np.exp(-POWER_STEEPNESS * each("mixers.{}.power")))
    return Weights(
        *layer("tokens.embed", one),
        each("mixers.{}.norm_main.weight"),
        each("mixers.{}.norm_actions.weight"),
        *layer("mixers.{}.to_write"),
        each("mixers.{}.policy.weight"),
        power,
        *layer("mixers.{}.from_slots"),
        each("mixers.{}.from_main.weight"),
        *layer("mixers.{}.to_actions"),
        *layer("mixers.{}.to_main"),
        each("feeds.{}.norm.weight"),
        *layer("feeds.{}.widen"),
        *layer("feeds.{}.narrow"),
        one("norm.weight"),
        one("norm_actions.weight"),
        *layer("from_main", one),
        *layer("from_actions", one),
        *layer("to_action", one),
    )


def key_tables(
    tensors: Mapping[str, AnyArray], n_blocks: int, n_observations: int, n_actions: int
) -> tuple[Float32s, Float32s]:
    """Returns the learned keys of all slots, [L, O A, K], and their products, [L, O A, O A]."""
    tables = []
    for k in range(n_blocks):
        of_state = np.asarray(tensors[f"mixers.{k}.of_state"])[:n_observations]
        of_action = np.asarray(tensors[f"mixers.{k}.of_action"])[:n_actions]
        both = (of_state[:, None] * of_action[None]).reshape(-1, of_state.shape[1])
        length = np.sqrt((both * both).sum(1, dtype=np.float32, keepdims=True))
        tables.append(both / np.maximum(length, np.float32(1e-12)))
    table = np.stack(tables).astype(np.float32)
    return table, (table @ table.transpose(0, 2, 1)).astype(np.float32)


class CompiledNetwork:
    """A network that plays in compiled code, for those whose kind it `supports`.

    Args:
        size: the size of the model.
        tensors: its weights by name, as NumPy arrays.
    """

    def __init__(self, size: ModelSize, tensors: Mapping[str, AnyArray]) -> None:
        self.size = size
        self._tables: dict[tuple[int, int], tuple[Float32s, Float32s]] = {}
        self._codes = np.zeros((0, 0), np.float32)
        self.load(tensors)

    @staticmethod
    def supports(kind: str) -> bool:
        """Returns whether models of this kind can be played."""
        return kind in ("delta", "linear")

    def load(self, tensors: Mapping[str, AnyArray]) -> None:
        """Takes over other weights of the same size."""
        self._tensors = tensors
        self._weights = stack_weights(tensors, self.size.blocks)
        self._plan = plan_layers(tensors, self.size.plan_turns)
        self._tables.clear()

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> list[Float32s]:
        """Returns memories of `n` runs that have seen nothing, [n, ...] each; that of the plan is last."""
        size = self.size
        rows = n_observations
        rows += sum_rows(rows, size.heads, size.slot_size) if size.averages else 0
        shape: tuple[int, ...] = (rows, n_actions, size.slot_size)
        if size.kind == "linear":
            shape = (size.slot_size, size.key_size)
        out = [np.zeros((n, *shape), np.float32) for _ in range(size.blocks)]
        if size.plan_columns:
            floats = plan_size(n_observations, n_actions, size.plan_columns)
            out.append(np.zeros((n, floats), np.float32))
        return out

    def logits(
        self,
        steps: tuple[AnyArray, ...],
        state: list[Float32s],
        n_observations: int,
        n_actions: int,
    ) -> Float64s:
        """Writes a step to memory; returns preferences of actions, float64 [n, A]. Changes `state`.

        Args:
            steps: the fields of `tokens.StepInputs`, [n] each.
            state: the memories (see `initial_state`).
            n_observations: O of the tasks.
            n_actions: A of them.
        """
        if len(self._codes) < n_observations:
            self._codes = state_codes(n_observations)
        table, gram = self._keys(n_observations, n_actions)
        blocks = state[: self.size.blocks]
        rows = tuple(memory.reshape(len(memory), -1, memory.shape[-1]) for memory in blocks)
        planned = state[-1] if self.size.plan_columns else np.zeros((0, 0), np.float32)
        given = (*steps, self._codes, rows, table, gram, self.size.heads, self.size.bootstrap)
        shape = n_actions, n_observations
        out: Float64s = _step(self._weights, self._plan, planned, given, *shape).astype(np.float64)
        return out

    def _keys(self, n_observations: int, n_actions: int) -> tuple[Float32s, Float32s]:
        shape = (n_observations, n_actions)
        if shape not in self._tables:
            if self.size.kind == "linear":
                self._tables[shape] = key_tables(self._tensors, self.size.blocks, *shape)
            else:
                none = np.empty((self.size.blocks, 0, 0), np.float32)
                self._tables[shape] = none, none
        return self._tables[shape]


@njit(cache=True, nogil=True)
def _fill_features(out, seen, left, action, reward, scale, ending, arrival, tag, codes):
    """Writes what `tokens.NamelessTokens` embeds of each step, [n, F]."""
    low, high = np.float32(-4.0), np.float32(4.0)
    for i in range(len(seen)):
        r, s = reward[i], max(scale[i], np.float32(1e-6))
        row = out[i]
        row[:] = np.float32(0.0)
        row[0] = min(max(r / s, low), high)
        row[1] = np.log(s) / np.float32(2.0)
        row[2] = min(max(r, low), high) / np.float32(2.0)
        row[3] = np.arcsinh(r)
        row[4] = np.arcsinh(np.float32(10.0) * r) / np.float32(2.0)
        row[5] = np.tanh(r)
        row[REWARD_FEATURES + ending[i]] = np.float32(1.0)
        row[REWARD_FEATURES + ENDINGS + tag[i]] = np.float32(1.0)
        k = REWARD_FEATURES + ENDINGS + TAGS
        if seen[i] == left[i]:
            row[k] = np.float32(1.0)
        row[k + 1 :] = codes[arrival[i]]


@njit(cache=True, nogil=True, error_model="numpy")
def _gates(given, policy, bias, going, heads, bootstrap, n_actions):
    """Returns (value [n, V], beta [n, H], g [n, H, A]) of `recurrence`."""
    n, size = len(given), given.shape[1] - 2 * heads
    value, beta = np.empty((n, size), np.float32), np.empty((n, heads), np.float32)
    g = np.zeros((n, heads, n_actions), np.float32)
    one, each = np.float32(1.0), size // heads
    for i in range(n):
        for j in range(size + 2 * heads):
            given[i, j] += bias[j]
        for h in range(heads):
            beta[i, h] = one / (one + np.exp(-given[i, size + h]))
            discount = one / (one + np.exp(-given[i, size + heads + h]))
            if not bootstrap:
                discount = np.float32(0.0)
            for j in range(h * each, (h + 1) * each):
                value[i, j] = given[i, j] * (one - discount)
            most, total = policy[i * n_actions, h], np.float32(0.0)
            for a in range(n_actions):
                most = max(most, policy[i * n_actions + a, h])
            for a in range(n_actions):
                g[i, h, a] = np.exp(policy[i * n_actions + a, h] - most)
                total += g[i, h, a]
            for a in range(n_actions):
                g[i, h, a] *= discount * going[i] / total
    return value, beta, g


@njit(cache=True, nogil=True)
def _block(
    weights, k, main, actions, memory, slot, seen, going, table, gram, heads, bootstrap, n_slots
):  # fmt: skip
    """Takes `main` [n, width], `actions` [n A, per_action] and `memory` [n, rows, V] through block `k`."""
    n, d = len(main), actions.shape[1]
    n_actions = len(actions) // n
    main_ = rms_norm(main, weights.norm_main[k])
    actions_ = rms_norm(actions, weights.norm_actions[k])
    given = np.empty((n, weights.to_write.shape[2]), np.float32)
    matmul(main_, weights.to_write[k], given)
    policy = np.empty((len(actions), heads), np.float32)
    matmul(actions_, weights.policy[k], policy)
    value, beta, g = _gates(
        given, policy, weights.to_write_bias[k], going, heads, bootstrap, n_actions
    )
    size = value.shape[1]
    rows = np.empty((n, n_actions, size + d), np.float32)
    pooled = np.empty((n, size + 2 * d), np.float32)
    read = np.empty((n_actions, size), np.float32)
    wrote, error = np.empty(size, np.float32), np.empty(size, np.float32)
    for i in range(n):
        base = seen[i] * n_actions
        if len(table):
            key_step(
                slot[i], base, value[i], beta[i], g[i], table, gram, memory[i], read, wrote, error
            )
        else:
            if weights.power.shape[1] and slot[i] >= 0:
                sums = memory[i, n_slots:].ravel()
                for h in range(heads):
                    sums[slot[i] * heads + h] += beta[i, h]
                    seen_before = np.log(sums[slot[i] * heads + h])
                    beta[i, h] *= np.exp(-weights.power[k, h] * seen_before)
            slot_step(slot[i], base, value[i], beta[i], g[i], memory[i], read, wrote, error)
        for a in range(n_actions):
            for j in range(size):
                rows[i, a, j] = read[a, j]
            for j in range(d):
                rows[i, a, size + j] = actions_[i * n_actions + a, j]
        for j in range(size):
            pooled[i, j] = wrote[j]
    each = np.empty((n, weights.from_main.shape[2]), np.float32)
    matmul(main_, weights.from_main[k], each)
    flat = rows.reshape(n * n_actions, size + d)
    hidden = hidden_layer(flat, weights.from_slots[k], weights.from_slots_bias[k], each)
    add_layer(actions, hidden, weights.to_actions[k], weights.to_actions_bias[k])
    pool(actions, n, pooled, size)
    add_layer(main, pooled, weights.to_main[k], weights.to_main_bias[k])
    none = np.zeros((n, weights.widen.shape[2]), np.float32)
    inside = hidden_layer(
        rms_norm(main, weights.norm[k]), weights.widen[k], weights.widen_bias[k], none
    )
    add_layer(main, inside, weights.narrow[k], weights.narrow_bias[k])


@njit(cache=True, nogil=True)
def _step(weights, plan, planned, given, n_actions, n_observations):
    """Returns preferences of actions, [n, A], of what `CompiledNetwork.logits` gives; writes to memory."""
    (
        seen, left, action, reward, scale, ending, arrival, tag, codes, memory, table, gram, heads,
        bootstrap,
    ) = given  # fmt: skip
    n = len(seen)
    features = np.empty((n, weights.embed.shape[0]), np.float32)
    _fill_features(features, seen, left, action, reward, scale, ending, arrival, tag, codes)
    slot, going = np.empty(n, np.int64), np.zeros(n, np.float32)
    for i in range(n):
        slot[i] = -1 if ending[i] == NOTHING else left[i] * n_actions + action[i]
        if ending[i] == WENT_ON:
            going[i] = np.float32(1.0)
    main = np.empty((n, weights.embed.shape[1]), np.float32)
    matmul(features, weights.embed, main)
    add_bias(main, weights.embed_bias)
    actions = np.zeros((n * n_actions, weights.norm_actions.shape[1]), np.float32)
    n_slots = n_observations * n_actions
    if len(planned):
        read_plan(
            plan, planned, main, actions, slot, seen, reward, scale, ending, arrival, n_observations
        )
    for k in range(len(memory)):
        _block(
            weights, k, main, actions, memory[k], slot, seen, going, table[k], gram[k], heads,
            bootstrap, n_slots,
        )  # fmt: skip
    return _read_out(weights, main, actions)


@njit(cache=True, nogil=True)
def _read_out(weights, main, actions):
    """Returns preferences of actions, [n, A]."""
    n = len(main)
    each = np.empty((n, weights.last_from_main.shape[1]), np.float32)
    matmul(rms_norm(main, weights.last_norm), weights.last_from_main, each)
    add_bias(each, weights.last_from_main_bias)
    rows = rms_norm(actions, weights.last_norm_actions)
    hidden = hidden_layer(rows, weights.last_from_actions, weights.last_from_actions_bias, each)
    out = np.empty((len(actions), weights.to_action.shape[1]), np.float32)
    matmul(hidden, weights.to_action, out)
    return out[:, 0].copy().reshape(n, -1) + weights.to_action_bias[0]

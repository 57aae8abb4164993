"""A step of `omnirl-delta` and `omnirl-linear` in compiled code: `SequenceModel.forward` for one step.

On the CPU PyTorch's calls cost more than the arithmetic of a step; here all runs go through a block in one
piece. The weights are the model's own memory, so they follow it through training. The numbers equal those of
the model but for rounding (tested). The equations and names are those of `model` and `mixers.delta_memory`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from torch import Tensor, nn

from anymdp_baselines.layers import gelu, product
from anymdp_baselines.omnirl.mixers import keys, slots
from anymdp_baselines.omnirl.mixers.delta_memory import DeltaMemory
from anymdp_baselines.omnirl.mixers.learned_memory import LearnedMemory
from anymdp_baselines.omnirl.model import FeedForward, SequenceModel, find_addresses
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_bench.engine.arrays import AnyArray

_EPSILON = np.float32(np.finfo(np.float32).eps)  # of PyTorch's RMSNorm


class Layer(NamedTuple):
    """A linear layer."""

    weight: AnyArray  # [in, out], transposed in memory
    bias: AnyArray  # [out]


class Block(NamedTuple):
    """The weights of a mixer and of the network after it."""

    norm_main: AnyArray
    norm_actions: AnyArray
    to_write: Layer
    policy: AnyArray  # [per_action, heads]
    from_slots: Layer
    from_main: AnyArray  # [width, hidden]
    to_actions: Layer
    to_main: Layer
    norm: AnyArray
    widen: Layer
    narrow: Layer


class Head(NamedTuple):
    """The weights after the last block."""

    norm: AnyArray
    norm_actions: AnyArray
    from_main: Layer
    from_actions: Layer
    to_action: Layer


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy()


def _layer(layer: nn.Linear) -> Layer:
    return Layer(_array(layer.weight).T, _array(layer.bias))


def _block(mixer: DeltaMemory, feed: FeedForward) -> Block:
    return Block(
        _array(mixer.norm_main.weight), _array(mixer.norm_actions.weight), _layer(mixer.to_write),
        _array(mixer.policy.weight).T, _layer(mixer.from_slots), _array(mixer.from_main.weight).T,
        _layer(mixer.to_actions), _layer(mixer.to_main),
        _array(feed.norm.weight), _layer(feed.widen), _layer(feed.narrow),
    )  # fmt: skip


class CompiledStep:
    """One step of a model, compiled, for those that it `supports`.

    Args:
        model: the model, on the CPU; its parameters may change in place.
    """

    def __init__(self, model: SequenceModel) -> None:
        self._model, size = model, model.size
        pairs = zip(model.mixers, model.feeds, strict=True)
        self._blocks = [_block(mixer, feed) for mixer, feed in pairs]  # type: ignore[arg-type]
        self._head = Head(
            _array(model.norm.weight), _array(model.norm_actions.weight), _layer(model.from_main),
            _layer(model.from_actions), _layer(model.to_action),
        )  # fmt: skip
        self._shape = (size.heads, size.bootstrap)
        # By block: versions of the embeddings, the table of keys that they make, its Gram matrix.
        self._keys: dict[int, tuple[Any, ...]] = {}

    @staticmethod
    def supports(model: SequenceModel) -> bool:
        """Returns whether there is a compiled step: for a model without ids in its tokens, on the CPU."""
        return model.nameless and model.sharpness.device.type == "cpu"

    def __call__(
        self, steps: StepInputs, state: list[Tensor], codes: Tensor, n_actions: int
    ) -> AnyArray:
        """Returns preferences of actions, float32 [n, A], after a step [n, 1]; changes `state`."""
        main: AnyArray = _array(self._model.tokens(steps, codes))[:, 0].copy()
        n = len(main)
        actions = np.zeros((n * n_actions, self._model.size.per_action), np.float32)
        addresses = find_addresses(steps, n_actions)
        slot, seen, going = (_array(x) for x in addresses)
        for k, (block, memory) in enumerate(zip(self._blocks, state, strict=True)):
            projected = _project(block, main, actions, going[:, 0], *self._shape)
            main_, actions_, value, beta, g = projected
            rows = memory.view(n, -1, memory.shape[-1]).numpy()
            read, wrote = self._scan(k, (slot, seen, value, beta, g), rows)
            _mix(block, main, actions, main_, actions_, read, wrote)
        out: AnyArray = _read_out(self._head, main, actions)
        return out

    def _scan(
        self, k: int, given: tuple[AnyArray, ...], memory: AnyArray
    ) -> tuple[AnyArray, AnyArray]:
        value, g = given[2], given[4]
        n, _, _, n_actions = g.shape
        read = np.empty((n, 1, n_actions, value.shape[2]), np.float32)
        wrote, error = np.empty_like(value), np.empty_like(value)
        mixer = self._model.mixers[k]
        if isinstance(mixer, LearnedMemory):
            args = (*given, *self._table(k, mixer, n_actions), memory, read, wrote, error)
            keys.scan_step(*args)
        else:
            args = (*given, memory, read, wrote, error)
            slots.scan_step(*args)
        return read, wrote

    def _table(self, k: int, mixer: LearnedMemory, n_actions: int) -> tuple[AnyArray, AnyArray]:
        """Returns the keys of all slots and their products, made anew when embeddings have changed."""
        now = (mixer.of_state._version, mixer.of_action._version, n_actions)
        if k not in self._keys or self._keys[k][0] != now:
            table = mixer._table(n_actions).detach()
            self._keys[k] = (now, table.numpy(), (table @ table.T).numpy())
        return self._keys[k][1:]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _rms_norm(x, weight):
    """Returns x scaled to a mean square of 1, times `weight`."""
    n, d = x.shape
    out = np.empty((n, d), np.float32)
    for i in range(n):
        square = np.float32(0.0)
        for j in range(d):
            square += x[i, j] * x[i, j]
        scale = np.float32(1.0) / np.sqrt(square / np.float32(d) + _EPSILON)
        for j in range(d):
            out[i, j] = scale * x[i, j] * weight[j]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _add(x, more, bias):
    """x <- x + more + bias."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += more[i, j] + bias[j]


@njit(cache=True, nogil=True, fastmath=True)
def _hidden(x, layer, each):
    """Returns gelu(layer(x) + each); `each` [n, out] is for n equal parts of the rows of x."""
    out = product(x, layer.weight)
    many = len(out) // len(each)
    for i in range(len(out)):
        k = i // many
        for j in range(out.shape[1]):
            out[i, j] += each[k, j] + layer.bias[j]
    gelu(out.ravel())
    return out


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _project(block, main, actions, going, heads, bootstrap):
    """Returns (normalised main and actions; value [n, 1, V], beta [n, 1, H], g [n, 1, H, A] of `slots`)."""
    n, n_actions = len(main), len(actions) // len(main)
    main_ = _rms_norm(main, block.norm_main)
    actions_ = _rms_norm(actions, block.norm_actions)
    given = product(main_, block.to_write.weight)
    policy = product(actions_, block.policy)
    size = given.shape[1] - 2 * heads
    value, beta = np.empty((n, 1, size), np.float32), np.empty((n, 1, heads), np.float32)
    g = np.zeros((n, 1, heads, n_actions), np.float32)
    one = np.float32(1.0)
    for i in range(n):
        for j in range(size + 2 * heads):
            given[i, j] += block.to_write.bias[j]
        for h in range(heads):
            beta[i, 0, h] = one / (one + np.exp(-given[i, size + h]))
            discount = one / (one + np.exp(-given[i, size + heads + h]))
            if not bootstrap:
                discount = np.float32(0.0)
            for j in range(h * (size // heads), (h + 1) * (size // heads)):
                value[i, 0, j] = given[i, j] * (one - discount)
            most, total = policy[i * n_actions, h], np.float32(0.0)
            for a in range(n_actions):
                most = max(most, policy[i * n_actions + a, h])
            for a in range(n_actions):
                g[i, 0, h, a] = np.exp(policy[i * n_actions + a, h] - most)
                total += g[i, 0, h, a]
            for a in range(n_actions):
                g[i, 0, h, a] *= discount * going[i] / total
    return main_, actions_, value, beta, g


@njit(cache=True, nogil=True, fastmath=True)
def _mix(block, main, actions, main_, actions_, read, wrote):
    """Adds to `main` [n, width] and `actions` [n A, per_action] what the block makes of the rows read."""
    n, n_actions, size = len(main), read.shape[2], read.shape[3]
    d = actions.shape[1]
    rows = np.empty((n * n_actions, size + d), np.float32)
    rows[:, :size] = read.reshape(n * n_actions, size)
    rows[:, size:] = actions_
    hidden = _hidden(rows, block.from_slots, product(main_, block.from_main))
    _add(actions, product(hidden, block.to_actions.weight), block.to_actions.bias)
    pooled = np.empty((n, size + 2 * d), np.float32)
    share = np.float32(1.0 / n_actions)
    for i in range(n):
        for j in range(size):
            pooled[i, j] = wrote[i, 0, j]
        for j in range(d):
            total = most = actions[i * n_actions, j]
            for a in range(i * n_actions + 1, (i + 1) * n_actions):
                total += actions[a, j]
                most = max(most, actions[a, j])
            pooled[i, size + j], pooled[i, size + d + j] = total * share, most
    _add(main, product(pooled, block.to_main.weight), block.to_main.bias)
    inside = product(_rms_norm(main, block.norm), block.widen.weight)
    for i in range(n):
        for j in range(inside.shape[1]):
            inside[i, j] += block.widen.bias[j]
    gelu(inside.ravel())
    _add(main, product(inside, block.narrow.weight), block.narrow.bias)


@njit(cache=True, nogil=True, fastmath=True)
def _read_out(head, main, actions):
    """Returns logits [n, A]."""
    n = len(main)
    each = product(_rms_norm(main, head.norm), head.from_main.weight)
    for i in range(n):
        for j in range(each.shape[1]):
            each[i, j] += head.from_main.bias[j]
    hidden = _hidden(_rms_norm(actions, head.norm_actions), head.from_actions, each)
    both = product(hidden, head.to_action.weight)
    return (both[:, 0] + head.to_action.bias[0]).copy().reshape(n, len(actions) // n)

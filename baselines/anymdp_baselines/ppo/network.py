"""The actor and the critic of PPO as tables, compiled: forward, gradient, and Adam.

They are the networks of Stable-Baselines3's (SB3) "MlpPolicy" on one-hot observations: two hidden layers of
64 tanh units each for the actor and the critic, which share nothing. An observation is an id, so that the
first layer is a look-up, and a batch of any size needs one forward pass of the ids in it. All weights are
parts of one float32 vector, `theta`. With O observations, A actions and H hidden units these are, in order,

    actor:  [O, H], [H], [H, H], [H], [H, A], [A]        critic:  [O, H], [H], [H, H], [H], [H, 1], [1]
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_baselines.layers import matmul, tanh
from anymdp_bench.engine.arrays import Float32s

HIDDEN = 64
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-5  # of SB3's Adam
_ONE = np.float32(1.0)


def parameter_count(n_observations: int, n_actions: int) -> int:
    """Returns the number of weights of both networks."""
    body = n_observations * HIDDEN + HIDDEN + HIDDEN * HIDDEN + HIDDEN
    return 2 * body + (HIDDEN + 1) * (n_actions + 1)


def initial_parameters(n_observations: int, n_actions: int, rng: np.random.Generator) -> Float32s:
    """Returns SB3's initial weights, float32 [parameter_count].

    Matrices are orthogonal (Saxe et al. 2014) times sqrt(2), 0.01 at the actor's outputs, and 1 at the
    critic's. Biases are 0.
    """
    theta = np.zeros(parameter_count(n_observations, n_actions), np.float32)
    for first, n_outputs, gain in ((True, n_actions, 0.01), (False, 1, 1.0)):
        parts = network_parts(theta, n_observations, n_actions, first)
        for weight, scale in zip(parts[::2], (math.sqrt(2), math.sqrt(2), gain), strict=True):
            weight[:] = scale * _orthogonal(weight.shape, rng)
        assert parts[4].shape[1] == n_outputs
    return theta


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> Float32s:
    """Returns a random matrix [rows, columns] whose shorter sides are orthonormal."""
    rows, columns = shape
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).astype(np.float32)


@njit(cache=True, nogil=True)
def network_parts(theta, n_observations, n_actions, is_actor):
    """Returns the views of `theta` that are the actor, or the critic: three matrices, each with its bias."""
    body = n_observations * HIDDEN + HIDDEN + HIDDEN * HIDDEN + HIDDEN
    begin, n_outputs = 0, n_actions
    if not is_actor:
        begin, n_outputs = body + (HIDDEN + 1) * n_actions, 1
    b0 = begin + n_observations * HIDDEN
    b1 = b0 + HIDDEN
    b2 = b1 + HIDDEN * HIDDEN
    b3 = b2 + HIDDEN
    b4 = b3 + HIDDEN * n_outputs
    return (
        theta[begin:b0].reshape(n_observations, HIDDEN), theta[b0:b1],
        theta[b1:b2].reshape(HIDDEN, HIDDEN), theta[b2:b3],
        theta[b3:b4].reshape(HIDDEN, n_outputs), theta[b4 : b4 + n_outputs],
    )  # fmt: skip


@njit(cache=True, nogil=True)
def forward(parts, ids, first, second, out):
    """Writes the hidden units, `first` and `second` [R, H], and the outputs `out` [R, K] of `ids` [R]."""
    w1, b1, w2, b2, w3, b3 = parts
    for i in range(len(ids)):
        for j in range(HIDDEN):
            first[i, j] = w1[ids[i], j] + b1[j]
    tanh(first.ravel())
    matmul(first, w2, second)
    for i in range(len(ids)):
        for j in range(HIDDEN):
            second[i, j] += b2[j]
    tanh(second.ravel())
    matmul(second, w3, out)
    for i in range(len(ids)):
        for j in range(len(b3)):
            out[i, j] += b3[j]


@njit(cache=True, nogil=True)
def _sum_rows(x, out):
    """Writes the sum of the rows of x [R, H] to `out` [H]."""
    out[:] = np.float32(0.0)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += x[i, j]


@njit(cache=True, nogil=True)
def _through_tanh(d, units):
    """d <- d times the derivative of tanh where its value is `units`."""
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            d[i, j] *= _ONE - units[i, j] * units[i, j]


@njit(cache=True, nogil=True)
def backward(parts, ids, first, second, d_out, gradient):
    """Writes the gradient of a network's weights, in the form of `parts`, from that of its outputs [R, K].

    `first` and `second` are what `forward` wrote; `ids` [R] are different from each other.
    """
    w1, b1, w2, b2, w3, b3 = gradient
    d_second, d_first = np.empty_like(second), np.empty_like(first)
    matmul(np.ascontiguousarray(second.T), d_out, w3)
    _sum_rows(d_out, b3)
    matmul(d_out, np.ascontiguousarray(parts[4].T), d_second)
    _through_tanh(d_second, second)
    matmul(np.ascontiguousarray(first.T), d_second, w2)
    _sum_rows(d_second, b2)
    matmul(d_second, np.ascontiguousarray(parts[2].T), d_first)
    _through_tanh(d_first, first)
    _sum_rows(d_first, b1)
    w1[:] = np.float32(0.0)
    for i in range(len(ids)):
        w1[ids[i]] = d_first[i]


@njit(cache=True, nogil=True)
def compute_tables(theta, n_observations, n_actions, log_policy, value):
    """Writes the log-probabilities [O, A] and the values [O] of all ids."""
    ids = np.arange(n_observations)
    first = np.empty((n_observations, HIDDEN), np.float32)
    second, out = np.empty_like(first), np.empty((n_observations, 1), np.float32)
    forward(network_parts(theta, n_observations, n_actions, False), ids, first, second, out)
    value[:] = out[:, 0]
    forward(network_parts(theta, n_observations, n_actions, True), ids, first, second, log_policy)
    log_softmax(log_policy)


@njit(cache=True, nogil=True)
def log_softmax(x):
    """Turns every row of x to log-probabilities."""
    for i in range(x.shape[0]):
        row = x[i]
        most = row.max()
        total = 0.0
        for j in range(len(row)):
            total += math.exp(row[j] - most)
        row -= np.float32(most + math.log(total))


@njit(cache=True, nogil=True)
def adam_step(theta, gradient, moments, count, learning_rate, max_norm):
    """Takes a step of Adam (Kingma and Ba 2015) along a gradient whose norm is cut at `max_norm`.

    Changes theta [P] and `moments` [2, P]; `count` is the number of this step, from 1 on.
    """
    square = 0.0
    for k in range(len(gradient)):
        square += gradient[k] * gradient[k]
    scale = np.float32(min(1.0, max_norm / (math.sqrt(square) + 1e-6)))
    step = np.float32(learning_rate / (1.0 - _BETA1**count))
    root = np.float32(1.0 / math.sqrt(1.0 - _BETA2**count))
    epsilon, keep1, keep2 = np.float32(_EPSILON), np.float32(_BETA1), np.float32(_BETA2)
    add1, add2 = np.float32(1.0 - _BETA1), np.float32(1.0 - _BETA2)
    mean, spread = moments[0], moments[1]
    for k in range(len(theta)):
        g = scale * gradient[k]
        mean[k] = keep1 * mean[k] + add1 * g
        spread[k] = keep2 * spread[k] + add2 * g * g
        theta[k] -= step * mean[k] / (np.sqrt(spread[k]) * root + epsilon)

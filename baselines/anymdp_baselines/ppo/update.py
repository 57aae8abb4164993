"""The update of PPO (Schulman et al. 2017), compiled: advantages, clipped losses and their gradient.

The losses and their order are those of Stable-Baselines3's `PPO.train`: clipped ratios, advantages that are
normalised in every minibatch, a squared error of the value with the weight 1/2, an entropy bonus, and a
gradient whose norm is at most 1/2. Its gradient with respect to the outputs of the ids is summed over the
minibatch first, and goes through the networks once for each id, so a minibatch costs as much as its ids.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.ppo.network import (
    HIDDEN,
    adam_step,
    backward,
    forward,
    log_softmax,
    network_parts,
)
from anymdp_bench.engine.arrays import Float32s, Float64s, Int64s

CLIP, VALUE_SHARE, MAX_NORM = 0.2, 0.5, 0.5  # SB3's defaults


class RolloutData(NamedTuple):
    """The steps of an update, N of them."""

    observation: Int64s  # [N]
    action: Int64s  # [N]
    log_probability: Float64s  # [N]  of the action, when it was taken
    advantage: Float64s  # [N]
    goal: Float64s  # [N]  what the value is compared with: value + advantage


@njit(cache=True, nogil=True)
def compute_advantages(value, reward, is_first, last_value, is_over, gamma, gae_lambda, out):
    """Writes generalised advantage estimates (Schulman et al. 2016) to `out`.

    Args:
        value: values of the observations, [T, n].
        reward: rewards, with the discounted value of what was reached added where an episode was truncated.
        is_first: whether a step is the first of its episode.
        last_value: values of the observations after the last step, [n].
        is_over: whether the last step ended an episode, [n].
        gamma: the discount.
        gae_lambda: the lambda of the estimates.
        out: [T, n].
    """
    length, n = reward.shape
    for i in range(n):
        total = 0.0
        for t in range(length - 1, -1, -1):
            if t == length - 1:
                goes_on, ahead = not is_over[i], last_value[i]
            else:
                goes_on, ahead = not is_first[t + 1, i], value[t + 1, i]
            if goes_on:
                error = reward[t, i] + gamma * ahead - value[t, i]
                total = error + gamma * gae_lambda * total
            else:
                total = reward[t, i] - value[t, i]
            out[t, i] = total


@njit(cache=True, nogil=True)
def _find_ids(observation, batch, place):
    """Returns the ids of a minibatch in the order of appearance; writes where each is to `place` [O]."""
    ids = np.empty(len(place), np.int64)
    place[:] = -1
    n = 0
    for k in batch:
        o = observation[k]
        if place[o] < 0:
            place[o] = n
            ids[n] = o
            n += 1
    return ids[:n]


@njit(cache=True, nogil=True)
def _actor_gradient(steps, batch, place, log_policy, entropy_share, out):
    """Writes the gradient of the actor's loss with respect to its outputs to `out` [R, A]."""
    n = len(batch)
    mean = 0.0
    for k in batch:
        mean += steps.advantage[k]
    mean /= n
    square = 0.0
    for k in batch:
        square += (steps.advantage[k] - mean) ** 2
    deviation = math.sqrt(square / (n - 1)) if n > 1 else 0.0
    visits = np.zeros(len(out))
    total = np.zeros(len(out))  # of the gradients of the log-probabilities of an id
    out[:] = np.float32(0.0)
    for k in batch:
        row, a = place[steps.observation[k]], steps.action[k]
        advantage = steps.advantage[k]
        if n > 1:
            advantage = (advantage - mean) / (deviation + 1e-8)
        ratio = math.exp(log_policy[row, a] - steps.log_probability[k])
        visits[row] += 1.0
        if (advantage > 0.0 and ratio > 1.0 + CLIP) or (advantage < 0.0 and ratio < 1.0 - CLIP):
            continue
        slope = -advantage * ratio / n
        out[row, a] += np.float32(slope)
        total[row] += slope
    for row in range(len(out)):
        entropy = 0.0
        for a in range(out.shape[1]):
            entropy -= math.exp(log_policy[row, a]) * log_policy[row, a]
        for a in range(out.shape[1]):
            p = math.exp(log_policy[row, a])
            bonus = entropy_share * visits[row] / n * p * (log_policy[row, a] + entropy)
            out[row, a] += np.float32(bonus - p * total[row])


@njit(cache=True, nogil=True)
def _critic_gradient(steps, batch, place, value, out):
    """Writes the gradient of the critic's loss with respect to its outputs to `out` [R, 1]."""
    share = 2.0 * VALUE_SHARE / len(batch)
    out[:] = np.float32(0.0)
    for k in batch:
        row = place[steps.observation[k]]
        out[row, 0] += np.float32(share * (value[row, 0] - steps.goal[k]))


@njit(cache=True, nogil=True)
def compute_gradient(theta, n_observations, n_actions, steps, batch, entropy_share, gradient):
    """Writes the gradient of the loss of the steps `batch` (their numbers) to `gradient` [P]."""
    place = np.empty(n_observations, np.int64)
    ids = _find_ids(steps.observation, batch, place)
    first = np.empty((len(ids), HIDDEN), np.float32)
    second = np.empty_like(first)
    for is_actor in (True, False):
        parts = network_parts(theta, n_observations, n_actions, is_actor)
        out = np.empty((len(ids), n_actions if is_actor else 1), np.float32)
        slope = np.empty_like(out)
        forward(parts, ids, first, second, out)
        if is_actor:
            log_softmax(out)
            _actor_gradient(steps, batch, place, out, entropy_share, slope)
        else:
            _critic_gradient(steps, batch, place, out, slope)
        into = network_parts(gradient, n_observations, n_actions, is_actor)
        backward(parts, ids, first, second, slope, into)


@njit(cache=True, nogil=True)
def update(
    theta, moments, count, sizes, steps, order, batch_size, learning_rate, entropy_share
):  # fmt: skip
    """Goes through the steps of an update in minibatches, once for each row of `order`.

    Args:
        theta: the weights, float32 [P]; changed.
        moments: Adam's, float32 [2, P]; changed.
        count: gradient steps taken before.
        sizes: the numbers of observations and actions.
        steps: the steps, N of them.
        order: permutations of the numbers of the steps, int64 [epochs, N].
        batch_size: steps of a minibatch; the last of an epoch may be smaller.
        learning_rate: of Adam.
        entropy_share: weight of the entropy bonus.

    Returns:
        The number of gradient steps taken up to now.
    """
    gradient = np.empty_like(theta)
    for epoch in range(len(order)):
        for begin in range(0, order.shape[1], batch_size):
            batch = order[epoch, begin : begin + batch_size]
            compute_gradient(theta, sizes[0], sizes[1], steps, batch, entropy_share, gradient)
            count += 1
            adam_step(theta, gradient, moments, count, learning_rate, MAX_NORM)
    return count


def empty_moments(theta: Float32s) -> Float32s:
    """Returns Adam's moments before the first step, float32 [2, P]."""
    return np.zeros((2, len(theta)), np.float32)

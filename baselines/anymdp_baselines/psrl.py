"""PSRL: posterior sampling for reinforcement learning (Strens 2000; Osband, Russo and Van Roy 2013), fused.

Each episode acts on the optimal policy of one task drawn from the posterior; the policy tested is greedy for
the posterior mean. The posterior, for each (s, a) with n visits:

    transitions  Dirichlet(0.5 / S + counts); the unseen successors' share is given to one of them whole,
                 as a Dirichlet with such small parameters all but does
    reward       the mean of its n rewards; an unseen pair draws from a Normal with the mean and standard
                 deviation of all rewards so far. Seen pairs' means are not sampled: where rewards are
                 noisy (bandits) it can settle on a wrong arm

Episodes beyond the 200th share a sample with those up to 1% later: by then the posterior hardly moves.
Terminal ids are known once entered. The memory is a flat array: see `_layout`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numba import njit

from anymdp_bench.agents import Streams
from anymdp_bench.engine.arrays import Bands, Float64s
from anymdp_bench.engine.rng import integer, normal, uniform
from anymdp_bench.engine.rollout import ACT, LEARN, POLICY
from anymdp_bench.engine.solve import policy_iteration

_GAMMA, _PRIOR, _SIZE = range(3)  # settings: discount, the Dirichlet's total, number of ids
_EPISODE, _NEXT_SAMPLE, _N, _SUM, _SQUARES = range(5)  # the memory's head
_HEAD = 5
_EVERY_EPISODE = 200


@njit(inline="always")
def _layout(size, n_actions):
    """Offsets of policy [O], terminal [O], visits [O, A], reward sums [O, A], counts [O, A, O], end."""
    policy = _HEAD
    terminal = policy + size
    visits = terminal + size
    rewards = visits + size * n_actions
    counts = rewards + size * n_actions
    return policy, terminal, visits, rewards, counts, counts + size * n_actions * size


@njit
def gamma_variate(shape, rng):
    """A Gamma(shape, 1) draw (Marsaglia and Tsang 2000); shape > 0."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(rng, 0) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(rng, 0)
        v = (1.0 + c * x) ** 3
        if v > 0.0:
            u = 1.0 - uniform(rng, 0)
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v * boost


@njit
def _model(memory, settings, n_actions, rng, sampled):
    """(P [O, A, O], r [O, A]): a posterior draw, or with `sampled` False the posterior mean."""
    size = np.int64(settings[_SIZE])
    _, _, visits, rewards, counts, _ = _layout(size, n_actions)
    share = settings[_PRIOR] / size
    total = max(memory[_N], 1.0)
    mean = memory[_SUM] / total
    sd = math.sqrt(max(memory[_SQUARES] / total - mean * mean, 1e-12))
    prob, reward = np.zeros((size, n_actions, size)), np.zeros((size, n_actions))
    for s in range(size):
        for a in range(n_actions):
            pair = s * n_actions + a
            n = memory[visits + pair]
            row = prob[s, a]
            sum_ = 0.0
            unseen = 0
            for k in range(size):
                count = memory[counts + pair * size + k]
                unseen += count == 0.0
                if sampled:
                    row[k] = gamma_variate(count + share, rng) if count > 0.0 else 0.0
                else:
                    row[k] = count + share
                sum_ += row[k]
            if sampled and unseen > 0:
                rest = gamma_variate(share * unseen, rng)
                if sum_ + rest <= 0.0:
                    rest = 1.0
                pick = integer(rng, 0, unseen)
                for k in range(size):
                    if memory[counts + pair * size + k] == 0.0:
                        if pick == 0:
                            row[k] = rest
                        pick -= 1
                sum_ += rest
            row /= sum_
            reward[s, a] = (memory[rewards + pair] if n > 0.0 else mean) / max(n, 1.0)
            if sampled and n == 0.0:
                reward[s, a] += sd * normal(rng, 0)
    return prob, reward


@njit
def _plan(memory, settings, n_actions, rng, sampled, policy):
    """Improves `policy` (int64 [O]) to the optimum of a posterior draw, or of the posterior mean."""
    size = np.int64(settings[_SIZE])
    prob, reward = _model(memory, settings, n_actions, rng, sampled)
    low, width = np.zeros(size, np.int64), np.full(size, size)
    offset = np.arange(size) * (n_actions * size)
    flat = prob.reshape(-1)
    terminal = np.zeros(size, np.bool_)
    begin = _layout(size, n_actions)[1]
    for s in range(size):
        terminal[s] = memory[begin + s] > 0.0 and size > 1
    if size == 1:  # a bandit: its one id is also that of the end
        policy[0] = np.argmax(reward[0])
        return
    bands = Bands(low, width, offset, flat, flat, flat)
    policy_iteration(bands, reward, terminal, settings[_GAMMA], policy)


@njit(ACT, cache=True)
def act(observation, n_actions, memory, settings, rng):
    """Follows the policy of the episode's sample; signature `ACT`."""
    size = np.int64(settings[_SIZE])
    begin = _layout(size, n_actions)[0]
    if memory[_EPISODE] >= memory[_NEXT_SAMPLE]:
        policy = np.empty(size, np.int64)
        for s in range(size):
            policy[s] = np.int64(memory[begin + s])
        _plan(memory, settings, n_actions, rng, True, policy)
        for s in range(size):
            memory[begin + s] = policy[s]
        step = 1.0 if memory[_EPISODE] < _EVERY_EPISODE else math.ceil(0.01 * memory[_EPISODE])
        memory[_NEXT_SAMPLE] = memory[_EPISODE] + step
    return np.int64(memory[begin + observation])


@njit(LEARN, cache=True)
def learn(
    observation,
    action,
    reward,
    next_observation,
    terminated,
    truncated,
    n_actions,
    memory,
    settings,
    rng,
):
    """Counts one step; signature `LEARN`."""
    size = np.int64(settings[_SIZE])
    _, terminal, visits, rewards, counts, _ = _layout(size, n_actions)
    pair = observation * n_actions + action
    memory[visits + pair] += 1.0
    memory[rewards + pair] += reward
    memory[counts + pair * size + next_observation] += 1.0
    memory[_N] += 1.0
    memory[_SUM] += reward
    memory[_SQUARES] += reward * reward
    if terminated:
        memory[terminal + next_observation] = 1.0
    if terminated or truncated:
        memory[_EPISODE] += 1.0


@njit(POLICY, cache=True)
def policy(n_observations, n_actions, memory, settings, out):
    """The optimal policy of the posterior mean, one-hot [O, A]; signature `POLICY`."""
    best = np.zeros(n_observations, np.int64)
    _plan(memory, settings, n_actions, np.zeros(1, np.uint64), False, best)
    out[:] = 0.0
    for s in range(n_observations):
        out[s, best[s]] = 1.0


class PSRL:
    """Posterior sampling with a Dirichlet prior.

    Args:
        gamma: the discount that a sampled task is solved for.
        prior: the total of the Dirichlet's parameters, shared equally by all ids.
    """

    version: ClassVar[str] = "1"
    compiled_act = staticmethod(act)
    compiled_learn = staticmethod(learn)
    compiled_policy = staticmethod(policy)

    def __init__(self, gamma: float = 0.994, prior: float = 0.5) -> None:
        self._gamma, self._prior = gamma, prior

    def settings(self, streams: Streams) -> Float64s:
        """Discount, prior, number of ids."""
        return np.array([self._gamma, self._prior, streams.n_observations])

    def memory(self, streams: Streams) -> Float64s:
        """No counts."""
        return np.zeros(_layout.py_func(streams.n_observations, streams.n_actions)[-1])

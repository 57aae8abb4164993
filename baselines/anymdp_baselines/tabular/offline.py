"""Offline baselines: behaviour cloning and conservative Q-learning from the demonstrations of a run.

Both learn from the steps of a demonstrator only (`--context offline|imitation`), at the end of each of its
episodes. In a state without a demonstrated step they act at random, and so they do in an empty context.

    bc    takes the action that was demonstrated most often
    cql   takes the greedy action of discrete CQL (Kumar et al. 2020, the form CQL(H); d3rlpy's DiscreteCQL)

n(s,a) is the number of demonstrated steps, N(s) is its sum over the actions, and y are the targets
r + gamma max Q(s', .). CQL repeats Q <- argmin of

    sum_(s,a,y) 1/2 (Q(s,a) - y)^2 + alpha sum_s N(s) (logsumexp Q(s, .) - sum_a n(s,a) / N(s) Q(s,a))     (1)

d3rlpy minimises (1) by gradient steps of a network, and its squares become linear beyond 1. With a table, (1)
is one convex problem per state, which Newton's method solves. The value of an action that was never
demonstrated goes to minus infinity, so sums and maxima run over the other actions. The derivative of the
minimiser with respect to the mean targets is a stochastic matrix (from an M-matrix with row sums n). So the
iteration is a contraction by gamma, and it ends at its fixed point.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Bools, Int64s, UInt64s
from anymdp_bench.engine.rng import integer

GAMMA, ALPHA = 0.99, 1.0  # d3rlpy's defaults
_NEWTON, _SWEEPS, _TOLERANCE = 50, 5000, 1e-9


@njit(cache=True)
def minimise_cql_loss(n, target, alpha, q):
    """Minimises (1) for one state; writes the solution to `q` where n > 0.

    Args:
        n: the demonstrated steps of each action, float64 [A].
        target: the mean target y of each action, float64 [A].
        alpha: the weight of the conservative term.
        q: the values, float64 [A]; the iteration starts from them.
    """
    total = n.sum()
    p = np.zeros(len(n))
    for _ in range(_NEWTON):
        top, weight = -math.inf, 0.0
        for a in range(len(n)):
            if n[a] > 0.0:
                top = max(top, q[a])
        for a in range(len(n)):
            p[a] = math.exp(q[a] - top) if n[a] > 0.0 else 0.0
            weight += p[a]
        c, along, curve, largest = alpha * total, 0.0, 0.0, 0.0
        for a in range(len(n)):
            p[a] /= weight
            if n[a] > 0.0:  # the Hessian is diag(n + c p) - c p p^T: Sherman and Morrison's formula
                g = n[a] * (q[a] - target[a]) + c * p[a] - alpha * n[a]
                along += p[a] * g / (n[a] + c * p[a])
                curve += p[a] * p[a] / (n[a] + c * p[a])
        for a in range(len(n)):
            if n[a] > 0.0:
                g = n[a] * (q[a] - target[a]) + c * p[a] - alpha * n[a]
                step = (g + c * p[a] * along / (1.0 - c * curve)) / (n[a] + c * p[a])
                largest = max(largest, abs(step))
                q[a] -= max(min(step, 2.0), -2.0)  # far from the minimum a full step may overshoot
        if largest < _TOLERANCE:
            return


@njit(cache=True)
def fit_cql(onward, ended, reward, gamma, alpha, q):
    """Computes the values of conservative Q-learning; writes them to `q`.

    Args:
        onward: the demonstrated steps that did not terminate, by next observation, float64 [O, A, O].
        ended: the demonstrated steps that terminated the episode, float64 [O, A].
        reward: the sum of the rewards of the demonstrated steps, float64 [O, A].
        gamma: the discount.
        alpha: the weight of the conservative term.
        q: the values, float64 [O, A]; the iteration starts from them. A pair without a step becomes -inf.
    """
    n_observations, n_actions = q.shape
    n = ended.copy()
    value, target = np.zeros(n_observations), np.zeros(n_actions)
    for o in range(n_observations):
        for a in range(n_actions):
            n[o, a] += onward[o, a].sum()
            if n[o, a] == 0.0:
                q[o, a] = -math.inf
            elif q[o, a] == -math.inf:
                q[o, a] = 0.0
        value[o] = q[o].max() if n[o].sum() > 0.0 else 0.0
    for _ in range(_SWEEPS):
        moved, largest = 0.0, 1.0
        for o in range(n_observations):
            if n[o].sum() == 0.0:
                continue
            for a in range(n_actions):
                if n[o, a] > 0.0:
                    target[a] = (reward[o, a] + gamma * np.dot(onward[o, a], value)) / n[o, a]
            minimise_cql_loss(n[o], target, alpha, q[o])
            moved = max(moved, abs(q[o].max() - value[o]))
            value[o] = q[o].max()
            largest = max(largest, abs(value[o]))
        if moved < 1e-7 * largest:
            return


@njit(cache=True)
def _count_steps(
    onward, ended, reward, observation, action, gained, following, terminated, demonstrated
):
    for i in np.flatnonzero(demonstrated):
        o, a = observation[i], action[i]
        reward[i, o, a] += gained[i]
        if terminated[i]:
            ended[i, o, a] += 1.0
        else:
            onward[i, o, a, following[i]] += 1.0


@njit(cache=True)
def _pick_actions(preference, observation, rng):
    """Picks the best action of each run, int64 [n]; where all are equal, a random one."""
    out = np.empty(len(observation), np.int64)
    for i in range(len(observation)):
        row = preference[i, observation[i]]
        if row.min() == row.max():
            out[i] = integer(rng, i, len(row))
        else:
            out[i] = np.argmax(row)
    return out


class Cloning(Agent):
    """Behaviour cloning of the demonstrations."""

    def start(self, batch: RunBatch) -> None:
        """Starts with empty tables."""
        shape = (batch.n, batch.n_observations, batch.n_actions)
        self._onward = np.zeros((*shape, batch.n_observations))
        self._ended, self._reward, self._preference = (np.zeros(shape) for _ in range(3))
        self._rng: UInt64s = batch.seeds.copy()

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns the preferred actions, int64 [n]."""
        out: Int64s = _pick_actions(self._preference, observation, self._rng)
        return out

    def learn(self, transition: Transition) -> None:
        """Learns nothing from steps of its own."""

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Counts the steps of the runs `demonstrated`, and fits each run whose demonstrated episode ended."""
        observation, action, reward, following, terminated, truncated = transition
        _count_steps(
            self._onward, self._ended, self._reward, observation, action, reward, following,
            terminated, demonstrated,
        )  # fmt: skip
        for i in np.flatnonzero(demonstrated & (terminated | truncated)).tolist():
            self._fit(i)

    def _fit(self, i: int) -> None:
        self._preference[i] = self._onward[i].sum(axis=2) + self._ended[i]


class ConservativeQ(Cloning):
    """Conservative Q-learning on the demonstrations.

    Args:
        gamma: the discount.
        alpha: the weight of the conservative term.
    """

    def __init__(self, gamma: float = GAMMA, alpha: float = ALPHA) -> None:
        self._gamma, self._alpha = gamma, alpha

    def _fit(self, i: int) -> None:
        steps = (self._onward[i], self._ended[i], self._reward[i])
        fit_cql(*steps, self._gamma, self._alpha, self._preference[i])

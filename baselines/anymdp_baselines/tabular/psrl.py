"""PSRL: posterior sampling for reinforcement learning (Strens 2000; Osband, Russo and Van Roy 2013), fused.

It acts on the optimal policy of one task drawn from the posterior. A new one is drawn when an episode begins
and, by default, whenever the visits of a pair reach a power of two (Ouyang et al. 2017): an episode is some
hundred steps long, and with one sample an episode the textbook's learner, kept as `psrl-episodic`, follows a
refuted one to its end. The policy tested is greedy for the posterior mean, at the benchmark's discount. The
posterior:

    transitions  of each (s, a): Dirichlet(prior / S + counts); the unseen successors' share is given to one
                 of them whole, as a Dirichlet with such small parameters all but does
    reward       of each (s, a, s'): the mean of what it paid, plus a Normal with the sd of rewards about such
                 means over sqrt(count); one not seen yet pays what arriving in s' paid on average elsewhere;
                 arriving in a new s', and trying a new pair, draws from a Normal with the spread of all
                 rewards so far (`untried` times that spread for a new pair)

The memory is that of `anymdp_baselines.tabular.counts`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.tabular.counts import (
    FREEDOM,
    GAMMA,
    SIZE,
    WITHIN,
    due,
    follow,
    improve,
    layout,
    learn,
    plain_layout,
    spread,
    write_greedy,
)
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rng import integer, normal, uniform
from anymdp_bench.engine.rollout import ACT, POLICY

_PRIOR, _UNTRIED, _TESTED = 3, 4, 5  # settings after those of `counts`; see `PSRL`

TESTED = 0.994  # the discount of the tested policy: that of the oracle


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
def _draw_row(counts, share, rng, row):
    """Writes a draw from Dirichlet(share + counts) to `row`, all float64 [O] but `share`."""
    total = 0.0
    unseen = 0
    for k in range(len(row)):
        row[k] = gamma_variate(counts[k] + share, rng) if counts[k] > 0.0 else 0.0
        total += row[k]
        unseen += counts[k] == 0.0
    if unseen > 0:
        rest = gamma_variate(share * unseen, rng)
        if total + rest <= 0.0:
            rest = 1.0
        pick = integer(rng, 0, unseen)
        for k in range(len(row)):
            if counts[k] == 0.0:
                if pick == 0:
                    row[k] = rest
                pick -= 1
        total += rest
    row /= total


@njit
def _arrival_rewards(memory, settings, n_actions, rng, sampled):
    """What arriving in each id pays, float64 [O]: its average so far, for a new one that of all steps."""
    size = np.int64(settings[SIZE])
    _, _, arrivals, sums, _, _, _, _ = layout(size, n_actions)
    mean, sd = spread(memory)
    out = np.empty(size)
    for k in range(size):
        n = memory[arrivals + k]
        if n > 0.0:
            out[k] = memory[sums + k] / n
        else:
            out[k] = mean + (sd * normal(rng, 0) if sampled else 0.0)
    return out


@njit
def _model(memory, settings, n_actions, rng, sampled):
    """(P [O, A, O], r [O, A]): a posterior draw, or with `sampled` False the posterior mean."""
    size = np.int64(settings[SIZE])
    _, _, _, _, visits, counts, sums, _ = layout(size, n_actions)
    share = settings[_PRIOR] / size
    sd = spread(memory)[1]
    noise = math.sqrt(memory[WITHIN] / max(memory[FREEDOM], 1.0))
    arrival = _arrival_rewards(memory, settings, n_actions, rng, sampled)
    prob, reward = np.empty((size, n_actions, size)), np.zeros((size, n_actions))
    for s in range(size):
        for a in range(n_actions):
            pair = s * n_actions + a
            n = memory[visits + pair]
            seen = memory[counts + pair * size : counts + (pair + 1) * size]
            paid = memory[sums + pair * size : sums + (pair + 1) * size]
            row = prob[s, a]
            if sampled:
                _draw_row(seen, share, rng, row)
            else:
                for k in range(size):
                    row[k] = (seen[k] + share) / (n + settings[_PRIOR])
            for k in range(size):
                if row[k] == 0.0:
                    continue
                mean = paid[k] / seen[k] if seen[k] > 0.0 else arrival[k]
                if sampled and seen[k] > 0.0 and noise > 0.0:
                    mean += noise / math.sqrt(seen[k]) * normal(rng, 0)
                reward[s, a] += row[k] * mean
            if sampled and n == 0.0:
                reward[s, a] += settings[_UNTRIED] * sd * normal(rng, 0)
    return prob, reward


@njit(ACT, cache=True)
def act(observation, n_actions, memory, settings, rng):
    """Follows the policy of the latest sample; signature `ACT`."""
    if due(memory):
        prob, reward = _model(memory, settings, n_actions, rng, True)
        follow(memory, settings, n_actions, prob, reward)
    return np.int64(memory[layout(np.int64(settings[SIZE]), n_actions)[0] + observation])


@njit(POLICY, cache=True)
def policy(n_observations, n_actions, memory, settings, out):
    """The optimal policy of the posterior mean, one-hot [O, A]; signature `POLICY`."""
    best = np.zeros(n_observations, np.int64)
    prob, reward = _model(memory, settings, n_actions, np.zeros(1, np.uint64), False)
    tested = settings.copy()
    tested[GAMMA] = settings[_TESTED]
    improve(memory, tested, prob, reward, best)
    write_greedy(best, out)


class PSRL:
    """Posterior sampling with a Dirichlet prior.

    Args:
        gamma: the discount that a sampled task is solved for.
        prior: the total of the Dirichlet's parameters, shared equally by all ids.
        doubling: whether to draw a new sample at doublings too, not only when an episode begins.
        untried: how far the draws for untried pairs spread, in standard deviations of all rewards so far.
    """

    version: ClassVar[str] = "2"
    compiled_act = staticmethod(act)
    compiled_learn = staticmethod(learn)
    compiled_policy = staticmethod(policy)

    def __init__(
        self,
        gamma: float = TESTED,
        prior: float = 0.1,
        doubling: bool = True,
        untried: float = 1.0,
    ) -> None:
        self._own = (doubling, gamma, prior, untried, TESTED)

    def settings(self, batch: RunBatch) -> Float64s:
        """Number of ids, doubling, discount of samples, prior, untried, discount of the tested policy."""
        return np.array([batch.n_observations, *self._own])

    def memory(self, batch: RunBatch) -> Float64s:
        """No counts."""
        return np.zeros(plain_layout(batch.n_observations, batch.n_actions)[-1])


class EpisodicPSRL(PSRL):
    """The textbook's learner: one sample an episode, Dirichlet total 0.5.

    Where a sample is followed for a whole episode, it should promise enough of what was not tried, and an
    uncertain model deserves no long planning (Jiang et al. 2015). The two figures for that were chosen by the
    trial `anymdp_baselines.tuning.psrl`.
    """

    version: ClassVar[str] = "3"

    def __init__(self) -> None:
        super().__init__(gamma=0.97, prior=0.5, doubling=False, untried=3.0)


def episodic() -> EpisodicPSRL:
    """`psrl-episodic`."""
    return EpisodicPSRL()

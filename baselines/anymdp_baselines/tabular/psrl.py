"""PSRL: posterior sampling for RL (Strens 2000; Osband, Russo and Van Roy 2013), as compiled kernels.

The learner samples a task from the posterior and follows the optimal policy of this sample. It draws a new
sample when an episode begins and, by default, whenever the visits of a pair reach a power of two (Ouyang et
al. 2017). An episode has some hundred steps, and with one sample per episode the learner follows a sample
that its data contradict to the end of the episode. The textbook's learner, with one sample per episode, is
`psrl-episodic`. The tested policy is the optimal policy of the posterior mean, at the benchmark's discount.

    transitions  of each (s, a): Dirichlet(prior / S + counts). The total share of the unseen successors
    goes to
                 one of them, which is close to a Dirichlet with such small parameters.
    reward       of each (s, a, s') that was seen: the mean of its rewards plus a Normal. The deviation of the
                 Normal is that of rewards about such means, divided by sqrt(count).
                 Of an (s, a, s') that was not seen: the mean reward of all steps that arrived in s'.
                 A new s' draws from a Normal with the mean and deviation of all rewards so far.
                 A new pair adds a draw from a Normal with mean 0 and `untried` times that deviation.

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
    improve_policy,
    layout,
    learn,
    memory_layout,
    reward_moments,
    should_plan,
    update_policy,
    write_one_hot,
)
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rng import integer, normal, uniform
from anymdp_bench.engine.rollout import ACT, POLICY

_PRIOR, _UNTRIED, _TEST_GAMMA = 3, 4, 5  # settings after those of `counts`; see `PSRL`

TEST_GAMMA = 0.994  # the discount of the tested policy, which is that of the oracle


@njit
def gamma_variate(shape, rng):
    """Draws from Gamma(shape, 1), shape > 0 (Marsaglia and Tsang 2000)."""
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
def _sample_row(counts, share, rng, row):
    """Writes a draw from Dirichlet(share + counts) to `row`; `counts` and `row` are float64 [O]."""
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
    """Returns the mean reward of arriving in each id, float64 [O]; a new id has the mean of all rewards.

    If `sampled`, a new id has a draw from a Normal with the mean and deviation of all rewards.
    """
    size = np.int64(settings[SIZE])
    _, _, arrivals, sums, _, _, _, _ = layout(size, n_actions)
    mean, sd = reward_moments(memory)
    out = np.empty(size)
    for k in range(size):
        n = memory[arrivals + k]
        if n > 0.0:
            out[k] = memory[sums + k] / n
        else:
            out[k] = mean + (sd * normal(rng, 0) if sampled else 0.0)
    return out


@njit
def model(memory, settings, n_actions, rng, sampled):
    """Returns (P [O, A, O], r [O, A]): a posterior draw if `sampled`, else the posterior mean."""
    size = np.int64(settings[SIZE])
    _, _, _, _, visits, counts, sums, _ = layout(size, n_actions)
    share = settings[_PRIOR] / size
    sd = reward_moments(memory)[1]
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
                _sample_row(seen, share, rng, row)
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
    """Returns the action of the latest sample's policy; its signature is `ACT`."""
    if should_plan(memory):
        prob, reward = model(memory, settings, n_actions, rng, True)
        update_policy(memory, settings, n_actions, prob, reward)
    return np.int64(memory[layout(np.int64(settings[SIZE]), n_actions)[0] + observation])


@njit(POLICY, cache=True)
def policy(n_observations, n_actions, memory, settings, out):
    """Writes the optimal policy of the posterior mean to `out`, one-hot [O, A]; its signature is `POLICY`."""
    best = np.zeros(n_observations, np.int64)
    prob, reward = model(memory, settings, n_actions, np.zeros(1, np.uint64), False)
    tested = settings.copy()
    tested[GAMMA] = settings[_TEST_GAMMA]
    improve_policy(memory, tested, prob, reward, best)
    write_one_hot(best, out)


class PSRL:
    """Posterior sampling with a Dirichlet prior.

    Args:
        gamma: the discount at which a sampled task is solved.
        prior: the sum of the Dirichlet's parameters; all ids have equal shares.
        doubling: whether a new sample is also drawn when a pair's visits double, not only when an episode
            begins.
        untried: the deviation of the draws for untried pairs, in standard deviations of all rewards so far.
    """

    version: ClassVar[str] = "2"
    compiled_act = staticmethod(act)
    compiled_learn = staticmethod(learn)
    compiled_policy = staticmethod(policy)

    def __init__(
        self,
        gamma: float = TEST_GAMMA,
        prior: float = 0.1,
        doubling: bool = True,
        untried: float = 1.0,
    ) -> None:
        self._own = (doubling, gamma, prior, untried, TEST_GAMMA)

    def settings(self, batch: RunBatch) -> Float64s:
        """Returns [number of ids, doubling, gamma, prior, untried, discount of the tested policy]."""
        return np.array([batch.n_observations, *self._own])

    def memory(self, batch: RunBatch) -> Float64s:
        """Returns a memory without counts."""
        return np.zeros(memory_layout(batch.n_observations, batch.n_actions)[-1])


class EpisodicPSRL(PSRL):
    """The textbook's learner, with one sample per episode and a Dirichlet sum of 0.5.

    It follows a sample for a whole episode. So a sample should give untried pairs enough value, and planning
    on an uncertain model should have a short horizon (Jiang et al. 2015). The experiment
    `anymdp_baselines.tuning.psrl` led to the values of `untried` and `gamma`.
    """

    version: ClassVar[str] = "3"

    def __init__(self) -> None:
        super().__init__(gamma=0.97, prior=0.5, doubling=False, untried=3.0)


def episodic() -> EpisodicPSRL:
    """Posterior sampling that draws one sample an episode."""
    return EpisodicPSRL()

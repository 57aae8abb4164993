"""UCBVI: value iteration with an upper-confidence bonus on a counted model (Azar et al. 2017), fused.

A learner is not told the horizon, so this is the stationary, discounted form (He, Zhou and Gu 2021): it
acts on the optimal policy of the model

    P[s, a, s'] = (n(s, a, s') + p / O) / (n(s, a) + p),   p = 0.1, O the number of ids
    r[s, a]     = (sum of rewards + p * mean of all rewards) / (n(s, a) + p) + bonus
    bonus       = c / (1 - gamma) * sd of all rewards * sqrt(ln(N + 1) / max(n(s, a), 1/2)),   N steps so far

the Hoeffding bonus with the unknown range of rewards measured and its constant searched per task family
(`tuning/ucbvi.json`). It plans anew when an episode begins and when a pair's visits double. The policy
tested is that of the same model without the bonus. The memory is that of `anymdp_baselines.tabular.counts`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.tabular.counts import (
    GAMMA,
    SIZE,
    STEPS,
    due,
    follow,
    improve,
    layout,
    learn,
    plain_layout,
    spread,
    write_greedy,
)
from anymdp_baselines.tuned_settings import chosen_settings
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rollout import ACT, POLICY

_BONUS = 3  # settings after those of `counts`: c
_PRIOR = 0.1
_DEFAULT_C = 0.003  # the best of six on training tasks of AnyMDP-16s5a and Garnet-16s5a2b


@njit
def _model(memory, settings, n_actions, bonus):
    """(P [O, A, O], r [O, A]) of the counts; c is `bonus`."""
    size = np.int64(settings[SIZE])
    _, _, _, _, visits, counts, sums, _ = layout(size, n_actions)
    mean, sd = spread(memory)
    scale = bonus / (1.0 - settings[GAMMA]) * sd * math.sqrt(math.log(memory[STEPS] + 1.0))
    prob, reward = np.empty((size, n_actions, size)), np.empty((size, n_actions))
    for s in range(size):
        for a in range(n_actions):
            pair = s * n_actions + a
            n = memory[visits + pair]
            paid = _PRIOR * mean
            for k in range(size):
                cell = pair * size + k
                prob[s, a, k] = (memory[counts + cell] + _PRIOR / size) / (n + _PRIOR)
                paid += memory[sums + cell]
            reward[s, a] = paid / (n + _PRIOR) + scale / math.sqrt(max(n, 0.5))
    return prob, reward


@njit(ACT, cache=True)
def act(observation, n_actions, memory, settings, rng):
    """Follows the policy of the latest optimistic model; signature `ACT`."""
    if due(memory):
        prob, reward = _model(memory, settings, n_actions, settings[_BONUS])
        follow(memory, settings, n_actions, prob, reward)
    return np.int64(memory[layout(np.int64(settings[SIZE]), n_actions)[0] + observation])


@njit(POLICY, cache=True)
def policy(n_observations, n_actions, memory, settings, out):
    """The optimal policy of the model without bonus, one-hot [O, A]; signature `POLICY`."""
    best = np.zeros(n_observations, np.int64)
    prob, reward = _model(memory, settings, n_actions, 0.0)
    improve(memory, settings, prob, reward, best)
    write_greedy(best, out)


class UCBVI:
    """Optimistic planning on counts.

    Args:
        settings: the bonus's constant c; by default one for all environments.
        gamma: the discount that the model is solved for.
    """

    version: ClassVar[str] = "2"
    tuned: ClassVar[bool] = True
    compiled_act = staticmethod(act)
    compiled_learn = staticmethod(learn)
    compiled_policy = staticmethod(policy)

    def __init__(self, settings: float = _DEFAULT_C, gamma: float = 0.994) -> None:
        self._c, self._gamma = settings, gamma

    @staticmethod
    def settings_for(env_id: str) -> float:
        """The constant that was searched for the environment's family."""
        chosen: float | None = chosen_settings("ucbvi", env_id)
        return _DEFAULT_C if chosen is None else chosen

    def settings(self, batch: RunBatch) -> Float64s:
        """Number of ids, doubling, discount, c."""
        return np.array([batch.n_observations, 1.0, self._gamma, self._c])

    def memory(self, batch: RunBatch) -> Float64s:
        """No counts."""
        return np.zeros(plain_layout(batch.n_observations, batch.n_actions)[-1])

"""UCBVI: value iteration with an upper-confidence bonus on counts (Azar et al. 2017), as compiled kernels.

A learner does not know the horizon, so this is the stationary, discounted form (He, Zhou and Gu 2021). It
follows the optimal policy of the model

    P[s, a, s'] = (n(s, a, s') + p / O) / (n(s, a) + p),   p = 0.1, O the number of ids
    r[s, a]     = (sum of rewards + p * mean of all rewards) / (n(s, a) + p) + bonus
    bonus       = c / (1 - gamma) * sd of all rewards * sqrt(ln(N + 1) / max(n(s, a), 1/2)),   N steps so far

This is the Hoeffding bonus. Since the range of rewards is unknown, their standard deviation stands for it,
and a search chose the constant c of each task family by the end of 10,000 episodes (`tuning/ucbvi.json`). The
learner plans again when an episode begins and when the visits of a pair double. The tested policy is that of
the model without the bonus. The memory is that of `anymdp_baselines.tabular.counts`.
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
    improve_policy,
    layout,
    learn,
    memory_layout,
    reward_moments,
    should_plan,
    update_policy,
    write_one_hot,
)
from anymdp_baselines.tuned_settings import chosen_settings
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rollout import ACT, POLICY

_BONUS = 3  # settings after those of `counts`: c
_PRIOR = 0.1
_DEFAULT_C = 0.3  # the choice for AnyMDP; far smaller ones stand still below the optimum there


@njit
def _model(memory, settings, n_actions, bonus):
    """Returns the model (P [O, A, O], r [O, A]) of the counts, with `bonus` for c."""
    size = np.int64(settings[SIZE])
    _, _, _, _, visits, counts, sums, _ = layout(size, n_actions)
    mean, sd = reward_moments(memory)
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
    """Returns the action of the latest optimistic model's policy; its signature is `ACT`."""
    if should_plan(memory):
        prob, reward = _model(memory, settings, n_actions, settings[_BONUS])
        update_policy(memory, settings, n_actions, prob, reward)
    return np.int64(memory[layout(np.int64(settings[SIZE]), n_actions)[0] + observation])


@njit(POLICY, cache=True)
def policy(n_observations, n_actions, memory, settings, out):
    """Writes the optimal policy without the bonus to `out`, one-hot [O, A]; its signature is `POLICY`."""
    best = np.zeros(n_observations, np.int64)
    prob, reward = _model(memory, settings, n_actions, 0.0)
    improve_policy(memory, settings, prob, reward, best)
    write_one_hot(best, out)


class UCBVI:
    """Optimistic planning on counts.

    Args:
        settings: the constant c of the bonus; the default is the same for all environments.
        gamma: the discount at which the model is solved.
    """

    version: ClassVar[str] = "3"
    tuned: ClassVar[bool] = True
    compiled_act = staticmethod(act)
    compiled_learn = staticmethod(learn)
    compiled_policy = staticmethod(policy)

    def __init__(self, settings: float = _DEFAULT_C, gamma: float = 0.994) -> None:
        self._c, self._gamma = settings, gamma

    @staticmethod
    def settings_for(env_id: str) -> float:
        """Returns the constant that the search chose for the family of an environment."""
        chosen: float | None = chosen_settings("ucbvi", env_id)
        return _DEFAULT_C if chosen is None else chosen

    def settings(self, batch: RunBatch) -> Float64s:
        """Returns [number of ids, doubling, gamma, c]."""
        return np.array([batch.n_observations, 1.0, self._gamma, self._c])

    def memory(self, batch: RunBatch) -> Float64s:
        """Returns a memory without counts."""
        return np.zeros(memory_layout(batch.n_observations, batch.n_actions)[-1])

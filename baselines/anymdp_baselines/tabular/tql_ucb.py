"""TQL-UCB: tabular Q-learning with an upper-confidence bonus (Jin et al. 2018), as compiled kernels.

It has the two variants of the AnyMDP authors. N(s,a) is the number of visits, and M is a time scale:

    step size   alpha * ((M + 1) / (M + N)) ** power
    (a) bonus      act on argmax of Q + c / (1 - gamma) * sqrt(ln(M + 1) / max(N, 1)) * max(Normal, 0); Q0 = 0
    (b) Boltzmann  act on softmax of Q, standardised per state, times min((M + N(s)) / (M + 1), 10); Q0
    = 1 / (1 - gamma)

The memory holds for each observation: Q [A], N [A], the factor of the bonus [A], and N(s). There are three
agents of this learner:

    tql-ucb          settings that a search chose for each task family, by the end of 10,000 episodes
    tql-ucb-fast     the same, by the area under the curve of 3,000 episodes
    tql-ucb-authors  the settings that the authors released, on all tasks

The searches and their choices are in `anymdp_baselines/tuning`. Some choices have no bonus at all:
variant (a) with c = 0, which explores only where Q0 = 0 is optimistic, and variant (b), whose Q0 is.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.tuned_settings import chosen_settings
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rng import normal, uniform
from anymdp_bench.engine.rollout import ACT, LEARN, POLICY

BONUS, BOLTZMANN = 0.0, 1.0
_VARIANT, _GAMMA, _C, _ALPHA, _M, _POWER, _BOUND = range(7)
_MAX_STIFFNESS = 10.0
_LEAST_SD = 0.01


@dataclass(frozen=True)
class TQLSettings:
    """Hyper-parameters, in the order of the settings array.

    Attributes:
        variant: BONUS (a) or BOLTZMANN (b).
        gamma: the discount.
        c: the scale of the bonus.
        alpha: the step size of a first visit.
        m: M, the time scale in visits.
        power: the power at which step sizes fall.
    """

    variant: float = BONUS
    gamma: float = 0.99
    c: float = 0.01
    alpha: float = 0.5
    m: float = 4000.0
    power: float = 0.5

    @property
    def bound(self) -> float:
        """The factor of the bonus after one visit: c / (1 - gamma) * sqrt(ln(M + 1))."""
        return self.c / (1 - self.gamma) * math.sqrt(math.log(self.m + 1))


@njit(ACT, cache=True)
def act(observation, n_actions, memory, settings, rng):
    """Returns an action of the settings' variant; its signature is `ACT`."""
    base = observation * (3 * n_actions + 1)
    best = 0
    if settings[_VARIANT] == BONUS:
        highest = -math.inf
        for a in range(
            n_actions
        ):  # without a branch on the draw, which the processor cannot predict
            value = memory[base + a] + memory[base + 2 * n_actions + a] * max(normal(rng, 0), 0.0)
            best = a if value > highest else best
            highest = max(value, highest)
        return best
    top, mean, square = -math.inf, 0.0, 0.0
    for a in range(n_actions):
        value = memory[base + a]
        top = max(top, value)
        mean += value / n_actions
    for a in range(n_actions):
        square += (memory[base + a] - mean) ** 2 / n_actions
    visits = memory[base + 3 * n_actions]
    stiffness = min((settings[_M] + visits) / (settings[_M] + 1.0), _MAX_STIFFNESS)
    scale = stiffness / max(math.sqrt(square), _LEAST_SD)
    total = 0.0
    weights = base + 2 * n_actions  # this variant has no bonus: its place holds the weights
    for a in range(n_actions):
        memory[weights + a] = math.exp((memory[base + a] - top) * scale)
        total += memory[weights + a]
    left = uniform(rng, 0) * total
    for a in range(n_actions):
        left -= memory[weights + a]
        if left < 0.0:
            return a
    return n_actions - 1


@njit(inline="always")
def _power(share, power):
    """Returns share ** power, and is fast for the powers 0.5 and 1."""
    if power == 0.5:
        return math.sqrt(share)
    return share if power == 1.0 else share**power


@njit(LEARN, cache=True)
def learn(
    observation, action, reward, next_observation, terminated, truncated, n_actions, memory,
    settings, rng,
):  # fmt: skip
    """Makes one Q-learning update; its signature is `LEARN`."""
    width = 3 * n_actions + 1
    base = observation * width
    m = settings[_M]
    visits = memory[base + n_actions + action] + 1.0
    memory[base + n_actions + action] = visits
    memory[base + 3 * n_actions] += 1.0
    target = reward
    if not terminated:
        following = next_observation * width
        best = memory[following]
        for a in range(1, n_actions):
            best = max(best, memory[following + a])
        target += settings[_GAMMA] * best
    share = (m + 1.0) / (m + visits)
    rate = settings[_ALPHA] * _power(share, settings[_POWER])
    memory[base + action] += rate * (target - memory[base + action])
    if settings[_VARIANT] == BONUS:
        memory[base + 2 * n_actions + action] = settings[_BOUND] / math.sqrt(visits)


@njit(POLICY, cache=True)
def policy(n_observations, n_actions, memory, settings, out):
    """Writes the greedy policy to `out`, one-hot [O, A]; its signature is `POLICY`."""
    for o in range(n_observations):
        base = o * (3 * n_actions + 1)
        best = 0
        for a in range(1, n_actions):
            if memory[base + a] > memory[base + best]:
                best = a
        for a in range(n_actions):
            out[o, a] = 1.0 if a == best else 0.0


class TQLUCB:
    """Tabular Q-learning with an upper-confidence bonus.

    Args:
        settings: the hyper-parameters; by default those of `TQLSettings`.
    """

    version: ClassVar[str] = "4"
    tuned: ClassVar[bool] = True
    compiled_act = staticmethod(act)
    compiled_learn = staticmethod(learn)
    compiled_policy = staticmethod(policy)

    def __init__(self, settings: TQLSettings | None = None) -> None:
        self._settings = settings or TQLSettings()

    @staticmethod
    def settings_for(env_id: str) -> TQLSettings:
        """Returns the settings that the search chose for the family of an environment."""
        return TQLSettings(**(chosen_settings("tql_ucb", env_id) or {}))

    def settings(self, batch: RunBatch) -> Float64s:
        """Returns the settings array: the fields of `TQLSettings` and their `bound`."""
        return np.array([*astuple(self._settings), self._settings.bound])

    def memory(self, batch: RunBatch) -> Float64s:
        """Returns a memory with Q0, no visits, and the bonus of an unvisited pair."""
        settings = self.settings(batch)
        n_actions = batch.n_actions
        out = np.zeros((batch.n_observations, 3 * n_actions + 1))
        if settings[_VARIANT] == BONUS:
            out[:, 2 * n_actions : 3 * n_actions] = settings[_BOUND]
        else:
            out[:, :n_actions] = 1 / (1 - settings[_GAMMA])
        return out.ravel()


class FastTQLUCB(TQLUCB):
    """`tql-ucb` with the settings of its version 3, for speed."""

    version: ClassVar[str] = "1"

    @staticmethod
    def settings_for(env_id: str) -> TQLSettings:
        """Returns the settings that the search by speed chose for the family of an environment."""
        return TQLSettings(**(chosen_settings("tql_ucb_fast", env_id) or {}))


AUTHORS = TQLSettings(variant=BOLTZMANN, gamma=0.99, c=0.0, alpha=0.2, m=4000.0, power=0.5)
"""The settings in the code that the authors released."""


class AuthorsTQLUCB(TQLUCB):
    """`tql-ucb` with the one setting that the authors released."""

    version: ClassVar[str] = "1"
    tuned: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(AUTHORS)

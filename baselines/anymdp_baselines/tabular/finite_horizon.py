"""`psrl-finite-horizon`: posterior sampling whose plans count the steps that the episode has left.

The best action depends on the steps that are left: shortly before the end a long way round no longer pays.
PSRL was stated for episodes of a known length H (Osband, Russo and Van Roy 2013). With h steps left, by
backward induction on a sampled task (P, r), without a discount,

    Q_h(s,a) = r(s,a) + sum over s' of P(s'|s,a) V_{h-1}(s'),    V_h(s) = max over a of Q_h(s,a),    V_0 = 0

The learner is not told H. It takes the longest episode that was truncated so far for H, and counts its steps
within the episode. Before the first truncation, and in a step beyond H, it follows the sample's stationary
policy at the discount of `psrl`. With more than `LONGEST` steps left it acts as if so many were left.

Everything else is as in `anymdp_baselines.tabular.psrl`, but for the doublings of visits: they call for a new
sample in the first 200 episodes alone, since a plan costs H times as much here. The tested policy is a table
over observations, so it cannot count steps: it is that of `psrl`. What the steps left are worth shows in the
episodes that the learner plays, and so in the column `regret`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.tabular.counts import (
    EPISODE,
    EVERY_EPISODE,
    NEXT_PLAN,
    SIZE,
    layout,
    learn,
    memory_layout,
    should_plan,
    update_policy,
)
from anymdp_baselines.tabular.psrl import PSRL, model
from anymdp_bench.agents import RunBatch
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rollout import ACT, LEARN

LONGEST = 512  # steps left that plans tell apart
_CLOCK, _LIMIT, _PLANNED = range(
    3
)  # behind the memory of `counts`: steps in the episode, H, length of plan
_TIMED = 3  # where the actions begin that are best with 1, 2, ... steps left, each float64 [O]
_SETTLED = 1e-6  # a change of V - V' that counts as none, in units of the largest reward


@njit
def solve_backward(prob, reward, terminal, best):
    """Writes the best action with t + 1 steps left in each state to `best`, float64 [steps, O].

    Where V_h - V_{h-1} has become the same in all states, more steps change no action: the induction ends.

    Args:
        prob: P, float64 [O, A, O].
        reward: r, float64 [O, A].
        terminal: which states end an episode, bool [O].
        best: is written.
    """
    size, n_actions = reward.shape
    start = np.zeros(size * n_actions + 1, np.int64)
    successor, share = np.empty(prob.size, np.int64), np.empty(prob.size)
    n = 0
    for s in range(size):
        for a in range(n_actions):
            for k in range(size):
                if prob[s, a, k] > 0.0 and not terminal[k]:
                    successor[n], share[n] = k, prob[s, a, k]
                    n += 1
            start[s * n_actions + a + 1] = n
    tolerance = _SETTLED * np.max(np.abs(reward))
    value, following = np.zeros(size), np.zeros(size)
    for t in range(len(best)):
        low, high = np.inf, -np.inf
        for s in range(size):
            if terminal[s]:
                continue
            highest = -np.inf
            for a in range(n_actions):
                pair = s * n_actions + a
                q = reward[s, a]
                for k in range(start[pair], start[pair + 1]):
                    q += share[k] * value[successor[k]]
                if q > highest:
                    highest = q
                    best[t, s] = a
            following[s] = highest
            low, high = min(low, highest - value[s]), max(high, highest - value[s])
        value[:] = following
        if high - low <= tolerance:
            best[t + 1 :] = best[t]
            return


@njit
def _plan(memory, settings, n_actions, rng):
    """Draws a sample, and writes its stationary policy and the actions by steps left to memory."""
    size = np.int64(settings[SIZE])
    _, terminal, arrivals, _, _, _, _, end = layout(size, n_actions)
    prob, reward = model(memory, settings, n_actions, rng, True)
    update_policy(memory, settings, n_actions, prob, reward)
    left = memory[end + _LIMIT]
    if memory[EPISODE] < EVERY_EPISODE:  # the next episode begins with a sample of its own
        left -= memory[end + _CLOCK]
    steps = int(max(0.0, min(left, LONGEST)))
    memory[end + _PLANNED] = steps
    begin = end + _TIMED
    best = memory[begin : begin + steps * size].reshape(steps, size)
    is_terminal = memory[terminal:arrivals] > 0.0
    if size == 1:  # a bandit: its only id is the terminal one too
        is_terminal[0] = False
    solve_backward(prob, reward, is_terminal, best)


@njit(ACT, cache=True)
def act_by_steps_left(observation, n_actions, memory, settings, rng):
    """Returns the latest sample's best action with the steps that are left; its signature is `ACT`."""
    if should_plan(memory):
        _plan(memory, settings, n_actions, rng)
    size = np.int64(settings[SIZE])
    policy, _, _, _, _, _, _, end = layout(size, n_actions)
    left = np.int64(memory[end + _LIMIT] - memory[end + _CLOCK])
    row = min(left, np.int64(memory[end + _PLANNED])) - 1
    if row < 0:
        return np.int64(memory[policy + observation])
    return np.int64(memory[end + _TIMED + row * size + observation])


@njit(LEARN, cache=True)
def learn_horizon(
    observation, action, reward, next_observation, terminated, truncated, n_actions, memory,
    settings, rng,
):  # fmt: skip
    """Counts one step, also within the episode; its signature is `LEARN`."""
    end = layout(np.int64(settings[SIZE]), n_actions)[-1]
    next_plan = memory[NEXT_PLAN]
    learn(
        observation, action, reward, next_observation, terminated, truncated, n_actions, memory,
        settings, rng,
    )  # fmt: skip
    if memory[EPISODE] >= EVERY_EPISODE:  # no new sample at a doubling
        memory[NEXT_PLAN] = next_plan
    memory[end + _CLOCK] += 1.0
    if truncated and not terminated:
        memory[end + _LIMIT] = max(memory[end + _LIMIT], memory[end + _CLOCK])
    if terminated or truncated:
        memory[end + _CLOCK] = 0.0


class FiniteHorizonPSRL(PSRL):
    """Posterior sampling that plans by the steps left."""

    version: ClassVar[str] = "1"
    compiled_act = staticmethod(act_by_steps_left)
    compiled_learn = staticmethod(learn_horizon)

    def memory(self, batch: RunBatch) -> Float64s:
        """Returns a memory without counts and without a horizon."""
        size = batch.n_observations
        end = memory_layout(size, batch.n_actions)[-1]
        return np.zeros(end + _TIMED + LONGEST * size)

"""Exploration early in a run: the optimal policies of tasks drawn from a Dirichlet posterior.

The network imitates the oracle, so it learns what to do, and not what to find out. It predicts how probable
it is that an action is the best, and never tries an improbable one, however cheap the try and however long
the run. Therefore a run begins with posterior sampling (Osband, Russo and Van Roy 2013; resampled often, as
in Ouyang et al. 2017). It follows the optimal policy of a task that is drawn from

    transitions  Dirichlet(PRIOR / O + counts); the share of unseen successors goes to one of them as a whole
    rewards      of a seen successor: its mean, plus a Normal with the sd of rewards about such means
                 over sqrt(count); of an unseen one: what arriving there paid on average elsewhere;
                 a slot never tried, and an observation never seen, add a Normal with the sd of all rewards
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_baselines.planner.values import solve_optimal
from anymdp_bench.engine.rng import integer, normal, uniform

PRIOR, GAMMA = 0.1, 0.994  # the Dirichlet's total before anything is seen; the discount
PRIOR_SLOTS = 10.0  # slots that the prior total counts for
LEAST_TOTAL, MOST_TOTAL = 1e-4, 10.0


@njit(cache=True, nogil=True)
def draw_gamma(rng, i, shape):
    """Returns a Gamma(shape, 1) draw from stream `i` (Marsaglia and Tsang 2000); shape > 0."""
    boost = 1.0
    if shape < 1.0:
        boost = max(uniform(rng, i), 1e-300) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(rng, i)
        v = (1.0 + c * x) ** 3
        if v > 0.0:
            u = 1.0 - uniform(rng, i)
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v * boost


@njit(cache=True, nogil=True)
def estimate_reward_noise(memory, i):
    """Returns the sd of rewards about the mean of their slot and successor, pooled over the run."""
    n_observations, n_actions = memory.visits.shape[1:]
    within = freedom = 0.0
    for o in range(n_observations):
        for a in range(n_actions):
            if memory.visits[i, o, a] == 0.0:
                continue
            within += memory.square[i, o, a]
            ends = memory.ends[i, o, a]
            if ends > 0.0:
                within -= memory.paid_end[i, o, a] ** 2 / ends
                freedom += ends - 1.0
            for j in range(n_observations):
                count = memory.onward[i, o, a, j]
                if count > 0.0:
                    within -= memory.paid[i, o, a, j] ** 2 / count
                    freedom += count - 1.0
    return math.sqrt(max(within, 0.0) / max(freedom, 1.0))


@njit(cache=True, nogil=True)
def estimate_unseen_total(memory, i):
    """Returns the Dirichlet's total: how readily a slot that is tried again leads somewhere new.

    With this total the expected number of different successors (as in a Dirichlet process) is the number that
    the run's slots have. The prior counts for `PRIOR_SLOTS` further slots.
    """
    n_observations, n_actions = memory.visits.shape[1:]
    longest = np.int64(memory.visits[i].max()) + 1
    tried = np.zeros(longest + 1)  # [v]  slots with more than v visits
    new = 0.0
    for o in range(n_observations):
        for a in range(n_actions):
            n = np.int64(memory.visits[i, o, a])
            if n == 0:
                continue
            tried[n] += 1.0
            new += (memory.ends[i, o, a] > 0.0) - 1.0
            for j in range(n_observations):
                new += memory.onward[i, o, a, j] > 0.0
    for v in range(longest - 1, -1, -1):
        tried[v] += tried[v + 1]
    low, high = math.log(LEAST_TOTAL), math.log(MOST_TOTAL)
    for _ in range(30):
        middle = 0.5 * (low + high)
        total = math.exp(middle)
        expected = PRIOR_SLOTS * total / (total + 1.0) - PRIOR_SLOTS * PRIOR / (PRIOR + 1.0)
        for v in range(1, longest):
            expected += tried[v + 1] * total / (total + v)
        if expected > new:
            high = middle
        else:
            low = middle
    return math.exp(low)


@njit(cache=True, nogil=True)
def _draw_slot(memory, i, o, a, rng, r, noise, new_reward, row, prior):
    """Draws P(.|o,a) to `row` (the rest to 1 ends the episode); returns the mean reward that was drawn."""
    n_observations = len(row)
    ends = memory.ends[i, o, a]
    last = draw_gamma(rng, r, ends) if ends > 0.0 else 0.0
    total, unseen = last, 0
    gain = 0.0
    if ends > 0.0:
        gain = last * (memory.paid_end[i, o, a] / ends + noise / math.sqrt(ends) * normal(rng, r))
    for j in range(n_observations):
        count = memory.onward[i, o, a, j]
        row[j] = 0.0
        if count > 0.0:
            row[j] = draw_gamma(rng, r, count)
            mean = memory.paid[i, o, a, j] / count
            gain += row[j] * (mean + noise / math.sqrt(count) * normal(rng, r))
            total += row[j]
        else:
            unseen += 1
    if unseen > 0:
        rest = draw_gamma(rng, r, prior * unseen / n_observations)
        if total + rest <= 0.0:
            rest = 1.0
        pick = integer(rng, r, unseen)
        for j in range(n_observations):
            if memory.onward[i, o, a, j] == 0.0:
                if pick == 0:
                    gain += rest * new_reward[j]
                    if memory.arrival[i, j, 2] == 0.0:  # no id that ends episodes
                        row[j] = rest
                    break
                pick -= 1
        total += rest
    for j in range(n_observations):
        row[j] /= total
    return gain / total


@njit(cache=True, nogil=True)
def sample_policies(memory, runs, rng, policy):
    """Draws a task for each of `runs` (int64 [k]) and writes its optimal policy to `policy`, int64 [n, O].

    Run i draws from stream rng[i]. The search for the optimum starts from the policy that stood there.
    """
    n_observations, n_actions = memory.visits.shape[1:]
    model = np.empty((n_observations, n_actions, n_observations))
    reward, q = np.empty((n_observations, n_actions)), np.empty((n_observations, n_actions))
    value, new_reward = np.empty(n_observations), np.empty(n_observations)
    for i in runs:
        steps = max(memory.total[i, 0], 1.0)
        mean = memory.total[i, 1] / steps
        sd = math.sqrt(max(memory.total[i, 2] / steps - mean * mean, 1e-12))
        noise, prior = estimate_reward_noise(memory, i), estimate_unseen_total(memory, i)
        for j in range(n_observations):
            arrivals = memory.arrival[i, j, 0]
            if arrivals > 0.0:
                new_reward[j] = memory.arrival[i, j, 1] / arrivals
            else:
                new_reward[j] = mean + sd * normal(rng, i)
        for o in range(n_observations):
            for a in range(n_actions):
                reward[o, a] = _draw_slot(
                    memory, i, o, a, rng, i, noise, new_reward, model[o, a], prior
                )
                if memory.visits[i, o, a] == 0.0:
                    reward[o, a] += sd * normal(rng, i)
        solve_optimal(model, reward, GAMMA, policy[i], value, q)

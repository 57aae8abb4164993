"""What a model-based tabular learner remembers: counts and reward sums, in one flat array.

    head [8] | policy [O] | terminal [O] | arrivals [O] | arrival rewards [O]
    | visits [O, A] | counts [O, A, O] | rewards [O, A, O]

`arrivals` counts steps that ended in an id, `rewards` sums what each (s, a, s') paid. Terminal ids are known
once entered. The learner plans when an episode begins, beyond the 200th only in episodes 1% apart (by then
its model hardly moves), and, with the setting `DOUBLING`, within an episode whenever a pair's visits reach a
power of two (as in UCRL2: Jaksch, Ortner and Auer 2010; for sampling, Ouyang et al. 2017).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bands
from anymdp_bench.engine.rollout import LEARN
from anymdp_bench.engine.solve import policy_iteration

SIZE, DOUBLING, GAMMA = range(3)  # settings: number of ids, plan at doublings (0 or 1), discount
EPISODE, NEXT_PLAN, STEPS, SUM, SQUARES, WITHIN, FREEDOM = range(7)  # the memory's head
_HEAD = 8
_EVERY_EPISODE = 200


def plain_layout(size, n_actions):
    """Offsets of policy, terminal, arrivals, arrival rewards, visits, counts, rewards; and the end."""
    policy = _HEAD
    terminal = policy + size
    arrivals = terminal + size
    arrival_rewards = arrivals + size
    visits = arrival_rewards + size
    counts = visits + size * n_actions
    rewards = counts + size * n_actions * size
    end = rewards + size * n_actions * size
    return policy, terminal, arrivals, arrival_rewards, visits, counts, rewards, end


layout = njit(inline="always")(plain_layout)
"""The same inside a kernel."""


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
    size = np.int64(settings[SIZE])
    _, terminal, arrivals, arrival_rewards, visits, counts, rewards, _ = layout(size, n_actions)
    pair = observation * n_actions + action
    cell = pair * size + next_observation
    seen = memory[counts + cell]
    if seen > 0.0:  # Welford's update of the spread within one (s, a, s')
        off = reward - memory[rewards + cell] / seen
        memory[WITHIN] += off * off * seen / (seen + 1.0)
        memory[FREEDOM] += 1.0
    memory[counts + cell] += 1.0
    memory[rewards + cell] += reward
    memory[visits + pair] += 1.0
    memory[arrivals + next_observation] += 1.0
    memory[arrival_rewards + next_observation] += reward
    memory[STEPS] += 1.0
    memory[SUM] += reward
    memory[SQUARES] += reward * reward
    if terminated:
        memory[terminal + next_observation] = 1.0
    if terminated or truncated:
        memory[EPISODE] += 1.0
    elif settings[DOUBLING] > 0.0:
        n = np.int64(memory[visits + pair])
        if n & (n - 1) == 0:
            memory[NEXT_PLAN] = memory[EPISODE]


@njit
def due(memory):
    """Whether it is time to plan; if so, sets when it will be next."""
    if memory[EPISODE] < memory[NEXT_PLAN]:
        return False
    episode = memory[EPISODE]
    memory[NEXT_PLAN] = episode + (1.0 if episode < _EVERY_EPISODE else math.ceil(0.01 * episode))
    return True


@njit
def spread(memory):
    """(mean, standard deviation) of all rewards so far, the latter at least 1e-6."""
    n = max(memory[STEPS], 1.0)
    mean = memory[SUM] / n
    return mean, math.sqrt(max(memory[SQUARES] / n - mean * mean, 1e-12))


@njit
def improve(memory, settings, prob, reward, policy):
    """Improves `policy` (int64 [O]) to the optimum of the model P [O, A, O], r [O, A]."""
    size, n_actions = reward.shape
    if size == 1:  # a bandit: its one id is also that of the end
        policy[0] = np.argmax(reward[0])
        return
    begin = layout(size, n_actions)[1]
    terminal = memory[begin : begin + size] > 0.0
    low, width = np.zeros(size, np.int64), np.full(size, size)
    offset = np.arange(size) * (n_actions * size)
    flat = prob.reshape(-1)
    bands = Bands(low, width, offset, flat, flat, flat)
    policy_iteration(bands, reward, terminal, settings[GAMMA], policy)


@njit
def follow(memory, settings, n_actions, prob, reward):
    """Plans on the model and keeps the policy, starting from the one that was kept."""
    size = np.int64(settings[SIZE])
    begin = layout(size, n_actions)[0]
    policy = memory[begin : begin + size].astype(np.int64)
    improve(memory, settings, prob, reward, policy)
    memory[begin : begin + size] = policy


@njit
def write_greedy(policy, out):
    """Writes actions [O] as a one-hot table [O, A]."""
    out[:] = 0.0
    for s in range(len(policy)):
        out[s, policy[s]] = 1.0

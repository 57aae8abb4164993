"""The memory of a model-based tabular learner: counts and sums of rewards in one flat array, float64.

    head [8] | policy [O] | terminal [O] | arrivals [O] | arrival rewards [O]
    | visits [O, A] | counts [O, A, O] | rewards [O, A, O]

O is the number of observation ids, and A the number of actions. `arrivals` counts the steps that led to an
id. `rewards` holds the sum of the rewards of each (s, a, s'). An id is known to be terminal once the
learner has entered it. The learner plans when an episode begins. After 200 episodes it plans only when the
number of episodes has grown by 1%, since its model then changes slowly. With the setting `DOUBLING` it also
plans within an episode, whenever the visits of a pair reach a power of two (UCRL2: Jaksch, Ortner and Auer
2010; for posterior sampling: Ouyang et al. 2017).
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
EVERY_EPISODE = 200


def memory_layout(size, n_actions):
    """Returns the offsets of policy, terminal, arrivals, arrival rewards, visits, counts, rewards and end."""
    policy = _HEAD
    terminal = policy + size
    arrivals = terminal + size
    arrival_rewards = arrivals + size
    visits = arrival_rewards + size
    counts = visits + size * n_actions
    rewards = counts + size * n_actions * size
    end = rewards + size * n_actions * size
    return policy, terminal, arrivals, arrival_rewards, visits, counts, rewards, end


layout = njit(inline="always")(memory_layout)
"""`memory_layout` for use inside a kernel."""


@njit(LEARN, cache=True)
def learn(
    observation, action, reward, next_observation, terminated, truncated, n_actions, memory,
    settings, rng,
):  # fmt: skip
    """Counts one step; its signature is `LEARN`."""
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
def should_plan(memory):
    """Returns whether it is time to plan; if so, it sets the next time."""
    if memory[EPISODE] < memory[NEXT_PLAN]:
        return False
    episode = memory[EPISODE]
    memory[NEXT_PLAN] = episode + (1.0 if episode < EVERY_EPISODE else math.ceil(0.01 * episode))
    return True


@njit
def reward_moments(memory):
    """Returns (mean, standard deviation) of all rewards so far; the deviation is at least 1e-6."""
    n = max(memory[STEPS], 1.0)
    mean = memory[SUM] / n
    return mean, math.sqrt(max(memory[SQUARES] / n - mean * mean, 1e-12))


@njit
def improve_policy(memory, settings, prob, reward, policy):
    """Changes `policy` (int64 [O]) into the optimal policy of the model: prob [O, A, O], reward [O, A]."""
    size, n_actions = reward.shape
    if size == 1:  # a bandit: its only id is the terminal one too
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
def update_policy(memory, settings, n_actions, prob, reward):
    """Plans on the model, from the policy in memory, and writes the new policy to memory."""
    size = np.int64(settings[SIZE])
    begin = layout(size, n_actions)[0]
    policy = memory[begin : begin + size].astype(np.int64)
    improve_policy(memory, settings, prob, reward, policy)
    memory[begin : begin + size] = policy


@njit
def write_one_hot(policy, out):
    """Writes the actions `policy` [O] to `out` as a one-hot table [O, A]."""
    out[:] = 0.0
    for s in range(len(policy)):
        out[s, policy[s]] = 1.0

"""A compiled tabular learner and the Pendulum in one loop.

As in `engine.rollout`, a learner is two typed function pointers over flat arrays. The loop counts steps and
episodes, and returns the regret.
"""

from __future__ import annotations

from numba import njit, types

from anymdp_bench.engine.rollout import ACT, EPISODES, LEARN, STEPS, draw_action
from anymdp_bench.tasks.pendulum.dynamics import HORIZON, advance, draw_start, observe
from anymdp_bench.tasks.pendulum.pendulum_oracle import oracle_return

_FLOATS = types.Array(types.float64, 1, "C")
_FROZEN = types.Array(types.float64, 2, "C", readonly=True)
_BITS = types.Array(types.uint64, 1, "C")
_INTS = types.Array(types.int64, 1, "C")


@njit(
    types.float64(
        types.FunctionType(ACT), types.FunctionType(LEARN), types.float64, _FROZEN, types.float64,
        _FLOATS, _FLOATS, _BITS, _BITS, _INTS, types.int64, types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def learn_pendulum_episodes(
    act, learn, gravity, value, gamma, memory, settings, agent_rng, env_rng, counts, until_episode,
    max_steps,
):  # fmt: skip
    """Plays whole episodes of the Pendulum until counts[EPISODES] = until_episode; returns their regret.

    `value` and `gamma` are the oracle's (see `engine.swing_up`): an episode's regret is what the oracle's
    episode from the same start pays, less what this one paid. One cut by `max_steps` is not counted.
    """
    regret = 0.0
    while counts[EPISODES] < until_episode and counts[STEPS] < max_steps:
        theta, speed = draw_start(env_rng, 0)
        lost = oracle_return(value, gamma, gravity, theta, speed)
        seen = observe(theta, speed)
        for left in range(HORIZON - 1, -1, -1):
            if counts[STEPS] >= max_steps:
                break
            action = act(seen, 5, memory, settings, agent_rng)
            if action < 0 or action >= 5:
                raise ValueError("a learner's action is out of range")
            theta, speed, reward = advance(theta, speed, action, gravity)
            lost -= reward
            following = observe(theta, speed)
            counts[STEPS] += 1
            learn(seen, action, reward, following, False, left == 0, 5, memory, settings, agent_rng)
            seen = following
            if left == 0:
                counts[EPISODES] += 1
                regret += lost
    return regret


@njit(cache=True, nogil=True)
def play_test_episodes(table, gravity, value, gamma, env_rng, agent_rng, episodes):
    """(mean return, mean of it less the oracle's from the same start) of a policy [O, A] by observation.

    Starts are draw_action from `env_rng`, actions from `agent_rng`: the starts are the same for every policy.
    """
    total = ahead = 0.0
    for _ in range(episodes):
        theta, speed = draw_start(env_rng, 0)
        ahead -= oracle_return(value, gamma, gravity, theta, speed)
        for _ in range(HORIZON):
            action = draw_action(table[observe(theta, speed)], agent_rng)
            theta, speed, reward = advance(theta, speed, action, gravity)
            total += reward
            ahead += reward
    return total / episodes, ahead / episodes

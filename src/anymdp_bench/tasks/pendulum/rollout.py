"""A compiled tabular learner and the Pendulum in one compiled loop.

The learner is passed as in `engine.rollout`. The loop counts steps and episodes, and returns the regret.
"""

from __future__ import annotations

from numba import njit, types

from anymdp_bench.engine.rollout import ACT, BITS, EPISODES, FLOATS, INTS, LEARN, STEPS, draw_action
from anymdp_bench.tasks.pendulum.dynamics import HORIZON, advance, choose_start, observe
from anymdp_bench.tasks.pendulum.pendulum_oracle import oracle_return

_FROZEN = types.Array(types.float64, 2, "C", readonly=True)
_START = types.Array(types.float64, 1, "C", readonly=True)


@njit(
    types.float64(
        types.FunctionType(ACT), types.FunctionType(LEARN), types.float64, _START, _FROZEN, types.float64,
        FLOATS, FLOATS, BITS, BITS, INTS, types.int64, types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def learn_pendulum_episodes(
    act, learn, gravity, start, value, gamma, memory, settings, agent_rng, env_rng, counts,
    until_episode, max_steps,
):  # fmt: skip
    """Plays whole episodes of the Pendulum until counts[EPISODES] = until_episode.

    The regret of an episode is the return of the oracle's episode from the same start, minus its own
    return. An episode that `max_steps` cuts is not counted.

    Args:
        act: the learner's function of signature `ACT`.
        learn: the learner's function of signature `LEARN`.
        gravity: g in m/s^2.
        start: where episodes start, read-only; see `dynamics.choose_start`.
        value: the oracle's values on its grid, float64 [n, m].
        gamma: the oracle's discount.
        memory: the learner's memory, float64 of any length.
        settings: the learner's hyper-parameters, float64 of any length.
        agent_rng: the random stream of the learner, uint64 [1].
        env_rng: the random stream of the starts, uint64 [1].
        counts: the numbers of steps and of episodes so far, int64 [2]. They are updated in place.
        until_episode: the number of episodes at which the loop stops.
        max_steps: the number of steps at which the loop stops.

    Returns:
        The regret of the episodes that were counted.

    Raises:
        ValueError: an action is out of range.
    """
    regret = 0.0
    while counts[EPISODES] < until_episode and counts[STEPS] < max_steps:
        theta, speed = choose_start(start, env_rng)
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
def play_test_episodes(table, gravity, start, value, gamma, env_rng, agent_rng, episodes):
    """Plays test episodes of a policy by observation, float64 [O, A].

    Starts are drawn from `env_rng` and actions from `agent_rng`. So the starts are the same for every policy.

    Returns:
        (mean return, mean of the return minus the oracle's return from the same start).
    """
    total = ahead = 0.0
    for _ in range(episodes):
        theta, speed = choose_start(start, env_rng)
        ahead -= oracle_return(value, gamma, gravity, theta, speed)
        for _ in range(HORIZON):
            action = draw_action(table[observe(theta, speed)], agent_rng)
            theta, speed, reward = advance(theta, speed, action, gravity)
            total += reward
            ahead += reward
    return total / episodes, ahead / episodes

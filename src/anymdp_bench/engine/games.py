"""Tabular learners fused with the two games that are no plain table: the Pendulum, and joint tasks.

As `engine.rollout`: learners are typed function pointers over flat arrays, compiled once for all of them; the
loops keep the account (steps, episodes) and the regret.
"""

from __future__ import annotations

from numba import njit, types

from anymdp_bench.engine.pendulum import HORIZON, advance, first, observe
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.rollout import ACT, EPISODES, LEARN, STEPS
from anymdp_bench.engine.swing_up import oracle_return

_FLOATS = types.Array(types.float64, 1, "C")
_TABLE = types.Array(types.float64, 2, "C")
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
def learn_swings(
    act, learn, gravity, value, gamma, memory, settings, agent_rng, env_rng, account, until_episode,
    max_steps,
):  # fmt: skip
    """Plays whole episodes of the Pendulum until account[EPISODES] = until_episode; returns their regret.

    `value` and `gamma` are the oracle's (see `engine.swing_up`): an episode's regret is what the oracle's
    episode from the same start pays, less what this one paid. One cut by `max_steps` is not counted.
    """
    regret = 0.0
    while account[EPISODES] < until_episode and account[STEPS] < max_steps:
        theta, speed = first(env_rng, 0)
        lost = oracle_return(value, gamma, gravity, theta, speed)
        seen = observe(theta, speed)
        for left in range(HORIZON - 1, -1, -1):
            if account[STEPS] >= max_steps:
                break
            action = act(seen, 5, memory, settings, agent_rng)
            if action < 0 or action >= 5:
                raise ValueError("a learner's action is out of range")
            theta, speed, reward = advance(theta, speed, action, gravity)
            lost -= reward
            following = observe(theta, speed)
            account[STEPS] += 1
            learn(seen, action, reward, following, False, left == 0, 5, memory, settings, agent_rng)
            seen = following
            if left == 0:
                account[EPISODES] += 1
                regret += lost
    return regret


@njit(cache=True, nogil=True)
def drawn(row, rng):
    """An action by its probabilities [A], one draw from `rng`."""
    left = uniform(rng, 0)
    action = 0
    while action < len(row) - 1 and left >= row[action]:
        left -= row[action]
        action += 1
    return action


@njit(cache=True, nogil=True)
def swing_returns(table, gravity, value, gamma, env_rng, agent_rng, episodes):
    """(mean return, mean of it less the oracle's from the same start) of a policy [O, A] by observation.

    Starts are drawn from `env_rng`, actions from `agent_rng`: the starts are the same for every policy.
    """
    total = ahead = 0.0
    for _ in range(episodes):
        theta, speed = first(env_rng, 0)
        ahead -= oracle_return(value, gamma, gravity, theta, speed)
        for _ in range(HORIZON):
            action = drawn(table[observe(theta, speed)], agent_rng)
            theta, speed, reward = advance(theta, speed, action, gravity)
            total += reward
            ahead += reward
    return total / episodes, ahead / episodes


@njit(
    types.float64(
        types.FunctionType(ACT), types.FunctionType(LEARN),
        types.Array(types.int64, 2, "C", readonly=True),
        types.Array(types.int64, 2, "C", readonly=True),
        types.Array(types.float64, 3, "C", readonly=True),
        types.int64, types.int64, types.int64, types.int64,
        types.Array(types.float64, 3, "C"), _TABLE, _FLOATS,
        types.Array(types.uint64, 2, "C"), _INTS, types.int64, types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def learn_together(
    act, learn, seen, following, reward, start, goal, n_actions, horizon, advantage, memory, settings,
    agent_rng, account, until_episode, max_steps,
):  # fmt: skip
    """Plays whole episodes of a joint task without chance, a learner's copy for each player; their regret.

    Shapes: seen int64 [S, players]; following int64 [S, A^players]; reward float64 [S, A^players, players];
    advantage [H+1, S, A^players] by steps left; memory float64 [players, m]; agent_rng uint64
    [players, 1]. Each copy sees its own observation and reward. The episode ends in state `goal`.
    """
    players = seen.shape[1]
    regret = 0.0
    while account[EPISODES] < until_episode and account[STEPS] < max_steps:
        state, left, lost = start, horizon, 0.0
        while account[STEPS] < max_steps:
            joint = 0
            for i in range(players):
                action = act(seen[state, i], n_actions, memory[i], settings, agent_rng[i])
                if action < 0 or action >= n_actions:
                    raise ValueError("a learner's action is out of range")
                joint = joint * n_actions + action
            lost -= advantage[left, state, joint]
            arrived = following[state, joint]
            left -= 1
            terminated = arrived == goal
            truncated = left == 0 and not terminated
            account[STEPS] += 1
            rest = joint
            for i in range(players - 1, -1, -1):
                action = rest % n_actions
                rest //= n_actions
                learn(
                    seen[state, i], action, reward[state, joint, i], seen[arrived, i], terminated,
                    truncated, n_actions, memory[i], settings, agent_rng[i],
                )  # fmt: skip
            state = arrived
            if terminated or truncated:
                account[EPISODES] += 1
                regret += lost
                break
    return regret

"""Compiled tabular learners, one for each player, and a joint task in one compiled loop.

The learners are passed as in `engine.rollout`. The loop counts steps and episodes, and returns the regret.
"""

from __future__ import annotations

from numba import njit, types

from anymdp_bench.engine.rollout import ACT, EPISODES, FLOATS, INTS, LEARN, STEPS

_TABLE = types.Array(types.float64, 2, "C")


@njit(
    types.float64(
        types.FunctionType(ACT), types.FunctionType(LEARN),
        types.Array(types.int64, 2, "C", readonly=True),
        types.Array(types.int64, 2, "C", readonly=True),
        types.Array(types.float64, 3, "C", readonly=True),
        types.int64, types.int64, types.int64, types.int64,
        types.Array(types.float64, 3, "C"), _TABLE, FLOATS,
        types.Array(types.uint64, 2, "C"), INTS, types.int64, types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def learn_joint_episodes(
    act, learn, seen, following, reward, start, goal, n_actions, horizon, advantage, memory, settings,
    agent_rng, counts, until_episode, max_steps,
):  # fmt: skip
    """Plays whole episodes of a deterministic joint task with one copy of a learner for each player.

    Each copy sees its own observations and rewards. An episode that `max_steps` cuts is not counted.

    Args:
        act: the learner's function of signature `ACT`.
        learn: the learner's function of signature `LEARN`.
        seen: what each player observes in each joint state, int64 [S, players].
        following: the next joint states, int64 [S, A^players].
        reward: the rewards of the players, float64 [S, A^players, players].
        start: the joint state in which episodes start.
        goal: the joint state in which episodes end.
        n_actions: the number of actions of each player, A.
        horizon: the longest episode, in steps.
        advantage: the joint oracle's advantages by steps left, float64 [H+1, S, A^players].
        memory: the memories of the copies, float64 [players, any length].
        settings: the learner's hyper-parameters, float64 of any length.
        agent_rng: the random streams of the copies, uint64 [players, 1].
        counts: the numbers of steps and of episodes so far, int64 [2]. They are updated in place.
        until_episode: the number of episodes at which the loop stops.
        max_steps: the number of steps at which the loop stops.

    Returns:
        The regret of the episodes that were counted.

    Raises:
        ValueError: an action is out of range.
    """
    players = seen.shape[1]
    regret = 0.0
    while counts[EPISODES] < until_episode and counts[STEPS] < max_steps:
        state, left, lost = start, horizon, 0.0
        while counts[STEPS] < max_steps:
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
            counts[STEPS] += 1
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
                counts[EPISODES] += 1
                regret += lost
                break
    return regret

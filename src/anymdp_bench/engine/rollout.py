"""A tabular learner and its task in one compiled loop.

A learner has two compiled functions, act and learn, over flat arrays of its own. The loop takes them as
typed function pointers. So the loop is compiled once for all learners, and the result is kept on disk. A
learner sees the observation, the reward and the flags, and nothing else. The loop counts steps and
episodes. It also adds up the regret of the actions, which is minus the sum of the oracle's advantages
A_h(s, a).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit, types

from anymdp_bench.engine.alias_tables import draw_start, draw_transition, unpack
from anymdp_bench.engine.no_refcount import no_refcount
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.step import add_noise

FLOATS = types.Array(types.float64, 1, "C")
BITS = types.Array(types.uint64, 1, "C")
INTS = types.Array(types.int64, 1, "C")
"""Types of flat arrays."""

ACT = types.int64(types.int64, types.int64, FLOATS, FLOATS, BITS)
"""The signature act(observation, n_actions, memory, settings, rng) -> action."""

LEARN = types.void(
    types.int64, types.int64, types.float64, types.int64, types.boolean, types.boolean, types.int64,
    FLOATS, FLOATS, BITS,
)  # fmt: skip
"""The signature learn(observation, action, reward, next_observation, terminated, truncated, n_actions,
memory, settings, rng)."""

POLICY = types.void(types.int64, types.int64, FLOATS, FLOATS, types.Array(types.float64, 2, "C"))
"""The signature policy(n_observations, n_actions, memory, settings, out).

The function writes action probabilities to `out`, float64 [O, A].
"""

STEPS, EPISODES = 0, 1  # places in the array `counts`


class CompiledLearner(NamedTuple):
    """A tabular learner with its memory, ready for a compiled loop.

    Attributes:
        act, learn, policy: the compiled functions, with the signatures `ACT`, `LEARN` and `POLICY`.
        settings: the hyper-parameters, float64 of any length.
        memory: one memory for each player, float64 [players, any length].
        rng: the state of one random stream for each player, uint64 [players].
    """

    act: Any
    learn: Any
    policy: Any
    settings: Any
    memory: Any
    rng: Any


_SIGNATURE = types.float64(
    types.FunctionType(ACT), types.FunctionType(LEARN),
    types.Array(types.int64, 2, "C"), types.Array(types.uint64, 2, "C"),
    types.Array(types.float64, 2, "C"), types.Array(types.float64, 3, "C"),
    FLOATS, FLOATS, BITS, BITS, INTS, types.int64, types.int64,
)  # fmt: skip


@njit(_SIGNATURE, cache=True, nogil=True)
def learn_episodes(
    act, learn, rows, cells, values, advantage, memory, settings, agent_rng, env_rng, counts,
    until_episode, max_steps,
):  # fmt: skip
    """Plays whole episodes until counts[EPISODES] = until_episode.

    The learner also learns from an episode that `max_steps` cuts, but this episode is not counted. An
    episode is cut when counts[STEPS] reaches `max_steps` inside it.

    Args:
        act: the learner's function of signature `ACT`.
        learn: the learner's function of signature `LEARN`.
        rows: the first array of the task's `StepTables`.
        cells: the second array of the task's `StepTables`.
        values: the third array of the task's `StepTables`.
        advantage: the oracle's advantages by steps left, float64 [H+1, S, A].
        memory: the learner's memory, float64 of any length.
        settings: the learner's hyper-parameters, float64 of any length.
        agent_rng: the random stream of the learner, uint64 [1].
        env_rng: the random stream of the dynamics, uint64 [1].
        counts: the numbers of steps and of episodes so far, int64 [2]. They are updated in place.
        until_episode: the number of episodes at which the loop stops.
        max_steps: the number of steps at which the loop stops.

    Returns:
        The regret of the episodes that were counted.

    Raises:
        ValueError: an action is out of range.
    """
    # The caller holds all of these arrays until the kernel returns.
    rows, cells, values = no_refcount(rows), no_refcount(cells), no_refcount(values)
    memory, settings, advantage = no_refcount(memory), no_refcount(settings), no_refcount(advantage)
    agent_rng, env_rng, counts = no_refcount(agent_rng), no_refcount(env_rng), no_refcount(counts)
    row = rows[0]
    horizon = row[len(row) - 1]
    n_actions = advantage.shape[2]
    regret = 0.0
    while counts[EPISODES] < until_episode and counts[STEPS] < max_steps:
        state, seen, _ = unpack(draw_start(row, cells, env_rng, 0))
        lost = 0.0
        left = horizon
        while counts[STEPS] < max_steps:
            action = act(seen, n_actions, memory, settings, agent_rng)
            if action < 0 or action >= n_actions:
                raise ValueError("a learner's action is out of range")
            word, mean, noise = draw_transition(
                row, cells, values, state * n_actions + action, env_rng, 0
            )
            reward = add_noise(mean, noise, env_rng, 0)
            lost -= advantage[left, state, action]
            state, following, terminated = unpack(word)
            left -= 1
            truncated = left == 0 and not terminated
            counts[STEPS] += 1
            learn(
                seen, action, reward, following, terminated, truncated, n_actions,
                memory, settings, agent_rng,
            )  # fmt: skip
            seen = following
            if terminated or truncated:
                counts[EPISODES] += 1
                regret += lost
                break
    return regret


@njit(cache=True, nogil=True)
def draw_action(row, rng):
    """Draws an action by its probabilities, float64 [A], with one draw from `rng`, uint64 [1]."""
    left = uniform(rng, 0)
    action = 0
    while action < len(row) - 1 and left >= row[action]:
        left -= row[action]
        action += 1
    return action

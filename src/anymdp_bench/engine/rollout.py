"""A tabular learner and its task, fused in one compiled loop.

A learner is two compiled functions over flat arrays that it owns. They are passed as typed function
pointers, so this loop is compiled once, for every learner, and kept on disk; a learner sees the
observation, reward and flags, and nothing else. The loop keeps the account: steps, episodes, and the regret
of what was played, which is minus the sum of the oracle's advantages A_h(s, a).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import njit, types

from anymdp_bench.engine.no_refcount import no_refcount
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.step import add_noise, draw_start, draw_transition, unpack

_FLOATS = types.Array(types.float64, 1, "C")
_BITS = types.Array(types.uint64, 1, "C")
_INTS = types.Array(types.int64, 1, "C")

ACT = types.int64(types.int64, types.int64, _FLOATS, _FLOATS, _BITS)
"""act(observation, n_actions, memory, settings, rng) -> action"""

LEARN = types.void(
    types.int64,
    types.int64,
    types.float64,
    types.int64,
    types.boolean,
    types.boolean,
    types.int64,
    _FLOATS,
    _FLOATS,
    _BITS,
)
"""learn(observation, action, reward, next_observation, terminated, truncated, n_actions, memory,
settings, rng)"""

POLICY = types.void(types.int64, types.int64, _FLOATS, _FLOATS, types.Array(types.float64, 2, "C"))
"""policy(n_observations, n_actions, memory, settings, out): writes action probabilities to out [O, A]"""

STEPS, EPISODES = 0, 1  # columns of the counts


class CompiledLearner(NamedTuple):
    """A tabular learner with what it remembers, ready for a compiled loop.

    Attributes:
        act, learn, policy: the compiled functions, of the signatures `ACT`, `LEARN` and `POLICY`.
        settings: its hyper-parameters, float64 [any].
        memory: one memory for each player, float64 [players, any].
        rng: the state of one random stream for each player, uint64 [players].
    """

    act: Any
    learn: Any
    policy: Any
    settings: Any
    memory: Any
    rng: Any


_SIGNATURE = types.float64(
    types.FunctionType(ACT),
    types.FunctionType(LEARN),
    types.Array(types.int64, 2, "C"),
    types.Array(types.uint64, 2, "C"),
    types.Array(types.float64, 2, "C"),
    types.Array(types.float64, 3, "C"),
    _FLOATS,
    _FLOATS,
    _BITS,
    _BITS,
    _INTS,
    types.int64,
    types.int64,
)


@njit(_SIGNATURE, cache=True, nogil=True)
def learn_episodes(
    act,
    learn,
    rows,
    cells,
    values,
    advantage,
    memory,
    settings,
    agent_rng,
    env_rng,
    counts,
    until_episode,
    max_steps,
):
    """Plays whole episodes until counts[EPISODES] = until_episode; returns the regret they added.

    Shapes: rows, cells, values as `StepTables` of one task; advantage [H+1, S, A] by steps left. An episode
    that `max_steps` cuts (counts[STEPS] reaches it inside the episode) is learned from, but not counted.
    """
    # the caller holds them all; see `borrow`
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
                seen,
                action,
                reward,
                following,
                terminated,
                truncated,
                n_actions,
                memory,
                settings,
                agent_rng,
            )
            seen = following
            if terminated or truncated:
                counts[EPISODES] += 1
                regret += lost
                break
    return regret


@njit(cache=True, nogil=True)
def draw_action(row, rng):
    """An action by its probabilities [A], one draw from `rng`."""
    left = uniform(rng, 0)
    action = 0
    while action < len(row) - 1 and left >= row[action]:
        left -= row[action]
        action += 1
    return action

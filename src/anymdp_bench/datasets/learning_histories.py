"""Learning histories: what a learner did while it learned a task, as algorithm distillation trains on.

A history is made by one of the benchmark's compiled learners, with an empty memory, on a task of its own.
Laskin et al. (2022, section 3) keep only every k-th episode of a slow learner, so that a model that
imitates the history learns in fewer episodes than the learner did.
"""

from __future__ import annotations

from collections.abc import Sequence

from numba import njit, types

from anymdp_bench.agents import CompiledAgent, RunBatch
from anymdp_bench.datasets.codes import TAG_UNKNOWN, TERMINATED, TRUNCATED, WENT_ON
from anymdp_bench.datasets.sequences import Sequences, empty_sequences, refuse_public
from anymdp_bench.engine.alias_tables import draw_start, draw_transition, unpack
from anymdp_bench.engine.arrays import UInt64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.engine.rollout import ACT, BITS, FLOATS, LEARN
from anymdp_bench.engine.step import add_noise
from anymdp_bench.scoring import compute_references
from anymdp_bench.scoring.labels import label_task
from anymdp_bench.tasks.source import TaskSource

_SIGNATURE = types.void(
    types.FunctionType(ACT), types.FunctionType(LEARN),
    types.Array(types.int64, 1, "C"), types.Array(types.uint64, 2, "C"), types.Array(types.float64, 2, "C"),
    types.int64, FLOATS, FLOATS, BITS, BITS, types.int64,
    types.Array(types.int16, 1, "C"), types.Array(types.int8, 1, "C"), types.Array(types.float32, 1, "C"),
    types.Array(types.int8, 1, "C"), types.Array(types.int16, 1, "C"),
)  # fmt: skip


@njit(_SIGNATURE, cache=True, nogil=True)
def _play_history(
    act, learn, row, cells, values, n_actions, memory, settings, agent_rng, env_rng, keep_every,
    seen, action, reward, ending, arrival,
):  # fmt: skip
    """Plays until the rows are full. Of `keep_every` episodes the last one is written."""
    horizon = row[len(row) - 1]
    state, o, _ = unpack(draw_start(row, cells, env_rng, 0))
    left, episode, t = horizon, 0, 0
    while t < len(seen):
        a = act(o, n_actions, memory, settings, agent_rng)
        word, mean, noise = draw_transition(row, cells, values, state * n_actions + a, env_rng, 0)
        r = add_noise(mean, noise, env_rng, 0)
        state, following, terminated = unpack(word)
        left -= 1
        truncated = left == 0 and not terminated
        learn(o, a, r, following, terminated, truncated, n_actions, memory, settings, agent_rng)
        if episode % keep_every == keep_every - 1:
            seen[t], action[t], reward[t], arrival[t] = o, a, r, following
            ending[t] = TERMINATED if terminated else (TRUNCATED if truncated else WENT_ON)
            t += 1
        o = following
        if terminated or truncated:
            episode += 1
            state, o, _ = unpack(draw_start(row, cells, env_rng, 0))
            left = horizon


def record_histories(
    agent: CompiledAgent, source: TaskSource, seeds: Sequence[int], length: int, keep_every: int = 1
) -> Sequences:
    """Records the learning history of a compiled learner on each of the training tasks `seeds`.

    Args:
        agent: the learner, for example `load_agent("psrl")`.
        source: the family of tabular tasks with its keywords.
        seeds: the task seeds, from 2**32 upward.
        length: the steps of a history, counted without the episodes that are left out.
        keep_every: of so many episodes in a row, only the last one is kept.

    Returns:
        A history of each task, without tags.

    Raises:
        ValueError: a seed is public (below 2**32), or `keep_every` is below 1.
    """
    if keep_every < 1:
        raise ValueError(f"keep_every is {keep_every}; give a whole number from 1")
    for seed in seeds:
        refuse_public(seed)
    first = source.sample(seeds[0])
    out = empty_sequences(len(seeds), length, first.n_observations, first.n_actions)
    for i, seed in enumerate(seeds):
        mdp = first if i == 0 else source.sample(seed)
        out.advantage[i], out.entropy[i] = label_task(mdp, compute_references(mdp))
        batch = RunBatch(mdp.n_observations, mdp.n_actions, _stream("agent", seed))
        tables = mdp.step_tables
        _play_history(
            agent.compiled_act, agent.compiled_learn, tables.rows[0], tables.cells, tables.values,
            mdp.n_actions, agent.memory(batch), agent.settings(batch), _stream("agent", seed),
            _stream("environment", seed), keep_every, *(x[i] for x in out[:5]),
        )  # fmt: skip
    out.tag[:] = TAG_UNKNOWN
    return out


def _stream(purpose: str, seed: int) -> UInt64s:
    return stream("training", "histories", purpose, seed)

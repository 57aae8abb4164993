"""Recorded data of decoupled policy distillation: the behaviour mixture, labelled by the oracle, compiled.

A sequence is one training task and one context of behaviours, as sequence models are trained on.
Its rows are steps and, after each episode, one boundary row with the final state, the boundary
action A, reward 0 and an unknown tag. The planner does not need it (it trains on its own rollouts,
see `trainer`); AD, DPT and sequence-model recipes do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_baselines.omnirl.behaviours import (
    ORACLE_GAMMAS,
    TAG_UNKNOWN,
    choose,
    draw_behaviour,
    draw_random_policy,
    learn_q,
    sweep_model,
)
from anymdp_baselines.omnirl.classroom import (
    SEEN,
    Seats,
    seat_task,
    seats,
    step_seat,
    training_stream,
)
from anymdp_baselines.omnirl.memory import Memory, empty_memory, forget
from anymdp_bench.engine.arrays import Bands, Int64s
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.solve import mean_reward, policy_iteration
from anymdp_bench.tasks.anymdp.sampler import sample_arrays

_REDRAWN_SEQUENCES, _REDRAW = 0.85, 0.2
_HIDDEN_SEQUENCE, _HIDDEN_EPISODE = 0.15, 0.15


@dataclass(frozen=True)
class Sequences:
    """Rows of `n` sequences, arrays [n, length].

    Attributes:
        observation: the state's id.
        action: what was done there; the number of actions at a boundary.
        reward: what came of it.
        tag: who acted (`behaviours`), 7 where hidden or at a boundary.
        label: the oracle's action at gamma 0.994, -1 at a boundary.
        boundary: whether the row closes an episode.
    """

    observation: Int64s
    action: Int64s
    reward: npt.NDArray[np.float32]
    tag: Int64s
    label: Int64s
    boundary: npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _oracles(bands, terminal, ids, n_actions):
    """Actions of the four oracles by observed id, int64 [4, S]."""
    n_states = len(terminal)
    reward = mean_reward(bands, n_actions)
    out = np.zeros((len(ORACLE_GAMMAS), n_states), np.int64)
    for g in range(len(ORACLE_GAMMAS)):
        policy = np.zeros(n_states, np.int64)
        q, _ = policy_iteration(bands, reward, terminal, ORACLE_GAMMAS[g], policy)
        for s in range(n_states):
            out[g, ids[s]] = np.argmax(q[s])
    return out


@njit(cache=True, nogil=True)
def _record(room, memory, rng, answers, observation, action, reward, tag, label, boundary):
    """Fills one sequence with the behaviour mixture on seat 0."""
    n_states, n_actions = room.answer.shape[1:]
    behaviour, random_policy = np.empty(10), np.empty((n_states, n_actions))
    q_model, q_table = np.zeros((n_states, n_actions)), np.zeros((n_states, n_actions))
    draw_behaviour(rng, n_states * n_actions, behaviour)
    draw_random_policy(rng, random_policy)
    redraws = uniform(rng, 0) < _REDRAWN_SEQUENCES
    hide_all = uniform(rng, 0) < _HIDDEN_SEQUENCE
    hide = hide_all or uniform(rng, 0) < _HIDDEN_EPISODE
    t = 0
    while t < len(observation):
        seen = room.play[0, SEEN]
        total, square = memory.total[0, 1], memory.total[0, 2]
        steps = max(memory.total[0, 0], 1.0)
        sd = math.sqrt(max(square / steps - (total / steps) ** 2, 0.0))
        act, who = choose(
            rng, behaviour, seen, answers, q_model, q_table, memory.visits[0], sd, random_policy
        )
        following, gained, terminated, score = step_seat(room, memory, 0, act)
        observation[t], action[t], reward[t] = seen, act, gained
        tag[t] = TAG_UNKNOWN if hide else who
        label[t] = answers[len(ORACLE_GAMMAS) - 1, seen]
        learn_q(behaviour, q_table, seen, act, gained, following, terminated)
        t += 1
        if math.isnan(score):
            continue
        if t < len(observation):
            observation[t], action[t], reward[t] = following, n_actions, 0.0
            tag[t], label[t], boundary[t] = TAG_UNKNOWN, -1, True
            t += 1
        sweep_model(behaviour, q_model, memory.onward[0], memory.visits[0], memory.reward[0])
        hide = hide_all or uniform(rng, 0) < _HIDDEN_EPISODE
        if redraws and uniform(rng, 0) < _REDRAW:
            draw_behaviour(rng, n_states * n_actions, behaviour)
            draw_random_policy(rng, random_policy)


@njit(cache=True, nogil=True)
def _synthesise(room, memory, streams, observation, action, reward, tag, label, boundary):
    """One sequence for each of `streams` (uint64 [n]), all on seat 0."""
    n_states, n_actions = room.answer.shape[1:]
    for i in range(len(streams)):
        rng = streams[i : i + 1].copy()
        attempts = -1
        while attempts < 0:
            arrays = sample_arrays(rng, n_states, n_states, n_actions, True)
            attempts = arrays[5]
        bands, start, terminal, horizon, ids, _ = arrays
        packed = Bands(*bands)
        room.rng[0] = rng[0]
        forget(memory, 0)
        seat_task(room, 0, start, terminal, packed, int(np.ceil(horizon)), ids)
        answers = _oracles(packed, terminal, ids, n_actions)
        rng[0] ^= np.uint64(0xD1B54A32D192ED03)  # behaviours draw apart from the dynamics
        _record(
            room, memory, rng, answers, observation[i], action[i], reward[i], tag[i], label[i],
            boundary[i],
        )  # fmt: skip


def synthesise(n_states: int, n_actions: int, seeds: range, length: int) -> Sequences:
    """Sequences of `length` rows on the training tasks `seeds` of tau(S, A).

    Raises:
        ValueError: a seed is public (below 2**32).
    """
    streams = np.concatenate([training_stream(n_states, n_actions, seed) for seed in seeds])
    room: Seats = seats(1, n_states, n_actions)
    memory: Memory = empty_memory(1, n_states, n_actions)
    shape = (len(seeds), length)
    whole = [np.zeros(shape, np.int64) for _ in range(4)]
    observation, action, tag, label = whole
    reward, boundary = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    _synthesise(room, memory, streams, observation, action, reward, tag, label, boundary)
    return Sequences(observation, action, reward, tag, label, boundary)

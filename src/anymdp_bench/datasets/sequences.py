"""Recorded data of decoupled policy distillation: runs of the behaviours, labelled by the oracle; compiled.

A sequence is one run of changing behaviours on one training task (seed 2**32 or above). Each of its steps
records the observation, the action, the reward, how the episode went on, and who acted. The labels are the
oracle's advantages in every state of the task (`anymdp_bench.scoring.labels`). Both behaviour learners
learn from every step, whoever acts.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_bench.datasets.behaviours import (
    SHARES,
    choose,
    draw_behaviour,
    draw_random_policy,
    learn_q,
    sweep_model,
)
from anymdp_bench.datasets.codes import (
    ORACLE_GAMMAS,
    TAG_UNKNOWN,
    TERMINATED,
    TRUNCATED,
    WENT_ON,
)
from anymdp_bench.engine.arrays import Bands, UInt64s
from anymdp_bench.engine.evaluate import episode_moments, episode_values
from anymdp_bench.engine.processors import available_cores
from anymdp_bench.engine.rng import stream, uniform
from anymdp_bench.engine.solve import mean_reward, policy_iteration
from anymdp_bench.engine.step import add_noise, draw_start, draw_transition, fill_tables, unpack
from anymdp_bench.scoring.labels import advantage_unit, write_labels
from anymdp_bench.tasks.anymdp.sampler import sample_arrays
from anymdp_bench.tasks.family import PUBLIC_SEEDS

_REDRAW = 0.2
_HIDDEN_SEQUENCE, _HIDDEN_EPISODE = 0.15, 0.15


class Mixture(NamedTuple):
    """Which behaviours are recorded.

    Attributes:
        shares: how often each of the twelve kinds is drawn (`behaviours.SHARES`); they sum to 1.
        redrawn: share of the sequences whose behaviour is redrawn now and then; in the others it stays.
        pace: how many times longer than S * A steps the schedules of its noise last.
    """

    shares: tuple[float, ...] = SHARES
    redrawn: float = 0.85
    pace: float = 1.0


class Sequences(NamedTuple):
    """Steps of `n` sequences, arrays [n, length] but for the last.

    Attributes:
        seen: the observation in which the action was taken.
        action: the action.
        reward: its reward.
        ending: how the episode went on (`codes`): 0 it continued, 1 it terminated, 2 it was truncated.
        arrival: the observation that the step led to; where the episode continued, the next one of `seen`.
        tag: who acted (`codes`), 7 where that is hidden.
        advantage: the oracle's (gamma 0.994) advantage of every action in every observed state, in units
            of gap / H, at most 0; float32 [n, O, A]. The oracle's action in a state is the argmax.
        entropy: entropy of the next observation, in nats, float32 [n, O, A]. No prediction of the next
            observation has a lower mean loss.
    """

    seen: npt.NDArray[np.int16]
    action: npt.NDArray[np.int8]
    reward: npt.NDArray[np.float32]
    ending: npt.NDArray[np.int8]
    arrival: npt.NDArray[np.int16]
    tag: npt.NDArray[np.int8]
    advantage: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _solve(bands, start, terminal, ids, n_actions, horizon, answers, advantage, entropy):
    """Writes the actions of the four oracles [4, O], and the labels of the last one [O, A]."""
    n_states = len(terminal)
    reward = mean_reward(bands, n_actions)
    policy = np.zeros(n_states, np.int64)
    for g in range(len(ORACLE_GAMMAS)):
        policy[:] = 0
        q, _ = policy_iteration(bands, reward, terminal, ORACLE_GAMMAS[g], policy)
        for s in range(n_states):
            policy[s] = np.argmax(q[s])
            answers[g, ids[s]] = policy[s]
    one_hot = np.zeros((n_states, n_actions))
    for s in range(n_states):
        one_hot[s, policy[s]] = 1.0
    expected, variance = episode_moments(bands, terminal, one_hot, horizon)
    blind = np.full((n_states, n_actions), 1.0 / n_actions)
    oracle = np.dot(start, expected)
    gap = oracle - np.dot(start, episode_values(bands, terminal, blind, horizon))
    sd = np.sqrt(np.dot(start, variance) + np.dot(start, (expected - oracle) ** 2))
    unit = advantage_unit(gap, sd)
    write_labels(bands, q, terminal, ids, horizon, unit, advantage, entropy)


@njit(cache=True, nogil=True)
def _record(
    row, cells, values, rng, dynamics, answers, shares, redrawn, pace, seen, action, reward, ending,
    arrival, tag,
):  # fmt: skip
    """Fills one sequence with the steps of a mixture of behaviours."""
    n_observations, n_actions = answers.shape[1], (len(row) - 3) // answers.shape[1]
    n_slots = n_observations * n_actions * pace
    behaviour, random_policy = np.empty(10), np.empty((n_observations, n_actions))
    q_model, q_table = np.zeros_like(random_policy), np.zeros_like(random_policy)
    onward = np.zeros((n_observations, n_actions, n_observations))
    visits, gained = np.zeros_like(random_policy), np.zeros_like(random_policy)
    draw_behaviour(rng, n_slots, shares, behaviour)
    draw_random_policy(rng, random_policy)
    redraws = uniform(rng, 0) < redrawn
    hide_all = uniform(rng, 0) < _HIDDEN_SEQUENCE
    hide = hide_all or uniform(rng, 0) < _HIDDEN_EPISODE
    state, o, _ = unpack(draw_start(row, cells, dynamics, 0))
    left = row[len(row) - 1]
    total = square = 0.0
    for t in range(len(seen)):
        sd = math.sqrt(max(square / max(t, 1) - (total / max(t, 1)) ** 2, 0.0))
        a, who = choose(rng, behaviour, o, answers, q_model, q_table, visits, sd, random_policy)
        word, mean, noise = draw_transition(row, cells, values, state * n_actions + a, dynamics, 0)
        r = add_noise(mean, noise, dynamics, 0)
        state, following, terminated = unpack(word)
        left -= 1
        truncated = (not terminated) and left <= 0
        seen[t], action[t], reward[t], arrival[t] = o, a, r, following
        ending[t] = TERMINATED if terminated else (TRUNCATED if truncated else WENT_ON)
        tag[t] = TAG_UNKNOWN if hide else who
        learn_q(behaviour, q_table, o, a, r, following, terminated)
        visits[o, a] += 1.0
        gained[o, a] += r
        total += r
        square += r * r
        if not terminated:
            onward[o, a, following] += 1.0
        o = following
        if terminated or truncated:
            state, o, _ = unpack(draw_start(row, cells, dynamics, 0))
            left = row[len(row) - 1]
            sweep_model(behaviour, q_model, onward, visits, gained)
            hide = hide_all or uniform(rng, 0) < _HIDDEN_EPISODE
            if redraws and uniform(rng, 0) < _REDRAW:
                draw_behaviour(rng, n_slots, shares, behaviour)
                draw_random_policy(rng, random_policy)


@njit(cache=True, nogil=True)
def _synthesise(
    streams, draws, n_states, n_actions, shares, redrawn, pace,
    seen, action, reward, ending, arrival, tag, advantage, entropy,
):  # fmt: skip
    """One sequence for each of `streams` (uint64 [n]): number `draws` (uint64 [n]) on the stream's task."""
    for i in range(len(streams)):
        rng = streams[i : i + 1].copy()
        attempts = -1
        while attempts < 0:
            arrays = sample_arrays(rng, n_states, n_states, n_actions, True)
            attempts = arrays[5]
        bands, start, terminal, real_horizon, ids, _ = arrays
        packed = Bands(*bands)
        horizon = int(np.ceil(real_horizon))
        answers = np.zeros((len(ORACLE_GAMMAS), n_states), np.int64)
        _solve(packed, start, terminal, ids, n_actions, horizon, answers, advantage[i], entropy[i])
        row = np.zeros(n_states * n_actions + 3, np.int64)
        row[-1] = horizon
        cells = np.zeros((len(packed.prob) + n_states, 4), np.uint64)
        values = cells.view(np.float64)
        fill_tables(packed, start, terminal, ids, n_actions, row, cells, values)
        rng[0] ^= draws[i] * np.uint64(0xA24BAED4963EE407)
        dynamics = rng.copy()
        rng[0] ^= np.uint64(0xD1B54A32D192ED03)  # behaviours draw apart from the dynamics
        _record(
            row, cells, values, rng, dynamics, answers, shares, redrawn, pace, seen[i], action[i],
            reward[i], ending[i], arrival[i], tag[i],
        )  # fmt: skip


_MIXTURE = Mixture()  # the specification's


def training_stream(n_states: int, n_actions: int, seed: int) -> UInt64s:
    """Returns the random stream of training task `seed`, from which `AnyMDP-v0` would draw the task too.

    Raises:
        ValueError: `seed` is public (below 2**32), and must not be trained on.
    """
    if seed < PUBLIC_SEEDS:
        raise ValueError(f"task seed {seed} is public; training draws from {PUBLIC_SEEDS} upward")
    return stream("AnyMDP", n_states, n_states, n_actions, seed)


def synthesise(
    n_states: int,
    n_actions: int,
    seeds: range,
    length: int,
    mixture: Mixture = _MIXTURE,
    threads: int | None = None,
) -> Sequences:
    """Sequences of `length` steps on the training tasks `seeds` of tau(S, A), in threads; see `record`.

    Raises:
        ValueError: a seed is public (below 2**32).
    """
    streams = [training_stream(n_states, n_actions, seed) for seed in seeds]
    return record(
        n_states, n_actions, np.concatenate(streams), length, mixture=mixture, threads=threads
    )


def record(
    n_states: int,
    n_actions: int,
    streams: UInt64s,
    length: int,
    draws: UInt64s | None = None,
    mixture: Mixture = _MIXTURE,
    threads: int | None = None,
) -> Sequences:
    """One sequence of `length` steps for each random stream (uint64 [n]), which draws its task too.

    `draws` (uint64 [n], 0 by default) numbers the runs of one task; others differ in behaviours and chance.
    `threads` make a sequence each, by default as many as there are cores; their number changes no sequence.
    """
    draws = np.zeros(len(streams), np.uint64) if draws is None else draws
    shape, table = (len(streams), length), (len(streams), n_states, n_actions)
    out = Sequences(
        np.zeros(shape, np.int16),
        np.zeros(shape, np.int8),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int8),
        np.zeros(shape, np.int16),
        np.zeros(shape, np.int8),
        np.zeros(table, np.float32),
        np.zeros(table, np.float32),
    )
    numbers = (np.array(mixture.shares), float(mixture.redrawn), float(mixture.pace))

    def fill(i: int) -> None:
        part = slice(i, i + 1)
        _synthesise(
            streams[part], draws[part], n_states, n_actions, *numbers, *(x[part] for x in out)
        )

    count = min(threads or available_cores(), len(streams))
    if count < 2:
        _synthesise(streams, draws, n_states, n_actions, *numbers, *out)
        return out
    fill(0)  # compiles before the threads start
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(fill, range(1, len(streams))))
    return out

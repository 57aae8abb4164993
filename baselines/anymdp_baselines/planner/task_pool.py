"""Seats: training tasks, solved and played side by side, compiled.

A seat is one stream: a training task (seed 2**32 or above), its oracle's answers in every state,
and the state of play. The student acts by a table of preferences that the planner computed for its
seat, and learns (into its memory) from every step; what it lost is accounted exactly, with the
benchmark's own variance-free score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.planner.memory import write
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import integer, normal, stream, uniform
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import LEAST_GAP_IN_SD, ORACLE_GAMMA, oracle_advantages, references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, TaskSource

STATE, SEEN, LEFT, AGE = 0, 1, 2, 3  # columns of `Seats.play`; AGE = steps since the task began


class Seats(NamedTuple):
    """Tasks in play, one a row; inner states index the tasks, observed ids the answers."""

    chance: Float64s  # [n, S, A, S]  cumulative P(s'|s,a)
    mean: Float64s  # [n, S, A, S]
    noise: Float64s  # [n, S, A, S]
    first: Float64s  # [n, S]  cumulative start distribution
    terminal: Bools  # [n, S]
    ids: Int64s  # [n, S]
    horizon: Int64s  # [n]
    loss: Float64s  # [n, H + 1, S, A]  the oracle's advantages over the gap, by steps left
    answer: Float64s  # [n, O, A]  the oracle's advantage at gamma 0.994, in units of gap / H
    counts: Bools  # [n]  whether the task counts (`scoring.References.counts`)
    play: Int64s  # [n, 4]
    score: Float64s  # [n]  of the episode so far
    rng: UInt64s  # [n]


def seats(n: int, n_states: int, n_observations: int, n_actions: int, horizon: int) -> Seats:
    """Empty seats for `n` tasks of at most `n_states` inner states and `horizon` steps an episode."""
    edges = (n, n_states, n_actions, n_states)
    return Seats(
        np.zeros(edges),
        np.zeros(edges),
        np.zeros(edges),
        np.zeros((n, n_states)),
        np.zeros((n, n_states), np.bool_),
        np.zeros((n, n_states), np.int64),
        np.zeros(n, np.int64),
        np.zeros((n, horizon + 1, n_states, n_actions)),
        np.zeros((n, n_observations, n_actions)),
        np.zeros(n, np.bool_),
        np.zeros((n, 4), np.int64),
        np.zeros(n),
        np.zeros(n, np.uint64),
    )


@njit(cache=True, nogil=True)
def _pick(cumulative, u):
    """Index of the entry of a cumulative distribution that `u` in [0, 1) falls on."""
    last = len(cumulative) - 1
    for j in range(last):
        if u < cumulative[j]:
            return j
    while last > 0 and cumulative[last] == cumulative[last - 1]:
        last -= 1
    return last


@njit(cache=True, nogil=True)
def _begin_episode(room, i):
    """Draws a start state of seat `i`."""
    state = _pick(room.first[i], uniform(room.rng, i))
    room.play[i, STATE] = state
    room.play[i, SEEN] = room.ids[i, state]
    room.play[i, LEFT] = room.horizon[i]
    room.score[i] = 1.0


@njit(cache=True, nogil=True)
def _lay_out(room, i, bands, start, terminal, ids):
    """Writes a task's arrays to seat `i`; inner states beyond the task's own are never reached."""
    n_actions = room.answer.shape[2]
    room.chance[i], room.mean[i], room.noise[i] = 0.0, 0.0, 0.0
    room.terminal[i], room.ids[i], room.first[i] = False, 0, 1.0
    for s in range(len(terminal)):
        low, width = bands.low[s], bands.width[s]
        for a in range(n_actions):
            base = bands.offset[s] + a * width
            for j in range(width):
                room.chance[i, s, a, low + j] = bands.prob[base + j]
                room.mean[i, s, a, low + j] = bands.reward[base + j]
                room.noise[i, s, a, low + j] = bands.noise[base + j]
            room.chance[i, s, a] = np.cumsum(room.chance[i, s, a])
        room.terminal[i, s], room.ids[i, s] = terminal[s], ids[s]
    room.first[i, : len(terminal)] = np.cumsum(start)


def _take_seat(room: Seats, i: int, mdp: TabularMDP, rng: np.uint64) -> None:
    """Writes a task and its oracle's answers to seat `i`, and begins its first episode."""
    _lay_out(room, i, mdp.bands, mdp.start, mdp.terminal, mdp.observation)
    scale = references(mdp)
    unit = max(scale.gap, LEAST_GAP_IN_SD * scale.oracle_sd, 1e-9)
    n, horizon = mdp.n_states, mdp.max_steps
    room.horizon[i], room.counts[i] = horizon, scale.is_scorable
    room.loss[i, : horizon + 1, :n] = oracle_advantages(mdp, scale.policy) / unit
    live = ~mdp.terminal
    q = solve(mdp, ORACLE_GAMMA).q[live]
    room.answer[i] = 0.0
    room.answer[i, mdp.observation[live]] = (q - q.max(1, keepdims=True)) * horizon / unit
    room.rng[i] = rng
    room.play[i, AGE] = 0
    _begin_episode(room, i)


def seat_task(room: Seats, i: int, source: TaskSource, seed: int) -> None:
    """Seats the training task `seed` of `source`.

    Raises:
        ValueError: `seed` is public (below 2**32), and must not be trained on.
    """
    if seed < PUBLIC_SEEDS:
        raise ValueError(f"task seed {seed} is public; training draws from {PUBLIC_SEEDS} upward")
    _take_seat(room, i, source.sample(seed), stream("omnirl seat", seed)[0])


@njit(cache=True, nogil=True)
def act(room, i, preference):
    """An action of seat `i`, sampled from softmax(preference[o]) by the Gumbel trick."""
    o = room.play[i, SEEN]
    best, highest = 0, -np.inf
    for a in range(preference.shape[1]):
        value = preference[o, a] - np.log(-np.log(max(uniform(room.rng, i), 1e-12)))
        if value > highest:
            best, highest = a, value
    return best


@njit(cache=True, nogil=True)
def step_seat(room, memory, i, action):
    """One step of seat `i`: (next id, reward, terminated, score of the episode it ended or NaN)."""
    s = room.play[i, STATE]
    room.score[i] += room.loss[i, room.play[i, LEFT], s, action]
    j = _pick(room.chance[i, s, action], uniform(room.rng, i))
    reward = room.mean[i, s, action, j]
    if room.noise[i, s, action, j] > 0.0:
        reward += room.noise[i, s, action, j] * normal(room.rng, i)
    room.play[i, LEFT] -= 1
    room.play[i, AGE] += 1
    terminated = room.terminal[i, j]
    truncated = (not terminated) and room.play[i, LEFT] <= 0
    following = room.ids[i, j]
    write(memory, i, room.play[i, SEEN], action, reward, following, terminated, truncated)
    room.play[i, STATE], room.play[i, SEEN] = j, following
    score = np.nan
    if terminated or truncated:
        score = room.score[i]
        _begin_episode(room, i)
    return following, reward, terminated, score


@njit(cache=True, nogil=True)
def play(room, memory, preference, steps, group, edges, tally, visited):
    """Steps every seat `steps[i]` times by its preferences [n, O, A].

    `tally[group[i], k]` gathers (sum of scores, of weights) of the episodes of tasks that count
    which end at an age in bin k of `edges`, an episode weighing its length, so that tasks weigh
    alike; `visited` [n, O] counts the states acted in.
    """
    visited[:] = 0.0
    for i in range(len(steps)):
        for _ in range(steps[i]):
            visited[i, room.play[i, SEEN]] += 1.0
            action = act(room, i, preference[i])
            length = room.horizon[i] - room.play[i, LEFT] + 1.0
            _, _, _, score = step_seat(room, memory, i, action)
            if not np.isnan(score) and room.counts[i]:
                k = np.searchsorted(edges, room.play[i, AGE])
                tally[group[i], k, 0] += length * score
                tally[group[i], k, 1] += length


@njit(cache=True, nogil=True)
def demonstrate(room, memory, i, episodes, noise):
    """Seat `i` sees `episodes` whole ones of the oracle, each action random with probability `noise`."""
    n_actions = room.answer.shape[2]
    while episodes > 0:
        o = room.play[i, SEEN]
        action = np.argmax(room.answer[i, o])
        if uniform(room.rng, i) < noise:
            action = integer(room.rng, i, n_actions)
        _, _, _, score = step_seat(room, memory, i, action)
        memory.demonstrated[i, o, action] += 1.0
        if not np.isnan(score):
            episodes -= 1

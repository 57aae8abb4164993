"""Training tasks: sampled, solved and played side by side, everything compiled.

A seat is one stream: a training task (seed 2**32 or above), its oracle's answers in every state,
and the state of play. The student acts by a table of preferences that the planner computed for its
seat, and learns (into its memory) from every step; what it lost is accounted exactly, with the
benchmark's own variance-free score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_baselines.omnirl.memory import forget, write
from anymdp_bench.engine.arrays import Bands, Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.evaluate import advantages, episode_moments, episode_values
from anymdp_bench.engine.rng import normal, uniform
from anymdp_bench.engine.solve import mean_reward, policy_iteration
from anymdp_bench.scoring import LEAST_GAP_IN_SD, ORACLE_GAMMA
from anymdp_bench.tasks.anymdp.sampler import sample_arrays

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
    taste: Float64s  # [n, O, A]  Gumbel noise on the preferences
    lasting: Bools  # [n]  whether `taste` is kept for an episode, else drawn at every step


def seats(n: int, n_states: int, n_actions: int) -> Seats:
    """Empty seats for `n` tasks tau(S, A)."""
    horizon = int(max(8 * n_states, 101)) + 1
    table = (n, n_states, n_actions)
    return Seats(
        np.zeros((*table, n_states)),
        np.zeros((*table, n_states)),
        np.zeros((*table, n_states)),
        np.zeros((n, n_states)),
        np.zeros((n, n_states), np.bool_),
        np.zeros((n, n_states), np.int64),
        np.zeros(n, np.int64),
        np.zeros((n, horizon + 1, n_states, n_actions)),
        np.zeros(table),
        np.zeros(n, np.bool_),
        np.zeros((n, 4), np.int64),
        np.zeros(n),
        np.zeros(n, np.uint64),
        np.zeros(table),
        np.zeros(n, np.bool_),
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
    """Draws a start state of seat `i`, and new lasting tastes."""
    state = _pick(room.first[i], uniform(room.rng, i))
    room.play[i, STATE] = state
    room.play[i, SEEN] = room.ids[i, state]
    room.play[i, LEFT] = room.horizon[i]
    room.score[i] = 1.0
    for o in range(room.taste.shape[1]):
        for a in range(room.taste.shape[2]):
            room.taste[i, o, a] = -np.log(-np.log(max(uniform(room.rng, i), 1e-12)))


@njit(cache=True, nogil=True)
def seat_task(room, i, start, terminal, bands, horizon, ids):
    """Writes one task and its oracle's answers to seat `i`, and begins its first episode."""
    n_states, n_actions = room.answer.shape[1:]
    room.chance[i], room.mean[i], room.noise[i], room.answer[i] = 0.0, 0.0, 0.0, 0.0
    for s in range(n_states):
        low, width = bands.low[s], bands.width[s]
        for a in range(n_actions):
            base = bands.offset[s] + a * width
            for j in range(width):
                room.chance[i, s, a, low + j] = bands.prob[base + j]
                room.mean[i, s, a, low + j] = bands.reward[base + j]
                room.noise[i, s, a, low + j] = bands.noise[base + j]
            room.chance[i, s, a] = np.cumsum(room.chance[i, s, a])
    room.first[i] = np.cumsum(start)
    room.terminal[i], room.ids[i], room.horizon[i] = terminal, ids, horizon
    policy = np.zeros(n_states, np.int64)
    reward = mean_reward(bands, n_actions)
    q, _ = policy_iteration(bands, reward, terminal, ORACLE_GAMMA, policy)
    for s in range(n_states):
        policy[s] = np.argmax(q[s])
    table, _ = advantages(bands, terminal, policy, n_actions, horizon)
    one_hot = np.zeros((n_states, n_actions))
    for s in range(n_states):
        one_hot[s, policy[s]] = 1.0
    expected, variance = episode_moments(bands, terminal, one_hot, horizon)
    blind = episode_values(
        bands, terminal, np.full((n_states, n_actions), 1.0 / n_actions), horizon
    )
    oracle = np.dot(start, expected)
    gap = oracle - np.dot(start, blind)
    sd = np.sqrt(np.dot(start, variance) + np.dot(start, (expected - oracle) ** 2))
    room.counts[i] = gap > 0.0 and gap >= LEAST_GAP_IN_SD * sd
    scale = max(gap, LEAST_GAP_IN_SD * sd, 1e-9)
    room.loss[i, : horizon + 1] = table / scale
    for s in range(n_states):
        for a in range(n_actions):
            room.answer[i, ids[s], a] = (q[s, a] - q[s].max()) * horizon / scale
    room.play[i, AGE] = 0
    _begin_episode(room, i)


@njit(cache=True, nogil=True)
def new_task(room, memory, i, seed):
    """Seats a fresh tau(S, A) task drawn from the stream `seed` (uint64 [1]), before an empty memory."""
    n_states, n_actions = room.answer.shape[1:]
    while True:
        bands, start, terminal, horizon, ids, attempts = sample_arrays(
            seed, n_states, n_states, n_actions, True
        )
        if attempts > 0:
            break
    room.rng[i] = seed[0]
    forget(memory, i)
    seat_task(room, i, start, terminal, Bands(*bands), int(np.ceil(horizon)), ids)


@njit(cache=True, nogil=True)
def act(room, i, preference):
    """The action of seat `i` that maximises preference [O, A] + taste."""
    o = room.play[i, SEEN]
    best, highest = 0, -np.inf
    for a in range(preference.shape[1]):
        taste = room.taste[i, o, a]
        if not room.lasting[i]:
            taste = -np.log(-np.log(max(uniform(room.rng, i), 1e-12)))
        value = preference[o, a] + taste
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


def training_stream(n_states: int, n_actions: int, seed: int) -> npt.NDArray[np.uint64]:
    """The random stream of training task `seed`: the very one that `AnyMDP-v0` would draw the task from.

    Raises:
        ValueError: `seed` is public (below 2**32), and must not be trained on.
    """
    from anymdp_bench.engine.rng import stream
    from anymdp_bench.tasks.family import PUBLIC_SEEDS

    if seed < PUBLIC_SEEDS:
        raise ValueError(f"task seed {seed} is public; training draws from {PUBLIC_SEEDS} upward")
    return stream("AnyMDP", n_states, n_states, n_actions, seed)

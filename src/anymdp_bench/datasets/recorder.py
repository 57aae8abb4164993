"""The compiled recorder: runs of changing behaviours on one task, labelled by the oracle.

Each step records the observation, the action, the reward, how the episode went on, and who acted. The
labels are the oracle's advantages in every state of the task (`anymdp_bench.scoring.labels`). Both behaviour
learners learn from every step, whoever acts.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.datasets.behaviours import (
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
from anymdp_bench.engine.alias_tables import draw_start, draw_transition, fill_tables, unpack
from anymdp_bench.engine.evaluate import episode_moments, episode_values
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.solve import mean_reward, policy_iteration
from anymdp_bench.engine.step import add_noise
from anymdp_bench.scoring.labels import advantage_unit, write_labels

_REDRAW = 0.2
_HIDDEN_SEQUENCE, _HIDDEN_EPISODE = 0.15, 0.15


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
            if not terminal[s]:  # a terminal state may show the id of a live one
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
def _record_run(
    row, cells, values, n_actions, rng, dynamics, answers, shares, redrawn, pace, seen, action,
    reward, ending, arrival, tag,
):  # fmt: skip
    """Fills one run with the steps of a mixture of behaviours."""
    n_observations = answers.shape[1]
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
def record_task(
    bands, start, terminal, ids, n_actions, horizon, after, draws, shares, redrawn, pace,
    seen, action, reward, ending, arrival, tag, advantage, entropy,
):  # fmt: skip
    """Fills the rows of the arrays of `Sequences` with runs of one task, which is solved once.

    Args:
        bands: the task's `Bands`.
        start: its start distribution, float64 [S].
        terminal: its terminal states, bool [S].
        ids: the id that each state shows, int64 [S].
        n_actions: A.
        horizon: H.
        after: the random stream from which the runs are drawn, uint64 [1]; it is left as it was.
        draws: the number of each run among all possible runs of the task, uint64 [k].
        shares: see `Mixture`; so are `redrawn` and `pace`.
        redrawn: see above.
        pace: see above.
        seen: the first of the arrays of `Sequences`, in their order, with k rows each.
        action: see above, and so on.
        reward: float32.
        ending: int8.
        arrival: int16.
        tag: int8.
        advantage: float32 [k, O, A], zeros.
        entropy: float32 [k, O, A], zeros.
    """
    n_states = len(terminal)
    answers = np.zeros((len(ORACLE_GAMMAS), advantage.shape[1]), np.int64)
    _solve(bands, start, terminal, ids, n_actions, horizon, answers, advantage[0], entropy[0])
    row = np.zeros(n_states * n_actions + 3, np.int64)
    row[-1] = horizon
    cells = np.zeros((len(bands.prob) + n_states, 4), np.uint64)
    values = cells.view(np.float64)
    fill_tables(bands, start, terminal, ids, n_actions, row, cells, values)
    for i in range(len(draws)):
        advantage[i], entropy[i] = advantage[0], entropy[0]
        rng = after.copy()
        rng[0] ^= draws[i] * np.uint64(0xA24BAED4963EE407)
        dynamics = rng.copy()
        rng[0] ^= np.uint64(0xD1B54A32D192ED03)  # behaviours draw apart from the dynamics
        _record_run(
            row, cells, values, n_actions, rng, dynamics, answers, shares, redrawn, pace, seen[i],
            action[i], reward[i], ending[i], arrival[i], tag[i],
        )  # fmt: skip

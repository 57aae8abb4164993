"""The best actions by the steps that an episode has left, in the model of what is known.

What is best depends on how many steps are left: shortly before the end a long way round no longer pays. A
run knows the time limit once one of its episodes was cut by it. The values are undiscounted, as the score is.
With t steps left, by backward induction,

    Q_t(o,a) = r(o,a) + sum_j P(j|o,a) V_{t-1}(j),    V_t(o) = max_a Q_t(o,a),    V_0 = 0,

where a state never acted in is worth the run's mean reward a step. `values.build_known_model` gives P and r.
Puterman, Markov Decision Processes (1994), chapter 4.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_baselines.planner.values import build_known_model, list_seen

LONGEST_HORIZON = 512  # steps; with more steps left a run plays as if these were left
PSEUDO_VISITS = 4.0  # visits that the average over a state's actions counts for
NO_ACTION = -1  # in place of an action, where a state was never acted in


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def solve_backward(model, reward, unseen, best):
    """Writes the best action with t + 1 steps left in every state to `best` [steps, m]; of equals the first.

    Args:
        model: chances of the next state, [m, A, m]; the rest ends the episode or leaves the model.
        reward: mean reward of a step, [m, A].
        unseen: what leaving the model is worth for every step that is left afterwards, [m, A].
        best: is written.
    """
    m, n_actions = reward.shape
    value, following = np.zeros(m), np.zeros(m)
    for t in range(len(best)):
        for s in range(m):
            highest = 0.0
            for a in range(n_actions):
                q = reward[s, a] + t * unseen[s, a]
                for j in range(m):
                    q += model[s, a, j] * value[j]
                if a == 0 or q > highest:
                    highest = q
                    best[t, s] = a
            following[s] = highest
        value[:] = following


@njit(cache=True, nogil=True)
def plan_remaining_steps(memory, i, steps, timed_action):
    """Writes the best actions of run `i` with 1 to `steps` steps left to `timed_action` [.., O].

    Beyond `steps`, and where a state was never acted in, it writes `NO_ACTION`.
    """
    n_observations, n_actions = memory.visits.shape[1:]
    place, seen = list_seen(memory, i)
    onward = np.empty((n_observations * n_actions, n_observations), np.float32)
    model, reward, _, leak = build_known_model(memory, i, seen, place, PSEUDO_VISITS, onward)
    mean = memory.total[i, 1] / max(memory.total[i, 0], 1.0)
    steps = min(steps, len(timed_action))
    best = np.empty((steps, len(seen)), timed_action.dtype)
    solve_backward(model, reward, leak * mean, best)
    timed_action[:] = NO_ACTION
    for t in range(steps):
        for k in range(len(seen)):
            timed_action[t, seen[k]] = best[t, k]


@njit(cache=True, nogil=True)
def plan_remaining_steps_of_runs(memory, runs, limit, timed_action):
    """Calls `plan_remaining_steps` for `runs` [k]; an episode has `limit` [n] steps."""
    for i in runs:
        plan_remaining_steps(memory, i, limit[i], timed_action[i])

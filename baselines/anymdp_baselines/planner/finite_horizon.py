"""The best actions by the steps that an episode has left, in the model of what is known.

What is best depends on how many steps are left: before the end a long way round no longer pays. A run knows
how many there are once one of its episodes was cut by the time limit, and the values are undiscounted, as
the score is. With t steps left, by backward induction,

    Q_t(o,a) = r(o,a) + sum_j P(j|o,a) V_{t-1}(j),    V_t(o) = max_a Q_t(o,a),    V_0 = 0,

where a state never acted in is worth the run's mean reward a step. P and r are those of `values.known_model`.
Puterman, Markov Decision Processes (1994), chapter 4.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_baselines.planner.values import known_model

FAR = 512  # steps: with more left, a run plays as with so many
PSEUDO = 4.0  # visits that the average over a state's actions counts for
UNKNOWN = -1  # in place of an action, where a state was never acted in


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def induce(model, reward, unseen, best):
    """Writes the best action with t + 1 steps left in every state to `best` [steps, m]; the first of equals.

    `model` [m, A, m] leads to states, `reward` [m, A] is a step's, and `unseen` [m, A] is worth, for every
    step left after it, what a step pays on average where `model` does not lead to.
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
def plan_to_the_end(memory, i, steps, ending):
    """Writes the best actions of run `i` with 1 to `steps` steps left to `ending` [FAR, O], and `UNKNOWN`.

    Beyond `steps`, or where a state was never acted in, there is none.
    """
    n_observations, n_actions = memory.visits.shape[1:]
    place = np.full(n_observations, -1)
    seen = np.empty(n_observations, np.int64)
    m = 0
    for o in range(n_observations):
        if memory.visits[i, o].sum() > 0.0:
            place[o], seen[m] = m, o
            m += 1
    onward = np.empty((n_observations * n_actions, n_observations), np.float32)
    model, reward, _, leak = known_model(memory, i, seen[:m], place, PSEUDO, onward)
    mean = memory.total[i, 1] / max(memory.total[i, 0], 1.0)
    steps = min(steps, len(ending))
    best = np.empty((steps, m), ending.dtype)
    induce(model, reward, leak * mean, best)
    ending[:] = UNKNOWN
    for t in range(steps):
        for k in range(m):
            ending[t, seen[k]] = best[t, k]


@njit(cache=True, nogil=True)
def end_runs(memory, runs, limit, ending):
    """`plan_to_the_end` of `runs` [k], whose episodes have `limit` [n] steps, to `ending` [n, FAR, O]."""
    for i in runs:
        plan_to_the_end(memory, i, limit[i], ending[i])

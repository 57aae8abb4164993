"""What the oracle says about every step of a task: the labels of supervised training.

The label of action a in state s is the advantage of a at discount 0.994 in units of gap / H, at most 0, where
the gap is the oracle's expected return minus the random policy's and H is the length of an episode. Where the
gap is small, half the standard deviation of an oracle episode's return takes its place. A second label is the
entropy of the next state, which is the lowest mean loss that a prediction of it can have.

Labels are tables over observed ids [O, A]; ids that no live state has keep zeros.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bands, Bools, Float32s, Float64s, Int64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring.references import LEAST_GAP_IN_SD, ORACLE_GAMMA, References


@njit(cache=True, nogil=True)
def advantage_unit(gap: float, oracle_sd: float) -> float:
    """Returns the return that counts as 1: the gap, or half of `oracle_sd` where that is larger."""
    return max(gap, LEAST_GAP_IN_SD * oracle_sd, 1e-9)


@njit(cache=True, nogil=True)
def write_labels(
    bands: Bands,
    q: Float64s,
    terminal: Bools,
    observation: Int64s,
    horizon: int,
    unit: float,
    advantage: Float32s,
    entropy: Float32s,
) -> None:
    """Writes the labels of one task to `advantage` and `entropy`, float32 [O, A], which hold zeros.

    Args:
        bands: the transitions of the task.
        q: the oracle's action values, float64 [S, A].
        terminal: whether a state ends the episode, bool [S].
        observation: the observed id of each state, int64 [S].
        horizon: H, steps an episode lasts at most.
        unit: the return that counts as 1 (see `advantage_unit`).
        advantage: where the advantages are written, in units of unit / H.
        entropy: where the entropies of the next state are written, in nats.
    """
    for s in range(len(terminal)):
        if terminal[s]:
            continue
        o = observation[s]
        for a in range(q.shape[1]):
            advantage[o, a] = (q[s, a] - q[s].max()) * horizon / unit
            base = bands.offset[s] + a * bands.width[s]
            for j in range(base, base + bands.width[s]):
                if bands.prob[j] > 0.0:
                    entropy[o, a] -= bands.prob[j] * math.log(bands.prob[j])


def label_task(mdp: TabularMDP, scale: References) -> tuple[Float32s, Float32s]:
    """Returns (advantage, entropy) of a task with references `scale`, float32 [O, A] each."""
    advantage = np.zeros((mdp.n_observations, mdp.n_actions), np.float32)
    entropy = np.zeros_like(advantage)
    write_labels(
        mdp.bands, solve(mdp, ORACLE_GAMMA).q, mdp.terminal, mdp.observation, mdp.max_steps,
        advantage_unit(scale.gap, scale.oracle_sd), advantage, entropy,
    )  # fmt: skip
    return advantage, entropy

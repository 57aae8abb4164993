"""The exact references of a task, which define the scale of the score.

On this scale 0 is the uniform random policy. 1 is the oracle, which is the best stationary policy at discount
0.994. Let A_h be the oracle's advantages with h steps left. Then for any agent

    E[return] = oracle + E[sum over t of A_h(s_t, a_t)].

This is the performance-difference lemma (Kakade and Langford 2002) for a finite horizon. So the oracle's
return plus the sum of advantages estimates the same mean as the return, without the variance that comes
from random transitions and rewards. The sum of advantages serves as a control variate. `docs/dev/scoring.md`
has the derivation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.engine.evaluate import advantages
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import expected_return, return_moments, solve

ORACLE_GAMMA = 0.994
"""The discount at which the oracle is the best stationary policy."""

LEAST_GAP_IN_SD = 0.5
"""A scorable task has a gap of at least this many standard deviations of an oracle episode's return."""


@dataclass(frozen=True)
class References:
    """The exact references of a task: the ends of its scale.

    Attributes:
        oracle: the oracle's expected episode return.
        oracle_sd: the standard deviation of the return of one oracle episode.
        random: the expected episode return of the uniform random policy.
        policy: the oracle's action for each inner state, int64 [S].
    """

    oracle: float
    oracle_sd: float
    random: float
    policy: Int64s

    @property
    def gap(self) -> float:
        """The oracle's return minus the return of the random policy."""
        return self.oracle - self.random

    @property
    def is_scorable(self) -> bool:
        """Whether the task can tell good agents from bad ones.

        The gap must be positive, and at least 0.5 standard deviations of an oracle episode's return.
        """
        return self.stands_out(LEAST_GAP_IN_SD)

    def stands_out(self, least_gap: float) -> bool:
        """Whether the gap is positive, and at least `least_gap` standard deviations of an oracle episode."""
        return self.gap > 0.0 and self.gap >= least_gap * self.oracle_sd

    def score(self, value: float) -> float:
        """Puts an expected return on the scale where random is 0 and the oracle is 1."""
        return 1.0 + (value - self.oracle) / self.gap


def compute_references(mdp: TabularMDP) -> References:
    """Computes the exact references of a task."""
    policy = solve(mdp, ORACLE_GAMMA).policy
    oracle, sd = return_moments(mdp, policy)
    uniform = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
    return References(oracle, sd, expected_return(mdp, uniform), policy)


def oracle_advantages(mdp: TabularMDP, policy: Int64s) -> Float64s:
    """Computes the advantage of each action over the oracle.

    Args:
        mdp: the task.
        policy: the oracle's action in each inner state, int64 [S].

    Returns:
        A[h, s, a] with h steps left, float64 [H + 1, S, A].
    """
    table, _ = advantages(mdp.bands, mdp.terminal, policy, mdp.n_actions, mdp.max_steps)
    out: Float64s = table
    return out

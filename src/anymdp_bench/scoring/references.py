"""The scale of a task: its exact references, and the variance-free score.

0 is the uniform random policy, 1 the oracle: the best stationary policy at gamma 0.994. With A_h the oracle's
advantages with h steps left, E[return] = oracle + E[sum of A_h(s_t, a_t)] for any agent (the
performance-difference lemma, Kakade and Langford 2002, for a finite horizon), so oracle + that sum
estimates the same mean as the return, without the luck of transitions and rewards. `docs/scoring.md`
derives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.engine.evaluate import advantages
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import expected_return, return_moments, solve

ORACLE_GAMMA = 0.994
LEAST_GAP_IN_SD = 0.5


@dataclass(frozen=True)
class References:
    """The ends of a task's scale, exact.

    Attributes:
        oracle: the oracle's expected episode return.
        oracle_sd: standard deviation of one oracle episode's return.
        random: the uniform policy's expected episode return.
        policy: the oracle's action for each inner state, int64 [S].
    """

    oracle: float
    oracle_sd: float
    random: float
    policy: Int64s

    @property
    def gap(self) -> float:
        """Oracle return minus random return."""
        return self.oracle - self.random

    @property
    def is_scorable(self) -> bool:
        """Whether the task can tell good from bad: gap > 0 and gap >= 0.5 oracle standard deviations."""
        return self.gap > 0.0 and self.gap >= LEAST_GAP_IN_SD * self.oracle_sd

    def score(self, value: float) -> float:
        """An expected return on the scale random = 0, oracle = 1."""
        return 1.0 + (value - self.oracle) / self.gap


def compute_references(mdp: TabularMDP) -> References:
    """The exact references of a task."""
    policy = solve(mdp, ORACLE_GAMMA).policy
    oracle, sd = return_moments(mdp, policy)
    uniform = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
    return References(oracle, sd, expected_return(mdp, uniform), policy)


def oracle_advantages(mdp: TabularMDP, policy: Int64s) -> Float64s:
    """A[h, s, a], float64 [H + 1, S, A]: the advantage of a over the oracle `policy` with h steps left."""
    table, _ = advantages(mdp.bands, mdp.terminal, policy, mdp.n_actions, mdp.max_steps)
    out: Float64s = table
    return out

"""Small random tasks with everything in them: holes in P, noise, terminals, several starts, shuffled ids."""

from typing import NamedTuple

import numpy as np

from anymdp_bench.mdp import TabularMDP


class DenseTask(NamedTuple):
    """A task as plain arrays; rewards and noise are 0 on terminal rows, where they mean nothing."""

    P: np.ndarray
    R: np.ndarray
    N: np.ndarray
    start: np.ndarray
    terminal: np.ndarray
    horizon: int
    observation: np.ndarray

    def mdp(self):
        return TabularMDP(
            self.P,
            self.R,
            reward_noise=self.N,
            start=self.start,
            terminal=self.terminal,
            max_steps=self.horizon,
            observation=self.observation,
        )


def random_task(rng, S=6, A=3, terminals=1, horizon=7, density=0.5):
    """State 0 is live; live rows have about `density` of their entries, at least one, with gaps between."""
    terminal = np.zeros(S, bool)
    terminal[rng.permutation(np.arange(1, S))[:terminals]] = True
    P = rng.exponential(size=(S, A, S)) * (rng.random((S, A, S)) < density)
    P[:, :, 0] += (P.sum(-1) == 0) * 1.0
    P[terminal] = 0
    P[~terminal] /= P[~terminal].sum(-1, keepdims=True)
    R, N = rng.standard_normal((S, A, S)), rng.exponential(size=(S, A, S))
    N *= rng.random((S, A, S)) < 0.5
    R[terminal] = N[terminal] = 0
    start = rng.random(S) * ~terminal
    return DenseTask(P, R, N, start / start.sum(), terminal, horizon, rng.permutation(S))


def random_policy(rng, S, A):
    return rng.dirichlet(np.ones(A), S)

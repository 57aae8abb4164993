"""Textbook answers about a dense task: P, R, N [S, A, S] and terminal [S], one line of mathematics each."""

import numpy as np


def discounted_optimum(P, R, terminal, gamma):
    """(Q [S, A], V [S]) by value iteration until successive values agree to the last digits."""
    mean = (P * R).sum(-1)
    V = np.zeros(len(P))
    while True:
        Q = np.where(terminal[:, None], 0.0, mean + gamma * P @ V)
        new = Q.max(1)
        # A sweep that moves V by d leaves it within d * gamma / (1 - gamma) of the optimum.
        if abs(new - V).max() <= 1e-14 * max(1.0, abs(new).max()):
            return Q, new
        V = new


def policy_values(P, R, terminal, policy, gamma):
    """(Q [S, A], V [S]) of the stationary policy [S, A], by a dense linear solve."""
    mean = (P * R).sum(-1)
    live = ~terminal
    chain = np.einsum("sa,sat->st", policy, P) * np.outer(live, live)
    V = np.linalg.solve(np.eye(len(P)) - gamma * chain, (policy * mean).sum(1) * live)
    return np.where(terminal[:, None], 0.0, mean + gamma * P @ V), V


def policy_iteration(P, R, terminal, gamma):
    """(Q, V, policy [S]) by Howard's method with dense solves: faster than sweeps, as plain."""
    policy = np.zeros(len(P), np.int64)
    while True:
        Q, V = policy_values(P, R, terminal, np.eye(P.shape[1])[policy], gamma)
        better = Q.max(1) > Q[np.arange(len(P)), policy] + 1e-10 * (1 + abs(Q).max())
        if not better.any():
            return Q, V, policy
        policy = np.where(better, Q.argmax(1), policy)


def episode_tables(P, R, terminal, policy, horizon):
    """(Q [H+1, S, A], V [H+1, S]) by steps left, under a stationary policy [S, A]: backward recursion."""
    n_states, n_actions, _ = P.shape
    Q, V = np.zeros((horizon + 1, n_states, n_actions)), np.zeros((horizon + 1, n_states))
    for h in range(1, horizon + 1):
        Q[h] = np.where(terminal[:, None], 0.0, (P * (R + V[h - 1])).sum(-1))
        V[h] = (policy * Q[h]).sum(1)
    return Q, V


def trajectories(P, R, N, terminal, policy, state, horizon):
    """Every trajectory from `state`: (its probability, mean return, variance of its reward noise)."""
    if horizon == 0 or terminal[state]:
        yield 1.0, 0.0, 0.0
        return
    for action, following in np.ndindex(P.shape[1:]):
        chance = policy[state, action] * P[state, action, following]
        if chance > 0.0:
            reward, noise = R[state, action, following], N[state, action, following]
            rest = trajectories(P, R, N, terminal, policy, following, horizon - 1)
            for probability, total, variance in rest:
                yield chance * probability, reward + total, noise**2 + variance


def enumerated_moments(P, R, N, terminal, policy, state, horizon):
    """(mean, variance) of the return from `state`, over all trajectories."""
    table = np.array(list(trajectories(P, R, N, terminal, policy, state, horizon)))
    probability, total, variance = table.T
    mean = probability @ total
    return mean, probability @ ((total - mean) ** 2 + variance)


def restarted_chain(P, terminal, start, policy):
    """P_pi [S, S] with terminal states leading back to the start distribution."""
    chain = np.einsum("sa,sat->st", policy, P)
    chain[terminal] = start
    return chain


def stationary(chain):
    """The left eigenvector of eigenvalue 1, for a chain with one recurrent class."""
    values, vectors = np.linalg.eig(chain.T)
    near = np.flatnonzero(abs(values - 1.0) < 1e-9)
    assert len(near) == 1, "several recurrent classes: the eigenvector is not unique"
    vector = vectors[:, near[0]].real
    return vector / vector.sum()


def row_probabilities(cells, begin, end):
    """{cell: probability} that the alias row begin..end-1 implies, to the last of the 2**64 bit patterns.

    Of the 64 bits the high 32 choose a cell (floor(high * n / 2**32)), the low 32 accept it if below its
    threshold, else take its alias.
    """
    n = int(end - begin)
    counts = [0] * n
    for k in range(n):
        patterns = -(-(k + 1) * 2**32 // n) - -(-k * 2**32 // n)
        word = int(cells[begin + k, 0])
        threshold, alias = word >> 32, word & 0xFFFFFFFF
        counts[k] += patterns * threshold
        counts[alias] += patterns * (2**32 - threshold)
    assert sum(counts) == 2**64
    return {begin + k: count / 2**64 for k, count in enumerate(counts)}

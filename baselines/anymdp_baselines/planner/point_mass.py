"""Point masses to train on: a mass is pushed along a ring or a track, and seen through coarse bins.

The force field, friction, target and rewards are random smooth functions; position and speed are cut
into bins, and a bin's transitions are those of points spread evenly over it, so that the task is
tabular. It resembles discretised control benchmarks in kind; no environment of the benchmark is among
them: their dynamics are deterministic in a hidden state, and the field here has random harmonics.
"""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import TaskFamily

_POINTS = 150  # a bin's points, from which its transitions are counted
_HARMONICS = 3
_FASTEST = 1.0  # speed, in lengths of the track a second, at which it saturates


def sample(seed: int, *, n_observations: int, n_actions: int) -> TabularMDP:
    """Returns the task of `seed`, drawn again until acting well makes a difference.

    Args:
        seed: the seed of the task.
        n_observations: number of ids; the task has at most so many bins, at least 18.
        n_actions: pushes, evenly spaced from full left to full right.
    """
    rng = np.random.default_rng(int(stream("omnirl particle", n_observations, n_actions, seed)[0]))
    while True:
        mdp = _draw(rng, n_observations, n_actions)
        if compute_references(mdp).is_scorable:
            return mdp


def _draw(rng: np.random.Generator, n_observations: int, n_actions: int) -> TabularMDP:
    places = int(rng.integers(6, n_observations // 3 + 1))
    speeds = int(rng.integers(3, min(9, n_observations // places) + 1))
    n = places * speeds
    place, speed = np.divmod(np.arange(n), speeds)
    x = (place[:, None] + rng.random((n, _POINTS))) / places  # in 0..1
    v = ((speed[:, None] + rng.random((n, _POINTS))) / speeds * 2.0 - 1.0) * _FASTEST
    harmonic = np.arange(1, _HARMONICS + 1)
    size = rng.normal(size=_HARMONICS) * rng.exponential(1.5) / harmonic**2
    phase = rng.uniform(0.0, 2.0 * np.pi, _HARMONICS)
    field = (size * np.sin(2.0 * np.pi * harmonic * x[..., None] + phase)).sum(-1)
    push, friction = rng.uniform(0.5, 4.0), rng.uniform(0.0, 0.3)
    dt, ring = rng.uniform(0.03, 0.12), rng.random() < 0.6
    prob = np.zeros((n, n_actions, n))
    for a, torque in enumerate(np.linspace(-push, push, n_actions)):
        following = v + dt * (field + torque - friction * v)
        prob[:, a] = _count_transitions(
            x, np.clip(following, -_FASTEST, _FASTEST), dt, ring, places, speeds
        )
    target = rng.random()
    offset = np.abs(x - target)
    far = np.minimum(offset, 1.0 - offset) if ring else offset
    cost = rng.choice((1.0, 2.0)) * far ** rng.choice((1.0, 2.0)) + rng.uniform(0.0, 0.3) * v**2
    reward = np.broadcast_to(-cost.mean(1)[:, None], (n, n_actions)) - (
        rng.uniform(0.0, 0.02) * np.linspace(-1.0, 1.0, n_actions) ** 2
    )
    start = np.full(n, 1.0 / n) if rng.random() < 0.5 else (far.mean(1) > 0.2) * 1.0
    return TabularMDP(
        prob,
        reward[:, :, None],
        start=start / start.sum(),
        terminal=np.zeros(n, np.bool_),
        max_steps=int(rng.uniform(100, 300)),
        observation=rng.permutation(n_observations)[:n],
        n_observations=n_observations,
    )


def _count_transitions(
    x: Float64s, v: Float64s, dt: float, ring: bool, places: int, speeds: int
) -> Float64s:
    """Returns the transitions [n, n] of points at `x` [n, points] that move at `v` for `dt` seconds."""
    n = len(x)
    moved = x + dt * v
    moved = moved % 1.0 if ring else np.clip(moved, 0.0, 1.0)
    place = np.minimum((moved * places).astype(np.int64), places - 1)
    speed = ((v / _FASTEST + 1.0) / 2.0 * speeds).astype(np.int64)
    arrived = place * speeds + np.minimum(speed, speeds - 1)
    counts = np.zeros((n, n))
    np.add.at(counts, (np.arange(n)[:, None], arrived), 1.0)
    out: Float64s = counts / x.shape[1]
    return out


POINT_MASS = TaskFamily("point_mass", f"{__name__}:sample")

"""Runs: what is played, for how long, when it is tested, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import AgentError, Streams
from anymdp_bench.engine.arrays import Float64s, Int64s, UInt64s
from anymdp_bench.engine.evaluate import episode_values
from anymdp_bench.engine.rng import stream
from anymdp_bench.scoring import ScoredTask

FOREVER = 2**62

Report = Callable[[float, float], None]
"""report(share of the budget done, latest score): called now and then."""


@dataclass(frozen=True)
class Budget:
    """How long a run lasts: `episodes` or `steps`, whichever comes first; None is no limit."""

    episodes: int | None = None
    steps: int | None = None

    def share(self, episodes: int, steps: int) -> float:
        """How much of the budget is used, 0 to 1."""
        parts = [episodes / self.episodes if self.episodes else 0.0]
        parts.append(steps / self.steps if self.steps else 0.0)
        return min(max(parts), 1.0)


@dataclass(frozen=True)
class Run:
    """One run to play: a learner with an empty memory on one task."""

    env_id: str
    task: ScoredTask
    run_seed: int

    def streams(self, purpose: str) -> UInt64s:
        """The run's random stream for a purpose ("agent", "environment", "test"), uint64 [1]."""
        return stream("run", purpose, self.env_id, self.task.seed, self.run_seed)


@dataclass(frozen=True)
class Curve:
    """What a run gave: arrays [n], one entry a scored episode or test point; units: `RunRecord`."""

    measure: str
    episode: Int64s
    steps: Int64s
    return_: Float64s
    return_corrected: Float64s
    score: Float64s
    regret: Float64s


class Ledger:
    """Collects the entries of one run."""

    def __init__(self, measure: str) -> None:
        self.measure = measure
        self.rows: list[tuple[int, int, float, float, float, float]] = []

    def curve(self) -> Curve:
        """The entries as arrays."""
        columns = list(zip(*self.rows, strict=True)) or [()] * 6
        episode, steps = (np.array(column, np.int64) for column in columns[:2])
        real = [np.array(column, np.float64) for column in columns[2:]]
        return Curve(self.measure, episode, steps, *real)


def test_points(episodes: int | None) -> Int64s:
    """Episodes after which a learner is tested: 1..20, geometric (x1.05), multiples of 100."""
    limit = 10_000 if episodes is None else episodes
    points = set(range(1, 21)) | set(range(100, limit + 1, 100))
    value = 20.0
    while int(value) <= limit:
        points.add(int(value))
        value *= 1.05
    return np.array(sorted(p for p in points if p <= limit), np.int64)


def told(runs: Sequence[Run], privileged: bool) -> Streams:
    """What the agent is told about the runs."""
    mdp = runs[0].task.mdp
    return Streams(
        runs[0].env_id,
        mdp.n_observations,
        mdp.n_actions,
        np.concatenate([run.streams("agent") for run in runs]),
        tuple(run.task.mdp for run in runs) if privileged else None,
    )


def expected_table_return(task: ScoredTask, table: npt.ArrayLike) -> float:
    """Exact expected return of a policy by observed id: actions [O] or probabilities [O, A].

    Raises:
        AgentError: the table is no policy.
    """
    mdp = task.mdp
    given = np.asarray(table)
    if given.ndim == 1 and given.dtype.kind in "iu" and given.shape[0] == mdp.n_observations:
        if ((given < 0) | (given >= mdp.n_actions)).any():
            raise AgentError(f"a test policy's actions must lie in 0..{mdp.n_actions - 1}")
        given = np.eye(mdp.n_actions)[given]
    if given.shape != (mdp.n_observations, mdp.n_actions):
        raise AgentError(
            f"a test policy has shape {list(given.shape)}; give actions [{mdp.n_observations}]"
            f" or probabilities [{mdp.n_observations}, {mdp.n_actions}]"
        )
    inner = np.ascontiguousarray(given[mdp.observation], dtype=np.float64)
    if not np.allclose(inner.sum(axis=1), 1.0, atol=1e-6) or (inner < 0).any():
        raise AgentError("a test policy's rows must be probabilities that sum to 1")
    value = episode_values(mdp.bands, mdp.terminal, inner, mdp.max_steps)
    return float(mdp.start @ value)

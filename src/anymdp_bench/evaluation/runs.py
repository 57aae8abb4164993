"""Runs: what is played, for how long, when it is tested, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import AgentError, RunBatch
from anymdp_bench.engine.arrays import Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.tasks.task import Task, VectorSimulator

FOREVER = 2**62
TEST_EPISODES = 5  # played at a test point where no exact value can be had

Report = Callable[[float, float], None]
"""report(share of the budget that is used, latest score): called from time to time."""


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
    """One run to play: a learner with an empty memory on one task.

    Attributes:
        env_id: the environment's id; it names the run's random streams.
        task: the task.
        run_seed: the seed of the run.
        copy: tells the copies of the task apart that one learner steps at once.
    """

    env_id: str
    task: Task
    run_seed: int
    copy: int = 0

    def copies(self, n: int) -> list[Run]:
        """`n` copies of the run, the run itself first."""
        return [replace(self, copy=k) for k in range(n)]

    def streams(self, purpose: str) -> UInt64s:
        """The run's random streams for a purpose ("agent", "environment", "test"), uint64 [players]."""
        name: tuple[int | str, ...] = ("run", purpose, self.env_id, self.task.seed, self.run_seed)
        name += ("copy", self.copy) if self.copy else ()
        others = [stream(*name, i) for i in range(1, self.task.players)]
        return np.concatenate([stream(*name), *others])


@dataclass(frozen=True)
class Curve:
    """What a run gave.

    Arrays [n], one entry for each scored episode or test point; units as in `RunRecord`.
    """

    measure: str
    episode: Int64s
    steps: Int64s
    return_: Float64s
    return_corrected: Float64s
    score: Float64s
    regret: Float64s


class CurveRecorder:
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


def sampled_test_points(episodes: int | None) -> Int64s:
    """Those where test episodes have to be played: multiples of 100; the last one where none fits."""
    points = test_points(episodes)
    hundreds = points[points % 100 == 0]
    return hundreds if len(hundreds) or not episodes else np.array([episodes], np.int64)


def make_simulator(
    runs: Sequence[Run], purpose: str = "environment", shaped: bool = False
) -> VectorSimulator:
    """The simulator of `runs`, all of one environment, side by side.

    Args:
        runs: the runs.
        purpose: which of their random streams the dynamics draw from.
        shaped: whether agents are given shaped rewards where the environment has them.
    """
    tasks = [run.task for run in runs]
    rng = np.concatenate([run.streams(purpose) for run in runs])
    return tasks[0].simulator(tasks, rng, shaped=shaped)


def run_batch(
    runs: Sequence[Run], privileged: bool, simulator: VectorSimulator | None = None
) -> RunBatch:
    """What an agent is told of `runs`.

    Args:
        runs: the runs, all of one environment.
        privileged: whether the agent is shown the tasks.
        simulator: what a privileged agent asks for the oracle's actions where the tasks are no tables.
    """
    task = runs[0].task
    tables = tuple(run.task.table for run in runs if run.task.table is not None)
    oracle = None if simulator is None else simulator.oracle_actions
    return RunBatch(
        task.n_observations,
        task.n_actions,
        np.concatenate([run.streams("agent") for run in runs]),
        tables if privileged and tables else None,
        oracle if privileged and not tables else None,
    )


def expected_return(task: Task, policies: npt.ArrayLike) -> float:
    """The exact expected return of one episode under policies by observation.

    Args:
        task: the task.
        policies: one policy a player: actions [players, O] or probabilities [players, O, A].

    Raises:
        AgentError: a policy has a wrong shape, or holds no actions or probabilities.
        TypeError: the task has no exact tests.
    """
    given = np.asarray(policies)
    size = (task.n_observations, task.n_actions)
    return task.expected_return(
        [_probabilities(given[i], *size, seen) for i, seen in enumerate(task.observed)]
    )


def _probabilities(
    table: npt.ArrayLike, n_observations: int, n_actions: int, seen: Int64s
) -> Float64s:
    """The table's action probabilities where `seen` is observed, float64 [len(seen), A]."""
    given = np.asarray(table)
    if given.ndim == 1 and given.dtype.kind in "iu" and given.shape[0] == n_observations:
        if ((given < 0) | (given >= n_actions)).any():
            raise AgentError(f"a test policy's actions must lie in 0..{n_actions - 1}")
        given = np.eye(n_actions)[given]
    if given.shape != (n_observations, n_actions):
        raise AgentError(
            f"a test policy has shape {list(given.shape)}; give actions [{n_observations}]"
            f" or probabilities [{n_observations}, {n_actions}]"
        )
    inner = np.ascontiguousarray(given[seen], dtype=np.float64)
    if not np.allclose(inner.sum(axis=1), 1.0, atol=1e-6) or (inner < 0).any():
        raise AgentError("a test policy's rows must be probabilities that sum to 1")
    return inner

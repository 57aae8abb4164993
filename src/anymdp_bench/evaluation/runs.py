"""`Run`, `Budget` and `Curve`: what is played, for how long, when it is tested, and the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import AgentError, RunBatch
from anymdp_bench.engine.arrays import Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.tasks.task import Task, VectorSimulator

FOREVER = 2**62  # more steps or episodes than any run has
TEST_EPISODES = 5  # how many are played at a test point that has no exact value

Report = Callable[[float, float], None]
"""A function report(share of the budget that is used, latest score) that is called from time to time."""


@dataclass(frozen=True)
class Budget:
    """How long a run lasts. The limit that is reached first ends it.

    Attributes:
        episodes: the most episodes, or None for no limit.
        steps: the most steps, or None for no limit.
    """

    episodes: int | None = None
    steps: int | None = None

    def share(self, episodes: int, steps: int) -> float:
        """Returns how much of the budget is used, from 0 to 1."""
        parts = [episodes / self.episodes if self.episodes else 0.0]
        parts.append(steps / self.steps if self.steps else 0.0)
        return min(max(parts), 1.0)


@dataclass(frozen=True)
class Run:
    """One run: an agent with an empty memory plays one task.

    Attributes:
        env_id: the id of the environment. It is a part of the names of the run's random streams.
        task: the task.
        run_seed: the seed of the run.
        copy: the number of this copy of the task, if one learner steps several copies at once.
    """

    env_id: str
    task: Task
    run_seed: int
    copy: int = 0

    def copies(self, n: int) -> list[Run]:
        """Returns `n` copies of the run. The first one is the run itself."""
        return [replace(self, copy=k) for k in range(n)]

    def streams(self, purpose: str) -> UInt64s:
        """Returns the random streams of the run for a purpose, uint64 [players].

        Args:
            purpose: "agent", "environment", "test" or "demonstration".
        """
        name: tuple[int | str, ...] = ("run", purpose, self.env_id, self.task.seed, self.run_seed)
        name += ("copy", self.copy) if self.copy else ()
        others = [stream(*name, i) for i in range(1, self.task.players)]
        return np.concatenate([stream(*name), *others])


@dataclass(frozen=True)
class Curve:
    """The result of a run. The arrays [n] have one entry for each scored episode or test point.

    Attributes:
        measure: "exact", "test" or "episode": how the entries were measured.
        episode: the number of episodes that the run had played.
        steps: the number of steps that it had played.
        return_: the undiscounted return.
        return_corrected: the return with the control variate.
        score: the corrected return on the scale where random is 0 and the oracle is 1.
        regret: the regret so far.
    """

    measure: str
    episode: Int64s
    steps: Int64s
    return_: Float64s
    return_corrected: Float64s
    score: Float64s
    regret: Float64s


class CurveRecorder:
    """Collects the entries of one run.

    Args:
        measure: the measure of the curve.
    """

    def __init__(self, measure: str) -> None:
        self.measure = measure
        self.rows: list[tuple[int, int, float, float, float, float]] = []

    def curve(self) -> Curve:
        """Returns the entries as a curve."""
        columns = list(zip(*self.rows, strict=True)) or [()] * 6
        episode, steps = (np.array(column, np.int64) for column in columns[:2])
        real = [np.array(column, np.float64) for column in columns[2:]]
        return Curve(self.measure, episode, steps, *real)


def test_points(episodes: int | None) -> Int64s:
    """Returns the episodes after which a learner is tested.

    They are 1..20, then a geometric sequence with the factor 1.05, and all multiples of 100.

    Args:
        episodes: the last episode; None means 10,000.
    """
    limit = 10_000 if episodes is None else episodes
    points = set(range(1, 21)) | set(range(100, limit + 1, 100))
    value = 20.0
    while int(value) <= limit:
        points.add(int(value))
        value *= 1.05
    return np.array(sorted(p for p in points if p <= limit), np.int64)


def sampled_test_points(episodes: int | None) -> Int64s:
    """Returns the test points at which test episodes are played.

    They are the multiples of 100, or the last episode if there is no multiple.

    Args:
        episodes: the last episode; None means 10,000.
    """
    points = test_points(episodes)
    hundreds = points[points % 100 == 0]
    return hundreds if len(hundreds) or not episodes else np.array([episodes], np.int64)


def make_simulator(
    runs: Sequence[Run], purpose: str = "environment", shaped: bool = False
) -> VectorSimulator:
    """Makes the simulator of runs of one environment, side by side.

    Args:
        runs: the runs.
        purpose: the purpose of the random streams that the dynamics draw from.
        shaped: whether agents get the shaped rewards of an environment that has them.
    """
    tasks = [run.task for run in runs]
    rng = np.concatenate([run.streams(purpose) for run in runs])
    return tasks[0].simulator(tasks, rng, shaped=shaped)


def run_batch(
    runs: Sequence[Run], privileged: bool, simulator: VectorSimulator | None = None
) -> RunBatch:
    """Makes the batch that an agent gets about its runs.

    Args:
        runs: the runs, all of one environment.
        privileged: whether the agent sees the tasks.
        simulator: gives a privileged agent the oracle's actions if the tasks are no tables.
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
    """Computes the exact expected return of one episode under policies by observation.

    Args:
        task: the task.
        policies: one policy for each player, as actions [players, O] or probabilities [players, O, A].

    Raises:
        AgentError: a policy has a wrong shape, or its entries are no actions or probabilities.
        TypeError: the task has no exact tests.
    """
    given = np.asarray(policies)
    size = (task.n_observations, task.n_actions)
    return task.expected_return(
        [_select_probabilities(given[i], *size, seen) for i, seen in enumerate(task.observed)]
    )


def _select_probabilities(
    table: npt.ArrayLike, n_observations: int, n_actions: int, seen: Int64s
) -> Float64s:
    """Returns the action probabilities of a table for the observations `seen`, float64 [len(seen), A]."""
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

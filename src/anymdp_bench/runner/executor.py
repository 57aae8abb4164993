"""Where the work of a command is done: in this process, in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.runner.worker_pool import Crew, Work, attempt, employ

Report = Callable[[int, float, float], None]
"""report(index of the job, share done, latest score)."""


class Where(StrEnum):
    """What `--executor` can be."""

    LOCAL = "local"
    RAY = "ray"


def _silent(index: int, share: float, score: float) -> None:
    pass


@dataclass(frozen=True)
class Executor:
    """How to do jobs; every way gives the same answers.

    Attributes:
        workers: number of workers; None: as many as there are cores.
        ray: whether on a Ray cluster.
        ray_address: that cluster's address; None: RAY_ADDRESS, or else a local cluster of its own.
        time_limit: seconds that a job may take, None: any.
    """

    workers: int | None = 1
    ray: bool = False
    ray_address: str | None = None
    time_limit: float | None = None

    def run(
        self, work: Work, jobs: Sequence[tuple[int, Any]], report: Report = _silent
    ) -> Generator[tuple[int, Any]]:
        """Does numbered jobs, and yields (number, answer or `Lost`) as each is over, in any order.

        Raises:
            ExecutorError: workers cannot be had.
        """
        if not jobs:
            return
        alone = 1 in (self.workers or available_cores(), len(jobs))
        if alone and not self.ray and self.time_limit is None:
            for index, job in jobs:
                yield index, attempt(work, job, partial(report, index))
            return
        yield from employ(self._crew(work), jobs, self.time_limit)

    def _crew(self, work: Work) -> Crew:
        if self.ray:
            from anymdp_bench.runner.ray_workers import RayCrew

            return RayCrew(work, self.workers, self.ray_address)
        from anymdp_bench.runner.local_workers import LocalCrew

        return LocalCrew(work, self.workers or available_cores())

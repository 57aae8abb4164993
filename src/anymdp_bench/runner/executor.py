"""Where jobs run: in this process, in worker processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.runner.worker_pool import Work, WorkerPool, run_jobs, try_job

Report = Callable[[int, float, float], None]
"""report(index of the job, share of it that is done, latest score)."""


Backend = Literal["local", "ray"]
"""The values of `--executor`."""


def _ignore_report(index: int, share: float, score: float) -> None:
    pass


@dataclass(frozen=True)
class Executor:
    """Runs jobs. Every choice of settings gives the same answers.

    Attributes:
        workers: number of workers; None takes one for each core.
        ray: whether the jobs run on a Ray cluster.
        ray_address: address of that cluster. None takes RAY_ADDRESS, or else starts a local cluster.
        time_limit: seconds that one job may take; None is no limit.
        import_main: whether worker processes import the program's main module again, as an agent that is
            defined there needs it. By default they do not, so that a script needs no
            `if __name__ == "__main__":`.
    """

    workers: int | None = 1
    ray: bool = False
    ray_address: str | None = None
    time_limit: float | None = None
    import_main: bool = False

    def run(
        self, work: Work, jobs: Sequence[tuple[int, Any]], report: Report = _ignore_report
    ) -> Generator[tuple[int, Any]]:
        """Runs numbered jobs.

        Args:
            work: what is done with each job.
            jobs: (number, job) pairs.
            report: called while jobs run, where they run in this process.

        Yields:
            (number, answer or `JobFailed`) as soon as each job is over, in any order.

        Raises:
            ExecutorError: workers cannot be started.
        """
        if not jobs:
            return
        is_alone = 1 in (self.workers or available_cores(), len(jobs))
        if is_alone and not self.ray and self.time_limit is None:
            for index, job in jobs:
                yield index, try_job(work, job, partial(report, index))
            return
        yield from run_jobs(self._make_pool(work), jobs, self.time_limit)

    def _make_pool(self, work: Work) -> WorkerPool:
        if self.ray:
            from anymdp_bench.runner.ray_workers import RayWorkerPool

            return RayWorkerPool(work, self.workers, self.ray_address)
        from anymdp_bench.runner.local_workers import LocalWorkerPool

        return LocalWorkerPool(work, self.workers or available_cores(), self.import_main)

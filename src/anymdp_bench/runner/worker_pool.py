"""Worker pools: how jobs reach workers, whatever the workers are.

A `WorkerPool` starts workers: processes of this machine (`local_workers`) or actors of a Ray cluster
(`ray_workers`). This module depends on neither. `run_jobs` hands out the jobs, replaces workers that die,
tries their jobs again, and stops jobs that take too long.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Protocol

TRIES = 3
"""A job is given up when this many workers died while they did it."""

ReportShare = Callable[[float, float], None]
"""report(share of the job done, latest score): called now and then while a job runs."""

Work = Callable[[Any, ReportShare | None], Any]
"""work(job, report) -> answer: what a worker does. The function and its arguments can be pickled."""


class ExecutorError(ValueError):
    """Workers cannot be started. The message says why, and how to fix it."""


class JobError(RuntimeError):
    """A job cannot be done. The message is the reason."""


class RefusedError(JobError):
    """A job cannot be done, and no other job like it can be done either."""


class WorkerDied(Exception):  # noqa: N818 - an event that the pool handles, never shown to a user
    """A worker died."""


@dataclass(frozen=True)
class JobFailed:
    """Stands in place of an answer.

    Attributes:
        reason: why there is no answer.
        refused: whether no other job like this one is worth a try.
        traceback: the traceback of the exception behind it, as text; empty if there was none.
    """

    reason: str
    refused: bool = False
    traceback: str = ""


class Worker(Protocol):
    """Does one job at a time. It sends one message when it is ready, and one after each job."""

    def send(self, job: Any) -> None:
        """Starts a job and returns at once."""

    def receive(self) -> Any:
        """Returns the next message: the answer to the job. The first message only says that it is ready.

        Raises:
            WorkerDied: the worker died.
        """

    def kill(self) -> None:
        """Ends the worker, whatever it does at the moment."""


class WorkerPool(Protocol):
    """Starts workers. At most `size` workers run at a time."""

    @property
    def size(self) -> int:
        """The largest number of workers that this pool can use."""

    def spawn(self) -> Worker:
        """Starts a worker. The worker sends a message when it is ready."""

    def wait(self, workers: Sequence[Any], seconds: float | None) -> list[Any]:
        """Waits until a message has come or the time is over.

        Args:
            workers: the workers to wait for.
            seconds: how long to wait; None waits without a limit.

        Returns:
            The workers that sent a message or died; empty when the time is over.
        """

    def close(self) -> None:
        """Ends all workers."""


def try_job(work: Work, job: Any, report: ReportShare | None = None) -> Any:
    """Returns the answer to a job, or a `JobFailed` with the reason why there is none."""
    try:
        return work(job, report)
    except JobError as error:
        lines = format_exception(error.__cause__) if error.__cause__ else []
        return JobFailed(str(error), isinstance(error, RefusedError), "".join(lines))
    except Exception as error:
        lines = format_exception(error)
        return JobFailed(f"{type(error).__name__}: {error}", traceback="".join(lines))


@dataclass
class _Job:
    index: int
    content: Any
    deaths: int = 0


@dataclass
class _WorkerState:
    """What a worker does: it starts (not ready), waits (no job), or does `job` since `started` (seconds)."""

    ready: bool = False
    job: _Job | None = None
    started: float = 0.0


class _Scheduler:
    """The workers of one `run_jobs` call, and the job of each."""

    def __init__(self, pool: WorkerPool, queue: deque[_Job], time_limit: float | None) -> None:
        self.pool, self.queue, self.time_limit = pool, queue, time_limit
        self.workers: dict[Any, _WorkerState] = {}
        self.failed_starts = 0  # workers in a row that died before they were ready

    def busy_workers(self) -> list[Any]:
        return [worker for worker, state in self.workers.items() if state.job is not None]

    def assign_jobs(self) -> None:
        """Starts as many workers as there is work for, and gives each idle worker a job."""
        wanted = min(self.pool.size, len(self.queue) + len(self.busy_workers()))
        while len(self.workers) < wanted:
            self.workers[self.pool.spawn()] = _WorkerState()
        for worker, state in self.workers.items():
            if state.ready and state.job is None and self.queue:
                state.job, state.started = self.queue.popleft(), time.monotonic()
                worker.send(state.job.content)

    def collect_answers(self) -> Iterator[tuple[int, Any]]:
        """Waits for messages, and yields the jobs that are over."""
        awaited = [w for w, s in self.workers.items() if s.job is not None or not s.ready]
        for worker in self.pool.wait(awaited, self._shortest_time_left()):
            yield from self._receive(worker)
        for worker in self.busy_workers():
            if self._time_left(self.workers[worker]) <= 0.0:
                job = self._stop(worker)
                assert job is not None
                reason = f"it took longer than the time limit, {self.time_limit:g} s"
                yield job.index, JobFailed(reason)

    def _receive(self, worker: Any) -> Iterator[tuple[int, Any]]:
        state = self.workers[worker]
        try:
            answer = worker.receive()
        except WorkerDied:
            yield from self._handle_death(worker)
            return
        self.failed_starts = 0
        if state.job is not None:
            yield state.job.index, answer
        state.ready, state.job = True, None

    def _handle_death(self, worker: Any) -> Iterator[tuple[int, Any]]:
        """Puts the job of a dead worker back into the queue, or gives it up."""
        job = self._stop(worker)
        if job is None:
            self.failed_starts += 1
            if self.failed_starts >= TRIES * self.pool.size:
                raise ExecutorError(
                    "worker processes die as they start, perhaps for want of memory; give fewer --workers"
                )
            return
        job.deaths += 1
        if job.deaths < TRIES:
            self.queue.appendleft(job)
        else:
            reason = f"{TRIES} worker processes died of it, perhaps for want of memory"
            yield job.index, JobFailed(reason)

    def _stop(self, worker: Any) -> _Job | None:
        """Ends a worker and returns the job that it had."""
        worker.kill()
        return self.workers.pop(worker).job

    def _time_left(self, state: _WorkerState) -> float:
        """Seconds that are left for the job of a busy worker."""
        if self.time_limit is None:
            return float("inf")
        return state.started + self.time_limit - time.monotonic()

    def _shortest_time_left(self) -> float | None:
        """Seconds until the first job must be stopped; None where no job has a limit."""
        least = min(
            (self._time_left(self.workers[w]) for w in self.busy_workers()), default=float("inf")
        )
        return None if least == float("inf") else max(least, 0.0)


def run_jobs(
    pool: WorkerPool, jobs: Iterable[tuple[int, Any]], time_limit: float | None = None
) -> Iterator[tuple[int, Any]]:
    """Runs numbered jobs in a pool, and closes the pool at the end.

    The job of a worker that dies is given to another worker, `TRIES` times in all.

    Args:
        pool: where the workers are started.
        jobs: (number, job) pairs.
        time_limit: seconds that one job may take. A job that takes longer is stopped together with its
            worker. None is no limit.

    Yields:
        (number, answer or `JobFailed`) as soon as each job is over, in any order.

    Raises:
        ExecutorError: workers cannot be started.
    """
    queue = deque(_Job(index, content) for index, content in jobs)
    scheduler = _Scheduler(pool, queue, time_limit)
    try:
        while scheduler.queue or scheduler.busy_workers():
            scheduler.assign_jobs()
            finished = list(scheduler.collect_answers())
            scheduler.assign_jobs()  # keeps the workers busy while the caller handles the answers
            yield from finished
    finally:
        pool.close()

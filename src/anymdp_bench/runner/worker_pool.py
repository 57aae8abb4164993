"""The one interface of execution: workers that do one job at a time, and who gives them jobs.

A crew is a place where workers can be hired: processes of this machine (`local`), or actors of a Ray
cluster (`cluster`). What is here knows neither: it hands out jobs, replaces workers that die, tries their
jobs again, and ends those that take too long.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

TRIES = 3
"""How often a job may take its worker with it before it is given up."""

Tell = Callable[[float, float], None]
"""tell(share of the job done, latest score): called now and then."""

Work = Callable[[Any, Tell | None], Any]
"""work(job, tell) -> answer: what a worker does; it and its arguments can be pickled."""


class ExecutorError(ValueError):
    """Workers that cannot be had: the message says why, and how to mend it."""


class JobError(RuntimeError):
    """A job that cannot be done, with the reason as its message."""


class RefusedError(JobError):
    """A job that cannot be done and never will: no other like it is worth a try."""


class Gone(Exception):  # noqa: N818 - no error, but news
    """A worker died."""


@dataclass(frozen=True)
class Lost:
    """In place of an answer: why there is none, and whether the job was refused."""

    reason: str
    refused: bool = False


class Worker(Protocol):
    """Does one job at a time; has something to say when it is ready for the first, and after each."""

    def give(self, job: Any) -> None:
        """Begins a job; returns at once."""

    def take(self) -> Any:
        """What it says: the answer to its job (of no meaning when it says that it is ready).

        Raises:
            Gone: it died.
        """

    def kill(self) -> None:
        """Ends it, whatever it does."""


class Crew(Protocol):
    """Where workers are hired; at most `size` are wanted at a time."""

    @property
    def size(self) -> int:
        """The number of workers that make sense here."""

    def hire(self) -> Worker:
        """A new worker; it says when it is ready."""

    def wait(self, workers: Sequence[Any], seconds: float | None) -> list[Any]:
        """Those of `workers` that have something to say, once there are any or time is up."""

    def close(self) -> None:
        """Ends all workers."""


def attempt(work: Work, job: Any, tell: Tell | None = None) -> Any:
    """The answer to a job, or `Lost` with the reason why there is none."""
    try:
        return work(job, tell)
    except JobError as error:
        return Lost(str(error), isinstance(error, RefusedError))
    except Exception as error:
        return Lost(f"{type(error).__name__}: {error}")


@dataclass
class _Task:
    index: int
    job: Any
    deaths: int = 0


@dataclass
class _Post:
    """A worker's state: starting, idle, or at work on `task` since `begun`."""

    ready: bool = False
    task: _Task | None = None
    begun: float = 0.0


class _Team:
    """The workers of one `employ`, and what each is at."""

    def __init__(self, crew: Crew, todo: deque[_Task], time_limit: float | None) -> None:
        self.crew, self.todo, self.time_limit = crew, todo, time_limit
        self.posts: dict[Any, _Post] = {}
        self.stillborn = 0  # workers in a row that died before they were ready

    @property
    def busy(self) -> list[Any]:
        return [worker for worker, post in self.posts.items() if post.task is not None]

    def assign(self) -> None:
        """Hires as many as have work, and gives a job to whoever is idle."""
        wanted = min(self.crew.size, len(self.todo) + len(self.busy))
        while len(self.posts) < wanted:
            self.posts[self.crew.hire()] = _Post()
        for worker, post in self.posts.items():
            if post.ready and post.task is None and self.todo:
                post.task, post.begun = self.todo.popleft(), time.monotonic()
                worker.give(post.task.job)

    def news(self) -> Iterator[tuple[int, Any]]:
        """Waits, and yields the jobs that are over."""
        awaited = [w for w, post in self.posts.items() if post.task is not None or not post.ready]
        for worker in self.crew.wait(awaited, self._patience()):
            yield from self._heard(worker)
        for worker in self.busy:
            if self._left(self.posts[worker]) <= 0.0:
                task = self._dismiss(worker)
                assert task is not None
                yield task.index, Lost(f"it took longer than the time limit, {self.time_limit:g} s")

    def _heard(self, worker: Any) -> Iterator[tuple[int, Any]]:
        post = self.posts[worker]
        try:
            answer = worker.take()
        except Gone:
            yield from self._bury(worker)
            return
        self.stillborn = 0
        if post.task is not None:
            yield post.task.index, answer
        post.ready, post.task = True, None

    def _bury(self, worker: Any) -> Iterator[tuple[int, Any]]:
        task = self._dismiss(worker)
        if task is None:
            self.stillborn += 1
            if self.stillborn >= TRIES * self.crew.size:
                raise ExecutorError("workers die as they start; is there memory for --workers?")
            return
        task.deaths += 1
        if task.deaths < TRIES:
            self.todo.appendleft(task)
        else:
            yield (
                task.index,
                Lost(f"{TRIES} worker processes died of it, perhaps for want of memory"),
            )

    def _dismiss(self, worker: Any) -> _Task | None:
        """Ends a worker; the job that it was at."""
        worker.kill()
        return self.posts.pop(worker).task

    def _left(self, post: _Post) -> float:
        """Seconds that are left of the job's time."""
        if self.time_limit is None:
            return float("inf")
        return post.begun + self.time_limit - time.monotonic()

    def _patience(self) -> float | None:
        least = min((self._left(self.posts[w]) for w in self.busy), default=float("inf"))
        return None if least == float("inf") else max(least, 0.0)


def employ(
    crew: Crew, jobs: Iterable[tuple[int, Any]], time_limit: float | None = None
) -> Iterator[tuple[int, Any]]:
    """Has numbered jobs done, and yields (number, answer or `Lost`) as each is over, in any order.

    A job whose worker dies is given to another, `TRIES` times in all. One that takes longer than
    `time_limit` seconds is ended with its worker.

    Raises:
        ExecutorError: workers cannot be had.
    """
    team = _Team(crew, deque(_Task(index, job) for index, job in jobs), time_limit)
    try:
        while team.todo or team.busy:
            team.assign()
            over = list(team.news())
            team.assign()  # before anything is done with the answers
            yield from over
    finally:
        crew.close()

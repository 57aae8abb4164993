"""What the commands print where: messages and progress on stderr, quiet when piped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def stderr() -> Console:
    """A console on stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """One line on stderr, whatever `message` holds; what steers a terminal is shown as `?`."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    print(f"anymdp-bench: {line}", file=sys.stderr)


def say(message: str, quiet: bool = False) -> None:
    """A message on stderr."""
    if not quiet:
        print(message, file=sys.stderr)


def note(message: str, quiet: bool = False) -> None:
    """What is going on, on stderr where that is a terminal."""
    if not quiet and sys.stderr.isatty():
        print(message, file=sys.stderr)


class Meter(Protocol):
    """Shows how a command gets on."""

    def begin(self, total: int, done: int) -> None:
        """`done` of `total` units are there already."""

    def report(self, index: int, share: float, score: float) -> None:
        """Unit `index` is at `share` of its budget, and its score now `score`."""


class _Silent:
    def begin(self, total: int, done: int) -> None:
        pass

    def report(self, index: int, share: float, score: float) -> None:
        pass


class _Bar:
    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._bar = progress.add_task(label, total=None, score="")
        self._shares: dict[int, float] = {}  # of units under way
        self._over: set[int] = set()
        self._done = 0

    def begin(self, total: int, done: int) -> None:
        self._done = done
        self._progress.update(self._bar, total=total, completed=done)

    def report(self, index: int, share: float, score: float) -> None:
        if share < 1.0:
            self._shares[index] = share
        elif index not in self._over:
            self._over.add(index)
            self._shares.pop(index, None)
        completed = self._done + len(self._over) + sum(self._shares.values())
        self._progress.update(self._bar, completed=completed, score=f"score {score:.2f}")


@contextmanager
def meter(label: str, quiet: bool) -> Iterator[Meter]:
    """A progress bar with remaining time and latest score on a terminal, nothing elsewhere."""
    console = stderr()
    if quiet or not console.is_terminal:
        yield _Silent()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[score]}"),
    )
    # The speed is that of the whole run: units of slow learners take minutes each.
    bar = Progress(*columns, console=console, transient=True, speed_estimate_period=1e9)
    with bar as progress:
        yield _Bar(progress, label)

"""What an evaluation tells about itself: messages on stderr, and how much of it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

ReportProgress = Callable[[float, float], None]
"""report(share of the evaluation that is done, latest score)."""


def complain(message: str) -> None:
    """Prints one line on stderr, with `?` for each character that would steer a terminal."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    if sys.stderr is not None:  # print takes None for stdout
        print(f"anymdp-bench: {line}", file=sys.stderr)


def note(message: str, quiet: bool = False) -> None:
    """Prints on stderr what happens now, where stderr is a terminal."""
    if not quiet and sys.stderr is not None and sys.stderr.isatty():
        print(message, file=sys.stderr)


class ProgressDisplay(Protocol):
    """Shows how much of an evaluation is done."""

    def begin(self, total: int, done: int) -> None:
        """Takes the number of units, and how many of them are there already."""

    def report(self, index: int, share: float, score: float) -> None:
        """Takes the share of unit `index` that is done, and its latest score."""


class _NoDisplay:
    def begin(self, total: int, done: int) -> None:
        pass

    def report(self, index: int, share: float, score: float) -> None:
        pass


class _Counter:
    """Adds up how many units are done, with the shares of those under way."""

    def __init__(self) -> None:
        self.total, self._done = 0, 0
        self._shares: dict[int, float] = {}
        self._finished: set[int] = set()

    def begin(self, total: int, done: int) -> None:
        self.total, self._done = total, done

    def count(self, index: int, share: float) -> float:
        """Takes the share of one unit, and returns the number of units that are done."""
        if share < 1.0:
            self._shares[index] = share
        elif index not in self._finished:
            self._finished.add(index)
            self._shares.pop(index, None)
        return self._done + len(self._finished) + sum(self._shares.values())


class _Bar:
    """A progress bar with the remaining time and the latest score."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress, self._counter = progress, _Counter()
        self._bar = progress.add_task(label, total=None, score="")

    def begin(self, total: int, done: int) -> None:
        self._counter.begin(total, done)
        self._progress.update(self._bar, total=total, completed=done)

    def report(self, index: int, share: float, score: float) -> None:
        completed = self._counter.count(index, share)
        self._progress.update(self._bar, completed=completed, score=f"score {score:.2f}")


class _Callback:
    """Calls a function with the share that is done, 0 to 1, and the latest score."""

    def __init__(self, function: ReportProgress) -> None:
        self._function, self._counter = function, _Counter()

    def begin(self, total: int, done: int) -> None:
        self._counter.begin(total, done)
        self._function(done / total, float("nan"))

    def report(self, index: int, share: float, score: float) -> None:
        self._function(min(self._counter.count(index, share) / self._counter.total, 1.0), score)


@contextmanager
def show_progress(progress: bool | ReportProgress | None, label: str) -> Iterator[ProgressDisplay]:
    """Makes the display of an evaluation.

    Args:
        progress: a function that is called with (share done, latest score); False for no display; None or
            True for a progress bar on stderr if that is a terminal.
        label: what the bar is called.
    """
    if callable(progress):
        yield _Callback(progress)
        return
    bar = None if progress is False else _make_bar()
    if bar is None:
        yield _NoDisplay()
        return
    with bar as shown:
        yield _Bar(shown, label)


def _make_bar() -> Progress | None:
    """Makes a progress bar on stderr; None where that is no terminal."""
    from rich import progress as parts
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        return None
    columns = (
        parts.SpinnerColumn(),
        parts.TextColumn("{task.description}", markup=False),
        parts.BarColumn(),
        parts.MofNCompleteColumn(),
        parts.TimeElapsedColumn(),
        parts.TextColumn("left"),
        parts.TimeRemainingColumn(),
        parts.TextColumn("{task.fields[score]}"),
    )
    # The speed is that of the whole run: one unit of a slow learner takes minutes.
    return parts.Progress(*columns, console=console, transient=True, speed_estimate_period=1e9)

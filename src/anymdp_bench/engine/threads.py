"""Helper threads that take a share of a vector's step, and the choice whether they do.

Splitting a step pays on free cores only. On a core that others use, a helper is set aside in the middle of
its work, and whoever waits for it loses more than it gained. So `ThreadChoice` measures both ways at the
first calls and again now and then. Streams share nothing, so the numbers are the same on any number of
threads.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import config

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.engine.shared_blocks import MOST_THREADS, UNFINISHED, WORDS, finish

_HELPER_PATIENCE, _LEADER_PATIENCE = 10_000, 2_000  # pauses of some 25 ns
_FOREVER = 2**62
_NAP = 5e-5  # seconds
_is_jit_off: bool = config.DISABLE_JIT  # type: ignore[attr-defined, unused-ignore]


class ThreadChoice:
    """Chooses the number of threads of the next step by the time that earlier steps took.

    A trial steps for a while on one thread, and then on several. If several are faster they go on, for twenty
    times as long, unless they turn out slower in between. If they are slower one thread goes on, for twice as
    long as that took to see; the second time in a row for four times as long, and so on up to 32 times. So
    little time is lost where several threads never pay. It holds plain numbers only, so an environment that
    has one can be pickled.

    Args:
        streams: the number of streams of the vector.

    Attributes:
        threads: the number of threads of the next step.
    """

    _LEAST, _EACH = 2_048, 4_096  # streams for two threads; for each of more
    _FIRST, _LONGEST = 1e-3, 32e-3  # seconds of stepping in a part of a trial, at first and later
    _SKIPPED, _FEWEST = 2, 4  # steps in which caches warm; steps that are timed
    _PAYS = 0.9  # the time on several threads over that on one, in a trial
    _KEPT, _MOST_DOUBLED = 20, 5
    _LONGEST_STEP = 1.0  # seconds; what takes longer was stopped

    def __init__(self, streams: int) -> None:
        self._most = 1 if streams < self._LEAST else max(2, streams // self._EACH)
        self._window = self._FIRST
        self._is_trial = True
        self._alone = math.inf  # mean seconds of a step on one thread
        self._left = 0.0  # seconds for which several threads are kept
        self._failures = 0  # in a row
        self._begin(1, self._window)

    def _begin(self, threads: int, seconds: float) -> None:
        """Begins a period of `seconds` of stepping on so many threads."""
        self.threads, self._limit = threads, seconds
        self._steps, self._seconds, self._skipped = 0, 0.0, 0.0

    def record(self, seconds: float) -> None:
        """Takes the time that a step took."""
        if self._most == 1:
            return
        seconds = min(seconds, self._LONGEST_STEP)
        self._steps += 1
        timed = self._steps - self._SKIPPED
        if timed <= 0:
            self._skipped += seconds
            return
        self._seconds += seconds
        is_hopeless = self.threads > 1 and self._seconds > 2 * self._FEWEST * self._alone
        if self._seconds >= self._limit and (timed >= self._FEWEST or is_hopeless):
            self._end_period(self._seconds / timed)

    def _end_period(self, mean: float) -> None:
        """Chooses what comes after a period in which a step took `mean` seconds."""
        if self.threads > 1:
            self._judge(mean)
            return
        most = min(self._most, available_cores(), MOST_THREADS)
        if self._is_trial and most > 1 and not _is_jit_off:
            self._alone = mean
            self._begin(most, self._window)
        else:
            self._try_again()

    def _judge(self, mean: float) -> None:
        """Chooses what comes after a period of several threads."""
        pays = mean < self._alone * (self._PAYS if self._is_trial else 1.0)
        if self._is_trial:
            self._left = self._KEPT * self._window
        self._is_trial = False
        self._left -= self._seconds
        if not pays:
            self._failures = min(self._failures + 1, self._MOST_DOUBLED)
            self._begin(1, 2**self._failures * (self._seconds + self._skipped))
        elif self._left > 0:
            self._begin(self.threads, self._window)
        else:
            self._failures = 0
            self._try_again()

    def _try_again(self) -> None:
        self._is_trial = True
        self._window = min(2 * self._window, self._LONGEST)
        self._begin(1, self._window)


def fixed_threads(n: int) -> ThreadChoice:
    """Returns a choice that is always `n` threads, for tests and benchmarks."""
    choice = ThreadChoice(1)
    choice.threads = n
    return choice


class SharedKernel:
    """A kernel whose streams the calling thread and helper threads step together.

    The helpers start at the first call that wants them, and sleep when none has come for a quarter of a
    millisecond. They end before this process forks, and a child starts its own.

    Args:
        alone: alone(*arguments) does all the work and returns a number.
        lead: lead(board, threads, patience, *arguments) does the same with the helpers; it returns what
            `finish(board, patience)` returns, or a number below 0 if it has done nothing.
        assist: assist(board, thread, patience) does blocks until `await_call(board, patience)` is False.
    """

    def __init__(
        self, alone: Callable[..., int], lead: Callable[..., int], assist: Callable[..., None]
    ) -> None:
        self._alone, self._lead, self._assist = alone, lead, assist
        self._board = np.zeros(WORDS, np.int64)
        self._address = self._board.ctypes.data
        self.forget()
        _KERNELS.append(self)

    def forget(self) -> None:
        """Starts anew in a child process, where no other thread is left."""
        self._lock = threading.Lock()
        self._helpers: list[_Helper] = []
        self._arguments: tuple[Any, ...] = ()

    def __call__(self, choice: ThreadChoice, *arguments: Any) -> int:
        """Does the work on as many threads as `choice` says, and tells it the time."""
        begin = time.perf_counter()
        lock = self._lock
        if choice.threads == 1 or not lock.acquire(blocking=False):
            answer = self._alone(*arguments)  # the helpers may be another thread's
        else:
            try:
                answer = self._share(choice.threads, arguments)
            finally:
                lock.release()
        choice.record(time.perf_counter() - begin)
        return answer

    def _share(self, threads: int, arguments: tuple[Any, ...]) -> int:
        address = self._address
        self._wake(threads - 1)
        self._arguments = arguments  # a helper knows their addresses only
        try:
            answer = self._lead(address, threads, _LEADER_PATIENCE, *arguments)
            while answer == UNFINISHED:
                time.sleep(_NAP)  # a helper was set aside inside a block: leave it the core
                answer = finish(address, _LEADER_PATIENCE)
        except BaseException:
            finish(address, _FOREVER)
            raise
        self._arguments = ()
        return answer

    def _wake(self, n: int) -> None:
        """Makes sure that `n` helpers are awake."""
        while len(self._helpers) < n:
            if not self._helpers:
                self._assist(self._address, 0, 0)  # compiles it before a thread does
            try:
                helper = _Helper(self._assist, self._board, 1 + len(self._helpers))
            except RuntimeError:  # the operating system gives no more threads: do without
                break
            self._helpers.append(helper)
        for helper in self._helpers[:n]:
            helper.wake()

    def dismiss(self) -> None:
        """Ends the helpers, once they have done what they have claimed."""
        helpers, self._helpers = self._helpers, []
        for helper in helpers:
            helper.end()
        for helper in helpers:
            helper.join()


class _Helper(threading.Thread):
    def __init__(self, assist: Callable[..., None], board: Any, number: int) -> None:
        super().__init__(name=f"anymdp-bench step {number}", daemon=True)
        self._assist, self._board, self._number = assist, board, number
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_asleep = self._is_over = False
        self.start()

    def run(self) -> None:
        while True:
            self._assist(self._board.ctypes.data, self._number, _HELPER_PATIENCE)
            self._is_asleep = True
            if self._is_over:
                return
            self._bell.acquire()

    def wake(self) -> None:
        if self._is_asleep:
            self._is_asleep = False
            self._bell.release()

    def end(self) -> None:
        self._is_over = True
        self.wake()


_KERNELS: list[SharedKernel] = []


def _dismiss_all() -> None:
    for kernel in _KERNELS:
        kernel.dismiss()


def _forget_all() -> None:
    for kernel in _KERNELS:
        kernel.forget()


# A helper that is inside compiled code while the interpreter ends would bring the process down.
atexit.register(_dismiss_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_dismiss_all, after_in_child=_forget_all)

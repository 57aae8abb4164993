"""Workers on this machine: processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import connection
from typing import Any

from anymdp_bench.runner.worker_pool import ExecutorError, Gone, Work, attempt

_READY = "ready"
_STARTS = 50  # attempts at a worker


class LocalWorker:
    """A process at the other end of a pipe."""

    def __init__(self, context: Any, work: Work) -> None:
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self._process.start()
        theirs.close()  # so that its death is heard as the end of the pipe

    def give(self, job: Any) -> None:
        """Sends a job; a dead worker's is heard of in `take`."""
        with suppress(OSError):
            self.pipe.send(job)

    def take(self) -> Any:
        """What it sent.

        Raises:
            Gone: it died.
        """
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            raise Gone from None

    def kill(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


class LocalCrew:
    """Up to `size` worker processes, started from a clean one that has the package loaded."""

    def __init__(self, work: Work, size: int) -> None:
        self.size, self._work = size, work
        method = (
            "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        )
        self._context = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(["anymdp_bench.runner.unit"])
        self._hired: list[LocalWorker] = []

    def hire(self) -> LocalWorker:
        """Starts a process.

        Raises:
            ExecutorError: the operating system has none left.
        """
        for left in reversed(range(_STARTS)):
            try:
                worker = self._started()
                break
            except (EOFError, OSError) as error:
                if left and isinstance(error, EOFError | ConnectionError):
                    time.sleep(
                        0.1
                    )  # the clean process was killed: once it is gone, a start brings another
                    continue
                reason = getattr(error, "strerror", None) or "the process that starts them ends"
                what = f"cannot start a worker process: {reason}"
                raise ExecutorError(f"{what}; give fewer --workers") from None
        self._hired.append(worker)
        return worker

    def _started(self) -> LocalWorker:
        with warnings.catch_warnings():  # of a tracker that was killed: there is nothing to track
            warnings.filterwarnings("ignore", "resource_tracker: process died unexpectedly")
            return LocalWorker(self._context, self._work)

    def wait(self, workers: Sequence[LocalWorker], seconds: float | None) -> list[LocalWorker]:
        """Those that sent something or died."""
        by_pipe = {worker.pipe: worker for worker in workers}
        return [by_pipe[pipe] for pipe in connection.wait(list(by_pipe), seconds)]

    def close(self) -> None:
        """Ends all processes."""
        for worker in self._hired:
            worker.kill()


def _serve(pipe: connection.Connection, work: Work) -> None:
    """A worker's life."""
    _end_with_driver()
    try:
        pipe.send(_READY)
        while True:
            pipe.send(attempt(work, pipe.recv()))
    except (EOFError, OSError):  # the driver is gone
        return


def _end_with_driver() -> None:
    """In a worker: leave Ctrl-C to the driver, and end when the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    driver = multiprocessing.parent_process()
    if driver is None:
        return

    def watch() -> None:
        connection.wait([driver.sentinel])  # its end of a pipe: also of a dead one nobody waits for
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

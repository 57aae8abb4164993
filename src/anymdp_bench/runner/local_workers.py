"""Workers on this machine: processes that end together with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import connection
from typing import Any

from anymdp_bench.runner.main_module import hide_main
from anymdp_bench.runner.worker_pool import ExecutorError, Work, WorkerDied, try_job

_READY = "ready"
_START_TRIES = 50  # attempts to start one worker
_LONGEST_ADDRESS = 103  # bytes of a socket's path that every system takes
_SOCKET_NAME = len(
    "/pymp-12345678/listener-12345678"
)  # what multiprocessing adds to the temporary folder


class LocalWorker:
    """A process at the other end of a pipe."""

    def __init__(self, context: Any, work: Work) -> None:
        self.pipe, their_end = context.Pipe()
        # A worker is forked from a process that may have started before the environment was changed.
        given = (their_end, work, dict(os.environ))
        self._process = context.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        their_end.close()  # so that the pipe ends when the process dies

    def send(self, job: Any) -> None:
        """Sends a job. If the process is dead, `receive` reports it."""
        with suppress(OSError):
            self.pipe.send(job)

    def receive(self) -> Any:
        """Returns the next message of the process.

        Raises:
            WorkerDied: the process died.
        """
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            raise WorkerDied from None

    def kill(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


class LocalWorkerPool:
    """Up to `size` worker processes, forked from a clean process that has the package loaded.

    Args:
        work: what the workers do with each job.
        size: the largest number of workers.
        import_main: whether each worker imports the program's main module.
    """

    def __init__(self, work: Work, size: int, import_main: bool = False) -> None:
        self.size, self._work, self._import_main = size, work, import_main
        method = "forkserver" if _has_sockets() else "spawn"
        self._context = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(["anymdp_bench.runner.unit"])
        self._workers: list[LocalWorker] = []

    def spawn(self) -> LocalWorker:
        """Starts a process.

        Raises:
            ExecutorError: the operating system allows no more processes.
        """
        for tries_left in reversed(range(_START_TRIES)):
            try:
                worker = self._start()
                break
            except (EOFError, OSError) as error:
                if tries_left and isinstance(error, EOFError | ConnectionError):
                    # The clean process was killed. As soon as it is gone, a start makes a new one.
                    time.sleep(0.1)
                    continue
                raise ExecutorError(f"cannot start a worker process: {_explain(error)}") from None
        self._workers.append(worker)
        return worker

    def _start(self) -> LocalWorker:
        with (
            nullcontext() if self._import_main else hide_main(),
            _no_folder_first(),
            warnings.catch_warnings(),
        ):
            # Python warns when its resource tracker was killed. There is nothing to track here.
            warnings.filterwarnings("ignore", "resource_tracker: process died unexpectedly")
            return LocalWorker(self._context, self._work)

    def wait(self, workers: Sequence[LocalWorker], seconds: float | None) -> list[LocalWorker]:
        """Returns the workers that sent a message or died."""
        by_pipe = {worker.pipe: worker for worker in workers}
        return [by_pipe[pipe] for pipe in connection.wait(list(by_pipe), seconds)]

    def close(self) -> None:
        """Ends all processes."""
        for worker in self._workers:
            worker.kill()


def _has_sockets() -> bool:
    """Tells whether a server can fork the workers. It listens on a socket in the temporary folder."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return False
    try:
        folder = os.fsencode(tempfile.gettempdir())
    except FileNotFoundError:  # no such folder can be written
        return False
    return len(folder) + _SOCKET_NAME <= _LONGEST_ADDRESS


@contextmanager
def _no_folder_first() -> Iterator[None]:
    """Lets Python processes that start inside the block look for modules in no folder of the user's.

    Multiprocessing starts them by `python -c`, which looks into the working directory first. A file that is
    called `random.py` there would take the place of Python's own module. Later on a worker gets the search
    path of this process.
    """
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _explain(error: EOFError | OSError) -> str:
    """Says why a process could not be started, and what to do about it."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the working directory was removed; change to another one"
    reason = getattr(error, "strerror", None) or "the process that starts them ends"
    return f"{reason}; give fewer --workers"


def _serve(pipe: connection.Connection, work: Work, environ: dict[str, str]) -> None:
    """Runs in a worker: does one job after another until the driver is gone."""
    os.environ.clear()
    os.environ.update(environ)
    _end_with_driver()
    with suppress(OSError):  # of what an agent prints, nothing may get into a table
        os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        pipe.send(_READY)
        while True:
            answer = try_job(work, pipe.recv())
            if (
                sys.__stdout__ is not None
            ):  # what an agent wrote; the driver may kill the worker next
                with suppress(OSError, ValueError):
                    sys.__stdout__.flush()
            pipe.send(answer)
    except (EOFError, OSError):  # the driver is gone
        return


def _end_with_driver() -> None:
    """Runs in a worker: leaves Ctrl-C to the driver, and ends the worker when the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    driver = multiprocessing.parent_process()
    if driver is None:
        return

    def watch() -> None:
        # The sentinel is a pipe. It ends even if nobody waits for the dead driver.
        connection.wait([driver.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

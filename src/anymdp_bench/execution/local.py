"""Units on this machine: in this process, or spread over worker processes that end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import connection

from anymdp_bench.agents import AgentSpec
from anymdp_bench.execution.plan import Unit
from anymdp_bench.execution.play import Played, RunError, play_unit
from anymdp_bench.protocol import Budget

Report = Callable[[int, float, float], None]
"""report(index of the unit, share done, latest score)."""


def play_all(
    spec: AgentSpec,
    units: Sequence[tuple[int, Unit]],
    budget: Budget,
    workers: int,
    report: Report,
) -> Iterator[tuple[int, Played]]:
    """Plays numbered units and yields each as it is done, in any order.

    Raises:
        RunError: an agent raised or broke the contract, or a worker died; units under way are given up.
    """
    if workers == 1 or len(units) == 1:
        for index, unit in units:
            yield index, play_unit(spec, unit, budget, partial(report, index))
        return
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["anymdp_bench.execution.play"])
    pool = ProcessPoolExecutor(min(workers, len(units)), context, initializer=_end_with_driver)
    try:
        waiting = {pool.submit(play_unit, spec, unit, budget): k for k, unit in units}
        for done in as_completed(waiting):
            played = done.result()
            report(waiting[done], 1.0, _last_score(played))
            yield waiting[done], played
    except BrokenProcessPool:
        raise RunError(
            "a worker process died, perhaps for want of memory;"
            " the same command goes on from here, with fewer --workers if need be"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list((pool._processes or {}).values()):
            process.terminate()


def _last_score(played: Played) -> float:
    scores = [curve.score[-1] for curve in played.curves if len(curve.score)]
    return float(sum(scores) / len(scores)) if scores else float("nan")


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

"""Workers on a Ray cluster: one actor a worker, one core an actor.

The package (and a third party's agent) must be installed on every node; nothing is uploaded. Only the
driver writes results, so the nodes need no shared file system.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.runner.worker_pool import ExecutorError, Gone, Lost, Work, attempt

if TYPE_CHECKING:
    from types import ModuleType


class Seat:
    """What an actor is: a worker's life in Ray."""

    def __init__(self, work: Work, folder: str, path: list[str]) -> None:
        if os.path.isdir(folder):  # so that relative names mean what they mean to the driver
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        self._work = work

    def ready(self) -> None:
        """Returns once the actor runs."""

    def play(self, job: Any) -> Any:
        """The answer to a job, or `Lost`."""
        return attempt(self._work, job)


class RayWorker:
    """An actor, and what it was last asked."""

    def __init__(self, ray: ModuleType, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self.asked = actor.ready.remote()

    def give(self, job: Any) -> None:
        """Asks the actor."""
        self.asked = self._actor.play.remote(job)

    def take(self) -> Any:
        """What it answered.

        Raises:
            Gone: it died, or its node did.
        """
        try:
            return self._ray.get(self.asked)
        except self._ray.exceptions.RayTaskError as error:
            return Lost(str(error).strip().splitlines()[-1])
        except self._ray.exceptions.RayError:
            raise Gone from None

    def kill(self) -> None:
        """Ends the actor."""
        self._ray.kill(self._actor)


class RayCrew:
    """Actors of a cluster: that at `address` or RAY_ADDRESS, or else a local one of this command's own.

    Raises:
        ExecutorError: Ray is missing, or there is no cluster at `address`.
    """

    def __init__(self, work: Work, size: int | None, address: str | None = None) -> None:
        self._ray = ray = _connected(size, address)
        self.size = size or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Seat)
        self._arguments = (ray.put(work), os.getcwd(), [p for p in sys.path if p])

    def hire(self) -> RayWorker:
        """Asks for an actor; it comes once a core is free for it."""
        return RayWorker(self._ray, self._actor.remote(*self._arguments))

    def wait(self, workers: Sequence[RayWorker], seconds: float | None) -> list[RayWorker]:
        """Those that answered or died."""
        asked = {worker.asked: worker for worker in workers}
        some, _ = self._ray.wait(list(asked), num_returns=1, timeout=seconds)
        if not some:
            return []
        done, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        return [asked[each] for each in done]

    def close(self) -> None:
        """Leaves the cluster, which ends this command's actors, and a cluster of its own."""
        self._ray.shutdown()


def _connected(size: int | None, address: str | None) -> ModuleType:
    """The module `ray`, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise ExecutorError("--executor ray needs Ray: pip install 'anymdp-bench[ray]'") from None
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if where == "local":
        options = {"num_cpus": size or available_cores(), "include_dashboard": False}
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(where, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExecutorError(f"no Ray cluster at {where}: {reason}; mend --ray-address") from None
    finally:
        for number, handler in kept.items():  # Ray sets its own, which exit without a word
            signal.signal(number, handler)
    connected: ModuleType = ray
    return connected

"""Workers on a Ray cluster: each worker is one actor, and each actor has one core.

The package and a third party's agent must be installed on every node; nothing is uploaded. Only the driver
writes results, so the nodes need no shared file system.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.runner.worker_pool import ExecutorError, JobFailed, Work, WorkerDied, try_job

if TYPE_CHECKING:
    from types import ModuleType


class RayActor:
    """The object that lives on a node of the cluster and does the jobs.

    Args:
        work: what is done with each job.
        folder: the driver's working directory. The actor works there too if it exists on its node, so that
            relative names mean the same.
        path: the driver's module search path, which is added to the actor's.
    """

    def __init__(self, work: Work, folder: str, path: list[str]) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        self._work = work

    def ready(self) -> None:
        """Returns as soon as the actor runs."""

    def run(self, job: Any) -> Any:
        """Returns the answer to a job, or a `JobFailed`."""
        return try_job(self._work, job)


class RayWorker:
    """An actor, and the reference to its next answer."""

    def __init__(self, ray: ModuleType, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self.answer = actor.ready.remote()

    def send(self, job: Any) -> None:
        """Gives the actor a job."""
        self.answer = self._actor.run.remote(job)

    def receive(self) -> Any:
        """Returns the actor's answer.

        Raises:
            WorkerDied: the actor or its node died.
        """
        try:
            return self._ray.get(self.answer)
        except self._ray.exceptions.RayTaskError as error:
            return JobFailed(str(error).strip().splitlines()[-1])
        except self._ray.exceptions.RayError:
            raise WorkerDied from None

    def kill(self) -> None:
        """Ends the actor."""
        self._ray.kill(self._actor)


class RayWorkerPool:
    """Actors of a Ray cluster.

    Args:
        work: what the workers do with each job.
        size: the largest number of workers; None takes all cores of the cluster.
        address: the cluster's address. None takes RAY_ADDRESS, or else starts a local cluster, which ends
            with the pool.

    Raises:
        ExecutorError: Ray is not installed, or there is no cluster at `address`.
    """

    def __init__(self, work: Work, size: int | None, address: str | None = None) -> None:
        self._ray = ray = _connect(size, address)
        self.size = size or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(RayActor)
        self._arguments = (ray.put(work), os.getcwd(), [p for p in sys.path if p])

    def spawn(self) -> RayWorker:
        """Asks for an actor, which starts as soon as a core is free."""
        return RayWorker(self._ray, self._actor.remote(*self._arguments))

    def wait(self, workers: Sequence[RayWorker], seconds: float | None) -> list[RayWorker]:
        """Returns the workers that answered or died."""
        by_answer = {worker.answer: worker for worker in workers}
        some, _ = self._ray.wait(list(by_answer), num_returns=1, timeout=seconds)
        if not some:
            return []
        done, _ = self._ray.wait(list(by_answer), num_returns=len(by_answer), timeout=0)
        return [by_answer[each] for each in done]

    def close(self) -> None:
        """Leaves the cluster. That ends the actors, and the cluster if the pool started it."""
        self._ray.shutdown()


def _connect(size: int | None, address: str | None) -> ModuleType:
    """Connects to a cluster and returns the module `ray`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise ExecutorError("--executor ray needs Ray: pip install 'anymdp-bench[ray]'") from None
    target = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if target == "local":
        options = {"num_cpus": size or available_cores(), "include_dashboard": False}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    in_main_thread = threading.current_thread() is threading.main_thread()
    try:
        ray.init(target, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExecutorError(f"no Ray cluster at {target}: {reason}; fix --ray-address") from None
    finally:
        if in_main_thread:
            for number, handler in handlers.items():  # Ray's own handlers exit without a message
                signal.signal(number, handler)
    connected: ModuleType = ray
    return connected

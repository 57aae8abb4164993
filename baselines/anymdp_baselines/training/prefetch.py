"""Training tasks and recorded runs, made ahead by other processes, for a trainer whose own time is scarce."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from anymdp_baselines.training.task_pool import reward_factor
from anymdp_bench.datasets.sequences import refuse_public
from anymdp_bench.engine.arrays import Float32s, Float64s
from anymdp_bench.scoring import compute_references
from anymdp_bench.scoring.labels import label_task
from anymdp_bench.tasks.family import task_source

_BATCH = 16  # tasks that a process makes at a time
_CERTAIN = 2.0  # above every uniform number


class DenseTasks(NamedTuple):
    """Training tasks as dense arrays; the labels are indexed by observed ids, the rest by inner states."""

    cumulative: Float32s  # [k, S, A, S]  cumulative P(s'|s,a), above 1 from its last successor on
    mean: Float32s  # [k, S, A, S]  mean reward
    noise: Float32s  # [k, S, A, S]  standard deviation of the reward
    start: Float32s  # [k, S]  cumulative start distribution, likewise
    terminal: npt.NDArray[np.bool_]  # [k, S]
    ids: npt.NDArray[np.int64]  # [k, S]  observed ids
    horizon: npt.NDArray[np.int64]  # [k]
    advantage: Float32s  # [k, O, A]  labels (`anymdp_bench.scoring.labels`)
    entropy: Float32s  # [k, O, A]


def make_tasks(
    n_states: int, n_actions: int, seeds: range, reward_spread: float = 0.0
) -> DenseTasks:
    """Returns the training tasks `seeds` of tau(S, A), with rewards multiplied by `reward_factor`.

    Raises:
        ValueError: a seed is public (below 2**32).
    """
    refuse_public(seeds.start)
    source = task_source("AnyMDP-v0", n_states=n_states, n_actions=n_actions)
    rows = []
    for seed in seeds:
        mdp = source.sample(seed)
        labels = label_task(mdp, compute_references(mdp))
        factor = reward_factor(seed, reward_spread)
        rewards = factor * mdp.reward, factor * mdp.reward_noise
        rows.append(
            (
                _accumulate(mdp.transition),
                *rewards,
                _accumulate(mdp.start),
                mdp.terminal,
                mdp.observation,
                mdp.max_steps,
                *labels,
            )
        )
    kinds = (np.float32,) * 4 + (np.bool_, np.int64, np.int64) + (np.float32,) * 2
    columns = zip(*rows, strict=True)
    return DenseTasks(*(np.stack(c).astype(kind) for c, kind in zip(columns, kinds, strict=True)))


def _accumulate(prob: Float64s) -> Float64s:
    """Returns sums along the last axis; above every uniform number from the last positive entry on."""
    beyond = prob[..., ::-1].cumsum(-1)[..., ::-1] - prob
    out: Float64s = np.where(beyond <= 0.0, _CERTAIN, prob.cumsum(-1))
    return out


def start_workers(n: int) -> ProcessPoolExecutor | None:
    """Starts `n` processes to make tasks in, of one thread each; returns None for 0."""
    if not n:
        return None
    return ProcessPoolExecutor(n, get_context("spawn"))


Rows = TypeVar("Rows", bound=tuple[Any, ...])


class Prefetcher(Generic[Rows]):
    """The rows that `make` makes of seeds, one after another and in order, in whatever process.

    Args:
        make: makes of a range of seeds a named tuple of arrays with a row for each; it must be importable
            where another process is to call it.
        first_seed: the first seed.
        ahead: rows that are made before they are asked for.
        workers: the processes that make them; without any they are made when they are asked for.
    """

    def __init__(
        self, make: Callable[[range], Rows], first_seed: int, ahead: int, workers: Executor | None
    ) -> None:
        self._make, self.next_seed, self._ahead, self._workers = make, first_seed, ahead, workers
        self._requested = first_seed
        self._coming: deque[Future[Rows]] = deque()
        self._rest: Rows | None = None

    def take(self, k: int) -> Rows:
        """Returns the next `k` rows."""
        parts: list[Rows] = []
        self.next_seed += k
        while k > 0:
            part = self._rest if self._rest is not None and len(self._rest[0]) else self._next()
            here = min(k, len(part[0]))
            parts.append(type(part)(*(x[:here] for x in part)))
            self._rest = type(part)(*(x[here:] for x in part))
            k -= here
        self._request()
        kind = type(parts[0])
        return kind(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def move(self, seed: int) -> None:
        """Continues at `seed`."""
        self.next_seed = self._requested = seed
        self._coming.clear()
        self._rest = None

    def _next(self) -> Rows:
        if self._workers is None:
            self._requested += 1
            return self._make(range(self._requested - 1, self._requested))
        self._request()
        return self._coming.popleft().result()

    def _request(self) -> None:
        """Makes sure that enough rows are in the making."""
        if self._workers is None:
            return
        while self._requested < self.next_seed + self._ahead + _BATCH:
            seeds = range(self._requested, self._requested + _BATCH)
            self._coming.append(self._workers.submit(self._make, seeds))
            self._requested += _BATCH

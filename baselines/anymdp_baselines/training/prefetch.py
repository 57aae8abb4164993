"""Training tasks and recorded runs, made ahead by other processes, for a trainer whose own time is scarce."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from numba import set_num_threads

from anymdp_baselines.training.task_pool import labels
from anymdp_bench.datasets.behaviours import TAG_UNKNOWN
from anymdp_bench.datasets.sequences import Mixture, Sequences, synthesise
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

Float32s = npt.NDArray[np.float32]
_BATCH = 16  # of tasks that a process makes at a time
_CERTAIN = 2.0  # above every uniform number


class Tasks(NamedTuple):
    """Training tasks as dense arrays; inner states index them, observed ids the labels."""

    chance: Float32s  # [k, S, A, S]  cumulative P(s'|s,a), above 1 from its last successor on
    mean: Float32s  # [k, S, A, S]
    noise: Float32s  # [k, S, A, S]
    first: Float32s  # [k, S]  cumulative start distribution, likewise
    terminal: npt.NDArray[np.bool_]  # [k, S]
    ids: npt.NDArray[np.int64]  # [k, S]
    horizon: npt.NDArray[np.int64]  # [k]
    advantage: Float32s  # [k, O, A]  as `seats.labels`
    entropy: Float32s  # [k, O, A]


def tasks(n_states: int, n_actions: int, seeds: range) -> Tasks:
    """The training tasks `seeds` of tau(S, A).

    Raises:
        ValueError: a seed is public (below 2**32).
    """
    if seeds.start < PUBLIC_SEEDS:
        raise ValueError(
            f"task seed {seeds.start} is public; training draws from {PUBLIC_SEEDS} on"
        )
    source = task_source("AnyMDP-v0", n_states=n_states, n_actions=n_actions)
    rows = []
    for seed in seeds:
        mdp = source.sample(seed)
        advantage, entropy = labels(mdp, compute_references(mdp))
        chance = _cumulative(mdp.transition), _cumulative(mdp.start)
        given = (chance[0], mdp.reward, mdp.reward_noise, chance[1], mdp.terminal)
        rows.append((*given, mdp.observation, mdp.max_steps, advantage, entropy))
    kinds = (np.float32,) * 4 + (np.bool_, np.int64, np.int64) + (np.float32,) * 2
    columns = zip(*rows, strict=True)
    return Tasks(*(np.stack(c).astype(kind) for c, kind in zip(columns, kinds, strict=True)))


def _cumulative(chance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums along the last axis; from the last entry that is not 0 on, above every uniform number."""
    left = chance[..., ::-1].cumsum(-1)[..., ::-1] - chance  # what lies beyond each
    out: npt.NDArray[np.float64] = np.where(left <= 0.0, _CERTAIN, chance.cumsum(-1))
    return out


def runs(
    n_states: int, n_actions: int, seeds: range, life: int, mixture: Mixture, tags: bool
) -> Sequences:
    """Recorded runs of `life` steps on the training tasks `seeds`; without `tags` nobody is named."""
    out = synthesise(n_states, n_actions, seeds, life, mixture)
    if not tags:
        out.tag[:] = TAG_UNKNOWN
    return out


def processes(n: int) -> ProcessPoolExecutor | None:
    """`n` processes to make tasks in, or None for 0."""
    if not n:
        return None
    return ProcessPoolExecutor(n, get_context("spawn"), set_num_threads, (1,))


Kind = TypeVar("Kind", bound=tuple[Any, ...])


class Supply(Generic[Kind]):
    """What `make` gives of seeds, one after another, in order, whoever makes it.

    Args:
        make: of a range of seeds a named tuple of arrays, a row a seed; importable, if another process
            is to call it.
        first_seed: where it begins.
        ahead: rows that are made before they are asked for.
        pool: whose processes make them; without one they are made when they are asked for.
    """

    def __init__(
        self, make: Callable[[range], Kind], first_seed: int, ahead: int, pool: Executor | None
    ) -> None:
        self._make, self.next_seed, self._ahead, self._pool = make, first_seed, ahead, pool
        self._asked = first_seed
        self._coming: deque[Future[Kind]] = deque()
        self._rest: Kind | None = None

    def take(self, k: int) -> Kind:
        """The next `k` rows."""
        parts: list[Kind] = []
        self.next_seed += k
        while k > 0:
            part = self._rest if self._rest is not None and len(self._rest[0]) else self._next()
            here = min(k, len(part[0]))
            parts.append(type(part)(*(x[:here] for x in part)))
            self._rest = type(part)(*(x[here:] for x in part))
            k -= here
        self._order()
        kind = type(parts[0])
        return kind(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def move(self, seed: int) -> None:
        """Goes on at `seed`."""
        self.next_seed = self._asked = seed
        self._coming.clear()
        self._rest = None

    def _next(self) -> Kind:
        if self._pool is None:
            self._asked += 1
            return self._make(range(self._asked - 1, self._asked))
        self._order()
        return self._coming.popleft().result()

    def _order(self) -> None:
        """Sees to it that enough is in the making."""
        if self._pool is None:
            return
        while self._asked < self.next_seed + self._ahead + _BATCH:
            self._coming.append(
                self._pool.submit(self._make, range(self._asked, self._asked + _BATCH))
            )
            self._asked += _BATCH

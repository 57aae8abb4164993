"""Recorded data of decoupled policy distillation: runs of the behaviours, labelled by the oracle.

A sequence is one run of changing behaviours on one training task (seed 2**32 or above). `recorder` has the
compiled loop. The tasks of AnyMDP are sampled in compiled code too; those of other families come from their
`TaskSource`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_bench.datasets.mixture import Mixture
from anymdp_bench.datasets.recorder import record_task
from anymdp_bench.engine.arrays import AnyArray, Bands, UInt64s
from anymdp_bench.engine.processors import available_cores
from anymdp_bench.engine.rng import stream
from anymdp_bench.tasks.anymdp.sampler import sample_arrays
from anymdp_bench.tasks.family import PUBLIC_SEEDS
from anymdp_bench.tasks.source import TaskSource

_MOST_CELLS = (
    2**23
)  # O * A * O: counts of the model-based behaviour, which every episode goes through


class Sequences(NamedTuple):
    """Steps of `n` sequences, arrays [n, length] but for the last.

    Attributes:
        seen: the observation in which the action was taken.
        action: the action.
        reward: its reward.
        ending: how the episode went on (`codes`): 0 it continued, 1 it terminated, 2 it was truncated.
        arrival: the observation that the step led to; where the episode continued, the next one of `seen`.
        tag: who acted (`codes`), 7 where that is hidden.
        advantage: the oracle's (gamma 0.994) advantage of every action in every observed state, in units
            of gap / H, at most 0; float32 [n, O, A]. The oracle's action in a state is the argmax.
        entropy: entropy of the next observation, in nats, float32 [n, O, A]. No prediction of the next
            observation has a lower mean loss.
    """

    seen: npt.NDArray[np.int16]
    action: npt.NDArray[np.int8]
    reward: npt.NDArray[np.float32]
    ending: npt.NDArray[np.int8]
    arrival: npt.NDArray[np.int16]
    tag: npt.NDArray[np.int8]
    advantage: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _record_anymdp(
    begin, draws, n_states, n_actions, shares, redrawn, pace,
    seen, action, reward, ending, arrival, tag, advantage, entropy,
):  # fmt: skip
    """Samples the AnyMDP task of a random stream (`begin`, uint64 [1]) and records its runs `draws`."""
    rng = begin.copy()
    attempts = -1
    while attempts < 0:
        arrays = sample_arrays(rng, n_states, n_states, n_actions, True)
        attempts = arrays[5]
    bands, start, terminal, real_horizon, ids, _ = arrays
    record_task(
        Bands(*bands), start, terminal, ids, n_actions, int(np.ceil(real_horizon)), rng, draws,
        shares, redrawn, pace, seen, action, reward, ending, arrival, tag, advantage, entropy,
    )  # fmt: skip


_MIXTURE = Mixture()


def training_stream(n_states: int, n_actions: int, seed: int) -> UInt64s:
    """Returns the random stream of training task `seed`, from which `AnyMDP-v0` would draw the task too.

    Raises:
        ValueError: `seed` is public (below 2**32), and must not be trained on.
    """
    refuse_public(seed)
    return stream("AnyMDP", n_states, n_states, n_actions, seed)


def refuse_public(seed: int) -> None:
    """Raises ValueError if a task seed is public, since training draws from others."""
    if seed < PUBLIC_SEEDS:
        raise ValueError(f"task seed {seed} is public; training draws from {PUBLIC_SEEDS} upward")


def synthesise(
    n_states: int,
    n_actions: int,
    seeds: range,
    length: int,
    mixture: Mixture = _MIXTURE,
    threads: int | None = None,
) -> Sequences:
    """Sequences of `length` steps on the training tasks `seeds` of tau(S, A), in threads; see `record`.

    Raises:
        ValueError: a seed is public (below 2**32).
    """
    streams = [training_stream(n_states, n_actions, seed) for seed in seeds]
    return record(
        n_states, n_actions, np.concatenate(streams), length, mixture=mixture, threads=threads
    )


def record(
    n_states: int,
    n_actions: int,
    streams: UInt64s,
    length: int,
    draws: UInt64s | None = None,
    mixture: Mixture = _MIXTURE,
    threads: int | None = None,
) -> Sequences:
    """Sequences on the AnyMDP tasks that are drawn from random streams.

    Args:
        n_states: S.
        n_actions: A.
        streams: the random stream of each task, uint64 [n].
        length: the steps of a sequence.
        draws: the runs of each task by their numbers, uint64 [n] for one each or [n, k] for k each; 0 by
            default. Others of one task differ in behaviours and chance.
        mixture: the behaviours.
        threads: threads that record a task each, by default as many as there are cores. Their number
            changes no sequence.

    Returns:
        n * k sequences, those of a task side by side.
    """

    def fill(i: int, runs: UInt64s, numbers: tuple[Any, ...], rows: list[AnyArray]) -> None:
        _record_anymdp(streams[i : i + 1], runs, n_states, n_actions, *numbers, *rows)

    runs = np.zeros(len(streams), np.uint64) if draws is None else draws
    runs = runs.reshape(len(streams), -1)
    return _record_all(fill, runs, length, n_states, n_actions, mixture, threads)


def record_tasks(
    source: TaskSource,
    seeds: Sequence[int],
    length: int,
    *,
    runs_per_task: int = 1,
    mixture: Mixture = _MIXTURE,
    threads: int | None = None,
) -> Sequences:
    """Sequences on the training tasks `seeds` of any family of tabular tasks.

    Args:
        source: the family with its keywords.
        seeds: the task seeds.
        length: the steps of a sequence.
        runs_per_task: the number of runs of each task.
        mixture: the behaviours.
        threads: see `record`.

    Returns:
        `runs_per_task` sequences of each task, side by side.

    Raises:
        ValueError: a seed is public (below 2**32), or the keywords make no task, or one that is too large.
    """
    draws = np.tile(np.arange(runs_per_task, dtype=np.uint64), (len(seeds), 1))
    if _is_plain_anymdp(source):
        settings = source.settings()
        S, A = int(settings["n_states"]), int(settings["n_actions"])
        streams = np.concatenate([training_stream(S, A, seed) for seed in seeds])
        return record(S, A, streams, length, draws, mixture, threads)
    for seed in seeds:
        refuse_public(seed)
    first = source.sample(seeds[0])

    def fill(i: int, runs: UInt64s, numbers: tuple[Any, ...], rows: list[AnyArray]) -> None:
        mdp = first if i == 0 else source.sample(seeds[i])
        # Numba compiles read-only arrays apart, so copies are recorded by code that is compiled already.
        bands = Bands._make(x.copy() for x in mdp.bands)
        start, terminal, ids = (x.copy() for x in (mdp.start, mdp.terminal, mdp.observation))
        record_task(
            bands, start, terminal, ids, mdp.n_actions, mdp.max_steps,
            stream("training", "runs", seeds[i]), runs, *numbers, *rows,
        )  # fmt: skip

    return _record_all(fill, draws, length, first.n_observations, first.n_actions, mixture, threads)


def empty_sequences(n: int, length: int, n_observations: int, n_actions: int) -> Sequences:
    """Returns `n` sequences of zeros.

    Raises:
        ValueError: the tasks are too large to record.
    """
    too_many = n_observations > 2**15 or n_actions > 127  # for their integer types
    if too_many or n_observations**2 * n_actions > _MOST_CELLS:
        raise ValueError(
            f"tasks with {n_observations} observations and {n_actions} actions are too large to record;"
            f" give at most 127 actions, and observations squared times actions up to {_MOST_CELLS}"
        )
    shape, table = (n, length), (n, n_observations, n_actions)
    return Sequences(
        np.zeros(shape, np.int16),
        np.zeros(shape, np.int8),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int8),
        np.zeros(shape, np.int16),
        np.zeros(shape, np.int8),
        np.zeros(table, np.float32),
        np.zeros(table, np.float32),
    )


def _is_plain_anymdp(source: TaskSource) -> bool:
    """Tells whether the tasks are those that `_record_anymdp` samples."""
    if source.family.name != "AnyMDP":
        return False
    settings = source.settings()
    sizes = settings["n_states"], settings["n_actions"]
    whole = all(isinstance(x, (int, np.integer)) and not isinstance(x, bool) for x in sizes)
    plain = settings["min_states"] in (None, sizes[0]) and settings["composite_reward"] is True
    return whole and plain and sizes[0] >= 8 and sizes[1] >= 2


def _record_all(
    fill: Callable[[int, UInt64s, tuple[Any, ...], list[AnyArray]], None],
    draws: UInt64s,
    length: int,
    n_observations: int,
    n_actions: int,
    mixture: Mixture,
    threads: int | None,
) -> Sequences:
    """Lets `fill` record the runs `draws` [n, k] of each of n tasks."""
    n, k = draws.shape
    out = empty_sequences(n * k, length, n_observations, n_actions)
    numbers = (np.array(mixture.shares), float(mixture.redrawn), float(mixture.pace))

    def fill_task(i: int) -> None:
        fill(i, draws[i], numbers, [x[i * k : (i + 1) * k] for x in out])

    count = min(threads or available_cores(), n)
    if count < 2:
        for i in range(n):
            fill_task(i)
        return out
    fill_task(0)  # compiles before the threads start
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(fill_task, range(1, n)))
    return out

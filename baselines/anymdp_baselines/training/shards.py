"""Shards of recorded data: safetensors files of NumPy arrays, which most tools read.

A folder holds `000000.safetensors` and so on. Each file has the arrays of `datasets.sequences.Sequences`
under their names, and metadata: format, n_states, n_actions, length, and the first task seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from anymdp_bench.datasets.sequences import Sequences, synthesise
from anymdp_bench.mdp.file_bytes import sort_metadata
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.runner.executor import Executor
from anymdp_bench.runner.output import locked, writable
from anymdp_bench.runner.worker_pool import JobError, JobFailed
from anymdp_bench.tasks.family import PUBLIC_SEEDS

FORMAT = "anymdp-bench data 1"
SHARD_STEPS = 2**20  # steps a shard holds at most, about 11 MiB, unless one sequence is longer


@dataclass(frozen=True)
class ShardSettings:
    """The content of a folder: sequences of `length` steps on tasks tau(S, A) from seed `first_seed` on."""

    n_states: int
    n_actions: int
    length: int
    sequences: int
    first_seed: int


def write_shards(
    folder: AnyPath,
    settings: ShardSettings,
    executor: Executor = Executor(),  # noqa: B008 - frozen
) -> Iterator[int]:
    """Writes the data of `settings`, and yields the steps of each shard once it is there, in any order.

    Shards that are there already are kept: the same command goes on where it stopped. Their content does
    not depend on the executor, whose workers synthesise; only this process writes.

    Raises:
        ValueError: a seed is public, or the folder holds other data.
        OutputError: the folder cannot be written, or another command writes there.
        ExecutorError, JobError: workers cannot be had, or a shard cannot be made.
    """
    from safetensors.numpy import save

    folder = expand_home(folder)
    if settings.first_seed < PUBLIC_SEEDS:
        raise ValueError(f"task seed {settings.first_seed} is public; start from {PUBLIC_SEEDS}")
    with writable(folder), locked(folder, "shards"):
        missing = dict(_missing(folder, settings))
        threads = None if executor.workers == 1 and not executor.ray else 1
        work = partial(_synthesise, settings, threads)
        with closing(executor.run(work, list(missing.items()))) as answers:
            for k, answer in answers:
                begin, n = missing[k]
                if isinstance(answer, JobFailed):
                    raise JobError(f"shard {k} of {folder}: {answer.reason}")
                path = _path(folder, k)
                fresh = path.with_suffix(".new")
                fresh.write_bytes(
                    sort_metadata(save(answer._asdict(), _describe(settings, begin, n)))
                )
                os.replace(fresh, path)
                yield n * settings.length


def _missing(folder: Path, settings: ShardSettings) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yields (number, (first sequence, how many)) of the shards that are not there."""
    each = max(1, SHARD_STEPS // settings.length)
    for k, begin in enumerate(range(0, settings.sequences, each)):
        n = min(each, settings.sequences - begin)
        path = _path(folder, k)
        if not path.exists():
            yield k, (begin, n)
        elif _metadata(path) != _describe(settings, begin, n):
            raise ValueError(f"{path} holds other data; give another folder")


def _synthesise(
    settings: ShardSettings, threads: int | None, job: tuple[int, int], tell: object
) -> Sequences:
    """Synthesises the sequences of one shard, in so many threads (None: all cores); workers call it."""
    begin, n = job
    seeds = range(settings.first_seed + begin, settings.first_seed + begin + n)
    return synthesise(
        settings.n_states, settings.n_actions, seeds, settings.length, threads=threads
    )


def _path(folder: Path, k: int) -> Path:
    return folder / f"{k:06d}.safetensors"


def read_shards(folder: AnyPath) -> Iterator[Sequences]:
    """Yields the shards of a folder (or one file), in order.

    Raises:
        ValueError: there is none, or a file is no shard; the message is one line.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = expand_home(folder)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else [folder]
    if not files:
        raise ValueError(f"{folder} holds no .safetensors file; write some with anymdp-bench data")
    for path in files:
        about = _metadata(path)
        if about.get("format") != FORMAT:
            raise ValueError(f"{path} is no data shard; write some with anymdp-bench data write")
        try:
            arrays = load_file(path)
            data = Sequences(**{name: arrays[name] for name in Sequences._fields})
            _check(data, about)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(f"{path} cannot be read: {reason}") from None
        yield data


def _check(data: Sequences, about: dict[str, str]) -> None:
    """Checks that arrays are of the kinds, shapes and ranges of `Sequences`; raises ValueError where not."""
    n, length, states, actions = (
        int(about[k]) for k in ("sequences", "length", "n_states", "n_actions")
    )
    kinds = ("i2", "i1", "f4", "i1", "i2", "i1", "f4", "f4")
    ends = {"seen": states, "action": actions, "ending": 3, "arrival": states, "tag": 8}
    for (name, array), kind in zip(data._asdict().items(), kinds, strict=True):
        shape = (n, states, actions) if name in ("advantage", "entropy") else (n, length)
        if array.dtype != np.dtype(kind) or array.shape != shape or not array.size:
            raise ValueError(f"{name} is {array.dtype}{list(array.shape)}, not {kind}{list(shape)}")
        if name in ends and not (array.min() >= 0 and array.max() < ends[name]):
            raise ValueError(f"{name} is not within 0 to {ends[name] - 1}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")


def _describe(settings: ShardSettings, begin: int, n: int) -> dict[str, str]:
    return {
        "format": FORMAT,
        "n_states": str(settings.n_states),
        "n_actions": str(settings.n_actions),
        "length": str(settings.length),
        "sequences": str(n),
        "first_seed": str(settings.first_seed + begin),
    }


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} cannot be read: {reason}") from None

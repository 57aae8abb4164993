"""Folders of recorded data: `000000.safetensors` and so on, or the same in another format.

Every file has metadata: format, n_states, n_actions, length, sequences, and the first task seed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anymdp_bench.datasets.extras import import_extra
from anymdp_bench.datasets.files import FORMATS
from anymdp_bench.datasets.safetensors_files import FORMAT
from anymdp_bench.datasets.sequences import Sequences, record_tasks
from anymdp_bench.datasets.training_runs import training_source
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.runner.executor import Executor
from anymdp_bench.runner.output import lock_result, writable
from anymdp_bench.runner.worker_pool import JobError, JobFailed
from anymdp_bench.tasks.family import PUBLIC_SEEDS
from anymdp_bench.tasks.source import TaskSource

SHARD_STEPS = 2**20  # steps a shard holds at most, about 11 MiB, unless one sequence is longer


@dataclass(frozen=True)
class ShardSettings:
    """The content of a folder: sequences of `length` steps on tasks from seed `first_seed` on.

    Attributes:
        n_states: S, the number of observations.
        n_actions: A.
        length: the steps of a sequence.
        sequences: how many there are, a task each.
        first_seed: the first task seed.
        env_id: the environment; None stands for AnyMDP's tasks tau(S, A).
    """

    n_states: int
    n_actions: int
    length: int
    sequences: int
    first_seed: int
    env_id: str | None = None

    @classmethod
    def of(cls, env_id: str, length: int, sequences: int, first_seed: int) -> ShardSettings:
        """Returns the settings for an environment of any family.

        Raises:
            ValueError: it cannot be trained on.
        """
        task = training_source(env_id).sample(PUBLIC_SEEDS)
        return cls(task.n_observations, task.n_actions, length, sequences, first_seed, env_id)

    def source(self) -> TaskSource:
        """Returns where the tasks come from."""
        if self.env_id is not None:
            return training_source(self.env_id)
        return training_source("AnyMDP-v0", n_states=self.n_states, n_actions=self.n_actions)


def write_shards(
    folder: AnyPath,
    settings: ShardSettings,
    executor: Executor = Executor(),  # noqa: B008 - frozen
    file_format: str = "safetensors",
) -> Iterator[int]:
    """Writes the data of `settings`, and yields the steps of each shard once it is there, in any order.

    Shards that are there already are kept: the same command goes on where it stopped. Their content does
    not depend on the executor, whose workers synthesise; only this process writes.

    Args:
        folder: where they go.
        settings: what they hold.
        executor: who records.
        file_format: a name of `FORMATS`.

    Raises:
        ValueError: a seed is public, or the folder holds other data.
        ModuleNotFoundError: the library of the format is not installed.
        OutputError: the folder cannot be written, or another command writes there.
        ExecutorError, JobError: workers cannot be had, or a shard cannot be made.
    """
    folder, kind = expand_home(folder), FORMATS[file_format]
    import_extra(kind.module, file_format)
    if settings.first_seed < PUBLIC_SEEDS:
        raise ValueError(f"task seed {settings.first_seed} is public; start from {PUBLIC_SEEDS}")
    with writable(folder), lock_result(folder, "shards"):
        for other in FORMATS.values():
            if other is not kind and other.files(folder):
                raise ValueError(f"{folder} holds data in another format; give another folder")
        missing = dict(_missing(folder, settings, file_format))
        threads = None if executor.workers == 1 and not executor.ray else 1
        work = partial(_synthesise, settings, threads)
        with closing(executor.run(work, list(missing.items()))) as answers:
            for k, answer in answers:
                begin, n = missing[k]
                if isinstance(answer, JobFailed):
                    raise JobError(f"shard {k} of {folder}: {answer.reason}")
                _write(folder, k, file_format, answer, _describe(settings, begin, n))
                yield n * settings.length


def _write(folder: Path, k: int, file_format: str, data: Sequences, about: dict[str, str]) -> None:
    """Writes shard `k` as a whole or not at all."""
    kind = FORMATS[file_format]
    name = kind.name.format(number=f"{k:06d}")
    fresh = folder / ".new" / name
    fresh.parent.mkdir(exist_ok=True)
    kind.write(fresh, data, about)
    os.replace(fresh, folder / name)
    shutil.rmtree(fresh.parent, ignore_errors=True)


def _missing(
    folder: Path, settings: ShardSettings, file_format: str
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yields (number, (first sequence, how many)) of the shards that are not there."""
    kind, each = FORMATS[file_format], max(1, SHARD_STEPS // settings.length)
    for k, begin in enumerate(range(0, settings.sequences, each)):
        n = min(each, settings.sequences - begin)
        path = folder / kind.name.format(number=f"{k:06d}")
        if not path.exists():
            yield k, (begin, n)
        elif kind.read_metadata(path) != _describe(settings, begin, n):
            raise ValueError(f"{path} holds other data; give another folder")


def _synthesise(
    settings: ShardSettings, threads: int | None, job: tuple[int, int], tell: object
) -> Sequences:
    """Synthesises the sequences of one shard, in so many threads (None: all cores); workers call it."""
    begin, n = job
    seeds = range(settings.first_seed + begin, settings.first_seed + begin + n)
    return record_tasks(settings.source(), seeds, settings.length, threads=threads)


def _describe(settings: ShardSettings, begin: int, n: int) -> dict[str, str]:
    return {
        "format": FORMAT,
        "n_states": str(settings.n_states),
        "n_actions": str(settings.n_actions),
        "length": str(settings.length),
        "sequences": str(n),
        "first_seed": str(settings.first_seed + begin),
    } | ({} if settings.env_id is None else {"env_id": settings.env_id})

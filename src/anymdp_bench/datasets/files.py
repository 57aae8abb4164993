"""The file formats of recorded runs, and `read_runs`, which reads them all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from anymdp_bench.datasets import minari_files, parquet_files, safetensors_files
from anymdp_bench.datasets.batch import TrainingBatch, label_steps
from anymdp_bench.datasets.sequences import Sequences
from anymdp_bench.paths import AnyPath, expand_home


class FileFormat(NamedTuple):
    """How the runs of a shard are kept in a file, or in a folder that stands for one.

    Attributes:
        name: what file number `number` is called, a format string.
        write: writes (path, runs, metadata); the path is new.
        read_metadata: reads the metadata of a path, or raises ValueError.
        read: reads the runs of a path, or raises ValueError.
        module: the module that it needs.
    """

    name: str
    write: Callable[[Path, Sequences, Mapping[str, str]], None]
    read_metadata: Callable[[Path], dict[str, str]]
    read: Callable[[Path], TrainingBatch]
    module: str

    def files(self, folder: Path) -> list[Path]:
        """Returns the paths in a folder that are called so, in order."""
        return sorted(folder.glob(self.name.format(number="*").replace("*", "[0-9]*")))


def seeds_of(about: Mapping[str, str], n: int) -> range:
    """Returns the task seeds of `n` runs whose file has the metadata `about`."""
    return range(int(about["first_seed"]), int(about["first_seed"]) + n)


def _write_parquet(path: Path, data: Sequences, about: Mapping[str, str]) -> None:
    parquet_files.write_parquet(path, label_steps(data, seeds_of(about, len(data.seen))), about)


def _write_minari(path: Path, data: Sequences, about: Mapping[str, str]) -> None:
    batch, size = label_steps(data, seeds_of(about, len(data.seen))), data.advantage.shape[1]
    shutil.rmtree(path, ignore_errors=True)  # what was left where a command was killed
    minari_files.write_minari(
        path.name, batch, n_observations=size, about=about, folder=path.parent
    )


def _read_shard(path: Path) -> TrainingBatch:
    data = safetensors_files.read_shard(path)
    return label_steps(data, seeds_of(safetensors_files.read_metadata(path), len(data.seen)))


FORMATS = {
    "safetensors": FileFormat(
        "{number}.safetensors", safetensors_files.write_shard, safetensors_files.read_metadata,
        _read_shard, "safetensors",
    ),
    "parquet": FileFormat(
        "{number}.parquet", _write_parquet, parquet_files.read_metadata,
        lambda path: next(parquet_files.read_parquet(path)), "pyarrow.parquet",
    ),
    "minari": FileFormat(
        "runs-{number}-v0", _write_minari, minari_files.read_metadata,
        lambda path: minari_files.read_minari(path.name, path.parent), "minari",
    ),
}  # fmt: skip
"""The formats by name."""


def find_files(path: AnyPath) -> Iterator[tuple[FileFormat, Path]]:
    """Yields (format, path) of the files of `anymdp-bench data write` in a folder, or of one file.

    Raises:
        ValueError: there is none.
    """
    path = expand_home(path)
    if path.suffix == ".parquet" and not path.is_dir():
        yield FORMATS["parquet"], path
    elif (path / "data" / "metadata.json").is_file():
        yield FORMATS["minari"], path
    elif not path.is_dir():
        yield FORMATS["safetensors"], path
    else:
        found = [(kind, file) for kind in FORMATS.values() for file in kind.files(path)]
        if not found:
            raise ValueError(f"{path} holds no recorded runs; write some with anymdp-bench data")
        yield from found


def read_runs(path: AnyPath) -> Iterator[TrainingBatch]:
    """Yields the runs that `anymdp-bench data write` wrote, a batch for each file, whatever their format.

    Args:
        path: the folder, or one file of it; `~` is the home directory.

    Raises:
        ModuleNotFoundError: the library of their format is not installed.
        ValueError: there are none, or a file cannot be read; the message is one line.
    """
    for kind, file in find_files(path):
        yield kind.read(file)

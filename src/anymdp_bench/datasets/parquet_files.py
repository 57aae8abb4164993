"""Recorded runs in Parquet files, a row for each step, for pandas, Polars, DuckDB or Spark. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_bench.datasets.batch import TrainingBatch, check_steps, make_unlabelled
from anymdp_bench.datasets.extras import import_extra
from anymdp_bench.engine.arrays import AnyArray
from anymdp_bench.paths import AnyPath, expand_home, make_parent

_STEPS = {
    "observation": "int32",
    "action": "int32",
    "reward": "float32",
    "terminated": "bool_",
    "truncated": "bool_",
    "next_observation": "int32",
}
_LABELS = {"tag": "int8", "oracle_action": "int32", "entropy": "float32"}


def write_parquet(path: AnyPath, batch: TrainingBatch, about: Mapping[str, str] = {}) -> None:
    """Writes a batch to a Parquet file, a row for each step.

    The columns are `run` and `step` (int32), `task_seed` (int64), those of `TrainingBatch` (integers int32,
    `tag` int8), and `advantage`, a list of A float32.

    Args:
        path: the file; `~` is the home directory, and a missing folder is made.
        batch: the runs.
        about: metadata of the file.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    pa, pq = import_extra("pyarrow", "parquet"), import_extra("pyarrow.parquet", "parquet")
    n, length, n_actions = batch.advantage.shape
    columns = {
        "run": pa.array(np.arange(n, dtype=np.int32).repeat(length)),
        "step": pa.array(np.tile(np.arange(length, dtype=np.int32), n)),
        "task_seed": pa.array(batch.task_seed.repeat(length)),
    }
    for name, kind in (_STEPS | _LABELS).items():
        columns[name] = pa.array(getattr(batch, name).ravel().astype(kind))
    flat = pa.array(batch.advantage.ravel())
    columns["advantage"] = pa.FixedSizeListArray.from_arrays(flat, n_actions)
    table = pa.table(columns).replace_schema_metadata(dict(about))
    pq.write_table(table, make_parent(path), compression="zstd")


def read_parquet(path: AnyPath) -> Iterator[TrainingBatch]:
    """Yields a batch for each Parquet file of a folder, in order (or for one file).

    Files from elsewhere need the columns observation, action, reward, terminated, truncated and
    next_observation. Without `run` their rows are one run. Without labels these are unknown; see
    `TrainingBatch`.

    Args:
        path: the folder or file; `~` is the home directory.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
        ValueError: there is none, or a file holds no runs; the message is one line.
    """
    path = expand_home(path)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path} holds no .parquet file")
    for file in files:
        yield _read_file(file)


def read_metadata(path: Path) -> dict[str, str]:
    """Reads the metadata of a file.

    Raises:
        ValueError: it is no Parquet file; the message is one line.
    """
    pa, pq = import_extra("pyarrow", "parquet"), import_extra("pyarrow.parquet", "parquet")
    try:
        found = pq.read_schema(path).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read: {_one_line(error)}") from None


def _read_file(path: Path) -> TrainingBatch:
    pa, pq = import_extra("pyarrow", "parquet"), import_extra("pyarrow.parquet", "parquet")
    try:
        table = pq.read_table(path, partitioning=None)
        return _to_batch(table)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read: {_one_line(error)}") from None


def _to_batch(table: Any) -> TrainingBatch:
    missing = [name for name in _STEPS if name not in table.column_names]
    if missing:
        raise ValueError(f"it has no column {', '.join(missing)}")
    if not len(table):
        raise ValueError("it has no rows")
    n = 1
    if "run" in table.column_names:
        run = _column(table, "run", "int64")
        begins = np.concatenate([[0], np.flatnonzero(np.diff(run)) + 1])
        lengths = np.diff(np.append(begins, len(run)))
        if (lengths != lengths[0]).any():
            raise ValueError("its runs differ in length; give runs of one length, row by row")
        n = len(begins)
    shape = (n, len(table) // n)
    steps = {name: _column(table, name, kind).reshape(shape) for name, kind in _STEPS.items()}
    advantage = _advantages(table)
    n_actions = int(steps["action"].max()) + 1 if advantage is None else advantage.shape[1]
    batch = make_unlabelled(**steps, n_actions=n_actions)
    for name, kind in _LABELS.items():
        if name in table.column_names:
            values = _column(table, name, kind).reshape(shape)
            batch = batch._replace(**{name: values.astype(getattr(batch, name).dtype)})
    if advantage is not None:
        batch = batch._replace(advantage=advantage.reshape(*shape, n_actions))
    if "task_seed" in table.column_names:
        seeds = _column(table, "task_seed", "int64").reshape(shape)
        batch = batch._replace(task_seed=np.ascontiguousarray(seeds[:, 0]))
    return check_steps(batch)


def _column(table: Any, name: str, kind: str) -> AnyArray:
    """Returns a column as an array [rows]; a value that does not fit `kind` is an error."""
    pa = import_extra("pyarrow", "parquet")
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"column {name} has gaps")
    out: AnyArray = column.cast(getattr(pa, kind)()).to_numpy()
    return out


def _advantages(table: Any) -> AnyArray | None:
    """Returns the column `advantage` as float32 [rows, A], or None where there is none."""
    pa = import_extra("pyarrow", "parquet")
    if "advantage" not in table.column_names:
        return None
    column = table.column("advantage").combine_chunks()
    if not pa.types.is_fixed_size_list(column.type) or column.null_count:
        raise ValueError("column advantage holds no lists of one length")
    flat = column.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    out: AnyArray = flat.reshape(len(table), column.type.list_size)
    return out


def _one_line(error: Exception) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())[:300]

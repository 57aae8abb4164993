"""Checkpoints: tensors and plain numbers in safetensors files, replaced whole or not at all.

A checkpoint is a folder of shards under 16 MiB (`save` and `load`), or one file (`write_file` and
`read_file`).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

from anymdp_bench.engine.arrays import AnyArray
from anymdp_bench.mdp.file_bytes import sort_metadata
from anymdp_bench.paths import AnyPath, expand_home, make_parent

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "anymdp-bench sequence 1"
SHARD = 15 * 2**20  # bytes of tensors a shard may hold
_ROWS = "@"  # "name@3": rows of a tensor too large for one shard
READ_ERRORS = (
    OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, AttributeError,
    OverflowError, IndexError,
)  # fmt: skip
"""What reading a broken file may raise. TypeError and AttributeError come from types that NumPy lacks."""


def one_line(error: BaseException) -> str:
    """Returns the message of an error as one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]


def unready(folder: Path) -> Path:
    """Returns where `save` writes a checkpoint before it takes the place of `folder`."""
    return folder.with_name(f".{folder.name}.new")


def former(folder: Path) -> Path:
    """Returns where the former checkpoint is between the two renames of `save`."""
    return folder.with_name(f".{folder.name}.old")


def save(
    folder: AnyPath,
    tensors: Mapping[str, Any],
    numbers: dict[str, Any],
    ready: Callable[[], object] = lambda: None,
) -> None:
    """Writes a checkpoint, calls `ready`, and replaces what was there in one rename.

    Args:
        folder: the checkpoint; `~` is the home directory.
        tensors: NumPy arrays, or PyTorch's tensors on the CPU, by name.
        numbers: what else is kept, as JSON knows it.
        ready: called when all is written, before it takes its place.
    """
    from safetensors.numpy import save

    folder = expand_home(folder)
    fresh, old = unready(folder), former(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    shards = _shards({name: _array(tensor) for name, tensor in tensors.items()})
    for k, shard in enumerate(shards):
        about = {"format": FORMAT, "shards": str(len(shards)), "numbers": json.dumps(numbers)}
        (fresh / f"{k:03d}.safetensors").write_bytes(sort_metadata(save(shard, metadata=about)))
    ready()
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def _array(tensor: Any) -> AnyArray:
    """Returns a tensor or an array as an array."""
    return np.asarray(tensor.detach() if hasattr(tensor, "detach") else tensor)


def _shards(arrays: dict[str, AnyArray]) -> list[dict[str, AnyArray]]:
    shards: list[dict[str, AnyArray]] = [{}]
    free = SHARD
    for name, array in arrays.items():
        for part_name, part in _parts(name, array):
            if part.nbytes > free and shards[-1]:
                shards.append({})
                free = SHARD
            shards[-1][part_name] = np.array(part, order="C")
            free -= part.nbytes
    return shards


def _parts(name: str, array: AnyArray) -> list[tuple[str, AnyArray]]:
    if array.nbytes <= SHARD:
        return [(name, array)]
    rows = max(1, SHARD // (array.nbytes // len(array)))
    return [
        (f"{name}{_ROWS}{k}", array[begin : begin + rows])
        for k, begin in enumerate(range(0, len(array), rows))
    ]


def load(path: AnyPath) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns (tensors, numbers) of a checkpoint (see `load_arrays`)."""
    import torch

    arrays, numbers = load_arrays(path)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, numbers


def load_arrays(path: AnyPath) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Returns (arrays, numbers) as `save` wrote them; `path` is the folder, or its only shard.

    Raises:
        ValueError: it is no checkpoint of this kind; the message is one line.
    """
    path = expand_home(path)
    if not path.exists() and former(path).exists():
        path = former(path)  # the writer died between its two renames
    try:
        return _join(path)
    except READ_ERRORS as error:
        raise ValueError(f"{path} is no sequence-model checkpoint ({one_line(error)})") from None


def _join(path: Path) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Does the work of `load_arrays`, and raises whatever a broken file gives rise to."""
    parts: dict[str, list[tuple[int, AnyArray]]] = {}
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise ValueError("the folder holds no .safetensors file")
    for file in files:
        arrays, numbers, about = _read(file, FORMAT)
        if int(about["shards"]) != len(files):
            raise ValueError(f"it has {len(files)} of {about['shards']} shards")
        for name, array in arrays.items():
            whole, _, k = name.partition(_ROWS)
            parts.setdefault(whole, []).append((int(k or 0), array))
    joined = {
        name: np.concatenate([t for _, t in sorted(found, key=lambda p: p[0])])
        if len(found) > 1
        else found[0][1]
        for name, found in parts.items()
    }
    return joined, numbers


def write_file(
    path: AnyPath, arrays: dict[str, Any], numbers: dict[str, Any], file_format: str
) -> None:
    """Writes arrays (or tensors on the CPU) and plain numbers to one file, whole or not at all."""
    from safetensors.numpy import save

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    blob = sort_metadata(
        save(whole, metadata={"format": file_format, "numbers": json.dumps(numbers)})
    )
    path = make_parent(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def read_file(path: AnyPath, file_format: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns (NumPy arrays, numbers) as `write_file` wrote them.

    Raises:
        READ_ERRORS: the file is none of this format.
    """
    arrays, numbers, _ = _read(expand_home(path), file_format)
    return arrays, numbers


def _read(path: Path, file_format: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Returns (NumPy arrays, numbers, metadata) of one file."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        about: dict[str, str] = file.metadata() or {}
        if about.get("format") != file_format:
            raise ValueError(f"its format is {about.get('format')!r}, not {file_format!r}")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    numbers: dict[str, Any] = json.loads(about["numbers"])
    if not isinstance(numbers, dict):
        raise ValueError("its numbers are no object")
    return tensors, numbers, about

"""Recorded runs in safetensors files: the arrays of `Sequences` under their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anymdp_bench.datasets.sequences import Sequences
from anymdp_bench.mdp.file_bytes import sort_metadata

FORMAT = "anymdp-bench data 1"


def write_shard(path: Path, data: Sequences, about: Mapping[str, str]) -> None:
    """Writes a file with `about` as its metadata; `_check` says what it must hold."""
    from safetensors.numpy import save

    path.write_bytes(sort_metadata(save(data._asdict(), dict(about))))


def read_shard(path: Path) -> Sequences:
    """Reads one file.

    Raises:
        ValueError: it is no shard; the message is one line.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    about = read_metadata(path)
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} is no data shard; write some with anymdp-bench data write")
    try:
        arrays = load_file(path)
        data = Sequences(**{name: arrays[name] for name in Sequences._fields})
        _check(data, about)
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} cannot be read: {reason}") from None
    return data


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
    int(about["first_seed"])


def read_metadata(path: Path) -> dict[str, str]:
    """Reads the metadata of a file.

    Raises:
        ValueError: it is no safetensors file; the message is one line.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} cannot be read: {reason}") from None

"""Checkpoints: a folder of safetensors shards under 16 MiB, replaced whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymdp_bench.mdp.file_bytes import sort_metadata

if TYPE_CHECKING:
    from torch import Tensor

    from anymdp_baselines.omnirl.model import ModelSize, SequenceModel

FORMAT = "anymdp-bench sequence 1"
SHARD = 15 * 2**20  # bytes of tensors a shard may hold
_ROWS = "@"  # "name@3": rows of a tensor too large for one shard


def unready(folder: Path) -> Path:
    """Where `save` writes a checkpoint before it takes the place of `folder`."""
    return folder.with_name(f".{folder.name}.new")


def former(folder: Path) -> Path:
    """Where the old one is between the two renames of `save`."""
    return folder.with_name(f".{folder.name}.old")


def save(
    folder: Path,
    tensors: dict[str, Tensor],
    numbers: dict[str, Any],
    ready: Callable[[], object] = lambda: None,
) -> None:
    """Writes a checkpoint, calls `ready`, and replaces what was there in one rename."""
    from safetensors.torch import save

    fresh, old = unready(folder), former(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    shards = _shards(tensors)
    for k, shard in enumerate(shards):
        about = {"format": FORMAT, "shards": str(len(shards)), "numbers": json.dumps(numbers)}
        (fresh / f"{k:03d}.safetensors").write_bytes(sort_metadata(save(shard, metadata=about)))
    ready()
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def _shards(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    room = SHARD
    for name, tensor in tensors.items():
        for part_name, part in _parts(name, tensor.contiguous()):
            size = part.numel() * part.element_size()
            if size > room and shards[-1]:
                shards.append({})
                room = SHARD
            shards[-1][part_name] = part.clone()
            room -= size
    return shards


def _parts(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    size = tensor.numel() * tensor.element_size()
    if size <= SHARD:
        return [(name, tensor)]
    rows = max(1, SHARD // (size // len(tensor)))
    return [(f"{name}{_ROWS}{k}", part) for k, part in enumerate(tensor.split(rows))]


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save` wrote: (tensors, numbers); `path` is its folder, or its only shard.

    Raises:
        ValueError: it is no checkpoint of this kind; the message is one line.
    """
    from safetensors import SafetensorError

    if not path.exists() and former(path).exists():
        path = former(path)  # the writer died between its two renames
    try:
        return _joined(path)
    except (
        OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, AttributeError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} is no sequence-model checkpoint ({reason})") from None


def _joined(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """As `load`, with whatever errors a broken file gives rise to."""
    import torch
    from safetensors import safe_open

    parts: dict[str, list[tuple[int, Any]]] = {}
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise ValueError("the folder holds no .safetensors file")
    for file in files:
        with safe_open(file, framework="pt") as shard:
            about: dict[str, str] = shard.metadata() or {}
            if about.get("format") != FORMAT:
                raise ValueError(f"its format is {about.get('format')!r}, not {FORMAT!r}")
            if int(about["shards"]) != len(files):
                raise ValueError(f"it has {len(files)} of {about['shards']} shards")
            numbers: dict[str, Any] = json.loads(about["numbers"])
            for name in shard.keys():  # noqa: SIM118
                whole, _, k = name.partition(_ROWS)
                parts.setdefault(whole, []).append((int(k or 0), shard.get_tensor(name)))
    if not isinstance(numbers, dict):
        raise ValueError("its numbers are no object")
    tensors = {
        name: torch.cat([t for _, t in sorted(found, key=lambda p: p[0])])
        if len(found) > 1
        else found[0][1]
        for name, found in parts.items()
    }
    return tensors, numbers


def load_model(path: Path, kinds: tuple[str, ...]) -> tuple[SequenceModel, dict[str, Any]]:
    """(model ready for inference, its numbers) from weights; nothing that the file lacks is allocated.

    Raises:
        ValueError: they are no weights of such a model; the message is one line.
    """
    import torch

    from anymdp_baselines.omnirl.model import SequenceModel

    tensors, numbers = load(path)
    try:
        size = _size(numbers["model"], tensors)
        if size.kind not in kinds:
            raise ValueError(f"it is of kind {size.kind}, not {' or '.join(kinds)}")
        with torch.device("meta"):
            model = SequenceModel(size)
        model.load_state_dict(tensors, assign=True)
        if not 0.0 < float(numbers["temperature"]) < float("inf"):
            raise ValueError(f"temperature {numbers['temperature']} is not positive and finite")
        if not 0.0 <= float(numbers.get("settled", 0.0)) < float("inf"):
            raise ValueError(f"settled is {numbers['settled']}, not a number of visits")
        trained_for(numbers)
        for name, tensor in tensors.items():
            if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"{name} is not float32, or not finite")
    except (
        KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:300]
        which = " or ".join(f"omnirl-{kind}" for kind in kinds)
        raise ValueError(f"{path} does not hold the weights of {which} ({reason})") from None
    return model.eval().requires_grad_(False), numbers


def _size(record: dict[str, Any], tensors: dict[str, Tensor]) -> ModelSize:
    """The size that a file claims, no larger than the file."""
    from anymdp_baselines.omnirl.model import ModelSize

    size, most = ModelSize(**record), sum(tensor.numel() for tensor in tensors.values())
    for name, value in size.record().items():
        if name not in ("kind", "bootstrap") and not (
            isinstance(value, int) and 1 <= value <= most + 1000
        ):
            raise ValueError(f"{name} is {value!r}")
    if size.blocks > len(tensors):
        raise ValueError(f"it has {len(tensors)} tensors for {size.blocks} blocks")
    return size


def trained_for(numbers: dict[str, Any]) -> str:
    """The sizes of tasks that a checkpoint was trained on, in words."""
    rooms = numbers.get("preset", {}).get("rooms", [])
    found = [f"tau({int(room['n_states'])},{int(room['n_actions'])})" for room in rooms[:16]]
    return ", ".join(found) or "unknown sizes"

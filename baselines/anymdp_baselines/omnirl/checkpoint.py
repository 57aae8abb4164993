"""The weights of sequence models: a checkpoint folder whose numbers say the size, and how it is played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymdp_baselines.training.checkpoint import READ_ERRORS, load, one_line

if TYPE_CHECKING:
    from torch import Tensor

    from anymdp_baselines.omnirl.model import ModelSize, SequenceModel


def load_model(path: Path, kinds: tuple[str, ...]) -> tuple[SequenceModel, dict[str, Any]]:
    """Returns (model ready for inference, its numbers); nothing that the file lacks is allocated.

    Raises:
        ValueError: the checkpoint holds no weights of a model of these `kinds`; the message is one line.
    """
    import torch

    from anymdp_baselines.omnirl.model import SequenceModel

    tensors, numbers = load(path)
    try:
        size = _read_size(numbers["model"], tensors)
        if size.kind not in kinds:
            raise ValueError(f"it is of kind {size.kind}, not {' or '.join(kinds)}")
        with torch.device("meta"):
            model = SequenceModel(size)
        model.load_state_dict(tensors, assign=True)
        if not 0.0 < float(numbers["temperature"]) < float("inf"):
            raise ValueError(f"temperature {numbers['temperature']} is not positive and finite")
        if not 0.0 <= float(numbers.get("settled", 0.0)) < float("inf"):
            raise ValueError(f"settled is {numbers['settled']}, not a number of visits")
        trained_sizes(numbers)
        for name, tensor in tensors.items():
            if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"{name} is not float32, or not finite")
    except READ_ERRORS as error:
        which = " or ".join(f"omnirl-{kind}" for kind in kinds)
        reason = one_line(error)
        raise ValueError(f"{path} does not hold the weights of {which} ({reason})") from None
    return model.eval().requires_grad_(False), numbers


def _read_size(record: dict[str, Any], tensors: dict[str, Tensor]) -> ModelSize:
    """Returns the size that a file claims; raises ValueError where it is larger than the file."""
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


def trained_sizes(numbers: dict[str, Any]) -> str:
    """Returns the sizes of tasks that a checkpoint was trained on, in words."""
    groups = numbers.get("preset", {}).get("rooms", [])  # the format's name for task groups
    found = [f"tau({int(each['n_states'])},{int(each['n_actions'])})" for each in groups[:16]]
    return ", ".join(found) or "unknown sizes"

"""Weights as safetensors files: arrays and numbers, no code."""

from __future__ import annotations

import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anymdp_baselines.omnirl.model import Planner

FORMAT = "anymdp-bench omnirl 2"
_MOST = 4096  # width and loops that a file may ask for
SHIPPED = "omnirl"  # the weights that are loaded by default, by name


def save_arrays(path: Path, arrays: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Writes tensors and plain numbers to `path`, whole or not at all."""
    from safetensors.torch import save

    blob = save(
        {name: tensor.contiguous() for name, tensor in arrays.items()},
        metadata={"format": FORMAT, "numbers": json.dumps(numbers)},
    )
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load_arrays(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `save_arrays` wrote: (tensors, numbers).

    Raises:
        ValueError: the file is no checkpoint of this kind; the message is one line.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
        numbers: dict[str, Any] = json.loads(metadata["numbers"])
        if not isinstance(numbers, dict):
            raise ValueError("its numbers are no object")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path} is no omnirl checkpoint ({reason});"
            " give a file that `anymdp-bench train omnirl` wrote"
        ) from None
    return arrays, numbers


def shipped(name: str = SHIPPED) -> Path:
    """Where the weights of that name lie in the package."""
    return Path(str(files("anymdp_baselines.omnirl") / "weights" / f"{name}.safetensors"))


def load_planner(path: str | os.PathLike[str]) -> tuple[Planner, dict[str, Any]]:
    """(network ready for inference, its numbers).

    Raises:
        ValueError: the file is no checkpoint of this kind, or PyTorch is missing; the message is one line.
    """
    try:
        import torch
    except ImportError:
        raise ValueError("omnirl needs PyTorch: pip install 'anymdp-bench[torch]'") from None
    from anymdp_baselines.omnirl.model import Planner, PlannerSize

    arrays, numbers = load_arrays(Path(path))
    try:
        size = PlannerSize(int(numbers["width"]), int(numbers["loops"]))
        if not (1 <= size.width <= _MOST and 1 <= size.loops <= _MOST):
            raise ValueError(f"width {size.width}, loops {size.loops}")
        with torch.device("meta"):  # nothing that the file lacks is allocated
            planner = Planner(size)
        if any(tensor.dtype != torch.float32 for tensor in arrays.values()):
            raise ValueError("its weights are not float32")
        planner.load_state_dict(arrays, assign=True)
        if not 0.0 < float(numbers["temperature"]) < float("inf"):
            raise ValueError(f"temperature {numbers['temperature']} is not positive and finite")
        sound = all(bool(torch.isfinite(tensor).all()) for tensor in arrays.values())
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not hold a planner ({reason})") from None
    if not sound:
        raise ValueError(f"{path} holds weights that are not finite")
    return planner.eval().requires_grad_(False), numbers

"""Weights as safetensors files: arrays and numbers, no code."""

from __future__ import annotations

import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anymdp_bench.file_bytes import ordered

if TYPE_CHECKING:
    from anymdp_baselines.omnirl.model import Planner

FORMAT = "anymdp-bench omnirl 2"
_MOST, _MOST_EXPERTS = 4096, 16  # width and loops, planners that a file may ask for
SHIPPED = "omnirl"  # the weights that are loaded by default, by name


def save_arrays(path: Path, arrays: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Writes tensors and plain numbers to `path`, whole or not at all."""
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in arrays.items()}
    about = {"format": FORMAT, "numbers": json.dumps(numbers)}
    blob = ordered(save(tensors, metadata=about))
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


class Expert(NamedTuple):
    """A planner of a checkpoint that plays AnyMDP's tasks of `fewest` to `most` observations."""

    planner: Planner
    fewest: int
    most: int


class Weights(NamedTuple):
    """What a checkpoint holds: the planner of all tasks, those of some, and the first temperature."""

    general: Planner
    experts: tuple[Expert, ...]
    temperature: float

    def planner(self, familiar: bool, n_observations: int) -> Planner:
        """That for a task of so many observations, known to be AnyMDP's or not."""
        for expert in self.experts:
            if familiar and expert.fewest <= n_observations <= expert.most:
                return expert.planner
        return self.general


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """The planners of a checkpoint, ready for inference.

    Raises:
        ValueError: the file is no checkpoint of this kind, or PyTorch is missing; the message is one line.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise ValueError("omnirl needs PyTorch: pip install 'anymdp-bench[torch]'") from None
    arrays, numbers = load_arrays(Path(path))
    given = numbers.get("experts", [])
    try:
        parts = [{"name": ""}, *given]
        if len(parts) > _MOST_EXPERTS:
            raise ValueError(f"{len(parts)} planners")
        spans = [(int(part["fewest"]), int(part["most"])) for part in given]
        temperature = float(numbers["temperature"])
        if not 0.0 < temperature < float("inf"):
            raise ValueError(f"temperature {temperature} is not positive and finite")
        own: list[dict[str, Any]] = [{} for _ in parts]
        for name, tensor in arrays.items():
            number, _, rest = name.rpartition("/")
            own[int(number or 0)][rest] = tensor
        planners = [
            _planner(tensors, numbers if k == 0 else part)
            for k, (tensors, part) in enumerate(zip(own, parts, strict=True))
        ]
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not hold a planner ({reason})") from None
    experts = tuple(Expert(p, *span) for p, span in zip(planners[1:], spans, strict=True))
    return Weights(planners[0], experts, temperature)


def _planner(arrays: dict[str, Any], numbers: dict[str, Any]) -> Planner:
    """The network of `arrays`, whose size `numbers` gives; ValueError and the like where they do not fit."""
    import torch

    from anymdp_baselines.omnirl.model import Planner, PlannerSize

    size = PlannerSize(int(numbers["width"]), int(numbers["loops"]))
    if not (1 <= size.width <= _MOST and 1 <= size.loops <= _MOST):
        raise ValueError(f"width {size.width}, loops {size.loops}")
    with torch.device("meta"):  # nothing that the file lacks is allocated
        planner = Planner(size)
    if any(tensor.dtype != torch.float32 for tensor in arrays.values()):
        raise ValueError("its weights are not float32")
    planner.load_state_dict(arrays, assign=True)
    if not all(bool(torch.isfinite(tensor).all()) for tensor in arrays.values()):
        raise ValueError("its weights are not finite")
    return planner.eval().requires_grad_(False)

"""Weights as safetensors files: arrays and numbers, no code."""

from __future__ import annotations

import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from anymdp_baselines.planner.inference import Network, build_network
from anymdp_bench.mdp.file_bytes import ordered

FORMAT = "anymdp-bench omnirl 3"
_MOST, _MOST_EXPERTS = 4096, 16  # width and loops, planners that a file may ask for
SHIPPED = "neural-planner"  # the weights that are loaded by default, by name


def save_arrays(path: Path, arrays: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Writes arrays (or tensors on the CPU) and plain numbers to `path`, whole or not at all."""
    from safetensors.numpy import save

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    about = {"format": FORMAT, "numbers": json.dumps(numbers)}
    blob = ordered(save(whole, metadata=about))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load_arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """What `save_arrays` wrote: (arrays, numbers).

    Raises:
        ValueError: the file is no checkpoint of this kind; the message is one line.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata: dict[str, str] = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
        numbers: dict[str, Any] = json.loads(metadata["numbers"])
        if not isinstance(numbers, dict):
            raise ValueError("its numbers are no object")
    except (
        OSError,
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
    ) as error:
        # TypeError and AttributeError: of a type that NumPy lacks
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path} is no neural-planner checkpoint ({reason});"
            " give a file that `anymdp-bench train neural-planner` wrote"
        ) from None
    return arrays, numbers


def shipped(name: str = SHIPPED) -> Path:
    """Where the weights of that name lie in the package."""
    return Path(str(files("anymdp_baselines.planner") / "weights" / f"{name}.safetensors"))


class Expert(NamedTuple):
    """A planner of a checkpoint that plays AnyMDP's tasks of `fewest` to `most` observations."""

    planner: Network
    fewest: int
    most: int


class Weights(NamedTuple):
    """What a checkpoint holds: the planner of all tasks, those of some, and the first temperature."""

    general: Network
    experts: tuple[Expert, ...]
    temperature: float

    def planner(self, familiar: bool, n_observations: int) -> Network:
        """That for a task of so many observations, known to be AnyMDP's or not."""
        for expert in self.experts:
            if familiar and expert.fewest <= n_observations <= expert.most:
                return expert.planner
        return self.general


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """The planners of a checkpoint, ready for inference.

    Raises:
        ValueError: the file is no checkpoint of this kind; the message is one line.
    """
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
        for name, array in arrays.items():
            number, _, rest = name.rpartition("/")
            own[int(number or 0)][rest] = array
        planners = [
            _planner(layers, numbers if k == 0 else part)
            for k, (layers, part) in enumerate(zip(own, parts, strict=True))
        ]
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not hold a planner ({reason})") from None
    experts = tuple(Expert(p, *span) for p, span in zip(planners[1:], spans, strict=True))
    return Weights(planners[0], experts, temperature)


def _planner(layers: dict[str, npt.NDArray[Any]], numbers: dict[str, Any]) -> Network:
    """The network of `layers`, whose size `numbers` gives; ValueError and the like where they do not fit."""
    width, loops = int(numbers["width"]), int(numbers["loops"])
    if not (1 <= width <= _MOST and 1 <= loops <= _MOST):
        raise ValueError(f"width {width}, loops {loops}")
    return build_network(layers, width, loops)

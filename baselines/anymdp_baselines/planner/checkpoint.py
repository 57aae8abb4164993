"""Weights as safetensors files: arrays and numbers, no code."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from anymdp_baselines.planner.inference import Network, build_network
from anymdp_baselines.training.checkpoint import READ_ERRORS, one_line, read_file, write_file
from anymdp_bench.paths import AnyPath

FORMAT = "anymdp-bench omnirl 3"
_MOST, _MOST_EXPERTS = (
    4096,
    16,
)  # the largest width and loops, and number of planners, that are loaded
SHIPPED = "neural-planner"  # the weights that are loaded by default, by name


def save_arrays(path: AnyPath, arrays: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Writes arrays (or tensors on the CPU) and plain numbers to `path`, whole or not at all."""
    write_file(path, arrays, numbers, FORMAT)


def load_arrays(path: AnyPath) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Returns (arrays, numbers) as `save_arrays` wrote them.

    Raises:
        ValueError: the file is no checkpoint of this kind; the message is one line.
    """
    try:
        return read_file(path, FORMAT)
    except READ_ERRORS as error:
        raise ValueError(
            f"{path} is no neural-planner checkpoint ({one_line(error)});"
            " give a file that `anymdp-bench train neural-planner` wrote"
        ) from None


def find_shipped(name: str = SHIPPED) -> Path:
    """Returns where the weights of that name lie in the package."""
    return Path(str(files("anymdp_baselines.planner") / "weights" / f"{name}.safetensors"))


class Expert(NamedTuple):
    """A planner of a checkpoint that plays AnyMDP's tasks of `fewest` to `most` observations."""

    planner: Network
    fewest: int
    most: int


class PlannerWeights(NamedTuple):
    """The contents of a checkpoint: the planner for all tasks, those for some, and the first temperature."""

    general: Network | None
    experts: tuple[Expert, ...]
    temperature: float

    def planner(self, familiar: bool, n_observations: int) -> Network | None:
        """Returns the planner for a task of so many observations, known to be AnyMDP's or not."""
        for expert in self.experts:
            if familiar and expert.fewest <= n_observations <= expert.most:
                return expert.planner
        return self.general


NO_NETWORK = PlannerWeights(None, (), 1.0)
"""In place of a checkpoint: every task is planned for without a network."""


def load_weights(path: AnyPath) -> PlannerWeights:
    """Returns the planners of a checkpoint, ready for inference.

    Raises:
        ValueError: the file is no checkpoint of this kind; the message is one line.
    """
    arrays, numbers = load_arrays(path)
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
            _make_planner(layers, numbers if k == 0 else part)
            for k, (layers, part) in enumerate(zip(own, parts, strict=True))
        ]
    except READ_ERRORS as error:
        raise ValueError(f"{path} does not hold a planner ({one_line(error)})") from None
    experts = tuple(Expert(p, *span) for p, span in zip(planners[1:], spans, strict=True))
    return PlannerWeights(planners[0], experts, temperature)


def _make_planner(layers: dict[str, npt.NDArray[Any]], numbers: dict[str, Any]) -> Network:
    """Returns the network of `layers` with the size in `numbers`; raises READ_ERRORS where it cannot."""
    width, loops = int(numbers["width"]), int(numbers["loops"])
    if not (1 <= width <= _MOST and 1 <= loops <= _MOST):
        raise ValueError(f"width {width}, loops {loops}")
    return build_network(layers, width, loops)

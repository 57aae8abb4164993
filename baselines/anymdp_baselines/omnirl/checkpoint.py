"""The weights of sequence models: a checkpoint folder whose numbers say the size, and how it is played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anymdp_baselines.omnirl.inference import CompiledNetwork
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.value_iteration import PLAN_HEADS
from anymdp_baselines.training.checkpoint import READ_ERRORS, load_arrays, one_line
from anymdp_baselines.training.temperature import TemperatureSchedule
from anymdp_bench.engine.arrays import AnyArray
from anymdp_bench.paths import AnyPath

if TYPE_CHECKING:
    from anymdp_baselines.omnirl.model import SequenceModel
    from anymdp_baselines.omnirl.play import SequenceNetwork


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    size: ModelSize
    tensors: dict[str, AnyArray]
    numbers: dict[str, Any]

    @property
    def schedule(self) -> TemperatureSchedule:
        """The temperatures that it is played at."""
        numbers = self.numbers
        schedule = TemperatureSchedule(
            float(numbers["temperature"]),
            float(numbers.get("settled", 0.0)),
            untried=float(numbers.get("untried", 0.0)),
        )
        return schedule._replace(coldest=float(numbers.get("coldest", schedule.coldest)))

    def network(self) -> SequenceNetwork:
        """Returns what plays it: compiled code, or for kinds without it PyTorch, which must be there."""
        if CompiledNetwork.supports(self.size.kind):
            return CompiledNetwork(self.size, self.tensors)
        import torch

        from anymdp_baselines.omnirl.play_torch import TorchNetwork

        torch.set_num_threads(1)  # the runner plays runs in parallel
        return TorchNetwork(self.model())

    def model(self) -> SequenceModel:
        """Returns the model, for PyTorch."""
        import torch

        from anymdp_baselines.omnirl.model import SequenceModel

        with torch.device("meta"):
            model = SequenceModel(self.size)
        tensors = {name: torch.from_numpy(array) for name, array in self.tensors.items()}
        model.load_state_dict(tensors, assign=True)
        return model.eval().requires_grad_(False)


def read_checkpoint(path: AnyPath, kinds: tuple[str, ...]) -> Checkpoint:
    """Reads and checks a checkpoint; nothing that the file lacks is allocated.

    Raises:
        ValueError: it holds no weights of a model of these `kinds`; the message is one line.
    """
    tensors, numbers = load_arrays(path)
    try:
        size = _read_size(numbers["model"], tensors)
        if size.kind not in kinds:
            raise ValueError(f"it is of kind {size.kind}, not {' or '.join(kinds)}")
        found = Checkpoint(size, tensors, numbers)
        for name, array in tensors.items():
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError(f"{name} is not float32, or not finite")
        if CompiledNetwork.supports(size.kind):
            _check_shapes(size, tensors)
        else:
            found.model()
        if not 0.0 < float(numbers["temperature"]) < float("inf"):
            raise ValueError(f"temperature {numbers['temperature']} is not positive and finite")
        if not 0.0 <= float(numbers.get("settled", 0.0)) < float("inf"):
            raise ValueError(f"settled is {numbers['settled']}, not a number of visits")
        if not 0.0 < float(numbers.get("coldest", 0.1)) < float("inf"):
            raise ValueError(f"coldest is {numbers['coldest']}, not positive and finite")
        if not 0.0 <= float(numbers.get("untried", 0.0)) <= 100.0:
            raise ValueError(f"untried is {numbers['untried']}, not from 0 to 100 nats")
        trained_sizes(numbers)
    except READ_ERRORS as error:
        which = " or ".join(kinds)
        reason = one_line(error)
        raise ValueError(
            f"{path} does not hold the weights of a model of kind {which} ({reason})"
        ) from None
    return found


def _read_size(record: dict[str, Any], tensors: Mapping[str, AnyArray]) -> ModelSize:
    """Returns the size that a file claims; raises ValueError where it is larger than the file."""
    size, most = ModelSize(**record), sum(array.size for array in tensors.values())
    for name, value in size.record().items():
        if name not in ("kind", "bootstrap", "averages", "plan_columns", "plan_turns") and not (
            isinstance(value, int) and 1 <= value <= most + 1000
        ):
            raise ValueError(f"{name} is {value!r}")
    for name in ("bootstrap", "averages"):
        if not isinstance(getattr(size, name), bool):
            raise ValueError(f"{name} is {getattr(size, name)!r}")
    columns = size.plan_columns
    if not isinstance(columns, int) or not 0 <= columns <= most or columns % (2 * PLAN_HEADS):
        raise ValueError(f"plan_columns is {size.plan_columns!r}")
    if not isinstance(size.plan_turns, int) or not 0 <= size.plan_turns <= 1000:
        raise ValueError(f"plan_turns is {size.plan_turns!r}")
    if size.blocks > len(tensors):
        raise ValueError(f"it has {len(tensors)} tensors for {size.blocks} blocks")
    return size


def _check_shapes(size: ModelSize, tensors: Mapping[str, AnyArray]) -> None:
    """Raises ValueError unless the tensors are those of a model of this size, in name and shape."""
    expected = size.shapes()
    if set(expected) != set(tensors):
        name = min(set(expected) ^ set(tensors))
        raise ValueError(f"{name} is {'missing' if name in expected else 'unknown'}")
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{name} has shape {tensors[name].shape}, not {shape}")


def trained_sizes(numbers: dict[str, Any]) -> str:
    """Returns the sizes of tasks that a checkpoint was trained on, in words."""
    groups = numbers.get("preset", {}).get("rooms", [])  # the format's name for task groups
    found = [f"tau({int(each['n_states'])},{int(each['n_actions'])})" for each in groups[:16]]
    return ", ".join(found) or "unknown sizes"

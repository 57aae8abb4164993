"""What a training resumes from: one state for each process, all of the same round.

Every process saves the state of its own runs (`state/`, `state1/`, ...). None replaces its old state before
all have written their new one. So wherever they are killed, there is a round of which every process has a
state.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymdp_baselines.training import distributed
from anymdp_baselines.training.checkpoint import former, load, save, unready

if TYPE_CHECKING:
    from torch import Tensor

State = tuple[dict[str, "Tensor"], dict[str, Any]]


def has_state(folder: Path) -> bool:
    """Returns whether any process has a state in `folder`."""
    own = _own_folder(folder)
    return any(distributed.gather(own.exists() or former(own).exists()))


def save_state(folder: Path, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Writes the state of this process; returns once all processes have written theirs."""
    about = numbers | {"processes": distributed.size()}
    save(_own_folder(folder), tensors, about, ready=lambda: distributed.gather(None))


def newest_state(folder: Path) -> State:
    """Returns (tensors, numbers) of this process in the newest round of which every process has a state.

    Raises:
        ValueError: there is none, or there were more or fewer processes; the same in all of them.
    """
    own = {int(numbers["round"]): (tensors, numbers) for tensors, numbers in _read_states(folder)}
    processes = {number: int(state[1].get("processes", 1)) for number, state in own.items()}
    gathered = distributed.gather(processes)
    counts = {count for each in gathered for count in each.values()} or {distributed.size()}
    if counts != {distributed.size()}:
        n = max(counts)
        raise ValueError(
            f"{folder} holds the states of {n} processes, not of {distributed.size()}:"
            f" each had runs of its own; resume with"
            f" {f'torchrun --nproc-per-node {n}' if n > 1 else 'one process'}"
        )
    common = set(gathered[0]).intersection(*gathered[1:])
    if not common:
        raise ValueError(f"{folder} holds no round of which every process has a state")
    return own[max(common)]


def _own_folder(folder: Path) -> Path:
    return folder / f"state{distributed.rank() or ''}"


def _read_states(folder: Path) -> Iterator[State]:
    """Yields the complete states of this process: the current one, and one that was to replace it."""
    own = _own_folder(folder)
    for path in (own, unready(own)):
        try:
            yield load(path)
        except ValueError:  # it is not there, or only half of it was written
            if path == own and distributed.size() == 1:
                raise

"""What a training resumes from: a state a process, and all of them of the same round.

Every process keeps the state of its own runs (`state/`, `state1/`, ...). None replaces
its old one before all have written their new one: wherever they are killed, there is a round that all hold.
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
    """Whether any process has a state in `folder`."""
    own = _own(folder)
    return any(distributed.gather(own.exists() or former(own).exists()))


def keep_state(folder: Path, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Writes this process's state; returns once all have written theirs."""
    about = numbers | {"processes": distributed.size()}
    save(_own(folder), tensors, about, ready=lambda: distributed.gather(None))


def newest_state(folder: Path) -> State:
    """(tensors, numbers) of this process in the newest round that all of them hold.

    Raises:
        ValueError: there is none, or there were more or fewer processes; the same in all of them.
    """
    own = {int(numbers["round"]): (tensors, numbers) for tensors, numbers in _found(folder)}
    about = {number: int(state[1].get("processes", 1)) for number, state in own.items()}
    told = distributed.gather(about)
    counts = {count for each in told for count in each.values()} or {distributed.size()}
    if counts != {distributed.size()}:
        n = max(counts)
        raise ValueError(
            f"{folder} holds the states of {n} processes, not of {distributed.size()}:"
            f" each had runs of its own; resume with"
            f" {f'torchrun --nproc-per-node {n}' if n > 1 else 'one process'}"
        )
    common = set(told[0]).intersection(*told[1:])
    if not common:
        raise ValueError(f"{folder} holds no round of which every process has a state")
    return own[max(common)]


def _own(folder: Path) -> Path:
    return folder / f"state{distributed.rank() or ''}"


def _found(folder: Path) -> Iterator[State]:
    """The states of this process that are whole: the one that holds, and one that was to replace it."""
    own = _own(folder)
    for path in (own, unready(own)):
        try:
            yield load(path)
        except ValueError:  # it is not there, or half-written
            if path == own and distributed.size() == 1:
                raise

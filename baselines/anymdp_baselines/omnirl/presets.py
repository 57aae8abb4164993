"""Training presets, all derived from one dial: the network's width."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Preset:
    """What `train` needs to know.

    Attributes:
        n_states: S of the training tasks tau(S, A).
        n_actions: A of them.
        width: of the network.
        loops: passes of its tied block.
        seats: tasks played side by side; each gives one labelled table an update.
        updates: gradient steps.
        life: steps that a task is played before a fresh one takes its seat.
        rate: share of its age that a seat plays between two plans (at least one step).
        learning_rate: peak of AdamW's; warm-up over 100 updates, then a cosine to 3%.
        softness: temperature of the labels, in units of gap / H.
        seed: of weights, seats and tasks.
    """

    n_states: int = 16
    n_actions: int = 5
    width: int = 48
    loops: int = 6
    seats: int = 192
    updates: int = 2400
    life: int = 3000
    rate: float = 0.06
    learning_rate: float = 2e-3
    softness: float = 0.1
    seed: int = 0

    def record(self) -> dict[str, int | float]:
        """The settings as plain numbers, for a checkpoint."""
        return asdict(self)


def dial(width: int, **changes: int | float) -> Preset:
    """The preset of a width: more seats and updates go with a wider network."""
    base = {"width": width, "seats": 4 * width, "updates": 50 * width}
    return Preset(**(base | changes))  # type: ignore[arg-type]


PRESETS = {
    "tiny": dial(16, n_states=8, n_actions=3, loops=4, updates=300, life=600),
    "small": dial(48),
}

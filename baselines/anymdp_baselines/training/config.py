"""Training presets, all derived from one dial: the width of the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from anymdp_baselines.omnirl.model import ModelSize
from anymdp_baselines.omnirl.play import COOLING_DOWN, SCHEDULES, Warmth


@dataclass(frozen=True)
class Room:
    """Tasks tau(S, A) that are trained on side by side.

    Attributes:
        n_states: S.
        n_actions: A.
        students: runs that the student plays itself, labelled by the oracle.
        behaviours: recorded runs of the behaviour mixture beside them.
        segment: steps of a run between two updates; gradients stop at its start, the memory does not.
        life: steps that a run lasts, a multiple of `segment`.
        share: of the loss.
    """

    n_states: int
    n_actions: int
    students: int
    behaviours: int
    segment: int
    life: int
    share: float = 1.0

    @property
    def name(self) -> str:
        """As the paper writes it."""
        return f"tau({self.n_states},{self.n_actions})"


@dataclass(frozen=True)
class Preset:
    """What `train` needs to know.

    Attributes:
        model: what is trained.
        rooms: the tasks; the last room is the one whose online score counts.
        minibatches: updates a round, each on an equal share of the runs.
        micro: gradient accumulation, parts of a minibatch.
        rounds: of play and updates, in all rooms together.
        learning_rate: peak of AdamW's; warm-up over 2% of the updates, then a cosine to 3%.
        softness: temperature of the labels, in units of gap / H.
        seed: of weights, choices and tasks.
        recipe: of the recorded runs and of all labels: a key of `recipes.RECIPES`.
        schedules: how warm the student plays, one a group of its runs.
    """

    model: ModelSize
    rooms: tuple[Room, ...]
    minibatches: int = 4
    micro: int = 1
    rounds: int = 800
    learning_rate: float = 2e-3
    softness: float = 0.1
    seed: int = 0
    recipe: str = "omnirl"
    schedules: tuple[Warmth, ...] = COOLING_DOWN

    def record(self) -> dict[str, Any]:
        """The settings as plain values, for a checkpoint."""
        own = {"rooms": [asdict(room) for room in self.rooms]}
        return asdict(self) | own | {"schedules": [list(how) for how in self.schedules]}


def dial(
    width: int,
    kind: str,
    rooms: tuple[Room, ...] | None = None,
    size: dict[str, Any] | None = None,
    **changes: Any,
) -> Preset:
    """The preset of a width: a wider model is deeper, sees more runs, and trains for longer.

    `size` says otherwise for numbers of the model that knows no ids (or their keys only).
    """
    if kind == "gated":
        blocks = max(2, min(width // 14, 18))
        model = ModelSize(kind, 2 * width, blocks, max(2, width // 16), tokens=4)
    else:
        model = ModelSize(
            kind, width, max(2, min(width // 16, 18)), 4, max(16, width * 3 // 8), width // 2,
            n_observations=16,
        )  # fmt: skip
        model = replace(model, **(size or {}))
    found = ladder(width) if rooms is None else rooms
    return replace(Preset(model, found, rounds=12 * width), **changes)


def ladder(width: int, segment: int = 256, life: int = 2304) -> tuple[Room, ...]:
    """The rungs: bandits, small tasks, and those that count."""
    n = width
    return (
        Room(1, 5, n, 0, 32, 128, 0.15),
        Room(8, 3, n // 2, n // 8, 128, 640, 0.2),
        Room(16, 5, n, n // 2, segment, life, 0.65),
    )


_CROWD = (
    Room(1, 5, 1024, 0, 32, 128, 0.1),
    Room(8, 3, 512, 128, 128, 640, 0.15),
    Room(16, 5, 2048, 512, 256, 2304, 0.75),
)
"""Rooms that fill an accelerator."""

_TINY = (Room(1, 3, 8, 0, 32, 64, 0.25), Room(8, 3, 8, 4, 128, 512, 0.75))

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"width": 16, "rooms": _TINY, "rounds": 60, "minibatches": 2},
    "small": {"width": 64},
    "base": {
        "width": 128,
        "size": {"blocks": 6, "per_action": 32, "slot_size": 48},
        "rooms": _CROWD,
        "minibatches": 16,
        "rounds": 180,
        "learning_rate": 1.5e-3,
        "schedules": SCHEDULES,
    },
    "paper": {"width": 256, "rooms": ladder(512, 2048, 12288), "rounds": 12000},
}
"""The dial and what it leaves to be said, by preset."""


def preset(name: str, kind: str) -> Preset:
    """A preset of PRESETS for a kind of model.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return dial(kind=kind, **PRESETS[name])

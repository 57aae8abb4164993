"""Training presets: what is trained on, and the network's dial, from which the rest follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Room:
    """Training tasks of one size and family, played side by side.

    Attributes:
        env_id: whose sampler draws the tasks, from seeds 2**32 upward; "worlds" and
            "particles" are those of the modules of that name.
        keywords: its keywords, as pairs.
        seats: tasks played side by side; each gives one labelled table an update.
        share: of the updates that go to this room, relative to the others'.
        taught: share of the tasks that begin with demonstrations.
        scouted: share of the tasks that begin with scouting.
        familiar: share of AnyMDP's tasks that are known to be AnyMDP's.
        settled: visits a slot after which the temperature falls as at play, drawn for each task; where none
            is given it falls from the start (see `schedule`).
    """

    env_id: str
    keywords: tuple[tuple[str, Any], ...]
    seats: int
    share: float = 1.0
    taught: float = 0.15
    scouted: float = 0.15
    familiar: float = 0.6
    settled: tuple[float, ...] = ()


def anymdp(n_states: int, seats: int, share: float, **keywords: Any) -> Room:
    """A room of tau(n_states, 5), or with other `keywords` of `AnyMDP-v0`."""
    given = {"n_states": n_states, "n_actions": 5} | keywords
    return Room("AnyMDP-v0", tuple(given.items()), seats, share, scouted=0.7)


def expert(n_states: int, seats: int, share: float, settled: tuple[float, ...] = ()) -> Room:
    """A room of tau(n_states, 5), known to be so, without scouting and demonstrations."""
    return replace(
        anymdp(n_states, seats, share), taught=0.0, scouted=0.0, familiar=1.0, settled=settled
    )


@dataclass(frozen=True)
class Preset:
    """What `train` needs to know.

    Attributes:
        rooms: the training tasks.
        width: of the network.
        loops: passes of its tied block.
        updates: gradient steps.
        life: visits per slot (observation, action) that most tasks are played for before a fresh
            one takes their seat; a few live up to ten times as long.
        rate: share of its age that a seat plays between two plans (at least one step).
        learning_rate: peak of AdamW's; warm-up over 100 updates, then a cosine to 3%.
        softness: temperature of the labels, in units of gap / H.
        seed: of weights, seats and tasks.
    """

    rooms: tuple[Room, ...]
    width: int = 64
    loops: int = 8
    updates: int = 20_000
    life: float = 40.0
    rate: float = 0.06
    learning_rate: float = 2e-3
    softness: float = 0.1
    seed: int = 0

    def record(self) -> dict[str, Any]:
        """The settings as plain data, for a checkpoint."""
        record = asdict(self)
        record["rooms"] = [
            room | {"keywords": dict(room["keywords"]), "settled": list(room["settled"])}
            for room in record["rooms"]
        ]
        return record


def worlds(
    n_observations: int, seats: int, share: float, n_actions: int = 4, kind: str = "worlds"
) -> Room:
    """A room of grid worlds (or another `kind`) with up to `n_observations` states."""
    keywords = {"n_observations": n_observations, "n_actions": n_actions}
    return Room(kind, tuple(keywords.items()), seats, share)


_TINY = (anymdp(8, 32, 1.0, n_actions=3), anymdp(1, 32, 0.2, n_actions=3))
_SMALL = (anymdp(16, 192, 1.0),)
_BASE = (
    anymdp(16, 128, 1.0),
    anymdp(16, 128, 0.4, min_states=8),
    anymdp(32, 80, 0.8),
    anymdp(64, 40, 1.0),
    anymdp(64, 40, 0.3, min_states=33),
    anymdp(128, 16, 1.0),
    anymdp(1, 256, 0.3),
)
_GENERAL = (
    *_BASE,
    anymdp(16, 128, 0.6),
    worlds(16, 128, 0.5),
    worlds(30, 80, 0.2, 5),
    worlds(48, 48, 0.5),
    worlds(100, 20, 0.4),
    worlds(60, 40, 0.5, 5, "particles"),
    worlds(100, 20, 0.2, 3, "particles"),
)

_GARNET = tuple(
    Room("Garnet-v0", (("n_states", s), ("n_actions", 5), ("branching", b)), seats)
    for s, b, seats in ((16, 2, 128), (16, 4, 128), (64, 2, 40), (64, 4, 40))
)
_SETTLED = (1e6, 9.0, 18.0, 36.0)  # the first: never
_SIXTEEN = (expert(16, 192, 1.0, _SETTLED),)

PRESETS = {
    "tiny": Preset(_TINY, width=16, loops=4, updates=300, life=25.0),
    "small": Preset(_SMALL, width=48, loops=6, updates=2400),
    "base": Preset(_BASE),
    "sixteen": Preset(_SIXTEEN, loops=6, updates=2400, rate=0.1, softness=0.03, seed=22),
    "sixteen-on": Preset(
        _SIXTEEN, loops=6, updates=12_000, rate=0.1, softness=0.03, learning_rate=1.5e-3, seed=23
    ),
    "garnet": Preset(_GARNET, updates=2500),
    "general": Preset(_GENERAL, updates=6000, learning_rate=1e-3, seed=1),
}

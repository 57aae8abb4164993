"""Training presets of the planner: the tasks, and the size of the network, from which the rest follows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from anymdp_baselines.training.temperature import COLDEST, TemperatureSchedule
from anymdp_bench.spelling import offer

COOLING = tuple(TemperatureSchedule(first, coldest=COLDEST) for first in (2.0, 1.4, 1.0, 0.7))


@dataclass(frozen=True)
class PlannerTasks:
    """Training tasks of one size and family, played side by side.

    Attributes:
        env_id: the environment whose sampler draws the tasks, from seeds 2**32 upward; "gridworlds" and
            "point_mass" are those of the modules of that name.
        keywords: keywords of the sampler, as pairs.
        n_tasks: tasks played side by side; each gives one labelled table an update.
        share: share of the updates that go to this group, relative to the others'.
        demonstrated: share of the tasks that begin with demonstrations.
        scouted: share of the tasks that begin with posterior sampling (`posterior_sampling.scout`).
        familiar: share of AnyMDP's tasks that are known to be AnyMDP's.
        schedules: the temperatures that runs play at; one is drawn for each task.
    """

    env_id: str
    keywords: tuple[tuple[str, Any], ...]
    n_tasks: int
    share: float = 1.0
    demonstrated: float = 0.15
    scouted: float = 0.15
    familiar: float = 0.6
    schedules: tuple[TemperatureSchedule, ...] = COOLING

    @property
    def name(self) -> str:
        """The environment and its keywords in words."""
        return " ".join([self.env_id, *(f"{key}={value}" for key, value in self.keywords)])


def anymdp(n_states: int, n_tasks: int, share: float, **keywords: Any) -> PlannerTasks:
    """Returns a group of tau(n_states, 5), or with other `keywords` of `AnyMDP-v0`."""
    given = {"n_states": n_states, "n_actions": 5} | keywords
    return PlannerTasks("AnyMDP-v0", tuple(given.items()), n_tasks, share, scouted=0.7)


def expert(
    n_states: int, n_tasks: int, share: float, schedules: tuple[TemperatureSchedule, ...] = COOLING
) -> PlannerTasks:
    """Returns a group of tau(n_states, 5), known to be so, without scouting and demonstrations."""
    return replace(
        anymdp(n_states, n_tasks, share),
        demonstrated=0.0,
        scouted=0.0,
        familiar=1.0,
        schedules=schedules,
    )


def gridworlds(
    n_observations: int, n_tasks: int, share: float, n_actions: int = 4, env_id: str = "gridworlds"
) -> PlannerTasks:
    """Returns a group of grid worlds (or another `env_id`) with up to `n_observations` states."""
    keywords = {"n_observations": n_observations, "n_actions": n_actions}
    return PlannerTasks(env_id, tuple(keywords.items()), n_tasks, share)


@dataclass(frozen=True)
class PlannerPreset:
    """All settings of a training.

    Attributes:
        groups: the training tasks.
        width: width of the network.
        loops: passes of its tied block.
        updates: gradient steps.
        context_visits: visits per slot (observation, action) that most tasks are played for before a fresh
            one takes their place; a few last up to ten times as long.
        rate: share of its age that a run plays between two plans (at least one step).
        learning_rate: peak of the learning rate; warm-up over 100 updates, then a cosine to 3%.
        softness: temperature of the labels, in units of gap / H.
        seed: seed of weights, choices and tasks.
    """

    groups: tuple[PlannerTasks, ...]
    width: int = 64
    loops: int = 8
    updates: int = 20_000
    context_visits: float = 40.0
    rate: float = 0.06
    learning_rate: float = 2e-3
    softness: float = 0.1
    seed: int = 0

    def record(self) -> dict[str, Any]:
        """Returns the settings as plain data, for a checkpoint."""
        record: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return record


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
    gridworlds(16, 128, 0.5),
    gridworlds(30, 80, 0.2, 5),
    gridworlds(48, 48, 0.5),
    gridworlds(100, 20, 0.4),
    gridworlds(60, 40, 0.5, 5, "point_mass"),
    gridworlds(100, 20, 0.2, 3, "point_mass"),
)
_GARNET = tuple(
    PlannerTasks("Garnet-v0", (("n_states", s), ("n_actions", 5), ("branching", b)), n_tasks)
    for s, b, n_tasks in ((16, 2, 128), (16, 4, 128), (64, 2, 40), (64, 4, 40))
)
_SETTLING = tuple(  # the first never settles
    TemperatureSchedule(1.0, settled, COLDEST) for settled in (1e6, 9.0, 18.0, 36.0)
)
_SIXTEEN = (expert(16, 192, 1.0, _SETTLING),)

PRESETS = {
    "tiny": PlannerPreset(_TINY, width=16, loops=4, updates=300, context_visits=25.0),
    "small": PlannerPreset(_SMALL, width=48, loops=6, updates=2400),
    "base": PlannerPreset(_BASE),
    "sixteen": PlannerPreset(_SIXTEEN, loops=6, updates=2400, rate=0.1, softness=0.03, seed=22),
    "sixteen-on": PlannerPreset(
        _SIXTEEN, loops=6, updates=12_000, rate=0.1, softness=0.03, learning_rate=1.5e-3, seed=23
    ),
    "garnet": PlannerPreset(_GARNET, updates=2500),
    "general": PlannerPreset(_GENERAL, updates=6000, learning_rate=1e-3, seed=1),
}


def find_preset(name: str) -> PlannerPreset:
    """Returns a preset.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; {offer(name, PRESETS)}")
    return PRESETS[name]

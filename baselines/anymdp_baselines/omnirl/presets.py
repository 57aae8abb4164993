"""Training presets of the sequence models, all derived from one dial: the width of the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.training.temperature import TemperatureSchedule
from anymdp_bench.spelling import offer
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.source import TaskSource

COOLING = (TemperatureSchedule(0.5), TemperatureSchedule(0.8), TemperatureSchedule(1.2))
SCHEDULES = (*COOLING, TemperatureSchedule(1.0, 9.0))
_TRYING = tuple(
    TemperatureSchedule(first, 9.0, untried=5.0 * tries) for first in (0.8, 1.0) for tries in (1, 0)
)


@dataclass(frozen=True)
class TaskGroup:
    """Tasks of one family and size that are trained on side by side.

    Attributes:
        n_states: S.
        n_actions: A.
        own_runs: runs that the model plays itself.
        recorded_runs: recorded runs of the behaviour mixture beside them.
        segment: steps of a run between two updates; gradients stop at its start, the memory does not.
        context_length: steps that a run lasts, a multiple of `segment`.
        share: the group's share of the loss.
        branching: of Garnet's tasks, the successors of a state and action; 0 for AnyMDP's tasks.
    """

    n_states: int
    n_actions: int
    own_runs: int
    recorded_runs: int
    segment: int
    context_length: int
    share: float = 1.0
    branching: int = 0

    def __post_init__(self) -> None:
        if self.branching and self.recorded_runs:
            raise ValueError("runs are recorded on AnyMDP's tasks alone")
        if self.context_length % self.segment:
            raise ValueError(
                f"context length {self.context_length} is no multiple of segment {self.segment}"
            )

    @property
    def name(self) -> str:
        """The name of the tasks as the paper writes it."""
        if self.branching:
            return f"Garnet({self.n_states},{self.n_actions},{self.branching})"
        return f"tau({self.n_states},{self.n_actions})"

    @property
    def source(self) -> TaskSource:
        """Where the tasks come from."""
        size = {"n_states": self.n_states, "n_actions": self.n_actions}
        if self.branching:
            return task_source("Garnet-v0", **size, branching=self.branching)
        return task_source("AnyMDP-v0", **size)


@dataclass(frozen=True)
class SequencePreset:
    """All settings of a training.

    Attributes:
        model: the size of the model.
        groups: the tasks; the online score on the last group chooses how the weights are played.
        minibatches: updates a round, each on an equal share of the runs.
        micro: parts of a minibatch whose gradients are accumulated one after another.
        rounds: rounds of play and updates, in all groups together.
        learning_rate: peak of the learning rate; warm-up over 2% of the updates, then a cosine to 3%.
        softness: temperature of the labels, in units of gap / H.
        seed: seed of weights, choices and tasks.
        recipe: key of `recipes.RECIPES`, which says what is recorded and how it is labelled.
        schedules: the temperatures that the model plays at; its runs are divided evenly among them.
        average_decay: decay of the exponential average of the weights, which is what is saved; 0 for none.
        reward_spread: standard deviation of the logarithm of the factor that the rewards of every second
            task are multiplied by; 0 leaves all rewards as they are.
        reward_shift: the most that is taken off the rewards of every second task that the model plays itself,
            in units of what the oracle gets a step; 0 leaves all rewards as they are. On the CPU alone.
    """

    model: ModelSize
    groups: tuple[TaskGroup, ...]
    minibatches: int = 4
    micro: int = 1
    rounds: int = 800
    learning_rate: float = 2e-3
    softness: float = 0.1
    seed: int = 0
    recipe: str = "omnirl"
    schedules: tuple[TemperatureSchedule, ...] = COOLING
    average_decay: float = 0.0
    reward_spread: float = 0.0
    reward_shift: float = 0.0

    def record(self) -> dict[str, Any]:
        """Returns the settings as plain values for a checkpoint, whose format names the groups "rooms"."""
        record = asdict(self) | {"schedules": [list(schedule) for schedule in self.schedules]}
        record["model"] = self.model.record()
        groups = [
            {k: v for k, v in g.items() if k != "branching" or v} for g in record.pop("groups")
        ]
        return record | {"rooms": groups}


def preset_of_width(
    width: int,
    kind: str,
    groups: tuple[TaskGroup, ...] | None = None,
    size: dict[str, Any] | None = None,
    **changes: Any,
) -> SequencePreset:
    """Returns the preset of a width: a wider model is deeper, sees more runs, and trains for longer.

    Args:
        width: of the model.
        kind: of the model (`ModelSize.kind`).
        groups: the tasks; by default those of `default_groups`.
        size: numbers of `ModelSize` that differ, for the kinds that know no ids.
        changes: other settings of the preset.
    """
    chosen = default_groups(width) if groups is None else groups
    if kind == "gated":
        blocks = max(2, min(width // 14, 18))
        model = ModelSize(kind, 2 * width, blocks, max(2, width // 16), tokens=4)
    else:
        model = ModelSize(
            kind, width, max(2, min(width // 16, 18)), 4, max(16, width * 3 // 8), width // 2,
            n_observations=max(16, *(group.n_states for group in chosen)),
        )  # fmt: skip
        model = replace(model, **(size or {}))
        if kind == "linear":  # whose memory has no addresses to plan over
            model = replace(model, averages=False, plan_columns=0)
    return replace(SequencePreset(model, chosen, rounds=12 * width), **changes)


def default_groups(
    width: int, segment: int = 256, context_length: int = 2304
) -> tuple[TaskGroup, ...]:
    """Returns bandits, small tasks, and tau(16,5), with runs in proportion to `width`."""
    n = width
    return (
        TaskGroup(1, 5, n, 0, 32, 128, 0.15),
        TaskGroup(8, 3, n // 2, n // 8, 128, 640, 0.2),
        TaskGroup(16, 5, n, n // 2, segment, context_length, 0.65),
    )


_MANY = (
    TaskGroup(1, 5, 1024, 0, 32, 128, 0.1),
    TaskGroup(8, 3, 512, 128, 128, 640, 0.15),
    TaskGroup(16, 5, 2048, 512, 256, 2304, 0.75),
)
"""As many runs as fill an accelerator."""

_ALL_SIZES = (
    TaskGroup(1, 5, 32, 0, 32, 128, 0.05),
    TaskGroup(8, 3, 24, 8, 128, 1280, 0.08),
    TaskGroup(16, 5, 32, 8, 256, 4096, 0.22),
    TaskGroup(32, 5, 32, 8, 256, 8192, 0.2),
    TaskGroup(64, 5, 24, 8, 512, 20480, 0.28),
    TaskGroup(128, 5, 12, 4, 512, 40960, 0.17),
)
"""All sizes of the paper, for one core: with N processes there are N times as many runs."""

_TINY = (TaskGroup(1, 3, 8, 0, 32, 64, 0.25), TaskGroup(8, 3, 8, 4, 128, 512, 0.75))

_GARNET = (
    TaskGroup(16, 5, 40, 0, 256, 4096, 0.3, 2),
    TaskGroup(16, 5, 40, 0, 256, 4096, 0.2, 4),
    TaskGroup(64, 5, 32, 0, 512, 10240, 0.5, 2),
)
"""Garnet alone, as the fourth column of the paper's table."""

_PLANNING: dict[str, Any] = {
    "width": 128,
    "size": {
        "blocks": 6, "per_action": 32, "slot_size": 48, "averages": True, "plan_columns": 32,
    },
    "minibatches": 4,
    "learning_rate": 1.5e-3,
    "schedules": SCHEDULES,
    "average_decay": 0.995,
    "reward_spread": 1.5,
}  # fmt: skip
"""The model that ships and how it is trained on a CPU."""

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"width": 16, "groups": _TINY, "rounds": 60, "minibatches": 2},
    "small": {"width": 64},
    "base": {
        "width": 128,
        "size": {"blocks": 6, "per_action": 32, "slot_size": 48},
        "groups": _MANY,
        "minibatches": 16,
        "rounds": 180,
        "learning_rate": 1.5e-3,
        "schedules": SCHEDULES,
    },
    "all-sizes": _PLANNING | {"groups": _ALL_SIZES, "rounds": 450},
    "all-sizes-on": _PLANNING
    | {
        "groups": _ALL_SIZES,
        "rounds": 220,
        "learning_rate": 7e-4,
        "seed": 2,
        "reward_shift": 4.0,
    },
    "all-sizes-last": _PLANNING
    | {
        "groups": _ALL_SIZES,
        "rounds": 160,
        "learning_rate": 5e-4,
        "average_decay": 0.997,
        "seed": 3,
        "reward_shift": 4.0,
    },
    "all-sizes-tries": _PLANNING
    | {
        "groups": _ALL_SIZES,
        "size": _PLANNING["size"] | {"plan_turns": 24},
        "rounds": 100,
        "learning_rate": 5e-4,
        "average_decay": 0.997,
        "seed": 4,
        "reward_shift": 4.0,
        "schedules": _TRYING,
    },
    "garnet": _PLANNING | {"groups": _GARNET, "rounds": 150},
    "paper": {"width": 256, "groups": default_groups(512, 2048, 12288), "rounds": 12000},
}
"""The arguments of `preset_of_width`, by preset."""


def find_preset(name: str, kind: str) -> SequencePreset:
    """Returns a preset of PRESETS for a kind of model.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; {offer(name, PRESETS)}")
    return preset_of_width(kind=kind, **PRESETS[name])

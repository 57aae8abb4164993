"""The agents of the study `icrl-methods`: one network and trainer, a data recipe each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anymdp_baselines.omnirl.presets import SequencePreset

METHODS = ("ad", "ad-eps", "dpt", "omnirl-recorded", "omnirl-untagged", "omnirl")
_WIDTH = {"tiny": 16, "small": 48, "paper": 256}
_PLAN_COLUMNS = {"tiny": 8, "small": 32, "paper": 0}  # the planning memory has no kernel for a GPU
_RUNS = {"tiny": 12, "small": 48, "paper": 768}  # side by side, a multiple of 3
_SEGMENT = {"tiny": 32, "small": 256, "paper": 2048}
_LENGTH = {"tiny": 128, "small": 4096, "paper": 12288}
_ROUNDS = {"tiny": 4, "small": 250, "paper": 12000}
_MINIBATCHES = {"tiny": 2, "small": 4, "paper": 32}


def method_preset(scale: str, name: str, seed: int = 0) -> SequencePreset:
    """Returns how `name` is trained: on tau(16,5) alone, with equal steps and updates for every recipe.

    Each recipe is played at the best of five temperature schedules on held-out tasks, from an empty context.
    """
    from anymdp_baselines.omnirl.presets import SCHEDULES, TaskGroup, preset_of_width
    from anymdp_baselines.omnirl.recipes import RECIPES
    from anymdp_baselines.training.temperature import TemperatureSchedule

    runs, columns = _RUNS[scale], _PLAN_COLUMNS[scale]
    own = runs * 2 // 3 if RECIPES[name].has_own_runs else 0
    group = TaskGroup(16, 5, own, runs - own, _SEGMENT[scale], _LENGTH[scale])
    size = {"averages": True, "plan_columns": columns} if columns else {}
    return preset_of_width(
        _WIDTH[scale], "delta", (group,), size,
        rounds=_ROUNDS[scale], minibatches=_MINIBATCHES[scale], recipe=name, average_decay=0.99,
        schedules=(*SCHEDULES, TemperatureSchedule(1.0, coldest=1.0)), seed=seed,
    )  # fmt: skip


def train_method(scale: str, name: str, seed: int, folder: Path) -> Path:
    """Trains `name` into `folder` where that is not done yet, and returns the folder of its weights.

    Raises:
        ValueError: the folder holds a training with other settings.
    """
    from anymdp_baselines.omnirl.objective import SequenceObjective
    from anymdp_baselines.training.train import train

    preset = method_preset(scale, name, seed)
    train(lambda compute: SequenceObjective(preset, compute), folder, resume=True)
    return folder / "weights"

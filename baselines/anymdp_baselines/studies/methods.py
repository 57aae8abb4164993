"""The agents of the study `icrl-methods`: one network and trainer, a data recipe each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anymdp_baselines.training.config import Preset

METHODS = ("ad", "ad-eps", "dpt", "omnirl-recorded", "omnirl-untagged", "omnirl")
_WIDTH = {"tiny": 16, "small": 48, "paper": 256}
_RUNS = {"tiny": 12, "small": 144, "paper": 768}  # side by side, a multiple of 3
_SEGMENT = {"tiny": 32, "small": 256, "paper": 2048}
_LIFE = {"tiny": 128, "small": 2304, "paper": 12288}
_ROUNDS = {"tiny": 4, "small": 240, "paper": 12000}
_MINIBATCHES = {"tiny": 2, "small": 12, "paper": 32}


def method_preset(scale: str, name: str) -> Preset:
    """How `name` is trained: on tau(16,5) alone, with as many steps and updates whatever the recipe."""
    from anymdp_baselines.training.config import Room, dial
    from anymdp_baselines.training.recipes import RECIPES

    runs = _RUNS[scale]
    students = runs * 2 // 3 if RECIPES[name].students else 0
    room = Room(16, 5, students, runs - students, _SEGMENT[scale], _LIFE[scale])
    return dial(
        _WIDTH[scale], "delta", (room,),
        rounds=_ROUNDS[scale], minibatches=_MINIBATCHES[scale], recipe=name,
    )  # fmt: skip


def trained(scale: str, name: str, folder: Path) -> Path:
    """The weights of `name`, trained into `folder` where they are not there yet; goes on after a stop.

    Raises:
        ValueError: the folder holds a training with other settings.
    """
    from anymdp_baselines.training.train import train

    return train(method_preset(scale, name), folder, resume=True, exams=False)

"""What all searches share: task families, the runs that score a point, the order of points, the JSON file."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from anymdp_bench.evaluation import Curve, Run
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks

FAMILIES = {
    "bandit": ("AnyMDP-1s5a-v0",),
    "AnyMDP": ("AnyMDP-16s5a-v0", "AnyMDP-64s5a-v0"),
    "Garnet": ("Garnet-16s5a2b-v0", "Garnet-64s5a2b-v0"),
    "Darkroom": ("Darkroom-6x6-v0", "Darkroom-10x10-v0"),
    "CliffWalkingTerminal": ("CliffWalkingTerminal-v0",),
    "FrozenLake4x4": ("FrozenLake4x4-v0",),
    "FrozenLake4x4Slippery": ("FrozenLake4x4Slippery-v0",),
    "DiscretePendulum": (
        "DiscretePendulum-g1-v0",
        "DiscretePendulum-g5-v0",
        "DiscretePendulum-g9.8-v0",
    ),
    "Switch2": ("Switch2-v0",),
}
"""The environments that the settings of each task family are searched on."""


def make_runs(env_ids: Sequence[str], n_tasks: int, fixed_runs: int) -> list[Run]:
    """Makes the runs that score a point; no suite uses their tasks or, on a fixed task, their run seeds.

    Args:
        env_ids: the environments.
        n_tasks: the number of tasks of an environment with sampled tasks; each has one run.
        fixed_runs: the number of runs of an environment with one fixed task.
    """
    return [
        Run(env_id, task, PUBLIC_SEEDS + k)
        for env_id in env_ids
        for task in select_tasks(task_source(env_id), n_tasks, PUBLIC_SEEDS)[0]
        for k in range(1 if task_source(env_id).is_sampled else fixed_runs)
    ]


RESOLUTION = 0.01
CRITERION = (
    "[end, speed]: mean score over the tests in the last tenth of the episodes, and over all tests at"
    f" multiples of 100; the higher end to {RESOLUTION}, then the higher speed; task seeds from 2**32 up"
)
_Point = TypeVar("_Point", bound=Any)


def score_curves(curves: Sequence[Curve]) -> tuple[float, float]:
    """Returns (end, speed), each a mean over runs, to four digits.

    The end of a run is its mean score over the tests in the last tenth of its episodes. Its speed is the mean
    over all tests at multiples of 100 episodes, which is the area under its curve.
    """
    found = []
    for curve in curves:
        at, last = curve.episode % 100 == 0, curve.episode > 0.9 * curve.episode[-1]
        found.append((curve.score[at & last].mean(), curve.score[at].mean()))
    end, speed = np.mean(found, axis=0)
    return round(float(end), 4), round(float(speed), 4)


def rank(scores: dict[_Point, tuple[float, float]]) -> list[_Point]:
    """Returns points, the best first: by their ends to `RESOLUTION`, then by speed, then in order."""

    def place(point: _Point) -> tuple[float, float, _Point]:
        end, speed = scores[point]
        return -round(end / RESOLUTION), -speed, point

    return sorted(scores, key=place)


def family_parser(description: str | None) -> argparse.ArgumentParser:
    """Makes the command line of a search: any number of task families."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    return parser


def read_search(path: Path) -> dict[str, Any] | None:
    """Reads the file of a search; None where there is none."""
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_search(path: Path, content: dict[str, Any], one_line: str = "") -> None:
    """Writes the file of a search; an interrupted write leaves the old file.

    Args:
        path: the file.
        content: what is written.
        one_line: a regular expression; each part of the text that it matches becomes one line.
    """
    text = json.dumps(content, indent=1)
    if one_line:
        text = re.sub(one_line, lambda found: " ".join(found[0].split()), text)
    new = path.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)

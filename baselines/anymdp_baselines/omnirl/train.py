"""Trains a planner, prints its online score on unseen tasks, writes its weights.

Run it as `python -m anymdp_baselines.omnirl.train small --out training/omnirl-small`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np

from anymdp_baselines.omnirl.agent import OmniRLPlanner
from anymdp_baselines.omnirl.checkpoint import SHIPPED
from anymdp_baselines.omnirl.evaluate import online_scores
from anymdp_baselines.omnirl.presets import PRESETS, Preset
from anymdp_baselines.omnirl.trainer import Trainer

_REPORT, _SAVE, _EXAM = 100, 200, 1000  # updates between log lines, checkpoints, online scores
_EXAM_TASKS = 64


def main(
    preset: str = "small",
    resume: bool = False,
    out: str | Path | None = None,
    threads: int = 1,
) -> Path:
    """Trains `preset` into the folder `out`, and returns the path of the weights.

    The folder gets the weights (`omnirl-planner.safetensors`), the state to resume from
    (`state.safetensors`) and the log (`log.csv`). The temperature written with the weights is the
    best one on training tasks; the public tasks' score is only reported.

    Raises:
        ValueError: there is no such preset, or `out` holds another run.
    """
    import torch

    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; there are {', '.join(PRESETS)}")
    torch.set_num_threads(threads)
    folder = Path(f"training/omnirl-{preset}" if out is None else out)
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.safetensors"
    if state.exists() and not resume:
        raise ValueError(f"{state} exists; resume it, or give another folder")
    trainer = Trainer(PRESETS[preset])
    if state.exists():
        trainer.load(state)
        _tell(f"resumed at update {trainer.updates}")
    return _train(trainer, folder)


def _train(trainer: Trainer, folder: Path) -> Path:
    """Trains to the end, logging, saving and examining on the way."""
    total, weights = trainer.preset.updates, folder / SHIPPED
    recent: list[dict[str, float]] = []
    begin = time.perf_counter()
    while trainer.updates < total:
        recent.append(trainer.update())
        last = trainer.updates == total
        if trainer.updates % _REPORT == 0 or last:
            _log(folder / "log.csv", trainer, recent, time.perf_counter() - begin)
            recent = []
        if trainer.updates % _SAVE == 0 or last:
            trainer.ship(weights)
            trainer.save(folder / "state.safetensors")
        if trainer.updates % _EXAM == 0 or last:
            _tell(exam(weights, trainer.preset))
    return weights


def _log(path: Path, trainer: Trainer, recent: list[dict[str, float]], seconds: float) -> None:
    """Appends a row of mean losses and of scores on training tasks by age; prints it too."""
    row: dict[str, float | int] = {"update": trainer.updates, "seconds": round(seconds, 1)}
    row |= {k: round(float(np.mean([r[k] for r in recent])), 4) for k in recent[0]}
    for edge, score in zip(trainer.edges, trainer.scores(), strict=True):
        row[f"score_to_{edge}"] = round(float(score), 4)
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    _tell("  ".join(f"{k} {v:g}" for k, v in row.items()))


def exam(weights: Path, preset: Preset, n_tasks: int = _EXAM_TASKS) -> str:
    """The online score of a checkpoint on public tasks, in words."""
    marks = [preset.life // 3, 2 * preset.life // 3, preset.life]
    agent = OmniRLPlanner(str(weights))
    score = online_scores(agent, preset.n_states, preset.n_actions, marks, n_tasks)
    parts = [
        f"{value:.3f} at {mark}" for value, mark in zip(np.nanmean(score, 0), marks, strict=True)
    ]
    return f"online score on {n_tasks} unseen tasks: {', '.join(parts)} steps"


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    try:
        main(given.preset, given.resume, given.out, given.threads)
    except ValueError as error:
        sys.exit(str(error))

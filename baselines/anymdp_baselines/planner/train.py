"""Trains a planner, prints its online score on unseen tasks, writes its weights.

Run it as `python -m anymdp_baselines.planner.train small --out training/neural-planner-small`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from anymdp_baselines.planner.agent import NeuralPlanner
from anymdp_baselines.planner.evaluate import online_scores
from anymdp_baselines.planner.presets import PRESETS, Preset
from anymdp_baselines.planner.rollout import EDGES
from anymdp_baselines.planner.trainer import Trainer

_REPORT, _SAVE, _EXAM = 200, 1000, 5000  # updates between log lines, checkpoints, online scores
_EXAM_TASKS = 32
_WEIGHTS = "neural-planner.safetensors"
_HELD_OUT = 2**40  # the exam's tasks: neither public nor trained on


def main(
    preset: str = "small",
    resume: bool = False,
    out: str | Path | None = None,
    threads: int = 1,
    start_from: str | Path | None = None,
) -> Path:
    """Trains `preset` into the folder `out`, and returns the path of the weights.

    The folder gets the weights (`neural-planner.safetensors`), the state to resume from
    (`state.safetensors`) and the log (`log.csv`). The online scores it prints are of held-out tasks.

    Raises:
        ValueError: there is no such preset, or `out` holds another run.
    """
    import torch

    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; there are {', '.join(PRESETS)}")
    torch.set_num_threads(threads)
    folder = Path(f"training/neural-planner-{preset}" if out is None else out)
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.safetensors"
    if state.exists() and not resume:
        raise ValueError(f"{state} exists; resume it, or give another folder")
    trainer = Trainer(PRESETS[preset])
    if state.exists():
        trainer.load(state)
        _tell(f"resumed at update {trainer.updates}")
    elif start_from is not None:
        trainer.start_from(Path(start_from))
    return _train(trainer, folder)


def _train(trainer: Trainer, folder: Path) -> Path:
    """Trains to the end, logging, saving and examining on the way."""
    total, weights = trainer.preset.updates, folder / _WEIGHTS
    recent: list[tuple[int, dict[str, float]]] = []
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
            for line in exam(weights, trainer.preset):
                _tell(line)
    return weights


def _log(
    path: Path, trainer: Trainer, recent: list[tuple[int, dict[str, float]]], seconds: float
) -> None:
    """Appends, for each room, its mean losses and its scores by age; prints them too."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        for k, room in enumerate(trainer.rooms):
            own = [losses for j, losses in recent if j == k]
            if not own:
                continue
            row: dict[str, float | int] = {
                "update": trainer.updates, "seconds": round(seconds, 1), "room": k,
                "slots": room.slots,
            }  # fmt: skip
            row |= {name: round(float(np.mean([r[name] for r in own])), 4) for name in own[0]}
            for edge, score in zip([*EDGES, "end"], room.scores(), strict=True):
                row[f"score_to_{edge}"] = round(float(score), 4)
            writer = csv.DictWriter(file, row)
            if fresh:
                writer.writeheader()
                fresh = False
            writer.writerow(row)
            _tell("  ".join(f"{name} {value:g}" for name, value in row.items()))


def exam(weights: Path, preset: Preset, n_tasks: int = _EXAM_TASKS) -> Iterator[str]:
    """The online scores of a checkpoint on held-out tasks of the preset's sizes, in words."""
    sizes = {
        (values["n_states"], values["n_actions"])
        for values in (dict(room.keywords) for room in preset.rooms if room.env_id == "AnyMDP-v0")
    }
    for n_states, n_actions in sorted(sizes):
        marks = [int(visits * n_states * n_actions) for visits in (12.5, 25, 50)]
        agent = NeuralPlanner(str(weights))
        score = online_scores(agent, n_states, n_actions, marks, n_tasks, _HELD_OUT)
        parts = [
            f"{value:.3f} at {mark}"
            for value, mark in zip(np.nanmean(score, 0), marks, strict=True)
        ]
        yield (
            f"online score on {n_tasks} unseen tau({n_states},{n_actions}):"
            f" {', '.join(parts)} steps"
        )


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start-from", type=Path, help="a checkpoint to train on from")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    try:
        main(given.preset, given.resume, given.out, given.threads, given.start_from)
    except ValueError as error:
        sys.exit(str(error))

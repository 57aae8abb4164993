"""Trains a sequence model: logs, checkpoints, and the online score on unseen tasks.

Run it as `python -m anymdp_baselines.sequence.train delta small`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np

from anymdp_baselines.omnirl.evaluate import online_scores
from anymdp_baselines.sequence.agent import SequenceAgent
from anymdp_baselines.sequence.checkpoint import load, save
from anymdp_baselines.sequence.presets import Preset, preset
from anymdp_baselines.sequence.trainer import TEMPERATURES, Trainer
from anymdp_bench.engine.arrays import Float64s

REPORT, SAVE, EXAM = 10, 20, 50  # rounds between log lines, checkpoints, online scores
EXAM_TASKS = 32
_FIRST_EXAM = 2**40  # unseen tasks beyond all training seeds: the public ones are left for the end


def main(
    kind: str,
    name: str = "small",
    resume: bool = False,
    out: str | Path | None = None,
    threads: int = 1,
) -> Path:
    """Trains preset `name` of `kind` into the folder `out`, and returns the folder of the weights.

    The folder gets the weights (`weights/`), the state to resume from (`state/`) and the log (`log.csv`).

    Raises:
        ValueError: there is no such preset, or `out` holds another run.
    """
    import torch

    torch.set_num_threads(threads)
    chosen = preset(name, kind)
    folder = Path(f"training/omnirl-{kind}-{name}" if out is None else out)
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state"
    if state.exists() and not resume:
        raise ValueError(f"{state} exists; resume it, or give another folder")
    trainer = Trainer(chosen)
    if state.exists():
        tensors, numbers = load(state)
        if numbers["preset"] != chosen.record():
            raise ValueError(f"{state} was trained with other settings; give another folder")
        trainer.restore(tensors, numbers)
        _tell(f"resumed at round {trainer.round}")
    return _train(trainer, folder)


def _train(trainer: Trainer, folder: Path) -> Path:
    total = trainer.preset.rounds
    recent: list[dict[str, float]] = []
    begin = time.perf_counter()
    while trainer.round < total:
        recent += trainer.advance()
        last = trainer.round == total
        if trainer.round % REPORT == 0 or last:
            _log(folder / "log.csv", trainer, recent, time.perf_counter() - begin)
            recent = []
        if trainer.round % SAVE == 0 or last:
            keep(trainer, folder)
        if trainer.round % EXAM == 0 and not last:
            _tell(exam(trainer, TEMPERATURES[1]))
    best = best_temperature(trainer)
    keep(trainer, folder, best)
    _tell(exam(trainer, best, 2 * EXAM_TASKS, public=True))
    return folder / "weights"


def best_temperature(trainer: Trainer) -> float:
    """The first temperature of the highest online score on tasks beyond the training seeds."""
    found = {}
    for first in TEMPERATURES:
        found[first] = float(
            np.nanmean(_scores(trainer, first, 2 * EXAM_TASKS, _FIRST_EXAM)[:, 1:])
        )
        _tell(f"first temperature {first}: {found[first]:.3f}")
    return max(found, key=lambda first: found[first])


def keep(trainer: Trainer, folder: Path, first: float = TEMPERATURES[1]) -> None:
    """Writes weights and state."""
    tensors, numbers = trainer.state()
    save(folder / "state", tensors, numbers | {"preset": trainer.preset.record()})
    weights = {k: v.detach() for k, v in trainer.model.state_dict().items()}
    about = {
        "model": trainer.preset.model.record(),
        "temperature": first,
        "preset": trainer.preset.record(),
        "updates": trainer.updates,
    }
    save(folder / "weights", weights, about)


def _log(path: Path, trainer: Trainer, recent: list[dict[str, float]], seconds: float) -> None:
    """Appends a row of mean losses, and of scores on training tasks by temperature; prints it too."""
    row: dict[str, float | int] = {
        "round": trainer.round,
        "updates": trainer.updates,
        "seconds": round(seconds, 1),
    }
    row |= {k: round(float(np.mean([r[k] for r in recent])), 4) for k in recent[0]}
    scores = trainer.scores()
    late = scores.shape[1] * 2 // 3
    for first, found in zip(TEMPERATURES, scores, strict=True):
        good = found[late:][~np.isnan(found[late:])]
        row[f"late_score_{first}"] = round(float(good.mean()), 4) if len(good) else float("nan")
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    _tell("  ".join(f"{k} {v:g}" for k, v in row.items()))


def _marks(preset: Preset) -> list[int]:
    return [preset.life * k // 9 for k in (3, 6, 8)]


def _scores(trainer: Trainer, first: float, n_tasks: int, start: int) -> Float64s:
    """Online scores of the model as it is, [n_tasks, marks]."""
    size: Preset = trainer.preset
    trainer.model.eval()
    agent = SequenceAgent(trainer.model, first)
    return online_scores(agent, size.n_states, size.n_actions, _marks(size), n_tasks, start)


def exam(trainer: Trainer, first: float, n_tasks: int = EXAM_TASKS, public: bool = False) -> str:
    """The online score of the model as it is on unseen tasks, in words."""
    score = _scores(trainer, first, n_tasks, 0 if public else _FIRST_EXAM)
    parts = [
        f"{value:.3f} (median {median:.3f}) at {mark}"
        for value, median, mark in zip(
            np.nanmean(score, 0), np.nanmedian(score, 0), _marks(trainer.preset), strict=True
        )
    ]
    which = "public" if public else "unseen"
    return f"online score on {n_tasks} {which} tasks: {', '.join(parts)} steps"


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["delta", "linear"])
    parser.add_argument("preset")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    try:
        main(given.kind, given.preset, given.resume, given.out, given.threads)
    except ValueError as error:
        sys.exit(str(error))

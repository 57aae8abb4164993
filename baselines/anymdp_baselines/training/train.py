"""Trains a sequence model: logs, checkpoints, and the online score on unseen tasks.

Run it as `python -m anymdp_baselines.training.train delta small`, or on several processes as
`torchrun --nproc-per-node 2 -m anymdp_baselines.training.train delta small`.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from anymdp_baselines.omnirl.agent import SequenceAgent
from anymdp_baselines.omnirl.play import Warmth
from anymdp_baselines.planner.evaluate import online_scores
from anymdp_baselines.training import distributed
from anymdp_baselines.training.checkpoint import load, save
from anymdp_baselines.training.config import Preset, Room, preset
from anymdp_baselines.training.log import Log
from anymdp_baselines.training.resume import has_state, keep_state, newest_state
from anymdp_baselines.training.rollout_cpu import PlayRoom
from anymdp_baselines.training.rollout_gpu import Arena
from anymdp_baselines.training.trainer import Machine, Trainer
from anymdp_bench.engine.arrays import Float64s

REPORT, SAVE, EXAM = 10, 20, 100  # rounds between log lines, checkpoints, online scores
EXAM_TASKS = 32
_FIRST_EXAM = 2**40  # unseen tasks beyond all training seeds: the public ones are left for the end


def train(
    chosen: Preset,
    folder: Path,
    resume: bool = False,
    machine: Machine | None = None,
    tensorboard: bool = False,
    start_from: Path | None = None,
    exams: bool = True,
) -> Path:
    """Trains the preset `chosen` into `folder`, and returns the folder of the weights.

    The folder gets the weights (`weights/`), the state to resume from (`state/`) and the log (`log.csv`).
    `start_from` are weights of the same size to be trained on. Without `exams` the online score on unseen
    tasks is not taken, and the weights play by the preset's second schedule.
    Under torchrun every process keeps the state of its own runs (`states`), the first one everything else.

    Raises:
        ValueError: there is no such device, or the folder holds another run.
        ModuleNotFoundError: TensorBoard is wanted and missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    machine = machine or Machine()
    machine = replace(machine, device=distributed.join(machine.device))
    begun = has_state(folder)
    if begun and not resume:
        raise ValueError(f"{folder / 'state'} exists; resume it, or give another folder")
    try:
        trainer = Trainer(chosen, machine)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"no model can be made on {machine}: {reason}") from None
    if begun:
        tensors, numbers = newest_state(folder)
        if numbers["preset"] != _plain(chosen):
            raise ValueError(f"{folder} was trained with other settings; give another folder")
        trainer.restore(tensors, numbers)
        _tell(f"resumed at round {trainer.round}")
    elif start_from is not None:
        _start_from(trainer, start_from)
    log = Log(folder, trainer.round, tensorboard) if distributed.rank() == 0 else None
    return _train(trainer, folder, log, exams)


def _start_from(trainer: Trainer, path: Path) -> None:
    tensors, _ = load(path)
    try:
        trainer.model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} holds no weights of this size ({reason})") from None


def _train(trainer: Trainer, folder: Path, log: Log | None, exams: bool) -> Path:
    """Trains to the end; `log` is None in all processes but the first, which alone reports."""
    total = trainer.preset.rounds
    recent: list[list[dict[str, float]]] = []
    begin = time.perf_counter()
    while trainer.round < total:
        recent += trainer.advance()
        last = trainer.round == total
        if trainer.round % REPORT == 0 or last:
            if log is not None:
                _report_rooms(log, trainer, recent, time.perf_counter() - begin)
            recent = []
        if trainer.round % SAVE == 0 or last:
            keep(trainer, folder)
        if log is not None and exams and trainer.round % EXAM == 0 and not last:
            _tell_scores(trainer, trainer.preset.schedules[1])
    if not exams:
        return folder / "weights"
    best = trainer.preset.schedules[1] if log is None else best_schedule(trainer)
    keep(trainer, folder, best)
    if log is not None:
        _tell_scores(trainer, best, public=True)
    return folder / "weights"


def _report_rooms(
    log: Log, trainer: Trainer, recent: list[list[dict[str, float]]], seconds: float
) -> None:
    for k, room in enumerate(trainer.rooms):
        _report(log, trainer, room, [update[k] for update in recent], seconds)


def best_schedule(trainer: Trainer) -> Warmth:
    """The preset's schedule of the highest online score on tasks beyond the training seeds."""
    found = {}
    for how in trainer.preset.schedules:
        score = _scores(trainer, trainer.preset.rooms[-1], how, 2 * EXAM_TASKS, _FIRST_EXAM)
        found[how] = float(np.nanmean(score[:, 1:]))
        _tell(f"temperature {how.words}: {found[how]:.3f}")
    return max(found, key=lambda how: found[how])


def keep(trainer: Trainer, folder: Path, how: Warmth | None = None) -> None:
    """Writes the state, and in the first process the weights."""
    tensors, numbers = trainer.state()
    about: dict[str, object] = {"preset": _plain(trainer.preset)}
    keep_state(folder, tensors, numbers | about)
    if distributed.rank():
        return
    weights = {k: v.detach() for k, v in trainer.model.state_dict().items()}
    how = how or trainer.preset.schedules[1]
    about |= {"model": trainer.preset.model.record()}
    about |= {"temperature": how.first, "settled": how.settled}
    save(folder / "weights", weights, about | {"updates": trainer.updates})


def _plain(chosen: Preset) -> dict[str, object]:
    """Its record, as JSON gives it back."""
    record = chosen.record()
    return record | {"rooms": list(record["rooms"])}


def _report(
    log: Log,
    trainer: Trainer,
    room: PlayRoom | Arena,
    recent: list[dict[str, float]],
    seconds: float,
) -> None:
    """Logs and prints mean losses, and scores on training tasks by temperature."""
    row: dict[str, float | int | str] = {
        "round": trainer.round,
        "room": room.room.name,
        "updates": trainer.updates,
        "seconds": round(seconds, 1),
    }
    row |= {name: round(float(np.mean([r[name] for r in recent])), 4) for name in recent[0]}
    scores = room.scores()
    late = scores.shape[1] * 2 // 3
    for how, found in zip(room.schedules, scores, strict=True):
        good = found[late:][~np.isnan(found[late:])]
        row[f"late_score_{how.words}"] = round(float(good.mean()), 4) if len(good) else float("nan")
    log.add(row)
    _tell("  ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


def _marks(room: Room) -> list[int]:
    return [room.life * k // 9 for k in (3, 6, 8)]


def _scores(trainer: Trainer, room: Room, how: Warmth, n_tasks: int, start: int) -> Float64s:
    """Online scores of the model as it is, [n_tasks, marks]."""
    trainer.model.eval()
    agent = SequenceAgent(trainer.model, how)
    return online_scores(agent, room.n_states, room.n_actions, _marks(room), n_tasks, start)


def _tell_scores(trainer: Trainer, how: Warmth, public: bool = False) -> None:
    """Prints the online score of the model as it is on unseen tasks of every room."""
    n_tasks, start = (2 * EXAM_TASKS, 0) if public else (EXAM_TASKS, _FIRST_EXAM)
    for room in trainer.preset.rooms:
        score = _scores(trainer, room, how, n_tasks, start)
        parts = [
            f"{value:.3f} (median {median:.3f}) at {mark}"
            for value, median, mark in zip(
                np.nanmean(score, 0), np.nanmedian(score, 0), _marks(room), strict=True
            )
        ]
        which = f"{n_tasks} {'public' if public else 'unseen'} tasks {room.name}"
        _tell(f"online score on {which}: {', '.join(parts)} steps")


def _tell(message: str) -> None:
    if distributed.rank() == 0:
        print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["delta", "linear", "gated"])
    parser.add_argument("preset")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--start-from", type=Path)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    changes = {k: v for k, v in vars(given).items() if k in ("rounds", "learning_rate") and v}
    try:
        train(
            replace(preset(given.preset, given.kind), **changes),
            given.out or Path(f"training/omnirl-{given.kind}-{given.preset}"),
            given.resume,
            Machine(half=given.half),
            start_from=given.start_from,
        )
    except ValueError as error:
        sys.exit(2 if distributed.rank() else str(error))

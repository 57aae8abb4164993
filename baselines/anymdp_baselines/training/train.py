"""The training loop: it reports, saves and evaluates, and resumes a training that was stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from anymdp_baselines.training import distributed
from anymdp_baselines.training.log import Log, Row
from anymdp_baselines.training.objective import Compute, Losses, Objective
from anymdp_baselines.training.resume import has_state, newest_state, save_state
from anymdp_baselines.training.trainer import Trainer
from anymdp_bench.paths import AnyPath, expand_home


def train(
    make: Callable[[Compute], Objective],
    folder: AnyPath,
    resume: bool = False,
    compute: Compute | None = None,
    track: str | None = None,
    start_from: AnyPath | None = None,
    evaluates: bool = True,
) -> Trainer:
    """Trains an objective to its end and returns the trainer.

    The folder gets the weights, the state to resume from (`state/`) and the log (`log.csv`). Under torchrun
    every process saves the state of its own runs (see `resume`), and the first one everything else.

    Args:
        make: makes the objective, for given compute.
        folder: where the training is kept.
        resume: whether a training that the folder holds is continued.
        compute: where and how the arithmetic is done; by default on the CPU.
        track: "tensorboard" or "wandb" gets the numbers of the log too.
        start_from: a checkpoint with weights to begin with.
        evaluates: whether the model is evaluated on held-out tasks.

    Raises:
        ValueError: there is no such device, or the folder holds another training; the message is one line.
        TrackError: the tracker is missing.
    """
    folder = expand_home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    compute = compute or Compute()
    torch.set_num_threads(compute.threads)
    compute = replace(compute, device=distributed.join(compute.device))
    begun = has_state(folder)
    if begun and not resume:
        raise ValueError(f"{folder / 'state'} exists; resume it, or give another folder")
    try:
        trainer = Trainer(make(compute))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"no model can be made on {compute}: {reason}") from None
    if begun:
        tensors, numbers = newest_state(folder)
        if numbers.get("preset") != trainer.objective.record():
            raise ValueError(f"{folder} was trained with other settings; give another folder")
        trainer.restore(tensors, numbers)
        tell(f"resumed at round {trainer.round}")
    elif start_from is not None:
        trainer.objective.start_from(expand_home(start_from))
        trainer.optimizer.reset_average()
    log = Log(folder, trainer.round, track) if distributed.rank() == 0 else None
    _run_rounds(trainer, folder, log, evaluates)
    return trainer


def _run_rounds(trainer: Trainer, folder: Path, log: Log | None, evaluates: bool) -> None:
    """Trains to the end; `log` is None in all processes but the first, which alone reports."""
    objective, plan = trainer.objective, trainer.objective.plan
    recent: list[dict[str, Losses]] = []
    begin = time.perf_counter()
    while trainer.round < plan.rounds:
        recent += trainer.advance()
        is_last = trainer.round == plan.rounds
        if trainer.round % plan.report == 0 or is_last:
            if log is not None:
                _report(log, trainer, recent, time.perf_counter() - begin)
            recent = []
        if trainer.round % plan.save == 0 or is_last:
            save(trainer, folder)
        if log is not None and evaluates and trainer.round % plan.evaluate == 0 and not is_last:
            for line in objective.evaluate(folder, is_final=False):
                tell(line)
    if log is not None and evaluates:
        for line in objective.evaluate(folder, is_final=True):
            tell(line)
        save_weights(trainer, folder)  # how they are to be played may have been chosen just now


def save(trainer: Trainer, folder: Path) -> None:
    """Writes the state of this process, and in the first process the weights."""
    if not distributed.rank():
        save_weights(trainer, folder)
    tensors, numbers = trainer.state()
    save_state(folder, tensors, {**numbers, "preset": trainer.objective.record()})


def save_weights(trainer: Trainer, folder: Path) -> None:
    """Writes the weights that are played with."""
    weights = trainer.optimizer.weights()
    trainer.objective.save_weights(folder, weights, trainer.optimizer.updates)


def _report(log: Log, trainer: Trainer, recent: list[dict[str, Losses]], seconds: float) -> None:
    """Logs and prints, for each task group, its mean losses and its scores."""
    scores = trainer.objective.scores()
    groups = dict.fromkeys(name for update in recent for name in update)
    for group in groups:
        own = [update[group] for update in recent if group in update]
        row: Row = {
            "round": trainer.round,
            "group": group,
            "updates": trainer.optimizer.updates,
            "seconds": round(seconds, 1),
        }
        row |= {name: round(float(np.mean([losses[name] for losses in own])), 4) for name in own[0]}
        row |= {name: round(value, 4) for name, value in scores.get(group, {}).items()}
        log.add(row)
        tell(
            "  ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        )


def tell(message: str) -> None:
    """Prints a line to stderr, in the first process."""
    if distributed.rank() == 0:
        print(message, file=sys.stderr, flush=True)

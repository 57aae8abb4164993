"""One mixer's part in the study of long contexts: its size, its training, its losses, its cost."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from anymdp_baselines.studies.context_model import ContextSize, parameters, reader
from anymdp_baselines.studies.context_trainer import train
from anymdp_baselines.studies.long_context import MIXERS, Scale
from anymdp_bench.longcontext import score, stream
from anymdp_bench.longcontext.losses import Losses


def equal_sizes(scale: Scale) -> dict[str, ContextSize]:
    """The models' sizes by mixer: with as many parameters each as the one that needs most.

    With feed-forward networks of twice the width, mixers differ; those networks are widened by as many units
    as come nearest.
    """
    S, A = scale.course.n_states, scale.course.n_actions
    plain = {
        name: ContextSize(name, S, A, scale.width, scale.blocks, scale.heads, 2 * scale.width)
        for name in MIXERS
    }
    counts = {name: parameters(size) for name, size in plain.items()}
    most, unit = max(counts.values()), scale.blocks * (2 * scale.width + 1)
    return {
        name: replace(size, hidden=size.hidden + round((most - counts[name]) / unit))
        for name, size in plain.items()
    }


def measured(name: str, scale: Scale, folder: Path, device: str) -> tuple[Losses, dict[str, Any]]:
    """Trains and scores a mixer: (losses, what else is told of it)."""
    size = equal_sizes(scale)[name]
    _forget_peak(device)
    trained = train(scale.course, size, folder / name, device=device)
    peak = _peak(device)
    data = stream(scale.stream, scale.runs, scale.length)
    state: list[Any] = []

    def watched(before: Any, steps: Any) -> Any:
        answer = reader(trained.model)(before, steps)
        state[:] = answer[0]
        return answer

    begun = time.process_time()
    found = score(data, watched, 256)
    reading = time.process_time() - begun
    floats = sum(memory[0].numel() for memory in state)
    return found, {
        "parameters": parameters(size),
        "train_rate": scale.course.steps / max(trained.seconds, 1e-9),
        "read_rate": data.following.size / reading,
        "state_floats": floats,
        "peak_mib": peak,
    }


def _forget_peak(device: str) -> None:
    """Begins to watch the memory in use."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return
    watch = Path("/proc/self/clear_refs")
    if watch.exists():
        watch.write_text("5")  # Linux: the peak of resident memory becomes the present one


def _peak(device: str) -> float:
    """The most memory in use since, in MiB: of the device, or resident of this process; 0 if unknown."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

"""Several processes that train one model, as torchrun starts them: each plays runs of its own.

Gradients are averaged over the processes, so that weights and optimizer stay the same in all of them.
DistributedDataParallel does the same, but it takes a single forward call an update, and ours are several.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import distributed


def join(device: str) -> str:
    """Joins the processes that torchrun started, if there are any, and returns the device of this one.

    On CUDA they communicate through NCCL and each has the GPU of its local rank; else through gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        if device == "cuda":
            return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return device


def leave() -> None:
    """Leaves the processes once all have arrived here; afterwards this process is alone."""
    if distributed.is_initialized():
        distributed.barrier()  # gloo aborts a process at times whose peers leave before its last answer
        distributed.destroy_process_group()


def size() -> int:
    """Returns the number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Returns the number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replaces gradients by their mean over the processes; every process must have the same ones."""
    if size() == 1:
        return
    found = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([grad.reshape(-1) for grad in found])
    distributed.all_reduce(flat)
    flat /= size()
    for grad, mean in zip(found, flat.split([grad.numel() for grad in found]), strict=True):
        grad.copy_(mean.view_as(grad))


def gather(own: Any) -> list[Any]:
    """Returns what every process gives, in order of rank; waits for all of them."""
    if size() == 1:
        return [own]
    gathered: list[Any] = [None] * size()
    distributed.all_gather_object(gathered, own)
    return gathered


def agree(number: int) -> bool:
    """Returns whether all processes hold the same number; waits for all of them."""
    return len(set(gather(number))) == 1


def round_generator(seed: int, number: int) -> np.random.Generator:
    """Returns the random generator of round `number` of a training, another one in every process."""
    return np.random.default_rng([seed, number, *([rank()] if rank() else [])])

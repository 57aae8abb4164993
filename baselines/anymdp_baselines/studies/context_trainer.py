"""Training a model of recorded runs along a course, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from anymdp_baselines.studies.context_config import Course
from anymdp_baselines.studies.context_model import ContextModel, ContextSize
from anymdp_baselines.training.checkpoint import load, save


@dataclass
class Trained:
    """A model after its course, and the seconds of the processor that its updates took here."""

    model: ContextModel
    seconds: float


def train(
    course: Course,
    size: ContextSize,
    folder: Path,
    look: Callable[[int, ContextModel], None] | None = None,
    every: int = 0,
    device: str = "cpu",
) -> Trained:
    """Trains a model; state is kept in `folder`, and the same call goes on from there.

    Args:
        course: the course.
        size: the model's.
        folder: of the state.
        look: called with the number of updates done and the model, before the first and after `every`.
        every: updates between two looks, a multiple of a life's.
        device: of torch.

    Raises:
        ValueError: the state is of another course or model.
    """
    torch.manual_seed(course.seed)
    model = ContextModel(size).to(device)
    plain = [p for p in model.parameters() if p.ndim < 2]
    rest = [p for p in model.parameters() if p.ndim > 1]
    groups = [{"params": rest, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    done, seconds = 0, 0.0
    if folder.exists():
        done, seconds = _resume(folder, course, model, optimizer)
    elif look:
        look(0, model)
    in_life = course.life // course.segment
    saved = time.monotonic()
    while done < course.updates:
        data, state = course.data(done // in_life), model.fresh(course.runs)
        begun = time.process_time()
        for k in range(in_life):
            for group in optimizer.param_groups:
                group["lr"] = course.rate_at(done)
            part = data.part(k * course.segment, (k + 1) * course.segment)
            following, policy, state = model.losses(part, state)
            (following + policy).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state = [memory.detach() for memory in state]
            done += 1
        seconds += time.process_time() - begun
        looked = look is not None and every > 0 and done % every == 0
        if looked and look:
            look(done, model)
        if looked or done == course.updates or time.monotonic() - saved > 60.0:
            _keep(folder, course, model, optimizer, done, seconds)
            saved = time.monotonic()
    return Trained(model, seconds)


def _about(course: Course, model: ContextModel) -> dict[str, object]:
    return {"course": asdict(course), "model": asdict(model.size)}


def _keep(
    folder: Path,
    course: Course,
    model: ContextModel,
    optimizer: torch.optim.Optimizer,
    done: int,
    seconds: float,
) -> None:
    tensors = {f"model.{k}": v.detach().cpu() for k, v in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, moment in optimizer.state[parameter].items():
            tensors[f"{key}.{name}"] = moment.cpu()
    numbers = {"done": done, "seconds": seconds}
    save(folder, tensors, numbers | _about(course, model))


def _resume(
    folder: Path, course: Course, model: ContextModel, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    tensors, numbers = load(folder)
    if any(numbers.get(k) != v for k, v in _about(course, model).items()):
        raise ValueError(f"{folder} was trained with other settings; remove it")
    under = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    model.load_state_dict(under)
    for name, parameter in model.named_parameters():
        optimizer.state[parameter] = {
            key: tensors[f"{key}.{name}"].to(parameter.device, copy=True)
            for key in ("step", "exp_avg", "exp_avg_sq")
        }
    return int(numbers["done"]), float(numbers["seconds"])


def device() -> str:
    """Where models are trained: the GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"

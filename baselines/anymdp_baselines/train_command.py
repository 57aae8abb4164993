"""`anymdp-bench train NAME`, found through the entry-point group `anymdp_bench.commands`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymdp_baselines.omnirl.presets import PRESETS as SEQUENCE_PRESETS
from anymdp_baselines.planner.presets import PRESETS as PLANNER_PRESETS
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.run import Track
from anymdp_bench.engine.processors import available_cores

if TYPE_CHECKING:
    from anymdp_baselines.training.objective import Compute, Objective

NETWORKS = {
    "neural-planner": "Train the planner, on the CPU.",
    "omnirl": "Train the sequence model of the agent omnirl, with hard-addressed memory.",
    "omnirl-linear": "Train the sequence model with learned keys only, as in the paper.",
}

app = typer.Typer(help="Train an agent.")

_PRESET_HELP = (
    f"Of omnirl: {', '.join(SEQUENCE_PRESETS)}. Of neural-planner: {', '.join(PLANNER_PRESETS)}."
    " docs/guides/train-omnirl.md says what each is for."
)


def _complete_preset(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the presets of the network whose names begin so."""
    of_planner = context.info_name == "neural-planner"
    presets = [*(PLANNER_PRESETS if of_planner else SEQUENCE_PRESETS)]
    return [name for name in presets if name.startswith(incomplete)]


def train_network(
    context: typer.Context,
    preset: Annotated[str, typer.Option(help=_PRESET_HELP, autocompletion=_complete_preset)],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a training that was stopped.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(callback=expand_home, help="Folder; default training/NAME-PRESET."),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(callback=expand_home, help="A checkpoint with weights to begin with."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds of play and updates; default: the preset's.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="The same as --track tensorboard.")
    ] = False,
    track: Annotated[
        Track | None, typer.Option(help="Show the numbers of log.csv there; needs its package.")
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            min=1, help="Threads of PyTorch; on cores that others use, 2 are far slower than 1."
        ),
    ] = 1,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, ...; by default a GPU where there is one.")
    ] = "auto",
    bf16: Annotated[
        bool, typer.Option("--bf16/--fp32", help="Matrix products; fp32 is TF32 on a GPU.")
    ] = False,
    micro: Annotated[
        int, typer.Option(min=1, help="Gradient accumulation: parts of an update.")
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that make tasks for a GPU; default: all cores but 2."),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="one token a step, or for omnirl-linear the paper's four.")
    ] = "one",
) -> None:
    """Trains the network that the command is named after, and prints where its weights are."""
    name = str(context.info_name)
    os.environ["PYTHONSAFEPATH"] = "1"  # its processes take no module from the working directory
    try:
        import torch

        from anymdp_baselines.training import distributed
        from anymdp_baselines.training.objective import Compute
        from anymdp_baselines.training.train import train

        make, folder, weights = _choose(name, preset, rounds, micro, layout)
        if device == "auto":
            has_gpu = name != "neural-planner" and torch.cuda.is_available()
            device = "cuda" if has_gpu else "cpu"
        if workers is None:
            workers = max(1, available_cores() - 2)
        shown = "tensorboard" if tensorboard else track
        compute = Compute(device, bf16, workers=workers, threads=threads)
        train(make, out or folder, resume, compute, shown, start_from)
        typer.echo(str((out or folder) / weights))
    except ModuleNotFoundError as error:
        line = f"training needs {error.name}: pip install 'anymdp-bench[torch]'"
        raise typer.BadParameter(line) from None
    except ValueError as error:
        if distributed.rank():  # of several processes the first one says it
            raise typer.Exit(2) from None
        raise typer.BadParameter(str(error)) from None


for _name, _help in NETWORKS.items():
    _example = f"Example: `anymdp-bench train {_name} --preset tiny`"
    app.command(_name, help=f"{_help}\n\n{_example}")(train_network)


def _choose(
    name: str, preset: str, rounds: int | None, micro: int, layout: str
) -> tuple[Callable[[Compute], Objective], Path, str]:
    """Returns (what makes the objective, the default folder, where the weights are in it).

    Raises:
        ValueError: there is no such preset, or the network has no such layout.
    """
    if name == "neural-planner":
        from anymdp_baselines.planner.objective import WEIGHTS, PlannerObjective
        from anymdp_baselines.planner.presets import find_preset as find_planner_preset

        planner = find_planner_preset(preset)
        planner = planner if rounds is None else replace(planner, updates=rounds)
        return lambda compute: PlannerObjective(planner, compute), _folder(name, preset), WEIGHTS
    from anymdp_baselines.omnirl.objective import SequenceObjective
    from anymdp_baselines.omnirl.presets import find_preset

    kinds = {"one": "linear" if name == "omnirl-linear" else "delta", "four": "gated"}
    if layout not in kinds or (layout == "four" and name != "omnirl-linear"):
        raise ValueError(f"{name} has no layout {layout!r}; omnirl-linear has one and four")
    kind = kinds[layout]
    chosen = replace(find_preset(preset, kind), micro=micro)
    chosen = chosen if rounds is None else replace(chosen, rounds=rounds)
    folder = _folder("omnirl-gated" if layout == "four" else name, preset)
    return lambda compute: SequenceObjective(chosen, compute), folder, "weights"


def _folder(name: str, preset: str) -> Path:
    return Path("training") / f"{name}-{preset}"

"""`anymdp-bench train neural-planner`, found through the entry-point group `anymdp_bench.commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymdp_baselines.training.command import train_delta, train_linear

app = typer.Typer(help="Train an agent.")


@app.callback()
def _train() -> None:
    pass


@app.command("neural-planner")
def neural_planner(
    preset: Annotated[
        str,
        typer.Option(
            help="tiny (seconds), small, few, many (minutes), base (an hour), general, garnet."
        ),
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default training/neural-planner-PRESET.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    start_from: Annotated[
        Path | None, typer.Option(help="A checkpoint of the same width, to be trained on.")
    ] = None,
) -> None:
    """Train the planner; prints its online score on unseen tasks, writes its weights.

    Example: `anymdp-bench train neural-planner --preset tiny --out training/first`
    """
    try:
        from anymdp_baselines.planner.train import main

        print(main(preset, resume, out, threads, start_from))
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"training needs {error.name}: pip install '.[torch]'") from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


app.command("omnirl")(train_delta)
app.command("omnirl-delta")(train_delta)
app.command("omnirl-linear")(train_linear)

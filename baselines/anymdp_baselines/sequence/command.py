"""`anymdp-bench data`, and `anymdp-bench train omnirl-delta|omnirl-linear`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Write and read recorded training data: behaviours, labelled by the oracle.")


@app.command("write")
def write(
    out: Annotated[Path, typer.Option(help="Folder for the shards.")],
    states: Annotated[int, typer.Option(min=8, help="S of the tasks tau(S, A).")] = 16,
    actions: Annotated[int, typer.Option(min=2, help="A of them.")] = 5,
    sequences: Annotated[int, typer.Option(min=1, help="Number of sequences, a task each.")] = 1024,
    length: Annotated[int, typer.Option(min=1, help="Steps a sequence.")] = 8192,
    seed: Annotated[
        int, typer.Option(min=2**32, help="First task seed; lower ones are public.")
    ] = 2**32,
) -> None:
    """Write shards (safetensors): seen, action, reward, ending, arrival, tag, advantage, entropy.

    The same command goes on where it stopped.

    Example: `anymdp-bench data write --out shards --sequences 64 --length 2048`
    """
    from anymdp_baselines.sequence.shards import Recipe, write_shards

    begin, total = time.perf_counter(), 0
    try:
        for steps in write_shards(out, Recipe(states, actions, length, sequences, seed)):
            total += steps
            rate = total / (time.perf_counter() - begin)
            typer.echo(f"{total} steps, {rate:,.0f} steps/s", err=True)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(str(out))


@app.command("show")
def show(path: Annotated[Path, typer.Argument(help="A folder of shards, or one of them.")]) -> None:
    """Read shards and say what is in them.

    Example: `anymdp-bench data show shards`
    """
    import numpy as np

    from anymdp_baselines.sequence.shards import read_shards

    try:
        for k, data in enumerate(read_shards(path)):
            label = data.advantage.argmax(-1)[np.arange(len(data.seen))[:, None], data.seen]
            shares = np.bincount(data.tag.ravel(), minlength=8) / data.tag.size
            typer.echo(
                f"shard {k}: {data.seen.shape[0]} sequences of {data.seen.shape[1]} steps, tasks"
                f" tau({data.advantage.shape[1]},{data.advantage.shape[2]}),"
                f" {(data.ending > 0).sum()} episodes, mean reward {data.reward.mean():.3f},"
                f" {100 * (label == data.action).mean():.1f}% of actions the oracle's;"
                f" tags {' '.join(f'{100 * share:.1f}%' for share in shares)}"
            )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def train_delta(
    preset: Annotated[str, typer.Option(help="tiny, small, base or paper.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    out: Annotated[Path | None, typer.Option(help="Default training/omnirl-delta-PRESET.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Train the sequence model with the hard-addressed memory.

    Example: `anymdp-bench train omnirl-delta --preset tiny`
    """
    _train("delta", preset, resume, out, threads)


def train_linear(
    preset: Annotated[str, typer.Option(help="tiny, small, base or paper.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    out: Annotated[Path | None, typer.Option(help="Default training/omnirl-linear-PRESET.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Train the sequence model with learned keys only, as in the paper.

    Example: `anymdp-bench train omnirl-linear --preset tiny`
    """
    _train("linear", preset, resume, out, threads)


def _train(kind: str, preset: str, resume: bool, out: Path | None, threads: int) -> None:
    try:
        from anymdp_baselines.sequence.train import main

        typer.echo(str(main(kind, preset, resume, out, threads)))
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"training needs {error.name}: pip install '.[torch]'") from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None

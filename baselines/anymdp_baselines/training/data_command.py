"""`anymdp-bench data`, found through the entry-point group `anymdp_bench.commands`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.paths import expand_home
from anymdp_bench.runner.executor import Backend, Executor

app = typer.Typer(help="Write and read recorded training data: behaviours, labelled by the oracle.")


@app.command("write")
def write(
    out: Annotated[Path, typer.Option(callback=expand_home, help="Folder for the shards.")],
    states: Annotated[int, typer.Option(min=8, help="S of the tasks tau(S, A).")] = 16,
    actions: Annotated[int, typer.Option(min=2, help="A of them.")] = 5,
    sequences: Annotated[int, typer.Option(min=1, help="Number of sequences, a task each.")] = 1024,
    length: Annotated[int, typer.Option(min=1, help="Steps a sequence.")] = 8192,
    seed: Annotated[
        int, typer.Option(min=2**32, help="First task seed; lower ones are public.")
    ] = 2**32,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=10**4, help="Processes; default: one with a thread a core."),
    ] = None,
    executor: Annotated[
        Backend, typer.Option(help="Where to run; on ray the default is a worker a core.")
    ] = Backend.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; default: RAY_ADDRESS, or else one of its own."),
    ] = None,
) -> None:
    """Write shards (safetensors): seen, action, reward, ending, arrival, tag, advantage, entropy.

    The same command goes on where it stopped; its workers change nothing in the shards.

    Example: `anymdp-bench data write --out shards --sequences 64 --length 2048`
    """
    from anymdp_baselines.training.shards import ShardSettings, write_shards
    from anymdp_bench.runner.output import OutputError
    from anymdp_bench.runner.worker_pool import ExecutorError, JobError

    ray = executor is Backend.RAY
    if ray_address is not None and not ray:
        raise typer.BadParameter("--ray-address goes with --executor ray")
    chosen = Executor(workers if ray else workers or 1, ray, ray_address)
    begin, total = time.perf_counter(), 0
    try:
        settings = ShardSettings(states, actions, length, sequences, seed)
        for steps in write_shards(out, settings, chosen):
            total += steps
            rate = total / (time.perf_counter() - begin)
            typer.echo(f"{total} steps, {rate:,.0f} steps/s", err=True)
    except (ExecutorError, OutputError):  # their lines are complete
        raise
    except (JobError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(str(out))


@app.command("show")
def show(
    path: Annotated[
        Path, typer.Argument(callback=expand_home, help="A folder of shards, or one of them.")
    ],
) -> None:
    """Read shards and print what is in them.

    Example: `anymdp-bench data show shards`
    """
    import numpy as np

    from anymdp_baselines.training.shards import read_shards

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

"""`anymdp-bench data`, found through the entry-point group `anymdp_bench.commands`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from anymdp_bench.cli.paths import expand_home
from anymdp_bench.runner.executor import Backend, Executor

app = typer.Typer(help="Write and read recorded training data: behaviours, labelled by the oracle.")


DataFormat = Literal["safetensors", "parquet", "minari"]
"""The formats of `anymdp_bench.datasets.files`, which is too heavy to be imported for `--help`."""


@app.command("write")
def write(
    out: Annotated[Path, typer.Option(callback=expand_home, help="Folder for the shards.")],
    env: Annotated[
        str | None,
        typer.Option(help="An environment whose tasks are sampled; default: AnyMDP's tau(S, A)."),
    ] = None,
    states: Annotated[
        int | None, typer.Option(min=8, help="S of the tasks tau(S, A); default 16.")
    ] = None,
    actions: Annotated[int | None, typer.Option(min=2, help="A of them; default 5.")] = None,
    sequences: Annotated[int, typer.Option(min=1, help="Number of sequences, a task each.")] = 1024,
    length: Annotated[int, typer.Option(min=1, help="Steps a sequence.")] = 8192,
    seed: Annotated[
        int, typer.Option(min=2**32, help="First task seed; lower ones are public.")
    ] = 2**32,
    file_format: Annotated[
        DataFormat,
        typer.Option("--format", help="Parquet and Minari need the extra of that name."),
    ] = "safetensors",
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=10**4, help="Processes; default: one with a thread a core."),
    ] = None,
    executor: Annotated[
        Backend, typer.Option(help="Where to run; on ray the default is a worker a core.")
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; default: RAY_ADDRESS, or else one of its own."),
    ] = None,
) -> None:
    """Write labelled runs in shards; the guide "Train a model of your own" has the format.

    The same command goes on where it stopped; its workers change nothing in the shards.

    Example: `anymdp-bench data write --out shards --sequences 64 --length 2048 --format parquet`
    """
    from anymdp_baselines.training.shards import ShardSettings, write_shards
    from anymdp_bench.runner.output import OutputError
    from anymdp_bench.runner.worker_pool import ExecutorError, JobError

    ray = executor == "ray"
    if ray_address is not None and not ray:
        raise typer.BadParameter("--ray-address goes with --executor ray")
    if env is not None and (states is not None or actions is not None):
        raise typer.BadParameter("--env says the sizes of its tasks; leave --states, --actions out")
    chosen = Executor(workers if ray else workers or 1, ray, ray_address)
    begin, total = time.perf_counter(), 0
    try:
        if env is None:
            settings = ShardSettings(states or 16, actions or 5, length, sequences, seed)
        else:
            settings = ShardSettings.of(env, length, sequences, seed)
        for steps in write_shards(out, settings, chosen, file_format):
            total += steps
            rate = total / (time.perf_counter() - begin)
            typer.echo(f"{total} steps, {rate:,.0f} steps/s", err=True)
    except (ExecutorError, OutputError):  # their lines are complete
        raise
    except (JobError, ModuleNotFoundError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(str(out))


@app.command("show")
def show(
    path: Annotated[
        Path, typer.Argument(callback=expand_home, help="A folder of shards, or one of them.")
    ],
) -> None:
    """Read shards of any format and print what is in them.

    Example: `anymdp-bench data show shards`
    """
    import numpy as np

    from anymdp_bench.datasets.files import find_files

    try:
        for k, (kind, file) in enumerate(find_files(path)):
            data, about = kind.read(file), kind.read_metadata(file)
            n, length, n_actions = data.advantage.shape
            shares = np.bincount(data.tag.ravel(), minlength=8) / data.tag.size
            size = about.get("n_states", data.observation.max() + 1)
            typer.echo(
                f"shard {k}: {n} sequences of {length} steps, tasks tau({size},{n_actions}),"
                f" {(data.terminated | data.truncated).sum()} episodes,"
                f" mean reward {data.reward.mean():.3f},"
                f" {100 * (data.oracle_action == data.action).mean():.1f}% of actions the oracle's;"
                f" tags {' '.join(f'{100 * share:.1f}%' for share in shares)}"
            )
    except (ModuleNotFoundError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None

"""`anymdp-bench data`, and `anymdp-bench train omnirl-delta|omnirl-linear`."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.runner.executor import Executor, Where

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
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=10**4, help="Processes; default: one with a thread a core."),
    ] = None,
    executor: Annotated[
        Where, typer.Option(help="Where to run; on ray the default is a worker a core.")
    ] = Where.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; default: RAY_ADDRESS, or else one of its own."),
    ] = None,
) -> None:
    """Write shards (safetensors): seen, action, reward, ending, arrival, tag, advantage, entropy.

    The same command goes on where it stopped; its workers change nothing in the shards.

    Example: `anymdp-bench data write --out shards --sequences 64 --length 2048`
    """
    from anymdp_baselines.training.shards import Recipe, write_shards
    from anymdp_bench.runner.output import OutputError
    from anymdp_bench.runner.worker_pool import ExecutorError, JobError

    ray = executor is Where.RAY
    if ray_address is not None and not ray:
        raise typer.BadParameter("--ray-address goes with --executor ray")
    hired = Executor(workers if ray else workers or 1, ray, ray_address)
    begin, total = time.perf_counter(), 0
    try:
        recipe = Recipe(states, actions, length, sequences, seed)
        for steps in write_shards(out, recipe, hired):
            total += steps
            rate = total / (time.perf_counter() - begin)
            typer.echo(f"{total} steps, {rate:,.0f} steps/s", err=True)
    except (ExecutorError, OutputError):  # their lines are complete
        raise
    except (JobError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(str(out))


@app.command("show")
def show(path: Annotated[Path, typer.Argument(help="A folder of shards, or one of them.")]) -> None:
    """Read shards and say what is in them.

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


_Name = Annotated[str, typer.Option(help="tiny, small, base or paper.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")]
_Out = Annotated[Path | None, typer.Option(help="Default training/omnirl-KIND-PRESET.")]
_Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
_Device = Annotated[str, typer.Option(help="cpu, cuda, ...; by default a GPU where there is one.")]
_Half = Annotated[
    bool, typer.Option("--bf16/--fp32", help="Matrix products; fp32 is TF32 on a GPU.")
]
_Compiled = Annotated[bool, typer.Option("--compile", help="Through torch.compile.")]
_Micro = Annotated[int, typer.Option(min=1, help="Gradient accumulation: parts of an update.")]
_Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Processes that make tasks for a GPU. By default all cores but two."),
]
_Rounds = Annotated[
    int | None, typer.Option(min=1, help="Of play and updates; by default the preset's.")
]
_Board = Annotated[bool, typer.Option("--tensorboard", help="TensorBoard beside log.csv.")]
_Layout = Annotated[
    str, typer.Option(help="one token a step, or the paper's four (with gated DeltaNet).")
]


def train_delta(
    preset: _Name,
    resume: _Resume = False,
    out: _Out = None,
    threads: _Threads = 1,
    device: _Device = "auto",
    bf16: _Half = False,
    compiled: _Compiled = False,
    micro: _Micro = 1,
    tensorboard: _Board = False,
    workers: _Workers = None,
    rounds: _Rounds = None,
) -> None:
    """Train the sequence model with the hard-addressed memory.

    Example: `anymdp-bench train omnirl-delta --preset tiny`
    """
    _train(
        "delta",
        preset,
        resume,
        out,
        threads,
        device,
        bf16,
        compiled,
        micro,
        tensorboard,
        workers,
        rounds,
    )


def train_linear(
    preset: _Name,
    resume: _Resume = False,
    out: _Out = None,
    threads: _Threads = 1,
    device: _Device = "auto",
    bf16: _Half = False,
    compiled: _Compiled = False,
    micro: _Micro = 1,
    tensorboard: _Board = False,
    workers: _Workers = None,
    rounds: _Rounds = None,
    layout: _Layout = "one",
) -> None:
    """Train the sequence model with learned keys only, as in the paper.

    Example: `anymdp-bench train omnirl-linear --preset tiny`
    """
    if layout not in ("one", "four"):
        raise typer.BadParameter(f"no layout {layout!r}; there are one and four")
    kind = "linear" if layout == "one" else "gated"
    _train(
        kind,
        preset,
        resume,
        out,
        threads,
        device,
        bf16,
        compiled,
        micro,
        tensorboard,
        workers,
        rounds,
    )


def _train(
    kind: str, name: str, resume: bool, out: Path | None, threads: int, device: str,
    bf16: bool, compiled: bool, micro: int, tensorboard: bool, workers: int | None,
    rounds: int | None,
) -> None:  # fmt: skip
    try:
        import torch

        from anymdp_baselines.training import distributed
        from anymdp_baselines.training.config import preset
        from anymdp_baselines.training.train import train
        from anymdp_baselines.training.trainer import Machine

        torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        helpers = max(1, (os.cpu_count() or 1) - 2) if workers is None else workers
        machine = Machine(device, bf16, compiled, workers=helpers)
        folder = out or Path(f"training/omnirl-{kind}-{name}")
        chosen = replace(preset(name, kind), micro=micro)
        if rounds is not None:
            chosen = replace(chosen, rounds=rounds)
        typer.echo(str(train(chosen, folder, resume, machine, tensorboard)))
    except ModuleNotFoundError as error:
        extra = "tensorboard" if error.name == "tensorboard" else "torch"
        line = f"training needs {error.name}: pip install 'anymdp-bench[{extra}]'"
        raise typer.BadParameter(line) from None
    except ValueError as error:
        if distributed.rank():  # of several processes the first one says it
            raise typer.Exit(2) from None
        raise typer.BadParameter(str(error)) from None

"""`anymdp-bench run`: one agent, one suite, one CSV, one table."""

from __future__ import annotations

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.console import meter, note, say


class Context(StrEnum):
    """What an in-context agent has seen before it starts."""

    EMPTY = "empty"
    OFFLINE = "offline"
    IMITATION = "imitation"


class Executor(StrEnum):
    """Where the work runs."""

    LOCAL = "local"
    RAY = "ray"


class Score(StrEnum):
    """Which score the table shows."""

    CORRECTED = "corrected"
    RAW = "raw"
    PAPER = "paper"


_MOST = 2**32 - 1


def run(
    agent: Annotated[str, typer.Option(help="An agent's name (see `list agents`) or module:Name.")],
    suite: Annotated[str | None, typer.Option(help="A suite; default quick.")] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="An environment id; repeat for more.")
    ] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks per sampled environment.")] = None,
    runs: Annotated[int | None, typer.Option(min=1, help="Runs per task.")] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="Episodes per run.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps per run.")] = None,
    context: Annotated[Context, typer.Option(help="Starting context.")] = Context.EMPTY,
    task_seed_start: Annotated[int, typer.Option(min=0, max=_MOST, help="First task seed.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: cores.")] = None,
    executor: Annotated[Executor, typer.Option(help="Where to run.")] = Executor.LOCAL,
    out: Annotated[Path, typer.Option(help="Output directory.")] = Path("results"),
    seed: Annotated[int, typer.Option(min=0, max=_MOST, help="First run seed.")] = 0,
    checkpoint: Annotated[str | None, typer.Option(help="An agent's weights.")] = None,
    score: Annotated[Score, typer.Option(help="Score in the table.")] = Score.CORRECTED,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no messages.")] = False,
) -> None:
    """Run an agent on a suite, write its CSV, print the table.

    The same command on the same --out resumes.

    Examples: `anymdp-bench run --agent tql-ucb`, or
    `anymdp-bench run --agent mymodule:MyAgent --env AnyMDP-64s5a-v0 --tasks 16 --episodes 500`.
    """
    from anymdp_bench.agents import AgentSpec
    from anymdp_bench.execution.plan import PlanError, make_plan
    from anymdp_bench.execution.run import run_plan
    from anymdp_bench.suites import Limits, custom_suite, load_suite

    if suite is not None and env:
        raise typer.BadParameter("give --suite or --env, not both")
    if episodes is not None and steps is not None:
        raise typer.BadParameter("give --episodes or --steps, not both")
    if executor is Executor.RAY:
        raise PlanError("--executor ray is not part of this version; use --executor local")
    chosen = custom_suite(env) if env else load_suite(suite or "quick")
    limits = Limits(episodes, steps) if episodes or steps else None
    chosen = chosen.with_overrides(tasks, runs, limits)
    if workers is None:
        workers = os.cpu_count() or 1
    note("preparing tasks (the first run ever compiles the engine: about a minute)", quiet)
    plan = make_plan(
        chosen,
        AgentSpec(agent, checkpoint),
        context=context.value,
        seed=seed,
        task_seed_start=task_seed_start,
    )
    with meter(f"{agent} on {chosen.name}", quiet) as shown:
        outcome = run_plan(
            plan,
            out,
            workers=workers,
            command=_command(locals()),
            begin=shown.begin,
            report=shown.report,
        )
    if outcome.played == 0:
        say(f"{outcome.csv} is complete: nothing to play", quiet)
    for env_id, seeds in plan.skipped.items():
        if seeds:
            say(f"{env_id}: skipped task seeds {_few(seeds)}, whose gap is lost in noise", quiet)
    print_table([outcome.csv], score=score.value)
    say(f"\n{outcome.csv}  ({outcome.played} units in {outcome.seconds:.1f} s)", quiet)
    say(f"compare: anymdp-bench table {shlex.quote(str(out))} --reference", quiet)


def print_table(
    paths: list[Path],
    *,
    score: str = "corrected",
    target: float = 0.9,
    style: str = "text",
    reference: bool = True,
) -> None:
    """Reads results and prints their table on stdout."""
    import sys

    from rich.console import Console

    from anymdp_bench.metrics import summarise
    from anymdp_bench.records import read_many
    from anymdp_bench.tables import render

    summary = summarise(read_many(paths), target, score)  # type: ignore[arg-type]
    console = Console()
    width = console.width if console.is_terminal else None
    text = render(
        summary,
        style,  # type: ignore[arg-type]
        reference=reference,
        width=width,
        color=console.is_terminal and style == "text",
    )
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def _few(seeds: list[int]) -> str:
    shown = ", ".join(map(str, seeds[:8]))
    return f"{shown} and {len(seeds) - 8} more" if len(seeds) > 8 else shown


def _command(given: dict[str, object]) -> str:
    """The command line with everything that the result depends on."""
    words = ["anymdp-bench", "run", "--agent", str(given["agent"])]
    if given["env"]:
        for env_id in given["env"]:  # type: ignore[attr-defined]
            words += ["--env", env_id]
    else:
        words += ["--suite", str(given["suite"] or "quick")]
    for name in ("tasks", "runs", "episodes", "steps", "checkpoint"):
        if given[name] is not None:
            words += [f"--{name}", str(given[name])]
    for name, default in (("task_seed_start", 0), ("seed", 0), ("context", Context.EMPTY)):
        if given[name] != default:
            words += [f"--{name.replace('_', '-')}", str(given[name])]
    return shlex.join(words)

"""`anymdp-bench run`: one agent, one suite, one CSV, one table."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from anymdp_bench.cli.completion import agent_names, env_ids, known_suites
from anymdp_bench.cli.console import complain, meter, note, say
from anymdp_bench.runner.executor import Executor, Where
from anymdp_bench.suites import MOST_EPISODES, MOST_RUNS, MOST_STEPS


class Context(StrEnum):
    """What an in-context agent has seen before it starts."""

    EMPTY = "empty"
    OFFLINE = "offline"
    IMITATION = "imitation"


class Score(StrEnum):
    """Which score the table shows."""

    CORRECTED = "corrected"
    RAW = "raw"
    PAPER = "paper"


_MOST = 2**32 - 1


def run(
    agent: Annotated[
        str,
        typer.Option(
            help="An agent's name (see `list agents`) or module:Name.", autocompletion=agent_names
        ),
    ],
    suite: Annotated[
        str | None, typer.Option(help="A suite; default quick.", autocompletion=known_suites)
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="An environment id; repeat for more.", autocompletion=env_ids),
    ] = None,
    tasks: Annotated[
        int | None, typer.Option(min=1, max=MOST_RUNS, help="Tasks per sampled environment.")
    ] = None,
    runs: Annotated[int | None, typer.Option(min=1, max=MOST_RUNS, help="Runs per task.")] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, max=MOST_EPISODES, help="Episodes per run.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=MOST_STEPS, help="Steps a run.")] = None,
    context: Annotated[Context, typer.Option(help="Starting context.")] = Context.EMPTY,
    task_seed_start: Annotated[int, typer.Option(min=0, max=_MOST, help="First task seed.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=10**4, help="Processes; default: cores.")
    ] = None,
    executor: Annotated[Where, typer.Option(help="Where to run.")] = Where.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; default: RAY_ADDRESS, or else one of its own."),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(min=0.001, help="Seconds for a run (or a batch of them); else it failed."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output directory.")] = Path("results"),
    seed: Annotated[int, typer.Option(min=0, max=_MOST, help="First run seed.")] = 0,
    checkpoint: Annotated[str | None, typer.Option(help="An agent's weights.")] = None,
    score: Annotated[Score, typer.Option(help="Score in the table.")] = Score.CORRECTED,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no messages.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the table as JSON, for machines.")
    ] = False,
) -> None:
    """Run an agent on a suite, write its CSV, print the table.

    The same command on the same --out resumes.

    Examples: `anymdp-bench run --agent tql-ucb`, or
    `anymdp-bench run --agent mymodule:MyAgent --env AnyMDP-64s5a-v0 --tasks 16 --episodes 500`.
    """
    from anymdp_bench.agents import AgentSpec
    from anymdp_bench.runner.plan import make_plan
    from anymdp_bench.runner.run import run_plan
    from anymdp_bench.suites import Limits, custom_suite, load_suite

    if suite is not None and env:
        raise typer.BadParameter("give --suite or --env, not both")
    if episodes is not None and steps is not None:
        raise typer.BadParameter("give --episodes or --steps, not both")
    if ray_address is not None and executor is not Where.RAY:
        raise typer.BadParameter("--ray-address goes with --executor ray")
    chosen = custom_suite(env) if env else load_suite(suite or "quick")
    limits = Limits(episodes, steps) if episodes or steps else None
    chosen = chosen.with_overrides(tasks, runs, limits)
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
            executor=Executor(workers, executor is Where.RAY, ray_address, time_limit),
            command=_command(locals()),
            begin=shown.begin,
            report=shown.report,
        )
    if outcome.played == 0:
        say(f"{outcome.csv} is complete: nothing to play", quiet)
    for env_id, seeds in plan.skipped.items():
        if seeds:
            say(f"{env_id}: skipped task seeds {_few(seeds)}, whose gap is lost in noise", quiet)
    if as_json:
        print_json([outcome.csv], score.value, 0.9)
    else:
        print_table([outcome.csv], score=score.value)
    if outcome.failed:
        _tell_failures(outcome.csv, outcome.failed, outcome.failed_runs, outcome.runs)
        raise typer.Exit(1)
    whole = not env and tasks is None and runs is None and limits is None
    for line in _ending(outcome.csv, out, outcome.played, outcome.seconds, whole):
        say(line, quiet)


def print_table(
    paths: list[Path],
    *,
    score: str = "corrected",
    target: float = 0.9,
    style: str = "text",
    reference: bool = True,
    overall: bool = False,
) -> None:
    """Reads results and prints their table on stdout."""
    import sys

    from rich.console import Console

    from anymdp_bench.results.metrics import summarise
    from anymdp_bench.results.overall_table import render_overall
    from anymdp_bench.results.records import read_many
    from anymdp_bench.results.tables import render

    frame = read_many(paths)
    console = Console()
    wanted: dict[str, Any] = {
        "width": console.width if console.is_terminal else None,
        "color": console.is_terminal and style == "text",
    }
    if overall:
        text = render_overall(frame, style, score_mode=score, **wanted)  # type: ignore[arg-type]
    else:
        summary = summarise(frame, target, score)  # type: ignore[arg-type]
        text = render(summary, style, reference=reference, **wanted)  # type: ignore[arg-type]
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_json(paths: list[Path], score: str, target: float, overall: bool = False) -> None:
    """Reads results and prints their summary as a JSON list of rows; null where undefined."""
    from anymdp_bench.results import metrics
    from anymdp_bench.results.records import read_many

    frame = read_many(paths)
    mode = cast("metrics.ScoreMode", score)
    rows = (
        metrics.summarise_overall(frame, mode)
        if overall
        else metrics.summarise(frame, target, mode)
    )
    print(rows.to_json(orient="records", indent=1, double_precision=15))


_TOLD = 5  # failures that are told in full


def _tell_failures(csv: Path, failed: tuple[str, ...], failed_runs: int, runs: int) -> None:
    """What failed, on stderr: with --quiet too."""
    for line in failed[:_TOLD]:
        complain(line)
    more = f"; {len(failed) - _TOLD} more reasons are not shown" if len(failed) > _TOLD else ""
    complain(
        f"{failed_runs} of {runs} runs failed and are not in {csv}{more};"
        " the same command tries them again"
    )


def _ending(csv: Path, out: Path, played: int, seconds: float, published: bool) -> list[str]:
    """Where the files are, and what to run next."""
    folder, result = shlex.quote(str(out)), shlex.quote(str(csv))
    lines = [
        f"\n{csv}  ({played} units in {seconds:.1f} s)",
        f"compare: anymdp-bench table {folder} --reference",
        f"draw:    anymdp-bench plot {folder} --out {shlex.quote(str(out / 'curves.png'))}",
    ]
    return lines + ([f"submit:  anymdp-bench leaderboard validate {result}"] if published else [])


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

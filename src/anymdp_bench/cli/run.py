"""`anymdp-bench run`: one agent, one suite, one CSV, one table."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from anymdp_bench.cli.completion import agent_names, env_ids, known_suites
from anymdp_bench.cli.console import print_summary, print_table, quote_path, say
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.streams import stdout_to_stderr
from anymdp_bench.runner.executor import Backend
from anymdp_bench.suites import DEFAULT_SUITE, MOST_EPISODES, MOST_RUNS, MOST_STEPS, suite_names

Context = Literal["empty", "offline", "imitation"]
"""What an in-context agent has seen before it starts."""


Rules = Literal["default", "paper"]
"""By which rules tasks are chosen and played."""


Score = Literal["corrected", "raw", "paper"]
"""Which score the table shows."""


Track = Literal["tensorboard", "wandb"]
"""What shows the numbers of a run beside its CSV."""


_MOST_SEED = 2**32 - 1


def run(
    agent: Annotated[
        str,
        typer.Option(
            help="An agent's name (see `list agents`), module:Name or file.py:Name.",
            autocompletion=agent_names,
        ),
    ],
    suite: Annotated[
        str | None,
        typer.Option(
            help=f"A suite's name, or a .toml file; default {DEFAULT_SUITE}.",
            autocompletion=known_suites,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            help='An environment id, or "AnyMDP-v0?n_states=24&n_actions=3"; repeat for more.',
            autocompletion=env_ids,
        ),
    ] = None,
    tasks: Annotated[
        int | None, typer.Option(min=1, max=MOST_RUNS, help="Tasks per sampled environment.")
    ] = None,
    runs: Annotated[int | None, typer.Option(min=1, max=MOST_RUNS, help="Runs per task.")] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, max=MOST_EPISODES, help="Episodes per run.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=MOST_STEPS, help="Steps in each run.")
    ] = None,
    context: Annotated[Context, typer.Option(help="Starting context.")] = "empty",
    protocol: Annotated[
        Rules, typer.Option(help="Rules of task choice and play; paper: the paper's own.")
    ] = "default",
    task_seed_start: Annotated[
        int, typer.Option(min=0, max=_MOST_SEED, help="First task seed.")
    ] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, max=10**4, help="Processes; default: cores.")
    ] = None,
    executor: Annotated[Backend, typer.Option(help="Where to run.")] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster; default: RAY_ADDRESS, or else a local one."),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Seconds that a run (or a batch of runs) may take before it fails."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(callback=expand_home, help="Output directory.")] = Path(
        "results"
    ),
    seed: Annotated[int, typer.Option(min=0, max=_MOST_SEED, help="First run seed.")] = 0,
    checkpoint: Annotated[
        str | None, typer.Option(callback=expand_home, help="An agent's weights.")
    ] = None,
    agent_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="A keyword for the agent's class, JSON or text; repeat."
        ),
    ] = None,
    score: Annotated[Score, typer.Option(help="Score in the table.")] = "corrected",
    track: Annotated[
        Track | None, typer.Option(help="Show the learning curves there; needs its package.")
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of the first error.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no messages.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the table as JSON, for machines.")
    ] = False,
) -> None:
    """Run an agent on a suite, write its CSV, print the table.

    The same command on the same --out resumes. `anymdp_bench.evaluate` does the same in Python.

    Examples: `anymdp-bench run --agent tql-ucb`, or
    `anymdp-bench run --agent mymodule:MyAgent --env AnyMDP-64s5a-v0 --tasks 16 --episodes 500`.
    """
    from anymdp_bench.runner.evaluate import evaluate

    if suite is not None and env:
        raise typer.BadParameter("give --suite or --env, not both")
    if episodes is not None and steps is not None:
        raise typer.BadParameter("give --episodes or --steps, not both")
    if ray_address is not None and executor != "ray":
        raise typer.BadParameter("--ray-address goes with --executor ray")
    try:
        with stdout_to_stderr():  # an agent may print
            results = evaluate(
                agent,
                env or suite or DEFAULT_SUITE,
                tasks=tasks,
                runs=runs,
                steps=steps,
                episodes=episodes,
                context=context,
                protocol=protocol,
                seed=seed,
                task_seed_start=task_seed_start,
                workers=workers,
                out=out,
                progress=False if quiet else None,
                checkpoint=checkpoint,
                agent_args=_parse_arguments(agent_arg or []),
                score=score,
                executor=executor,
                ray_address=ray_address,
                time_limit=time_limit,
                debug=debug,
                track=track,
            )
    except Exception:
        if debug:
            traceback.print_exc()
        raise
    assert results.origin is not None
    assert results.path is not None
    origin, csv = results.origin, results.path
    if origin.played == 0:
        say(f"{csv} is complete: nothing to play", quiet)
    for env_id, seeds in results.skipped.items():
        say(f"{env_id}: skipped task seeds {_list_few(seeds)}, whose gap is lost in noise", quiet)
    if as_json:
        print_summary(results, score=score)
    else:
        print_table(results, score=score)
    if results.failed:
        raise typer.Exit(1)
    say(f"\n{csv}  ({origin.played} units in {origin.seconds:.1f} s)", quiet)
    say(f"compare: anymdp-bench table {quote_path(csv.parent)} --reference", quiet)
    picture = quote_path(csv.parent / "curves.png")
    say(f"draw:    anymdp-bench plot {quote_path(csv.parent)} --out {picture}", quiet)
    changed = env or tasks or runs or episodes or steps or protocol != "default"
    if not changed and (suite or DEFAULT_SUITE) in suite_names():
        say(f"submit:  anymdp-bench leaderboard validate {quote_path(csv)}", quiet)


def _parse_arguments(pairs: list[str]) -> dict[str, Any]:
    """Parses `KEY=VALUE` options: a value is JSON if it can be read so, and text otherwise.

    Raises:
        typer.BadParameter: an option has another form, or a key is there twice.
    """
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise typer.BadParameter(
                f"--agent-arg {pair!r:.80} is not KEY=VALUE; write --agent-arg lr=0.1"
            )
        if key in arguments:
            raise typer.BadParameter(f"--agent-arg {key} is given twice; give it once")
        try:
            arguments[key] = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            arguments[key] = text
    return arguments


def _refuse_constant(name: str) -> None:
    """NaN and infinity are no JSON, so they stay text."""
    raise ValueError(name)


def _list_few(seeds: list[int]) -> str:
    """Lists the first eight seeds, and says how many more there are."""
    shown = ", ".join(map(str, seeds[:8]))
    return f"{shown} and {len(seeds) - 8} more" if len(seeds) > 8 else shown

"""`anymdp-bench plot`: draws result CSVs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from anymdp_bench.cli.completion import env_ids
from anymdp_bench.cli.console import say
from anymdp_bench.cli.json_output import AsJson, print_value
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.run import Score
from anymdp_bench.cli.table import MeasureOption

Kind = Literal["curves", "targets", "profiles", "context"]
"""The kinds of pictures."""


Axis = Literal["steps", "episode"]
"""What the horizontal axis of learning curves counts."""


def plot(
    paths: Annotated[
        list[Path],
        typer.Argument(callback=expand_home, help="Result CSVs, or directories of them."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            callback=expand_home, help="The picture: a name ending in .png, .svg or .pdf."
        ),
    ],
    kind: Annotated[Kind, typer.Option(help="What to draw.")] = "curves",
    target: Annotated[float, typer.Option(min=0.0, max=1.0, help="Score to be reached.")] = 0.9,
    axis: Annotated[Axis, typer.Option("--x", help="Horizontal axis of curves.")] = "steps",
    log: Annotated[
        bool, typer.Option("--log-x/--linear-x", help="Log scale of the horizontal axis.")
    ] = True,
    env: Annotated[
        list[str] | None,
        typer.Option(help="Only this environment; repeat.", autocompletion=env_ids),
    ] = None,
    score: Annotated[Score, typer.Option(help="Which score.")] = "corrected",
    measure: MeasureOption = "test",
    as_json: AsJson = False,
) -> None:
    """Draw results: learning curves, steps to target, performance profiles, or score v context.

    One small panel per environment; bands are 95% intervals over tasks and runs.

    Examples: `anymdp-bench plot results/ --out curves.png`, or
    `anymdp-bench plot results/ --kind targets --target 0.8 --out targets.pdf`.
    """
    from anymdp_bench.results.results import Results
    from anymdp_bench.results.schema import RecordError

    results = Results.read(paths)
    if env:
        wanted = {name for env_id in env for name in (env_id, _find_canonical_id(env_id))}
        results = Results(results[results["env_id"].isin(wanted).to_numpy()])
        if results.empty:
            raise RecordError(f"no results on {', '.join(env)} among these; leave --env out")
    results.plot(
        kind,
        out,
        target=target,
        x=axis,
        log_x=log,
        score=score,
        measure=measure,
    )
    if as_json:
        shown = {
            f"{name}s": sorted(map(str, results[name].unique())) for name in ("env_id", "agent")
        }
        print_value({"file": str(out), "kind": kind} | shown)
    else:
        say(str(out))


def _find_canonical_id(env_id: str) -> str:
    """Returns the id under which results are recorded; the id itself where nobody here knows it."""
    from anymdp_bench.tasks.canonical import canonical_id

    try:
        return canonical_id(env_id)
    except KeyError:
        return env_id

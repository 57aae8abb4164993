"""`anymdp-bench table`: prints the comparison table of result CSVs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from anymdp_bench.cli.console import print_summary, print_table
from anymdp_bench.cli.json_output import AsJson
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.run import Score

FormatName = Literal["text", "markdown", "csv", "latex", "html"]
"""The formats of a table."""


Measure = Literal["test", "online"]
"""How the scores of learners that train were measured."""


MeasureOption = Annotated[
    Measure,
    typer.Option(help="Learners: policies tested apart, or their own episodes (online)."),
]


def table(
    paths: Annotated[
        list[Path],
        typer.Argument(callback=expand_home, help="Result CSVs, or directories of them."),
    ],
    target: Annotated[float, typer.Option(min=0.0, max=1.0, help="Score to be reached.")] = 0.9,
    format_: Annotated[FormatName, typer.Option("--format", help="Output format.")] = "text",
    reference: Annotated[
        bool, typer.Option("--reference", help="Set the published figures beside ours.")
    ] = False,
    of_optimum: Annotated[
        bool | None,
        typer.Option(
            "--of-optimum/--no-of-optimum",
            help="Scores in units of the best policy of all too. [default: where a score passes 100]",
        ),
    ] = None,
    score: Annotated[Score, typer.Option(help="Score in the table.")] = "corrected",
    measure: MeasureOption = "test",
    overall: Annotated[
        bool,
        typer.Option("--overall", help="Statistics over all environments instead of one by one."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the comparison table of one or more results.

    Examples: `anymdp-bench table results/ --reference`, or
    `anymdp-bench table results/ --measure online`.
    """
    from anymdp_bench.results.results import Results

    results = Results.read(paths)
    if as_json:
        print_summary(
            results,
            score=score,
            measure=measure,
            target=target,
            of_optimum=of_optimum,
            overall=overall,
        )
    else:
        print_table(
            results,
            score=score,
            measure=measure,
            target=target,
            style=format_,
            reference=reference,
            of_optimum=of_optimum,
            overall=overall,
        )

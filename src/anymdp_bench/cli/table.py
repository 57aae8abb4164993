"""`anymdp-bench table`: prints the comparison table of result CSVs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.console import print_summary, print_table
from anymdp_bench.cli.json_output import AsJson
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.run import Score


class FormatName(StrEnum):
    """The formats of a table."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    LATEX = "latex"
    HTML = "html"


class Measure(StrEnum):
    """How the scores of learners that train were measured."""

    TEST = "test"
    ONLINE = "online"


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
    format_: Annotated[
        FormatName, typer.Option("--format", help="Output format.")
    ] = FormatName.TEXT,
    reference: Annotated[
        bool, typer.Option("--reference", help="Set the published figures beside ours.")
    ] = False,
    of_optimum: Annotated[
        bool,
        typer.Option("--of-optimum", help="Scores in units of the best policy of all too."),
    ] = False,
    score: Annotated[Score, typer.Option(help="Score in the table.")] = Score.CORRECTED,
    measure: MeasureOption = Measure.TEST,
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
            score=score.value,
            measure=measure.value,
            target=target,
            of_optimum=of_optimum,
            overall=overall,
        )
    else:
        print_table(
            results,
            score=score.value,
            measure=measure.value,
            target=target,
            style=format_.value,
            reference=reference,
            of_optimum=of_optimum,
            overall=overall,
        )

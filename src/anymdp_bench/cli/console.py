"""What the commands print: tables on stdout, messages on stderr."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anymdp_bench.results.measures import Measure
    from anymdp_bench.results.metrics import ScoreMode
    from anymdp_bench.results.results import Results
    from anymdp_bench.results.tables import Format


def say(message: str, quiet: bool = False) -> None:
    """Prints a message on stderr."""
    if not quiet and sys.stderr is not None:
        print(message, file=sys.stderr)


def print_table(
    results: Results,
    *,
    score: ScoreMode = "corrected",
    measure: Measure = "test",
    target: float = 0.9,
    style: Format = "text",
    reference: bool = False,
    of_optimum: bool | None = None,
    overall: bool = False,
) -> None:
    """Prints the table of results on stdout, as wide and colourful as the terminal is.

    The settings are those of `Results.table`; `style` is its `format`.
    """
    from rich.console import Console

    console = Console()
    is_colourful = console.is_terminal and console.color_system is not None  # TERM=dumb has none
    text = results.table(
        style,
        target=target,
        score=score,
        measure=measure,
        reference=reference,
        of_optimum=of_optimum,
        overall=overall,
        width=shutil.get_terminal_size().columns if console.is_terminal else None,
        color=is_colourful and style == "text",
    )
    print(text.removesuffix("\n"))


def print_summary(
    results: Results,
    *,
    score: ScoreMode,
    measure: Measure = "test",
    target: float = 0.9,
    of_optimum: bool | None = None,
    overall: bool = False,
) -> None:
    """Prints the summary of results as a JSON list of rows, with null for what is undefined."""
    rows = results.summary(
        target=target, score=score, measure=measure, of_optimum=of_optimum, overall=overall
    )
    print(rows.to_json(orient="records", indent=1, double_precision=15))


def quote_path(path: Path) -> str:
    """Quotes a path for a command line."""
    return shlex.quote(str(path))

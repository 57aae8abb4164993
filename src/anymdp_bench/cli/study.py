"""`anymdp-bench study NAME`: a study, found by looking into `anymdp_bench.studies`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.console import say


class Scale(StrEnum):
    """How much work a study is given."""

    TINY = "tiny"
    SMALL = "small"
    PAPER = "paper"


def study(
    name: Annotated[str, typer.Argument(help="Name of the study; `list` names them all.")],
    scale: Annotated[Scale, typer.Option(help="Size of the study.")] = Scale.SMALL,
    out: Annotated[Path, typer.Option(help="Output directory.")] = Path("results"),
) -> None:
    """Run a study: a table on stdout, a picture in --out.

    Example: `anymdp-bench study stationary --scale tiny`; `anymdp-bench study list` names them all.
    """
    from anymdp_bench.execution.run import writable
    from anymdp_bench.studies import load_study, study_names

    if name == "list":
        for known in study_names():
            print(f"{known:16} {(load_study(known).__doc__ or '').splitlines()[0]}")
        return
    chosen = load_study(name)
    with writable(out):
        for path in chosen.run(scale.value, out):
            say(str(path))

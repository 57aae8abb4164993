"""`anymdp-bench study NAME`: runs a study; `anymdp_bench.studies` says what a study is."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from anymdp_bench.cli.console import say
from anymdp_bench.cli.json_output import AsJson, print_value
from anymdp_bench.cli.list import studies as list_studies
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.cli.streams import stdout_to_stderr

ScaleName = Literal["tiny", "small", "paper"]
"""The sizes of a study."""


def study(
    name: Annotated[str, typer.Argument(help="Name of the study; see `list studies`.")],
    scale: Annotated[ScaleName, typer.Option(help="Size of the study.")] = "small",
    out: Annotated[Path, typer.Option(callback=expand_home, help="Output directory.")] = Path(
        "studies"
    ),
    as_json: AsJson = False,
) -> None:
    """Run a study: a table on stdout (with --json on stderr), a picture in --out.

    Example: `anymdp-bench study stationary --scale tiny`; `anymdp-bench list studies` names them all.
    """
    from anymdp_bench.runner.output import writable
    from anymdp_bench.studies import load_study
    from anymdp_bench.suites import SuiteError

    if name == "list":  # the former way to `list studies`
        return list_studies(as_json)
    chosen = load_study(name)
    with writable(out), stdout_to_stderr() if as_json else nullcontext():
        try:
            paths = chosen.run(scale, out)
        except ModuleNotFoundError as error:
            raise SuiteError(
                f"study {name} needs {error.name}; install it (PyTorch: pip install 'anymdp-bench[torch]')"
            ) from None
    if as_json:
        files = [str(path) for path in paths]
        print_value({"study": name, "scale": scale, "files": files})
        return
    for path in paths:
        say(str(path))

"""The callback of every path option and argument: `~` is the home directory, as in `--out=~/results`.

A shell leaves that `~` alone. A test holds every path of every command to this callback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from anymdp_bench.paths import PathError
from anymdp_bench.paths import expand_home as expand


def expand_home(value: Any) -> Any:
    """Expands `~` in the value of a path option or argument: a path, text, a list of them, or None.

    Raises:
        typer.BadParameter: the home directory is not known.
    """
    if isinstance(value, list | tuple):
        return [expand_home(each) for each in value]
    if not isinstance(value, str | Path):
        return value
    try:
        return type(value)(expand(value))
    except PathError as error:
        raise typer.BadParameter(str(error)) from None

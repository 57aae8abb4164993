"""The option `--json`: a command prints its answer as one JSON value on stdout, for machines."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the answer as one JSON value, for machines.")
]


def print_value(value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Prints an answer as JSON."""
    print(json.dumps(value, indent=1))

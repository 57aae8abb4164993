"""What a wrong use of the command line is answered: one line that ends in the help to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anymdp_bench.spelling import find_nearest

_CHOICE = re.compile(r"'(?P<given>[^']*)' is not one of (?P<known>'.*')")


def explain_usage(error: Exception, app: Any, arguments: Sequence[str]) -> str:
    """The line for an error of Click.

    Args:
        error: a usage error.
        app: the command of the whole application.
        arguments: the words of the command line.
    """
    what: str = getattr(error, "format_message", error.__str__)()
    what = what.replace("Value error, ", "").rstrip(".")
    choice = _CHOICE.search(what)
    if choice is not None:
        nearest = find_nearest(choice["given"], re.findall(r"'([^']*)'", choice["known"]))
        what += f"; did you mean {nearest!r}?" if nearest else ""
    end = "" if what.endswith("?") else "."
    return f"{what}{end} See {' '.join(_command_path(app, arguments))} --help."


def _command_path(command: Any, arguments: Sequence[str]) -> list[str]:
    """The words that lead to the command that was meant: "anymdp-bench", "list", "envs"."""
    path = ["anymdp-bench"]
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        path.append(word)
    return path

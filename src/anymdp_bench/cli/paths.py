"""Paths of the command line: `~` is the home directory, as in `--out=~/results`, which no shell expands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def expand_home(value: Any) -> Any:
    """Expands `~` in the value of a path option or argument: a path, a list of paths, or None."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [expand_home(each) for each in value]
    return type(value)(os.path.expanduser(value)) if isinstance(value, str | Path) else value

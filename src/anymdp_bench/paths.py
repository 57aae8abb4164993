"""Paths as users write them: text or a path, in which `~` is the home directory.

Every function of the package that takes a path calls `expand_home` on it first, and every path of the command
line goes through it too. So the name that one command writes to is the name that another one reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

AnyPath = str | os.PathLike[str]
"""What names a file or a folder: text or a path, in both of which `~` is the home directory."""


class PathError(ValueError):
    """A path names nothing. The message says why, and how to fix it."""


def expand_home(path: AnyPath) -> Path:
    """Returns a path with its `~` replaced by the home directory.

    Args:
        path: the path. `~` counts at its beginning only: "~", "~/results" or "~name/results".

    Raises:
        PathError: nobody knows where the home directory is.
    """
    expanded = os.path.expanduser(os.fspath(path))
    if (
        expanded.split("/", 1)[0] == "~"
    ):  # HOME is not set, and the user is not in the password file
        raise PathError(f"{path}: the home directory is not known; set HOME, or write it out")
    return Path(expanded)


def write_file_name(name: str) -> str:
    """Returns a name as a part of a file's name: letters, digits, `-`, `_` and `.`; others become `.`."""
    return "".join(c if c.isalnum() or c in "-_." else "." for c in name)


@contextmanager
def keep_folder() -> Iterator[None]:
    """Leaves the working directory as it was before the block, in which a stranger's code runs."""
    try:
        before = os.getcwd()
    except FileNotFoundError:  # it was removed
        before = None
    try:
        yield
    finally:
        if before is not None:
            with suppress(OSError):
                os.chdir(before)


def make_parent(path: AnyPath) -> Path:
    """Returns a path like `expand_home`, once the folder that holds it is there.

    Raises:
        OSError: the folder cannot be made.
        PathError: as `expand_home`.
    """
    expanded = expand_home(path)
    expanded.parent.mkdir(parents=True, exist_ok=True)
    return expanded

"""Where Numba keeps compiled code.

A kernel that is kept is kept beside its source, or else in the user's cache folder. In a container or in a
module of a cluster neither can be written, and there Numba raises an error for every kernel. So the package
chooses a folder before the first kernel is defined: one in the folder for temporary files, which only its
owner may write, since the files hold code. Without such a folder nothing is kept, and each process compiles
for itself.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
"""The environment variable that names Numba's folder. Worker processes inherit it."""

LEAST_FREE_BYTES = 64 * 2**20
"""Bytes that a disk must have left. Where a disk gets full, Numba raises an error in place of an answer."""


def choose_folder() -> None:
    """Chooses another folder for compiled code where Numba's own choices cannot be written.

    It says so in one line on stderr. A folder that `NUMBA_CACHE_DIR` names is used if it can be written.
    """
    given = os.environ.get(VARIABLE)
    choices = [Path(__file__).parent / "__pycache__", _user_folder()]
    if any(_is_writable(each) for each in ([Path(given)] if given else []) + choices):
        return
    folder = _make_private_folder()
    where = f"is kept in {folder}" if folder else "is not kept"
    named = f"{VARIABLE}, the package's folder" if given else "the package's folder"
    _say(
        f"{named} and the user's cache cannot be written (or have no space left): compiled code {where}"
        f"; set {VARIABLE} to a folder that can be written"
    )
    if folder:
        os.environ[VARIABLE] = str(folder)
        if "numba" in sys.modules:  # it has read the variable already
            from numba.core import config

            config.reload_config()
    else:
        from numba.core.dispatcher import Dispatcher

        Dispatcher.enable_caching = lambda self: None  # type: ignore[method-assign]


def _user_folder() -> Path:
    """Returns the folder that Numba uses where it cannot write beside the source."""
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches/numba"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~"), "numba")
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "numba")


def _is_writable(folder: Path) -> bool:
    """Tells whether a folder exists or can be made, takes files, and has enough free space on its disk."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        is_open = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
        return is_open and shutil.disk_usage(folder).free >= LEAST_FREE_BYTES
    except OSError:
        return False


def _make_private_folder() -> Path | None:
    """Returns a folder that only this user may write, the same one for all processes if possible."""
    import tempfile

    with suppress(OSError):
        user = getattr(os, "getuid", lambda: "user")()
        folder = Path(tempfile.gettempdir(), f"anymdp-bench-{user}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        is_ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if stat.S_ISDIR(found.st_mode) and is_ours and not found.st_mode & 0o022:
            return folder
        return Path(tempfile.mkdtemp(prefix="anymdp-bench-"))  # somebody else has taken the name
    return None


def _say(message: str) -> None:
    if sys.stderr is not None:
        print(f"anymdp-bench: {message}", file=sys.stderr)

"""The output directory: whether it can be written, which process writes there, and whose results it holds."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from anymdp_bench.results.schema import PROTOCOL
from anymdp_bench.runner.parts import FORMAT
from anymdp_bench.runner.plan import ARGUMENTS, Plan

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_FOLDER = {errno.EEXIST, errno.ENOTDIR}


class OutputError(ValueError):
    """An output directory cannot be used. The message says why, and how to fix it."""


def unwritable(error: OSError, out: Path) -> OutputError:
    """Returns the error that explains what the operating system refused in `out`."""
    what = f"cannot write to {error.filename or out}: {error.strerror or error}"
    if error.errno in _FULL:
        return OutputError(f"{what}; free some space, and the same command goes on from here")
    if error.errno == errno.ENOENT:
        return OutputError(f"{what}; was the folder removed? The same command makes it again")
    if error.errno in _NO_FOLDER:
        return OutputError(
            f"cannot write to {out}: {_find_blocker(out)} is no folder; give another --out"
        )
    return OutputError(f"{what}; give another --out")


def _find_blocker(out: Path) -> Path:
    """Returns the part of a path that is there and is no folder: a file, or a link to nothing."""
    for path in (*reversed(out.parents), out):
        if os.path.lexists(path) and not path.is_dir():
            return path
    return out


@contextmanager
def writable(out: Path) -> Iterator[None]:
    """Makes the directory `out`, and turns an `OSError` of the block into an `OutputError`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise unwritable(error, out) from None


@contextmanager
def lock_result(out: Path, stem: str) -> Iterator[None]:
    """Holds the lock of the result `stem` in `out`. The operating system frees the lock of a dead process."""
    lock = FileLock(out / f".{stem}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"another command is writing {stem} in {out}; wait for it, or give another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_settings(path: Path, text: str | None, plan: Plan) -> None:
    """Refuses to continue a result that has other settings.

    Args:
        path: the file that holds the settings; messages name it.
        text: its settings as JSON; None if it has none.
        plan: the plan that wants to continue it.

    Raises:
        OutputError: the settings are not the plan's.
    """
    found, wanted = _parse_settings(path, text), plan.settings
    for key in dict.fromkeys((*wanted, ARGUMENTS, PROTOCOL)):
        if found.get(key) != wanted.get(key):
            raise OutputError(
                f"{path} has {key} {found.get(key)!r:.80}, this command {wanted.get(key)!r:.80};"
                " give another --out, or remove it"
            )


def _parse_settings(path: Path, text: str | None) -> dict[str, Any]:
    try:
        settings = json.loads(text or "")
        if isinstance(settings, dict):
            return settings
    except (ValueError, RecursionError):
        pass
    raise OutputError(f"{path} names no settings; move it away, or give another --out")


def claim(work: Path, plan: Plan) -> None:
    """Marks the folder `work` of unfinished results as this plan's, or checks that it is marked so.

    Raises:
        OutputError: it holds results of another plan, or of another version of this package.
        OSError: it cannot be written.
    """
    work.mkdir(exist_ok=True)
    path = work / "settings.json"
    if not path.exists():
        temporary = work / "settings.new"
        temporary.write_text(json.dumps(plan.settings | {"parts": FORMAT}), encoding="utf-8")
        temporary.replace(path)
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    check_settings(path, text, plan)
    version = _parse_settings(path, text).get("parts", 1)
    if version != FORMAT:
        raise OutputError(
            f"{work} holds unfinished runs of another version of anymdp-bench (format {version!r:.40},"
            f" this one writes {FORMAT}); finish them with that one, give another --out, or remove it"
        )

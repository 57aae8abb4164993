"""The output directory: whether it can be written, who writes there, and whose results it holds."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from anymdp_bench.runner.parts import FORMAT
from anymdp_bench.runner.plan import Plan

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class OutputError(ValueError):
    """An output directory that cannot be used: the message says why, and how to mend it."""


def unwritable(error: OSError, out: Path) -> OutputError:
    """The complaint about what the operating system refused in `out`."""
    what = f"cannot write to {error.filename or out}: {error.strerror or error}"
    if error.errno in _FULL:
        return OutputError(f"{what}; make room, and the same command goes on from here")
    if error.errno == errno.ENOENT:
        return OutputError(f"{what}; was the folder removed? The same command makes it again")
    return OutputError(f"{what}; give another --out")


@contextmanager
def writable(out: Path) -> Iterator[None]:
    """Makes the directory `out`; turns the operating system's refusals there into an `OutputError`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise unwritable(error, out) from None


@contextmanager
def locked(out: Path, stem: str) -> Iterator[None]:
    """Holds the lock of `stem` in `out`; the operating system frees a dead driver's."""
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


def check_settings(where: Path, found: str | None, plan: Plan) -> None:
    """Refuses to go on with a result of other settings.

    Raises:
        OutputError: `found`, the settings that `where` names as JSON, are not the plan's.
    """
    old = _settings(where, found)
    differ = [k for k, v in plan.settings.items() if old.get(k) != v]
    if differ:
        k = differ[0]
        raise OutputError(
            f"{where} has {k} {old.get(k)!r:.80}, this command {plan.settings[k]!r};"
            " give another --out, or remove it"
        )


def _settings(where: Path, found: str | None) -> dict[str, Any]:
    try:
        old = json.loads(found or "")
        if isinstance(old, dict):
            return old
    except (ValueError, RecursionError):
        pass
    raise OutputError(f"{where} names no settings; move it away, or give another --out")


def claim(work: Path, plan: Plan) -> None:
    """Makes the folder `work` of unfinished results this plan's, or checks that it is.

    Raises:
        OutputError: it holds another plan's, or those of another version of this package.
        OSError: it cannot be written.
    """
    work.mkdir(exist_ok=True)
    path = work / "settings.json"
    if not path.exists():
        fresh = work / "settings.new"
        fresh.write_text(json.dumps(plan.settings | {"parts": FORMAT}), encoding="utf-8")
        fresh.replace(path)
        return
    found = path.read_text(encoding="utf-8", errors="replace")
    check_settings(path, found, plan)
    version = _settings(path, found).get("parts", 1)
    if version != FORMAT:
        raise OutputError(
            f"{work} holds unfinished runs of another version of anymdp-bench (format {version!r:.40},"
            f" this one writes {FORMAT}); finish them with that one, give another --out, or remove it"
        )

"""Ctrl-C and SIGTERM: the command prints one line and ends at once.

Nothing needs to be cleaned up. Files appear completely or not at all, the operating system frees the locks,
and workers end together with their driver; the tests kill a driver to check this. A KeyboardInterrupt would
be worse: compiled code and the callbacks of its compiler lose it, or break.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

INTERRUPTED = 130
"""The exit code after either signal."""

MESSAGE = "interrupted; the same command goes on from here"

_SHOW_CURSOR = "\r\x1b[K\x1b[?25h"  # since a progress bar hides it


def end_on_signals() -> None:
    """Makes SIGINT and SIGTERM end this process, unless it was started to ignore them (nohup)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    cursor = _SHOW_CURSOR if os.isatty(2) else ""
    try:
        os.write(2, f"{cursor}anymdp-bench: {MESSAGE}\n".encode())
    finally:
        os._exit(INTERRUPTED)

"""Ctrl-C and SIGTERM: one line, and the end, at once.

Nothing is tidied up, because nothing needs to be: files appear whole or not at all, locks are the operating
system's, and workers end with their driver; the tests kill it to see that. A KeyboardInterrupt would be no
better, and often worse: compiled code and its compiler's callbacks lose it, or break.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

INTERRUPTED = 130
"""The exit code of both."""

MESSAGE = "interrupted; the same command goes on from here"

_SHOW_CURSOR = "\r\x1b[K\x1b[?25h"  # a progress bar hides it


def end_on_signals() -> None:
    """Has SIGINT and SIGTERM end this process, but for those that it was started to ignore (nohup)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    cursor = _SHOW_CURSOR if os.isatty(2) else ""
    try:
        os.write(2, f"{cursor}anymdp-bench: {MESSAGE}\n".encode())
    finally:
        os._exit(INTERRUPTED)

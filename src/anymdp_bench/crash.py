"""Where an agent crashed, for the one line that says so.

The agent is a stranger's code. Its author has to find the place without the traceback (`--debug` prints it).
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path

_OURS = str(Path(__file__).parent)
_IMPORTS = ("<frozen", os.path.join(os.path.dirname(os.__file__), "importlib"))


def describe_crash(error: BaseException) -> str:
    """Names the exception and its place: "KeyError: 'x' (mine.py:12, in act)"."""
    return f"{type(error).__name__}: {error}{describe_place(error)}"


def describe_place(error: BaseException) -> str:
    """Names the last frame of the traceback that is in the agent's own folder.

    That folder is where the agent's file lies that we called or imported. Code that it calls in turn, as of
    NumPy, is left out: its frames say less about the mistake.

    Returns:
        " (mine.py:12, in act)"; "" where no frame is the agent's, as in compiled code.
    """
    frame = _own_frame(error)
    return "" if frame is None else f" ({_shorten(frame.filename)}:{frame.lineno}, in {frame.name})"


def is_refusal(error: BaseException) -> bool:
    """Tells whether the agent's own code raised the error with `raise`, and not something that it called."""
    frames, own = traceback.extract_tb(error.__traceback__), _own_frame(error)
    return own is None or (own == frames[-1] and (own.line or "raise").startswith("raise"))


def _own_frame(error: BaseException) -> traceback.FrameSummary | None:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS + os.sep, *_IMPORTS))
    ]
    if not frames:
        return None
    home = os.path.dirname(frames[0].filename)
    return [f for f in frames if f"{os.path.dirname(f.filename)}/".startswith(f"{home}/")][-1]


def _shorten(filename: str) -> str:
    """Returns the path from the working directory, if the file lies below it."""
    try:
        relative = os.path.relpath(filename)
    except (OSError, ValueError):  # the working directory is gone
        return filename
    return filename if relative.startswith("..") else relative

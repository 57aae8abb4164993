"""The standard streams of a command: they take every character, they exist, and stdout is the command's own.

Other code prints to stdout too: agents, the libraries that they use, and the processes that they start. A
table or a JSON value must stay whole, so `stdout_to_stderr` sends to stderr what such code prints.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

_PLAIN = "anymdp-bench-plain"  # an error handler of codecs
_STAND_INS = str.maketrans("─━—…†±²", "---.+~2")


def prepare_streams() -> None:
    """Makes the standard streams usable, whatever the caller gave this process.

    A stream that is closed becomes one that is empty or goes nowhere. It keeps its number, so that no file
    that is opened later gets it. A character that a stream cannot encode is written as a similar one of
    ASCII, or as `?`. The bytes of a file name that is not UTF-8 are written as they are.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
                if nowhere != number:
                    os.dup2(nowhere, number)
                setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115
    codecs.register_error(_PLAIN, _write_plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_PLAIN)


def _write_plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Returns what is written for one character that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    following = error.start + 1
    if "\udc80" <= character <= "\udcff":  # a byte of a file name
        return bytes([ord(character) - 0xDC00]), following
    stand_in = character.translate(_STAND_INS)
    return stand_in if stand_in.isascii() else "?", following


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Sends to stderr what is printed to stdout inside the block, by this process and by those it starts."""
    with redirect_stdout(sys.stderr):
        saved = divert_stdout()
        try:
            yield
        finally:
            if saved is not None:
                _flush(sys.__stdout__)  # what was printed past `sys.stdout`
                os.dup2(saved, 1)
                os.close(saved)


def divert_stdout() -> int | None:
    """Sends to stderr whatever is written to file 1 from now on; returns a copy of what file 1 was.

    None says that nothing was changed, since stdout or stderr is closed.
    """
    _flush(sys.__stdout__)
    try:
        saved = os.dup(1)
    except OSError:
        return None
    try:
        os.dup2(2, 1)
    except OSError:
        os.close(saved)
        return None
    return saved


def _flush(stream: object) -> None:
    with suppress(OSError, ValueError, AttributeError):
        stream.flush()  # type: ignore[attr-defined]

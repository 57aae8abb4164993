"""What no input may bring about, watched while a target has it."""

import os
import resource
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10.0  # of processor time an input may take
MEMORY = 2**31  # bytes it may take beside what the process had

_PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen")
_CODE = ("pickle.find_class", "ctypes.dlopen", "socket.connect", "socket.bind")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CACHES = "__pycache__"  # compiled kernels

_watched: list[Path] = []  # the folder of the target that has an input, if any


class HarmError(Exception):
    """An input brought about what it must not."""


def _audit(event, arguments):
    if not _watched:
        return
    if event in _PROGRAMS:
        raise HarmError(f"{event}{arguments}")
    if event in _CODE and not _of_numba():
        raise HarmError(f"{event}{arguments}")
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, mode, flags = arguments
        if (set(mode or "") & set("wax+")) or (mode is None and flags & _WRITES):
            where = Path(os.path.realpath(os.fsdecode(path)))
            inside = where.is_relative_to(_watched[-1]) or where.is_relative_to("/dev")
            if not inside and _CACHES not in where.parts:
                raise HarmError(f"writes {where}")


def _of_numba():
    """Whether compiled code is being loaded from its cache, which is pickled."""
    frame = sys._getframe(2)
    while frame is not None:
        if "numba" in frame.f_code.co_filename or "llvmlite" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def _slow(number, frame):
    raise HarmError(f"takes more than {SECONDS:g} s of processor time")


sys.addaudithook(_audit)


@contextmanager
def guarded(folder):
    """Watches what is done in the block; its memory is bounded while `bounded` holds."""
    before = signal.signal(signal.SIGVTALRM, _slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    _watched.append(Path(os.path.realpath(folder)))
    try:
        yield
    finally:
        _watched.pop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def bounded():
    """Lets the process have `MEMORY` bytes more than it has, so that a vast claim is a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def workplace():
    """A folder of its own, in which the process is meanwhile."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)

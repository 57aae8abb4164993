"""The guard of a target: it raises where an input starts a program, writes elsewhere, or takes too long."""

import os
import resource
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10.0  # processor time of an input
MEMORY = 2**31  # bytes that inputs may use beyond those of the process

_PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen")
_CODE = ("pickle.find_class", "ctypes.dlopen", "socket.connect", "socket.bind")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CACHES = "__pycache__"  # the folder of compiled kernels

_guarded: list[Path] = []  # the folder of the target that runs, if any


class HarmError(Exception):
    """An input did what it must not do."""


def _audit(event, arguments):
    if not _guarded:
        return
    if event in _PROGRAMS:
        raise HarmError(f"{event}{arguments}")
    if event in _CODE and not _is_numba():
        raise HarmError(f"{event}{arguments}")
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, mode, flags = arguments
        if (set(mode or "") & set("wax+")) or (mode is None and flags & _WRITES):
            where = Path(os.path.realpath(os.fsdecode(path)))
            inside = where.is_relative_to(_guarded[-1]) or where.is_relative_to("/dev")
            if not inside and _CACHES not in where.parts:
                raise HarmError(f"writes {where}")


def _is_numba():
    """Returns whether Numba loads compiled code from its cache, which is pickled."""
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
    """Guards the block, which may write in `folder`; `bounded` limits its memory."""
    before = signal.signal(signal.SIGVTALRM, _slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    _guarded.append(Path(os.path.realpath(folder)))
    try:
        yield
    finally:
        _guarded.pop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def bounded():
    """Limits the process to `MEMORY` bytes more than it has, so a huge array is a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def temporary_cwd():
    """Makes a temporary folder the current directory of the process."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)

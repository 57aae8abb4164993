"""The number of processor cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def available_cores() -> int:
    """Returns the number of cores that this process may use, at least 1.

    That is the machine's cores, those of the process's affinity mask, or those of its control group,
    whichever are fewest. Containers limit the processor time of a group; a part of a core counts as one.
    From Python 3.13 on `-X cpu_count` and `PYTHON_CPU_COUNT` overrule the first two.
    """
    return max(1, math.ceil(min(_visible_cores(), read_quota())))


def _visible_cores() -> int:
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_quota(root: Path = Path("/")) -> float:
    """Returns the cores' worth of time that the control groups of this process allow; inf for no limit.

    The limits of the groups around a group count too. What cannot be read is no limit.

    Args:
        root: the folder that holds `proc` and `sys`.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):  # not on Linux
        return math.inf
    least = math.inf
    for line in groups:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:  # version 2
            folder = root / "sys/fs/cgroup"
            limits = [_read_v2(path) for path in _enclosing(folder, group)]
        elif "cpu" in controllers.split(","):
            folder = root / "sys/fs/cgroup/cpu"
            limits = [_read_v1(path) for path in _enclosing(folder, group)]
        else:
            continue
        least = min(least, *limits)
    return least


def _enclosing(folder: Path, group: str) -> Iterator[Path]:
    """Yields the folder of a group, and those of all groups around it.

    A container may see its own group as the outermost one, whatever the name says.
    """
    inner = PurePosixPath(group.lstrip("/"))
    yield folder / inner
    for outer in inner.parents:
        yield folder / outer


def _read_v2(folder: Path) -> float:
    """Reads `cpu.max`, which holds "quota period", or "max period" for no limit."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _read_v1(folder: Path) -> float:
    """Reads the two files of version 1; a quota below 0 is no limit."""
    try:
        quota, period = (
            int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period")
        )
        return quota / period if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf

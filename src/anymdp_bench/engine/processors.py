"""The number of processor cores that this process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Returns the number of cores in the process's affinity mask, or of the machine if there is no mask."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

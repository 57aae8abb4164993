"""How long a result took. Only sums are kept, so memory does not grow with the number of runs."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

from anymdp_bench.runner.unit import UnitResult


@dataclass
class Timing:
    """Adds up the costs of the units that were played since it was made."""

    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    processor_seconds: float = 0.0
    steps: int = 0
    peak_mib: float = 0.0

    def add(self, result: UnitResult) -> None:
        """Adds the costs of one unit."""
        self.seconds += result.seconds
        self.processor_seconds += result.processor_seconds
        self.steps += sum(int(curve.steps[-1]) for curve in result.curves if len(curve.steps))
        self.peak_mib = max(self.peak_mib, result.peak_mib)

    def write(self, path: Path) -> None:
        """Writes the sums as JSON.

        Raises:
            OSError: `path` cannot be written.
        """
        timing = {
            "wall_seconds": round(time.perf_counter() - self.started, 3),
            "worker_seconds": round(self.seconds, 3),
            "worker_processor_seconds": round(self.processor_seconds, 3),
            "steps": self.steps,
            "steps_per_worker_second": round(self.steps / self.seconds) if self.seconds else None,
            "driver_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "worker_peak_mib": round(self.peak_mib),
        }
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(timing, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)

"""Memory does not grow with the number of runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("anymdp-bench")


def peaks(tasks, out):
    """Peak memory of a command's driver and of its largest worker, MiB."""
    words = [
        "--env",
        "Garnet-16s5a2b-v0",
        "--tasks",
        str(tasks),
        "--episodes",
        "1",
        "--workers",
        "2",
    ]
    subprocess.run(
        [SCRIPT, "run", "--agent", "tql-ucb", *words, "--out", str(out), "--quiet"],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    timing = json.loads((out / "custom-tql-ucb.timing.json").read_text())
    return timing["driver_peak_mib"], timing["worker_peak_mib"]


@pytest.mark.slow
def test_a_thousand_runs_take_the_memory_of_a_hundred(tmp_path):
    """Keeping as little as 8 KiB of a run would be 7 MiB more."""
    few, many = peaks(100, tmp_path / "few"), peaks(1000, tmp_path / "many")
    assert many[0] - few[0] <= 4
    assert many[1] - few[1] <= 4

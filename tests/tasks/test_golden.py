"""The task behind a published id and seed is frozen: its fingerprint, recorded in golden/fingerprints.csv.

A change here means other tasks under the same name: then the id needs a new version (`-v1`), and the file is
added to, never edited. One exception: exp, log, sin and cos come from the C library, whose last digit may
differ between platforms, and with it a fingerprint (these were recorded on Linux x86-64, glibc 2.36).
"""

import csv
from pathlib import Path

import pytest

from anymdp_bench.tasks.family import sample_task

with (Path(__file__).parents[1] / "golden" / "fingerprints.csv").open(newline="") as file:
    RECORDED = [tuple(row.values()) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("env_id", "seed", "fingerprint"), RECORDED)
def test_fingerprint(env_id, seed, fingerprint):
    assert sample_task(env_id, int(seed)).fingerprint()[:16] == fingerprint

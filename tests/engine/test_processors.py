"""The number of cores: the affinity mask, and the limits of control groups."""

import math
import os
import subprocess
import sys

import pytest

from anymdp_bench.engine.processors import available_cores, read_quota


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


V1 = "11:memory:/docker/a1\n4:cpu,cpuacct:/docker/a1\n1:name=systemd:/\n"
FOLDER = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, 4),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000\n", "a/cpu.max": "400000 100000\n"}, 0.5),
        ("0::/a/b\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "nonsense\n"}, math.inf),
        ("0::/\n", {"cpu.max": "100 0\n"}, math.inf),
        # version 1: a container sees its own group at the top, under whatever name
        (V1, {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        (
            V1,
            {
                "cpu/docker/a1/cpu.cfs_quota_us": "200000",
                "cpu/docker/a1/cpu.cfs_period_us": "100000",
            },
            2,
        ),
        ("", {}, math.inf),
    ],
)
def test_quota(tmp_path, groups, files, cores):
    write(tmp_path, {"proc/self/cgroup": groups})
    write(tmp_path, {f"{FOLDER}/{name}": text for name, text in files.items()})
    assert read_quota(tmp_path) == cores


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert read_quota(tmp_path) == math.inf


@pytest.mark.parametrize(("quota", "cores"), [(0.2, 1), (1.0, 1), (1.5, 2), (math.inf, 8)])
def test_a_part_of_a_core_counts_as_one(monkeypatch, quota, cores):
    monkeypatch.setattr("anymdp_bench.engine.processors._visible_cores", lambda: 8)
    monkeypatch.setattr("anymdp_bench.engine.processors.read_quota", lambda: quota)
    assert available_cores() == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="it has no affinity masks")
def test_the_affinity_mask_counts():
    core = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{core}}});"
        "from anymdp_bench.engine.processors import available_cores; print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"

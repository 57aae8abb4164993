"""A part of `python tests/tools/kills.py --kills 50`: after random kills the result is the same."""

from pathlib import Path

import pytest
from kills import disturb

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc"),
]


def test_random_kills_change_nothing(tmp_path):
    killed, results = disturb(tmp_path, kills=5, seed=1)
    assert killed.total() == 5
    assert results >= 1


def test_random_kills_of_ray_nodes_change_nothing(tmp_path):
    pytest.importorskip("ray", reason="needs the extra ray")
    killed, _ = disturb(tmp_path, kills=2, seed=3, ray=True)
    assert killed.total() == 2

"""The same CSV on a Ray cluster of two nodes on loopback, one of which is killed on the way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = pytest.mark.slow

# Prints the address and the second node's process, and lives until stdin ends.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
own = {"node_ip_address": "127.0.0.1", "num_cpus": 1, "object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args=own | {"include_dashboard": False})
node = cluster.add_node(**own)
raylet = node.all_processes["raylet"][0].process.pid
print(cluster.address, raylet, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster():
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    words = process.stdout.readline().split()
    yield words[0], int(words[1])
    process.communicate("", timeout=60)


def run(folder, *words):
    command = [Path(sys.executable).with_name("anymdp-bench"), "run", "--agent", "tql-ucb"]
    command += ["--suite", "smoke", "--quiet", "--out", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return (folder / "smoke-tql-ucb.csv").read_bytes()


def test_a_cluster_gives_the_same_bytes_and_outlives_a_node(cluster, tmp_path):
    address, raylet = cluster
    expected = run(tmp_path / "local", "--workers", "1")
    assert run(tmp_path / "8", "--workers", "8") == expected
    words = ("--executor", "ray", "--ray-address", address)
    assert run(tmp_path / "both", *words) == expected
    os.kill(raylet, signal.SIGKILL)
    assert run(tmp_path / "one", *words, "--workers", "1") == expected

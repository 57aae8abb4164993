"""The same CSV with Ray: in a cluster of two nodes on loopback, one of which is killed on the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = pytest.mark.slow

SLOW = """
import time
import numpy as np

class Slow:
    version, trains, privileged = "1", True, False

    def start(self, streams):
        time.sleep(0.5)
        self.n_observations = streams.n_observations

    def act(self, observation, test=False):
        return np.zeros(1, int)

    def learn(self, step):
        pass

    def policy(self):
        return np.zeros((1, self.n_observations), int)
"""

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


# Ray takes 127.0.0.1 for this machine's outer address, unless it is told that there is no cluster but here.
LOOPBACK = os.environ | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture(scope="module")
def cluster():
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], env=LOOPBACK,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    words = process.stdout.readline().split()
    yield words[0], int(words[1])
    process.communicate("", timeout=60)


def start(folder, *words, agent="tql-ucb"):
    command = [Path(sys.executable).with_name("anymdp-bench"), "run", "--agent", agent]
    command += ["--suite", "smoke", "--quiet", "--out", str(folder), *words]
    return subprocess.Popen(
        command, cwd=folder.parent, env=LOOPBACK, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def result(process, folder):
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    (csv,) = folder.glob("*.csv")
    return csv.read_bytes()


def run(folder, *words, agent="tql-ucb"):
    return result(start(folder, *words, agent=agent), folder)


def test_a_cluster_gives_the_same_bytes(cluster, tmp_path):
    expected = run(tmp_path / "local", "--workers", "1")
    words = ("--executor", "ray", "--ray-address", cluster[0])
    assert run(tmp_path / "cluster", *words) == expected


def test_a_local_ray_gives_the_same_bytes(tmp_path):
    expected = run(tmp_path / "local", "--workers", "1")
    assert run(tmp_path / "ray", "--executor", "ray", "--workers", "2") == expected


def shards(folder, *words):
    """The shards, by name, of three sequences that fill one each."""
    command = [
        Path(sys.executable).with_name("anymdp-bench"),
        "data",
        "write",
        "--out",
        str(folder),
    ]
    command += ["--states", "8", "--actions", "2", "--sequences", "3", "--length", "600000", *words]
    subprocess.run(command, env=LOOPBACK, check=True, capture_output=True, timeout=600)
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def test_synthesis_in_processes_or_a_cluster_writes_the_same_shards(cluster, tmp_path):
    expected = shards(tmp_path / "one")
    assert sorted(expected) == [f"{k:06d}.safetensors" for k in range(3)]
    assert shards(tmp_path / "two", "--workers", "2") == expected
    words = ("--executor", "ray", "--ray-address", cluster[0])
    assert shards(tmp_path / "cluster", *words) == expected


def test_a_node_killed_at_work_changes_nothing(cluster, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    address, raylet = cluster
    expected = run(tmp_path / "local", "--workers", "2", agent="slow:Slow")
    words = ("--executor", "ray", "--ray-address", address)
    process = start(tmp_path / "killed", *words, agent="slow:Slow")
    end = time.monotonic() + 300
    while not list(tmp_path.glob("killed/.*/*.part")) and time.monotonic() < end:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    os.kill(raylet, signal.SIGKILL)
    assert result(process, tmp_path / "killed") == expected


def test_no_cluster_at_the_address_is_one_line_and_2(tmp_path):
    words = ("--executor", "ray", "--ray-address", "127.0.0.1")
    process = start(tmp_path / "out", *words)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err.count(b"\n")) == (2, 1), err
    assert err.startswith(b"anymdp-bench: no Ray cluster at 127.0.0.1: "), err

"""Kills commands at random moments and sees that the result is the undisturbed one, byte for byte.

Run it as `python tests/tools/kills.py --kills 50`: a kill is SIGKILL to the driver or a worker, or SIGINT or
SIGTERM to the driver. With `--ray` commands run on a cluster of two nodes, and a kill is SIGKILL to a node, a
worker or the driver.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from slow_command import ANY, Command, offspring

TASKS = 6  # of each of two environments, half a second a run
DEADLY = {"driver": signal.SIGKILL, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
LEFT = [
    f"{dot}custom-slow.Slow.{end}" for dot, end in ((".", "lock"), ("", "csv"), ("", "timing.json"))
]
INTERRUPTED = "anymdp-bench: interrupted; the same command goes on from here\n"

# Prints its address; then, at every line of stdin, kills its second node and prints the new one's address.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
own = {"node_ip_address": "127.0.0.1", "num_cpus": 1, "object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args=own | {"include_dashboard": False})
node = cluster.add_node(**own)
print(cluster.address, flush=True)
for line in sys.stdin:
    node.all_processes["raylet"][0].process.kill()
    cluster.remove_node(node, allow_graceful=False)
    node = cluster.add_node(**own)
    print(cluster.address, flush=True)
cluster.shutdown()
"""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}


class RayCluster:
    """Two nodes of one core each on loopback; the second can be killed."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER], env=os.environ | LOOPBACK, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()

    def kill_node(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == self.address

    def actors(self):
        """The processes of actors on both nodes."""
        found = offspring(self.process.pid)
        return {pid for pid in found if b"ray::Seat" in read(f"/proc/{pid}/cmdline")}

    def close(self):
        self.process.communicate("", timeout=ANY)


def read(path):
    """What a file of /proc holds; nothing once its process is gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def listens(pid):
    """Whether a process has a handler of SIGTERM."""
    found = read(f"/proc/{pid}/status").partition(b"SigCgt:")[2].split()
    return bool(found) and bool(int(found[0], 16) >> (signal.SIGTERM - 1) & 1)


class Disturber:
    """Kills commands, and keeps count."""

    def __init__(self, folder, kills, seed, ray):
        self.folder, self.left, self.rng = folder, kills, random.Random(seed)
        self.killed, self.results = Counter(), 0
        self.cluster = RayCluster() if ray else None
        self.words = ["--executor", "ray", "--ray-address", self.cluster.address] if ray else []
        self.victims = ["node", "worker", "driver"] if ray else ["worker", "worker", *DEADLY]

    def result(self):
        """Disturbs one command until its result is there; the result."""
        out, whole = f"out{self.results}", False
        while not whole:
            workers = self.rng.choice([1, 2, 3])
            environ = LOOPBACK if self.cluster else {}
            command = Command(self.folder, out, workers, TASKS, self.words, environ)
            whole = self.attempt(command)
            assert not list(command.out.rglob("*.tmp")) or not whole
        self.results += 1
        assert sorted(path.name for path in command.out.iterdir()) == LEFT
        return command.csv.read_bytes()

    def attempt(self, command):
        """Disturbs a command to its end, or until it is dead; whether its result is there."""
        victim = None
        while victim not in DEADLY and self.left and command.process.poll() is None:
            victim = self.kill(command)
        code, out, err = command.done()
        if code == 0:
            return True
        if code == 1:  # three workers killed at one run: it is named, and tried again next time
            assert "3 worker processes died of it" in err, err
        elif victim == "driver":
            assert code == -signal.SIGKILL, (code, err)
        else:
            assert (victim in DEADLY, code, out, err) == (True, 130, "", INTERRUPTED), (victim, err)
        return False

    def workers(self, command):
        return sorted(self.cluster.actors() if self.cluster else command.offspring())

    def kill(self, command):
        """Waits for a random while and kills; the victim, or None if the command was done before."""
        running = command.process
        while not listens(running.pid) and running.poll() is None:
            time.sleep(0.01)  # until then Python itself answers signals
        end = time.monotonic() + self.rng.random() * 6.0
        while time.monotonic() < end and running.poll() is None:
            time.sleep(0.01)
        victim, workers = self.rng.choice(self.victims), []
        if victim == "worker" and (self.cluster or command.workers > 1):  # else the driver plays
            while not (workers := self.workers(command)) and running.poll() is None:
                time.sleep(0.01)
        if running.poll() is not None:
            return None
        if not workers and victim == "worker":
            victim = "driver"
        if victim == "node":
            self.cluster.kill_node()
        elif victim == "worker":
            try:
                os.kill(self.rng.choice(workers), signal.SIGKILL)
            except ProcessLookupError:  # it ended just now
                return None
        else:
            running.send_signal(DEADLY[victim])
        self.left -= 1
        self.killed[victim] += 1
        return victim


def disturb(folder, kills, seed, ray=False):
    """Kills `kills` times; (how often each victim was killed, number of results compared)."""
    command = Command(folder, "undisturbed", workers=2, tasks=TASKS)
    code, _, err = command.done()
    assert code == 0, err
    disturber = Disturber(folder, kills, seed, ray)
    while disturber.left:
        assert disturber.result() == command.csv.read_bytes()
    if disturber.cluster:
        disturber.cluster.close()
    return disturber.killed, disturber.results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="kill nodes of a Ray cluster")
    given = parser.parse_args()
    # A shell's background jobs, and their children, ignore SIGINT unless they say otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        killed, results = disturb(Path(folder), given.kills, given.seed, given.ray)
    shown = ", ".join(f"{n} of {victim}" for victim, n in sorted(killed.items()))
    print(f"{killed.total()} kills ({shown}) in {time.monotonic() - begin:.0f} s:", end=" ")
    print(f"all {results} results equal the undisturbed one")

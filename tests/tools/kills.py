"""Kills commands at random moments, and checks that the result has the bytes of an undisturbed run.

Run it as `python tests/tools/kills.py --kills 50`. A kill is SIGKILL to the driver or to a worker, or
SIGINT or SIGTERM to the driver. With `--ray` the commands run on a cluster of two nodes, and a kill is
SIGKILL to a node, a worker or the driver.
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

from slow_command import TIMEOUT, Command, descendants

TASKS = 6  # tasks of each of two environments; a run takes half a second
DEADLY = {"driver": signal.SIGKILL, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
LEFT = [
    f"{dot}custom-slow.Slow.{end}" for dot, end in ((".", "lock"), ("", "csv"), ("", "timing.json"))
]
INTERRUPTED = "anymdp-bench: interrupted; the same command goes on from here\n"

# Prints the address of the cluster. Every line of stdin replaces the second node and prints it again.
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
    """Two nodes of one core each on the loopback network; the second node can be killed."""

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
        """Returns the processes of the actors on both nodes."""
        names = {pid: read(f"/proc/{pid}/cmdline") for pid in descendants(self.process.pid)}
        return {pid for pid, name in names.items() if b"ray::" in name and b"::IDLE" not in name}

    def close(self):
        self.process.communicate("", timeout=TIMEOUT)


def read(path):
    """Returns the content of a file of /proc; it is empty once the process has ended."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def handles_sigterm(pid):
    """Returns whether a process has a handler of SIGTERM."""
    found = read(f"/proc/{pid}/status").partition(b"SigCgt:")[2].split()
    return bool(found) and bool(int(found[0], 16) >> (signal.SIGTERM - 1) & 1)


class Disturber:
    """Kills commands, and counts the kills and the results."""

    def __init__(self, folder, kills, seed, ray):
        self.folder, self.left, self.rng = folder, kills, random.Random(seed)
        self.killed, self.results = Counter(), 0
        self.cluster = RayCluster() if ray else None
        self.words = ["--executor", "ray", "--ray-address", self.cluster.address] if ray else []
        self.victims = ["node", "worker", "driver"] if ray else ["worker", "worker", *DEADLY]

    def run_to_result(self):
        """Repeats one command, and disturbs it, until its result is complete; returns the result's bytes."""
        out, is_complete = f"out{self.results}", False
        while not is_complete:
            workers = self.rng.choice([1, 2, 3])
            environ = LOOPBACK if self.cluster else {}
            command = Command(self.folder, out, workers, TASKS, self.words, environ)
            is_complete = self.disturb(command)
            assert not list(command.out.rglob("*.tmp")) or not is_complete
        self.results += 1
        assert sorted(path.name for path in command.out.iterdir()) == LEFT
        return command.csv.read_bytes()

    def disturb(self, command):
        """Disturbs a command until it ends or is killed; returns whether its result is complete."""
        victim = None
        while victim not in DEADLY and self.left and command.process.poll() is None:
            victim = self.kill(command)
        code, out, err = command.done()
        if code == 0 or " units in " in err:  # a signal may come after the result has been reported
            return True
        if (
            code == 1
        ):  # three workers were killed at one run: the message names it, and it is tried again
            assert "3 worker processes died of it" in err, err
        elif victim == "driver":
            assert code == -signal.SIGKILL, (code, err)
        else:
            assert (victim in DEADLY, code, out, err) == (True, 130, "", INTERRUPTED), (victim, err)
        return False

    def workers(self, command):
        return sorted(self.cluster.actors() if self.cluster else descendants(command.process.pid))

    def kill(self, command):
        """Kills a random victim after a random time; returns it, or None if the command ended before."""
        running = command.process
        while not handles_sigterm(running.pid) and running.poll() is None:
            time.sleep(0.01)  # until then Python itself handles signals
        end = time.monotonic() + self.rng.random() * 6.0
        while time.monotonic() < end and running.poll() is None:
            time.sleep(0.01)
        victim, workers = self.rng.choice(self.victims), []
        if victim == "worker" and (self.cluster or command.workers > 1):  # one worker is the driver
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
    """Kills `kills` times; returns (how often each victim was killed, number of results compared)."""
    command = Command(folder, "undisturbed", workers=2, tasks=TASKS)
    code, _, err = command.done()
    assert code == 0, err
    disturber = Disturber(folder, kills, seed, ray)
    while disturber.left:
        assert disturber.run_to_result() == command.csv.read_bytes()
    if disturber.cluster:
        disturber.cluster.close()
    return disturber.killed, disturber.results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="kill nodes of a Ray cluster")
    given = parser.parse_args()
    # The background jobs of a shell, and their children, ignore SIGINT by default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        killed, results = disturb(Path(folder), given.kills, given.seed, given.ray)
    counts = ", ".join(f"{n} of {victim}" for victim, n in sorted(killed.items()))
    print(f"{killed.total()} kills ({counts}) in {time.monotonic() - begin:.0f} s:", end=" ")
    print(f"all {results} results equal the undisturbed one")

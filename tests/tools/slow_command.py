"""`anymdp-bench run` with a slow agent, as a process that tests can kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ENVIRONMENTS = ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"]
TIMEOUT = 300  # seconds; a process that takes longer has failed

# A learner whose runs take half a second each, so that a signal arrives while it plays.
SLOW = """
import time
import numpy as np

class Slow:
    version, trains, privileged = "1", True, False

    def start(self, streams):
        time.sleep(0.5)
        self.n_actions, self.table = streams.n_actions, np.zeros(streams.n_observations, np.int64)

    def act(self, observation, test=False):
        return self.table[observation]

    def learn(self, step):
        observation, action, reward, *_ = step
        self.table[observation] = (action + (reward < 0)) % self.n_actions

    def policy(self):
        return self.table[None]

class Breaks(Slow):
    def learn(self, step):
        raise OverflowError("too much\\nto learn")

class Dies(Slow):
    def learn(self, step):
        import os
        os._exit(9)
"""


class Command:
    """A process `anymdp-bench run` with the slow agent.

    It plays 2 x `tasks` runs of half a second or more. `words` are further options, and `environ` are further
    environment variables.
    """

    def __init__(self, folder, out, workers=1, tasks=2, words=(), environ=()):
        self.out, self.workers = folder / out, workers
        (folder / "slow.py").write_text(SLOW)
        line = ["run", "--agent", "slow:Slow", "--env", ENVIRONMENTS[0], "--env", ENVIRONMENTS[1]]
        line += ["--tasks", str(tasks), "--episodes", "20", "--workers", str(workers), "--out", out]
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("anymdp-bench"), *line, *words],
            cwd=folder,
            env=os.environ | dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # the jobs of a shell without job control ignore interrupts, and their children do too
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def parts(self):
        return len(list(self.out.glob(".custom-slow.Slow/*.part")))

    def until(self, condition):
        """Waits until condition() holds while the command runs."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        return self

    def descendants(self):
        return descendants(self.process.pid)

    def done(self):
        """Waits for the end; returns (exit code, stdout, stderr)."""
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err

    @property
    def csv(self):
        return self.out / "custom-slow.Slow.csv"


def descendants(pid):
    """Returns the processes that a process started, directly or indirectly."""
    found, new = set(), {pid}
    while new:
        found |= new
        new = {child for parent in new for child in children(parent)} - found
    return found - {pid}


def children(pid):
    """Returns the processes that any thread of a process started."""
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # the process has ended
        return []
    return [int(word) for text in texts for word in text.split()]


def is_alive(pid):
    """Returns whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def survivors(pids):
    """Waits up to ten seconds for the end of processes; returns those of `pids` that still run."""
    end = time.monotonic() + 10
    while (left := {pid for pid in pids if is_alive(pid)}) and time.monotonic() < end:
        time.sleep(0.05)
    return left

"""`anymdp-bench run` with a slow agent, as a process of its own that tests can kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ENVIRONMENTS = ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"]
ANY = 300  # seconds after which a process that should have done something is given up

# A learner that takes its time, so that a signal finds it at work: half a second a run.
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
    """`anymdp-bench run` with the slow agent as a process of its own: half a second and more a run.

    It has 2 `tasks` runs; `words` are further options, `environ` further environment variables.
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
            # a job of a shell without job control ignores interrupts, and hands that down
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def parts(self):
        return len(list(self.out.glob(".custom-slow.Slow/*.part")))

    def until(self, condition):
        """Waits until condition() holds while the command runs."""
        end = time.monotonic() + ANY
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        return self

    def offspring(self):
        return offspring(self.process.pid)

    def done(self):
        """(exit code, stdout, stderr)."""
        out, err = self.process.communicate(timeout=ANY)
        return self.process.returncode, out, err

    @property
    def csv(self):
        return self.out / "custom-slow.Slow.csv"


def offspring(pid):
    """The processes that a process started, and those that they did."""
    found, fresh = set(), {pid}
    while fresh:
        found |= fresh
        fresh = {c for parent in fresh for c in children(parent)} - found
    return found - {pid}


def children(pid):
    """The processes that any of its threads started."""
    try:
        listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it is gone
        return []
    return [int(word) for text in listed for word in text.split()]


def alive(pid):
    """Whether a process runs; a dead one that nobody has waited for does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def alive_at_last(pids):
    """Those of `pids` that still run after ten seconds."""
    end = time.monotonic() + 10
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < end:
        time.sleep(0.05)
    return left

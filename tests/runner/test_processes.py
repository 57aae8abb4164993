"""Whole commands that are killed, interrupted, or meet each other."""

import os
import signal
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

import numpy as np
import pytest
from slow_command import Command, survivors

from anymdp_bench.results.records import read_csv
from anymdp_bench.runner.local_workers import LocalWorkerPool


@pytest.fixture(scope="module")
def commands():
    """Makes a `Command`; whatever still runs at the end is killed."""
    made = []

    def make(*args, **keywords):
        made.append(Command(*args, **keywords))
        return made[-1]

    yield make
    for command in made:
        if command.process.poll() is None:
            command.process.kill()
        command.process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, commands):
    command = commands(tmp_path_factory.mktemp("undisturbed"), "out", workers=2)
    code, _, err = command.done()
    assert code == 0, err
    return command.csv.read_bytes()


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@needs_proc
def test_a_killed_driver_takes_its_workers_along_and_its_command_resumes(
    tmp_path, undisturbed, commands
):
    """Killed with two workers at the start, then with one worker half-way; then left in peace."""
    first = commands(tmp_path, "out", workers=2)
    first.until(lambda: (first.out / ".custom-slow.Slow" / "settings.json").exists())
    first.until(lambda: len(first.descendants()) >= 3)  # the fork server, its tracker or a worker
    orphans = first.descendants()
    first.process.send_signal(signal.SIGKILL)
    assert survivors(orphans) == set()  # while the dead driver is not yet waited for
    first.done()
    stored = first.parts()
    second = commands(tmp_path, "out", workers=1)
    second.until(lambda: second.parts() >= min(stored + 1, 3))
    second.process.kill()
    second.done()
    assert 1 <= second.parts() < 4
    assert not second.csv.exists()
    third = commands(tmp_path, "out", workers=1)
    code, _, err = third.done()
    assert code == 0, err
    assert third.csv.read_bytes() == undisturbed
    assert sorted(p.name for p in tmp_path.rglob("*.csv")) == ["custom-slow.Slow.csv"]
    assert not (third.out / ".custom-slow.Slow").exists()


@pytest.mark.parametrize(("stop", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_an_interrupted_command_says_so_in_one_line_and_resumes(
    tmp_path, undisturbed, commands, stop, workers
):
    command = commands(tmp_path, "out", workers=workers)
    command.until(lambda: command.parts() >= 1)
    command.process.send_signal(stop)
    code, out, err = command.done()
    assert code == 130
    assert out == ""
    assert err == "anymdp-bench: interrupted; the same command goes on from here\n"
    again = commands(tmp_path, "out", workers=workers)
    code, _, err = again.done()
    assert code == 0, err
    assert again.csv.read_bytes() == undisturbed


def test_a_second_command_on_the_same_out_is_refused(tmp_path, commands):
    first = commands(tmp_path, "out", workers=1)
    first.until(lambda: (first.out / ".custom-slow.Slow" / "settings.json").exists())
    os.kill(first.process.pid, signal.SIGSTOP)  # it holds the lock for as long as we like
    second = commands(tmp_path, "out", workers=1)
    code, out, err = second.done()
    os.kill(first.process.pid, signal.SIGCONT)
    assert code == 2
    assert out == ""
    assert err.startswith("anymdp-bench: another command is writing custom-slow.Slow in out;")
    assert err.count("\n") == 1
    assert first.done()[0] == 0  # unharmed
    assert np.isfinite(read_csv(first.csv)["score"]).all()


@pytest.mark.parametrize("victim", ["server", "tracker"])
def test_workers_start_though_a_process_that_starts_them_was_killed(victim):
    pool = LocalWorkerPool(str, 2)
    first = pool.spawn()
    assert first.receive() == "ready"
    server, tracker = forkserver._forkserver, resource_tracker._resource_tracker
    os.kill(server._forkserver_pid if victim == "server" else tracker._pid, signal.SIGKILL)
    second = pool.spawn()  # and without a warning, which would be an error here
    assert second.receive() == "ready"
    pool.close()
    server._stop()  # the next test's has its own environment

"""From a plan to a file: the same bytes whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from anymdp_baselines.tql_ucb import TQLUCB
from anymdp_bench.agents import AgentSpec
from anymdp_bench.execution.executor import Executor
from anymdp_bench.execution.output import OutputError
from anymdp_bench.execution.plan import PlanError, make_plan
from anymdp_bench.execution.run import RunError, run_plan
from anymdp_bench.records import COLUMNS, read_csv, read_header
from anymdp_bench.suites import Limits, custom_suite

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

    def learn(self, observation, action, reward, *_):
        self.table[observation] = (action + (reward < 0)) % self.n_actions

    def policy(self):
        return self.table[None]

class Breaks(Slow):
    def learn(self, *step):
        raise OverflowError("too much\\nto learn")

class Dies(Slow):
    def learn(self, *step):
        import os
        os._exit(9)
"""


def a_plan(agent="tql-ucb", episodes=12, tasks=2, **settings):
    suite = custom_suite(ENVIRONMENTS).with_overrides(tasks, None, Limits(episodes, None))
    return make_plan(suite, AgentSpec(agent), **settings)


def play(plan, out, workers=1, command="test"):
    return run_plan(plan, out, executor=Executor(workers), command=command)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def plan():
    return a_plan()


@pytest.fixture(scope="module")
def bytes_of_plan(plan, tmp_path_factory):
    return play(plan, tmp_path_factory.mktemp("whole")).csv.read_bytes()


# The plan


def test_a_plan_takes_one_run_a_unit_for_a_learner_that_trains(plan):
    assert [unit.env_id for unit in plan.units] == [e for e in ENVIRONMENTS for _ in range(2)]
    assert all(len(unit.runs) == 1 for unit in plan.units)
    assert (plan.context, plan.privileged) == ("none", False)
    assert plan.agent_version == TQLUCB.version
    assert (plan.budget.episodes, plan.budget.steps) == (12, None)


def test_a_plan_batches_all_runs_for_an_in_context_agent():
    suite = custom_suite(ENVIRONMENTS).with_overrides(2, 3)
    plan = make_plan(suite, AgentSpec("oracle"), seed=5, task_seed_start=10)
    assert [unit.env_id for unit in plan.units] == ENVIRONMENTS
    first = plan.units[0].runs
    assert [run_seed for _, run_seed in first] == [5, 6, 7, 5, 6, 7]
    assert all(task_seed >= 10 for task_seed, _ in first)
    assert (plan.context, plan.privileged) == ("empty", True)


def test_contexts_are_for_agents_that_do_not_train():
    with pytest.raises(PlanError, match="tql-ucb trains: it has no context"):
        a_plan(context="offline")
    plan = a_plan("random", context="imitation")
    assert plan.context == "imitation"
    assert {unit.context for unit in plan.units} == {"imitation"}


def test_tasks_beyond_the_public_seeds_are_refused():
    with pytest.raises(PlanError, match="start lower with --task-seed-start"):
        a_plan(task_seed_start=2**32 - 1)


# The file


def test_the_file_is_the_records_and_nothing_else_is_left(plan, tmp_path):
    outcome = play(plan, tmp_path / "a" / "b", command="the command")
    folder = tmp_path / "a" / "b"
    assert outcome.csv == folder / "custom-tql-ucb.csv"
    assert outcome.played == 4
    left = {"custom-tql-ucb.csv", "custom-tql-ucb.timing.json", ".custom-tql-ucb.lock"}
    assert set(names(folder)) == left
    frame = read_csv(outcome.csv)
    assert tuple(frame.columns) == COLUMNS
    assert frame.groupby(["env_id", "task_seed"], observed=True).size().tolist() == [12] * 4
    assert set(frame["measure"]) == {"exact"}
    header = read_header(outcome.csv)
    assert header["command"] == "the command"
    assert json.loads(header["settings"])["suite_hash"] == plan.suite.hash
    timing = json.loads((folder / "custom-tql-ucb.timing.json").read_text())
    assert (
        timing["steps"]
        == frame.groupby(["env_id", "task_seed"], observed=True)["steps"].max().sum()
    )
    assert timing["wall_seconds"] > 0


def test_workers_change_nothing(plan, bytes_of_plan, tmp_path):
    assert play(plan, tmp_path, workers=2).csv.read_bytes() == bytes_of_plan


def test_a_finished_result_is_left_as_it_is(plan, bytes_of_plan, tmp_path):
    csv = play(plan, tmp_path).csv
    before = csv.stat().st_mtime_ns
    again = play(plan, tmp_path)
    assert (again.csv, again.played) == (csv, 0)
    assert csv.stat().st_mtime_ns == before
    assert csv.read_bytes() == bytes_of_plan


def interrupted(plan, out, after):
    """Plays until `after` units are stored, and stops there as Ctrl-C would."""
    stored = set()

    def report(index, share, score):
        if share == 1.0:
            stored.add(index)
        if len(stored) > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, out, command="test", report=report)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_run_resumes_to_the_same_bytes(plan, bytes_of_plan, tmp_path, after):
    interrupted(plan, tmp_path, after)
    assert not list(tmp_path.rglob("*.csv"))
    counts = []
    outcome = run_plan(plan, tmp_path, command="test", begin=lambda *c: counts.append(c))
    assert counts == [(4, after)]
    assert outcome.played == 4 - after
    assert outcome.csv.read_bytes() == bytes_of_plan
    assert not (tmp_path / ".custom-tql-ucb").exists()


@pytest.mark.parametrize("damage", ["torn", "empty", "swapped"])
def test_damaged_parts_are_played_again(plan, bytes_of_plan, tmp_path, damage):
    interrupted(plan, tmp_path, 3)
    first, second, _ = sorted((tmp_path / ".custom-tql-ucb").glob("*.part"))
    if damage == "torn":
        first.write_bytes(first.read_bytes()[:-40])
    elif damage == "empty":
        first.write_bytes(b"")
    else:
        first.write_bytes(second.read_bytes())
    assert play(plan, tmp_path).csv.read_bytes() == bytes_of_plan


def test_what_a_dead_driver_left_half_written_is_swept_away(plan, tmp_path):
    (tmp_path / ".custom-tql-ucb.csv.999999.tmp").write_text("half a resul")
    play(plan, tmp_path)
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"episodes": 13}, "suite_hash"),
        ({"seed": 1}, "seed 0, this command 1"),
        ({"task_seed_start": 3}, "task_seed_start 0, this command 3"),
    ],
)
def test_other_settings_are_refused(plan, tmp_path, finished, settings, what):
    if finished:
        play(plan, tmp_path)
    else:
        interrupted(plan, tmp_path, 1)
    before = names(tmp_path)
    with pytest.raises(OutputError, match=what):
        play(a_plan(**settings), tmp_path)
    assert names(tmp_path) == before


def test_a_strangers_file_under_the_results_name_is_not_overwritten(plan, tmp_path):
    (tmp_path / "custom-tql-ucb.csv").write_text("my,notes\n1,2\n")
    with pytest.raises(OutputError, match="names no settings; move it away"):
        play(plan, tmp_path)
    assert (tmp_path / "custom-tql-ucb.csv").read_text() == "my,notes\n1,2\n"


def test_an_out_that_cannot_be_is_refused(plan, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"cannot write to .*file.*; give another --out"):
            play(plan, out)


def test_an_agent_that_breaks_ends_the_run_and_keeps_what_is_done(tmp_path, monkeypatch):
    (tmp_path / "breaking.py").write_text(SLOW.replace("sleep(0.5)", "sleep(0)"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for workers in (1, 2):
        with pytest.raises(RunError, match=r"agent breaking:Breaks on .*: OverflowError: too much"):
            play(a_plan("breaking:Breaks"), tmp_path, workers)


def test_an_agent_that_kills_its_workers_is_tried_again_and_given_up(tmp_path, monkeypatch):
    (tmp_path / "dying.py").write_text(SLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    what = r"agent dying:Dies on AnyMDP-16s5a-v0, task seed 0.*: 3 worker processes died of it"
    with pytest.raises(RunError, match=what):
        play(a_plan("dying:Dies"), tmp_path, workers=2)


# Whole processes


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


class Command:
    """`anymdp-bench run` with the slow agent, as a process of its own: 4 runs of half a second and more."""

    def __init__(self, folder, out, workers=1):
        self.out = folder / out
        (folder / "slow.py").write_text(SLOW)
        words = ["run", "--agent", "slow:Slow", "--env", ENVIRONMENTS[0], "--env", ENVIRONMENTS[1]]
        words += ["--tasks", "2", "--episodes", "20", "--workers", str(workers), "--out", out]
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("anymdp-bench"), *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
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
        found, fresh = set(), {self.process.pid}
        while fresh:
            found |= fresh
            fresh = {c for pid in fresh for c in children(pid)} - found
        return found - {self.process.pid}

    def done(self):
        """(exit code, stdout, stderr)."""
        out, err = self.process.communicate(timeout=ANY)
        return self.process.returncode, out, err

    @property
    def csv(self):
        return self.out / "custom-slow.Slow.csv"


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()] if listed.exists() else []


def alive(pid):
    """Whether a process runs; a dead one that nobody has waited for does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


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
    first.until(lambda: len(first.offspring()) >= 3)  # the fork server, its tracker or a worker
    orphans = first.offspring()
    first.process.send_signal(signal.SIGKILL)
    assert alive_at_last(orphans) == set()  # while the dead driver is not yet waited for
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


def alive_at_last(pids):
    """Those of `pids` that still run after ten seconds."""
    end = time.monotonic() + 10
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < end:
        time.sleep(0.05)
    return left


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

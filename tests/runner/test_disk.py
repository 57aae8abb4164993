"""Disks that are full, read-only or gone, clocks that go back, older files: one line, and nothing lost."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

import pytest
from first_format import to_first_format
from slow_command import ENVIRONMENTS

from anymdp_bench.agents import AgentSpec
from anymdp_bench.cli.app import run as command
from anymdp_bench.runner.output import OutputError
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import run_plan
from anymdp_bench.suites import Limits, custom_suite

EPISODES = 60  # a part of three to four KiB


@pytest.fixture(scope="module")
def plan():
    suite = custom_suite(ENVIRONMENTS).with_overrides(2, None, Limits(EPISODES, None))
    return make_plan(suite, AgentSpec("tql-ucb"))


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    return run_plan(plan, tmp_path_factory.mktemp("whole"), command="test").csv.read_bytes()


@pytest.fixture
def disk(tmp_path):
    """disk(options) mounts a file system in memory, or changes it; its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def parts(folder):
    return {path.name: path.read_bytes() for path in folder.glob(".custom-tql-ucb/*.part")}


def test_a_full_disk_keeps_what_is_done(plan, whole, disk):
    out = disk("size=20k")
    with pytest.raises(
        OutputError, match=r"No space left on device; free some space, and the same"
    ):
        run_plan(plan, out, command="test")
    kept = parts(out)
    assert 1 <= len(kept) < 4
    assert not [*out.rglob("*.tmp"), *out.rglob("*.csv")]
    disk("remount,size=1m")
    again = run_plan(plan, out, command="test")
    assert again.played == 4 - len(kept)
    assert again.csv.read_bytes() == whole


def test_a_disk_too_full_for_the_result_keeps_the_parts(plan, whole, tmp_path):
    """Every part fits the limit on a file's size, the result does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, hard))
    try:
        with pytest.raises(OutputError, match=r"File too large; free some space"):
            run_plan(plan, tmp_path, command="test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(parts(tmp_path)) == 4
    assert not [*tmp_path.rglob("*.tmp"), *tmp_path.rglob("*.csv")]
    again = run_plan(plan, tmp_path, command="test")
    assert (again.played, again.csv.read_bytes()) == (0, whole)


def test_a_read_only_disk_is_one_line_and_2(disk, capsys):
    out = disk("ro")
    words = ["run", "--agent", "tql-ucb", "--env", ENVIRONMENTS[0], "--tasks", "1"]
    assert command([*words, "--episodes", "5", "--quiet", "--out", str(out / "below")]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "Read-only file system; give another --out" in shown.err


@pytest.mark.skipif(not os.geteuid(), reason="root may write everywhere")
def test_a_read_only_directory_is_one_line(plan, whole, tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="Permission denied; give another --out"):
        run_plan(plan, tmp_path, command="test")
    tmp_path.chmod(0o755)
    assert run_plan(plan, tmp_path, command="test").csv.read_bytes() == whole


def test_an_output_directory_that_is_removed_is_one_line(plan, whole, tmp_path):
    out = tmp_path / "out"

    def remove(index, share, score):
        shutil.rmtree(out, ignore_errors=True)

    with pytest.raises(OutputError, match="was the folder removed"):
        run_plan(plan, out, command="test", report=remove)
    assert run_plan(plan, out, command="test").csv.read_bytes() == whole


def test_a_full_standard_output_is_one_line_and_2(tmp_path, plan):
    csv = run_plan(plan, tmp_path, command="test").csv
    code = "import sys; from anymdp_bench.cli import main; main()"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "table", str(csv)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2, "anymdp-bench: cannot write to standard output: No space left on device\n",
    )  # fmt: skip


def test_a_clock_that_goes_back_changes_nothing(plan, whole, tmp_path, monkeypatch):
    with pytest.raises(RuntimeError):
        run_plan(plan, tmp_path, command="test", report=stop_after(2))
    later = time.time() + 1e6
    for path in tmp_path.rglob("*"):
        os.utime(path, (later, later))
    ticks = iter(range(10**9, 0, -(10**5)))
    monkeypatch.setattr(time, "time", lambda: float(next(ticks)))
    again = run_plan(plan, tmp_path, command="test")
    assert again.csv.read_bytes() == whole
    assert json.loads((tmp_path / "custom-tql-ucb.timing.json").read_text())["wall_seconds"] >= 0


def stop_after(units):
    """A report that raises once so many units are stored."""
    stored = set()

    def report(index, share, score):
        stored.update({index} if share == 1.0 else ())
        if len(stored) > units:
            raise RuntimeError

    return report


@pytest.mark.parametrize("version", [None, 1, 3, "2"])
def test_unfinished_runs_of_another_version_are_refused_and_kept(plan, tmp_path, version):
    with pytest.raises(RuntimeError):
        run_plan(plan, tmp_path, command="test", report=stop_after(2))
    settings = tmp_path / ".custom-tql-ucb" / "settings.json"
    found = json.loads(settings.read_text())
    found.pop("parts") if version is None else found.update(parts=version)
    settings.write_text(json.dumps(found))
    kept = parts(tmp_path)
    with pytest.raises(OutputError, match="unfinished runs of another version"):
        run_plan(plan, tmp_path, command="test")
    assert parts(tmp_path) == kept


def test_a_finished_result_of_an_older_schema_is_refused_and_kept(plan, tmp_path):
    """Its settings name no first task seed."""
    csv = run_plan(plan, tmp_path, command="test").csv
    old = to_first_format(csv).decode().replace(', "task_seed_start": 0', "")
    csv.write_text(old)
    with pytest.raises(OutputError, match="has task_seed_start None, this command 0; give another"):
        run_plan(plan, tmp_path, command="test")
    assert csv.read_text() == old


def test_a_finished_result_of_the_first_format_is_complete(plan, tmp_path):
    csv = run_plan(plan, tmp_path, command="test").csv
    new, old = csv.read_bytes(), to_first_format(csv)
    csv.write_bytes(old)
    assert run_plan(plan, tmp_path, command="test").played == 0
    assert csv.read_bytes() == old
    csv.unlink()
    assert run_plan(plan, tmp_path, command="test").csv.read_bytes() == new

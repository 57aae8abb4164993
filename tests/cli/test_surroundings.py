"""The command where other people put it: odd terminals, odd folders, neighbours, agents that talk."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from anymdp_bench.cli.app import run
from anymdp_bench.cli.streams import prepare_streams
from anymdp_bench.runner.output import OutputError, writable

SCRIPT = str(Path(sys.executable).with_name("anymdp-bench"))
SMALL = [
    "--env",
    "Darkroom-8x8-v0",
    "--env",
    "Darkroom-6x6-v0",
]  # a piece of work for each of two workers
SMALL += ["--runs", "1", "--episodes", "2", "--quiet"]
RANDOM = ["run", "--agent", "random", *SMALL]

LOUD = """
import atexit, ctypes, os, subprocess, sys
from anymdp_baselines.tabular.random import Random as Base

print("at import")
atexit.register(print, "at exit")

class Random(Base):
    version = "loud"

    def start(self, batch):
        super().start(batch)
        print("by print")
        sys.__stdout__.write("past sys.stdout\\n")
        os.write(1, b"to file 1\\n")
        ctypes.CDLL(None).puts(b"from C")
        ctypes.CDLL(None).fflush(None)
        subprocess.run(["echo", "by a child"])
        os.chdir("/")
"""
SAID = ["at import", "by print", "past sys.stdout", "to file 1", "from C", "by a child"]
NEIGHBOURS = ("copy", "logging", "queue", "signal", "types")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with one small result."""
    out = tmp_path_factory.mktemp("results")
    assert run([*RANDOM, "--workers", "1", "--out", str(out)]) == 0
    return out


@pytest.fixture
def crowded(tmp_path, monkeypatch):
    """A working directory whose files are called like modules of Python; `random.py` holds an agent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in NEIGHBOURS:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not the module you want')")
    (tmp_path / "random.py").write_text(LOUD)
    return tmp_path


def script(*words, **settings):
    """Runs the installed command."""
    return subprocess.run([SCRIPT, *map(str, words)], capture_output=True, check=False, **settings)


# Streams


@pytest.mark.parametrize(
    "words", [["table"], ["table", "--overall"], ["table", "--format", "markdown"]]
)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_table_fits_every_encoding(results, monkeypatch, words, encoding):
    """Where a rule or a dash is unknown, ASCII stands for it; the columns keep their places."""
    shown = {}
    for name in ("utf-8", encoding):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=name, newline=""))
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        prepare_streams()
        assert run([words[0], str(results), *words[1:]]) == 0
        shown[name] = raw.getvalue().decode(name)
    expected = "".join(
        c if c.encode(encoding, "ignore") else {"─": "-", "—": "-"}[c] for c in shown["utf-8"]
    )
    assert shown[encoding] == expected


def test_names_that_are_no_text_are_printed_byte_by_byte(results, tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff [b] %d #"
    os.mkdir(folder)
    done = subprocess.run(
        [SCRIPT, "draw", "Darkroom-8x8-v0", "--out", folder + b"/a b.png"],
        capture_output=True,
        env=os.environ | {"MPLBACKEND": "module://no_such_backend.of_a_notebook"},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, folder + b"/a b.png\n", b"")
    assert os.listdir(folder) == [b"a b.png"]


def test_closed_streams_and_a_long_temporary_folder_are_no_error(crowded, results):
    """No file gets what is printed, and workers start where the server that forks them has no socket."""
    folder = crowded / ("x" * 100)
    folder.mkdir()
    words = " ".join([*RANDOM, "--workers", "2", "--out", "closed"])
    environment = os.environ | {"TMPDIR": str(folder)}
    command = f"{SCRIPT} {words} <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, env=environment, check=False).returncode == 0
    name = "custom-random.csv"
    assert (crowded / "closed" / name).read_bytes() == (results / name).read_bytes()


def test_missing_streams_are_no_error(results, monkeypatch):
    """As in a process that was started without a console."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run(["table", str(results)]) == 0
    assert run(["table", "nowhere"]) == 2
    assert run([*RANDOM, "--workers", "1", "--out", str(results)]) == 0


def on_terminal(*words, **environment):
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([SCRIPT, *words], stdout=theirs, env=os.environ | environment) as process:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 2**16):
                parts.append(part)
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return b"".join(parts).decode()


def test_a_terminal_without_colours_gets_none_and_its_width_is_kept(results):
    shown = on_terminal("table", str(results), TERM="dumb", COLUMNS="40")
    assert "\x1b" not in shown
    assert "Darkroom-8x8-v0" in shown
    assert max(map(len, shown.splitlines())) <= 40


def test_what_an_agent_prints_goes_to_stderr(crowded, capfd):
    """From this process and from workers, beside files called like modules, in a folder that it leaves."""
    words = ["run", "--agent", "./random.py:Random", *SMALL, "--json"]
    done = script(*words, "--workers", "2", "--out", "two", cwd=crowded, text=True)
    assert done.returncode == 0, done.stderr
    assert [line for line in [*SAID, "at exit"] if line not in done.stderr] == []
    assert run([*words, "--workers", "1", "--out", "one"]) == 0
    shown = capfd.readouterr()
    assert set(shown.err.splitlines()) == set(SAID)
    assert [row["agent"] for row in json.loads(shown.out)] == ["random.py:Random"] * 2
    assert shown.out == done.stdout
    one, two = (crowded / out / "custom-random.py.Random.csv" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


# Folders


def test_a_working_directory_that_was_removed_is_one_line(tmp_path):
    (tmp_path / "gone").mkdir()
    words = " ".join([*RANDOM, "--out", str(tmp_path / "results")])
    done = subprocess.run(
        f"rmdir ../gone; {sys.executable} -m anymdp_bench {words}",
        shell=True, cwd=tmp_path / "gone", capture_output=True, text=True, check=False,
    )  # fmt: skip
    expected = "anymdp-bench: the working directory was removed; change to another one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_what_stands_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nothing")
    for name in ("file", "file/below/it", "link", "link/below"):
        wrong = tmp_path / name.partition("/")[0]
        message = f"{wrong} is no folder; give another --out$"
        with pytest.raises(OutputError, match=message), writable(tmp_path / name):
            pass


def test_hidden_copies_beside_a_result_are_no_results(results, tmp_path, capsys):
    """Jupyter keeps a copy of what it shows, and macOS notes about every file."""
    for folder in (".ipynb_checkpoints", "old.csv"):
        (tmp_path / folder).mkdir()
    text = (results / "custom-random.csv").read_text()
    for name in ("a.csv", ".ipynb_checkpoints/a-checkpoint.csv"):
        (tmp_path / name).write_text(text)
    (tmp_path / "._a.csv").write_bytes(b"\0\5\26\7")
    capsys.readouterr()
    assert run(["table", str(tmp_path)]) == run(["table", str(results)]) == 0
    shown = capsys.readouterr().out
    assert shown == shown[: len(shown) // 2] * 2

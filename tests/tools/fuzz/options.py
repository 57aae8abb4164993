"""The target of the command line: every command and option, in this process."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from itertools import chain

import typer
from hypothesis import strategies as st

from anymdp_bench.cli.app import app, run

from .target import Target

HOSTILE = [
    "", " ", "-", "--", "-1", "nan", "inf", "1e999", "9" * 40, "0x1", "1_0", "\u0663", "\x1b[31m",
    "x" * 300, "../x", "a/b/c", "file", "folder", "bad.csv", "good.csv", "/dev/null", "/proc/no/x",
    "=1+1", "%s%n", "{0}", "$(true)", "\u202e", "\udcff", "os:getcwd", "json:loads", "nobody",
    "AnyMDP-v0", "Garnet-1s5a2b-v0", "CliffWalking-v9", "tiny.png", "x.gif", "[bold]", "None", "True",
]  # fmt: skip
CHEAP = [
    "--agent", "tql-ucb", "--env", "Garnet-16s5a2b-v0", "--tasks", "1", "--episodes", "2",
    "--workers", "1", "--out", "out",
]  # fmt: skip
# An accepted line of these commands would take long, so these options make every line a refused one.
REFUSED = {
    "train": ["--preset", "none"], "record": ["--agent", "nobody"], "play": ["--agent", "nobody"],
    "draw": ["--out", "picture.txt"], "show": ["--out", "picture.txt"],
    "study": ["--scale", "none"], "data write": ["--states", "1"], "leaderboard verify": ["--tasks", "0"],
    "leaderboard build": ["nothing.csv"],
}  # fmt: skip
CODES = {0, 1, 2}


def _commands(command, path=()):
    """Yields (path, command) of every command without subcommands."""
    found = getattr(command, "commands", None)
    if not found:
        yield path, command
    for name, below in (found or {}).items():
        yield from _commands(below, (*path, name))


def lines():
    """Strategy of argument lists."""
    return st.one_of(
        *(_line(path, command) for path, command in _commands(typer.main.get_command(app)))
    )


def _line(path, command):
    options = ["--help"]
    options += [
        o for p in command.params for o in [*p.opts, *p.secondary_opts] if o.startswith("-")
    ]
    value = st.sampled_from(HOSTILE)
    word = st.one_of(value, st.sampled_from(options), st.text(max_size=6).filter(_possible))
    pair = st.tuples(st.sampled_from(options), value).map(list)
    some = st.lists(st.one_of(pair, word.map(lambda w: [w])), max_size=4)
    cheap = CHEAP if path == ("run",) else []
    refused = next((end for name, end in REFUSED.items() if " ".join(path).startswith(name)), [])
    return some.map(lambda found: [*path, *cheap, *chain(*found), *refused])


def _possible(text):
    """Returns whether the text can be a command-line argument."""
    return "\0" not in text and not any("\ud800" <= c < "\udc80" for c in text)


def call(words, folder):
    """Runs a command line; its code must be documented, and a refusal must be one printable line."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    path = sys.path.copy()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(words)
    sys.path[:] = path
    err.flush()
    errors = err.buffer.getvalue().decode()
    assert code in CODES, (words, code, errors)
    if code == 2:
        last = errors.rstrip("\n").split("\n")[-1]
        assert last.startswith("anymdp-bench: "), (words, errors)
        assert last.isprintable(), (words, errors)
        assert "Traceback" not in errors, (words, errors)


def targets(folder):
    """Yields one target, which is all commands."""
    (folder / "folder").mkdir(exist_ok=True)
    (folder / "file").write_bytes(b"no,table\n\xff")
    (folder / "bad.csv").write_text("suite,agent\n1,2\n")
    yield Target("command line", lines(), call, 2)

"""The application: its commands, and how errors become messages and exit codes."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from importlib.metadata import entry_points

import typer

from anymdp_bench import __version__
from anymdp_bench.cli import draw as draw_command
from anymdp_bench.cli import leaderboard as leaderboard_command
from anymdp_bench.cli import list as list_command
from anymdp_bench.cli import plot as plot_command
from anymdp_bench.cli import record as record_command
from anymdp_bench.cli import run as run_command
from anymdp_bench.cli import study as study_command
from anymdp_bench.cli import table as table_command
from anymdp_bench.cli.interrupt import INTERRUPTED, MESSAGE
from anymdp_bench.cli.usage import explain_usage
from anymdp_bench.runner.progress import complain

_NARROW = 76  # columns; below, rich's help tables cut off the names of options


def _has_boxes() -> bool:
    """Whether help is set in boxes; elsewhere, as in a pipe, it is plain text that wraps."""
    is_terminal = (
        sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    )
    return is_terminal and shutil.get_terminal_size().columns >= _NARROW


app = typer.Typer(
    name="anymdp-bench",
    help="A Gymnasium benchmark for agents that learn within a task.\n\n"
    "Begin with `anymdp-bench run --agent tql-ucb --suite smoke`; every command's `--help` has examples.",
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown" if _has_boxes() else None,
)
app.command("run")(run_command.run)
app.command("table")(table_command.table)
app.command("plot")(plot_command.plot)
app.command("study")(study_command.study)
app.command("record")(record_command.record)
app.command("draw")(draw_command.draw)
app.command("play", hidden=True)(record_command.record)  # its name up to version 0.1
app.command("show", hidden=True)(draw_command.draw)  # its name up to version 0.1
app.add_typer(list_command.app, name="list")
app.add_typer(leaderboard_command.app, name="leaderboard")
for _point in sorted(
    entry_points(group="anymdp_bench.commands")
):  # `train` and `data`, and those of other packages
    app.add_typer(_point.load(), name=_point.name)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"anymdp-bench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


# Newer versions of Typer carry their own copy of click. In all of them, this is the base of usage errors.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit code."""
    if _is_folder_gone():
        complain("the working directory was removed; change to another one")
        return 2
    try:
        code = app(args=arguments, prog_name="anymdp-bench", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        if code == INTERRUPTED:  # what Typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except _UsageError as error:
        complain(explain_usage(error, typer.main.get_command(app), arguments))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        complain(MESSAGE)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of stdout went away: `anymdp-bench table | head`
        _close_stdout()
        return 0
    except OSError as error:
        complain(
            f"cannot write to {error.filename or 'standard output'}: {error.strerror or error}"
        )
        _close_stdout()
        return 2
    except ValueError as error:
        code = _find_exit_code(error)
        if code is None:
            raise
        complain(str(error))
        return code


def _find_exit_code(error: ValueError) -> int | None:
    """The exit code of an error whose message is for the user; None for a mistake of ours.

    The classes are imported here, since with them come pandas and Numba, which most commands do not need.
    """
    from anymdp_bench.agents import AgentError
    from anymdp_bench.mdp import TaskError
    from anymdp_bench.paths import PathError
    from anymdp_bench.rendering.video import VideoError
    from anymdp_bench.results.schema import RecordError
    from anymdp_bench.runner.output import OutputError
    from anymdp_bench.runner.plan import PlanError
    from anymdp_bench.runner.run import RunError
    from anymdp_bench.runner.worker_pool import ExecutorError
    from anymdp_bench.suites import SuiteError
    from anymdp_bench.tracking import TrackError

    if isinstance(error, RunError):
        return 1
    bad = (
        AgentError, ExecutorError, OutputError, PathError, PlanError, RecordError, VideoError, SuiteError,
        TaskError, TrackError,
    )  # fmt: skip
    return 2 if isinstance(error, bad) else None


def _is_folder_gone() -> bool:
    """Whether the working directory was removed, where no relative name and no worker can be had."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _close_stdout() -> None:
    """Sends what was not written nowhere, so that Python does not complain when it exits."""
    with suppress(OSError, AttributeError):  # standard output is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

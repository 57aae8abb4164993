"""The format of a result file: its columns, and the checks that a file must pass.

A result file is a CSV file in UTF-8: one header line, then one row per scored episode or test. Lines
`# key: value` may stand above. The first thirteen columns are the published contract. Our further columns
follow; a file from elsewhere may lack them or have others. This module defines what a valid file is and makes
the errors about an invalid one; `records` reads and writes the files. The checks are array operations, since
a file of a full budget has about a million rows. Only a file that has failed already is read line by line,
to find the place of the error (`first_error`).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from anymdp_bench.spelling import offer

CONTRACT = (
    "suite",
    "suite_hash",
    "agent",
    "agent_version",
    "env_id",
    "task_seed",
    "run_seed",
    "context",
    "episode",
    "steps",
    "return",
    "return_corrected",
    "score",
)
"""The first thirteen columns of every result file, in this order."""

COLUMNS = (*CONTRACT, "regret", "measure", "gap")
"""All columns that we write.

`regret` is the run's cumulative exact regret. `measure` says how the row was measured (see `MEASURES`). `gap`
is the task's oracle return minus its random return; it turns a corrected score into a raw one:
raw = score + (return - return_corrected) / gap."""

RUN_KEY = CONTRACT[:8]
"""The columns that together name one run."""

TEXT = ("suite", "suite_hash", "agent", "agent_version", "env_id", "context", "measure")
WHOLE = ("task_seed", "run_seed", "episode", "steps")
REAL = ("return", "return_corrected", "score", "regret", "gap")

CONTEXTS = ("none", "empty", "offline", "imitation")
"""The starting contexts of a run; `none` is that of a learner that trains."""

MEASURES = ("exact", "test", "episode")
"""How a row was measured.

`exact` is a test: the exact expected score of the policy. `test` is a test too: the mean of five sampled
episodes. `episode` is an episode that an in-context learner plays; all its episodes count."""


PROTOCOL, DEFAULT_PROTOCOL = "protocol", "default"
"""What a file says of itself where its tasks were chosen and played by other rules than the default ones:
the key of the metadata, and the column of a frame of several files, in which other files have the default."""


class RecordError(ValueError):
    """A result file that breaks the format; the message is one line with the file, line, column and fix."""


def make_record_error(path: Path, line: int, column: str, what: str, fix: str) -> RecordError:
    """Makes the error of one place in a file: `what` is wrong there, and `fix` says how to correct it."""
    return RecordError(f"{path}: line {line}, column {column!r}: {what}; {fix}")


def check_columns(path: Path, line: int, names: Sequence[str]) -> None:
    """Checks the column names of a header line.

    Raises:
        RecordError: `names`, which stand on `line`, do not start with CONTRACT, or a name is blank or
            repeated.
    """
    for separator in ";\t":
        if names and names[0].startswith(CONTRACT[0] + separator):
            what = f"columns are separated by {separator!r}"
            raise make_record_error(path, line, CONTRACT[0], what, "save the file with commas")
    for index, expected in enumerate(CONTRACT):
        found = names[index] if index < len(names) else "nothing"
        if found != expected:
            raise make_record_error(
                path,
                line,
                expected,
                f"the header has {found[:40]!r} as column {index + 1}",
                "the first 13 columns must be " + ",".join(CONTRACT),
            )
    for index, name in enumerate(names):
        if not name.strip() or name in names[:index]:
            what = f"the header has {name[:40]!r} as column {index + 1}"
            raise make_record_error(path, line, name[:40], what, "name every column, and each once")


def check_rows(
    path: Path, lines: npt.NDArray[np.intp], frame: pd.DataFrame
) -> npt.NDArray[np.intp]:
    """Checks all rows of a parsed file.

    Args:
        path: the file, for the error.
        lines: the line of the file that each row stands on [rows], for the error.
        frame: the rows. Text columns must be categorical. Where `measure` is absent, the rows of a run with a
            context count as episodes.

    Returns:
        The order [rows] that brings the rows of each run together; the runs keep the order of first
        appearance.

    Raises:
        RecordError: a row breaks the format; the error is about the first one found.
    """
    for column in frame.columns:
        if column in WHOLE:
            bad = frame[column] < 0
            _require(path, lines, frame, column, bad, "is negative", "counts start at 0")
        elif column in REAL:
            bad = ~np.isfinite(frame[column])
            _require(path, lines, frame, column, bad, "is not finite", "write a finite number")
        else:
            _check_text(path, lines, frame, column)
    if "gap" in frame:
        _require(path, lines, frame, "gap", frame["gap"] <= 0, "is not positive", "drop that task")
    return _check_runs(path, lines, frame)


def _require(
    path: Path,
    lines: npt.NDArray[np.intp],
    frame: pd.DataFrame,
    column: str,
    bad: Any,
    what: str,
    fix: str,
) -> None:
    """Raises an error that quotes the value of the first row where the boolean array `bad` [rows] is true."""
    is_bad = np.asarray(bad)
    if is_bad.any():
        row = int(is_bad.argmax())
        value = str(frame[column].iloc[row])[:40]
        raise make_record_error(path, int(lines[row]), column, f"{value} {what}", fix)


def _check_text(path: Path, lines: npt.NDArray[np.intp], frame: pd.DataFrame, column: str) -> None:
    """Checks that every value is printable and not blank, and that contexts and measures are known ones."""
    values = frame[column].cat
    allowed = {"context": CONTEXTS, "measure": MEASURES}.get(column)
    for code, text in enumerate(values.categories):
        if not text.strip():
            what, fix = "the field is blank", "write a value"
        elif not text.isprintable():
            what, fix = f"{text[:40]!r} has control characters", "write plain text"
        elif allowed and text not in allowed:
            what, fix = f"{text[:40]!r} is unknown", offer(text, allowed)
        else:
            continue
        row = int(np.argmax(np.asarray(values.codes) == code))
        raise make_record_error(path, int(lines[row]), column, what, fix)


def group_runs(frame: pd.DataFrame) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Groups rows by run.

    Returns:
        (order [rows], starts [runs]). `order` brings the rows of each run together; runs keep the order of
        first appearance, and the rows of a run keep their order. `starts` are the positions in `order` where
        a run begins.
    """
    code = frame.groupby(list(RUN_KEY), sort=False, observed=True).ngroup().to_numpy()
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    return order, starts


def _check_runs(
    path: Path, lines: npt.NDArray[np.intp], frame: pd.DataFrame
) -> npt.NDArray[np.intp]:
    """Checks each run as a whole, and returns the order of its rows as `group_runs` does.

    The episodes of a run rise, and those of an in-context run are 1, 2, 3 and so on. Its steps never fall.
    Its measure and its gap stay the same.
    """
    order, starts = group_runs(frame)
    first = np.zeros(len(order), dtype=bool)
    first[starts] = True
    episode = frame["episode"].to_numpy()[order]
    rise = np.diff(episode, prepend=0)

    def require(column: str, bad: npt.NDArray[np.bool_], what: str, fix: str) -> None:
        bad_rows = np.zeros(len(order), dtype=bool)
        bad_rows[order] = bad
        _require(path, lines, frame, column, bad_rows, what, fix)

    require(
        "episode",
        ~first & (rise <= 0),
        "repeats or goes back within its run",
        "list each episode of a run once, in order",
    )
    fell = np.diff(frame["steps"].to_numpy()[order], prepend=0) < 0
    require("steps", ~first & fell, "is less than the run's steps before", "count all its steps")
    for column in ("measure", "gap"):
        if column in frame:
            values = frame[column]
            array = (values.cat.codes if column == "measure" else values).to_numpy()[order]
            changed = np.append(False, array[1:] != array[:-1])
            require(column, ~first & changed, "changes within its run", "keep one for a run")
    counted = (frame["measure"] == "episode") if "measure" in frame else frame["context"] != "none"
    skipped = np.where(first, episode != 1, rise != 1) & counted.to_numpy()[order]
    require("episode", skipped, "skips episodes", "an in-context run scores all, from 1")
    return order


def fill_missing(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the frame with exactly the columns COLUMNS.

    Where `regret` or `gap` is absent, it becomes NaN. Where `measure` is absent, it follows from the context.
    """
    filled = frame.copy(deep=False)
    for column in ("regret", "gap"):
        if column not in filled:
            filled[column] = np.nan
    if "measure" not in filled:
        counts = np.asarray(filled["context"] != "none")
        filled["measure"] = pd.Categorical(np.where(counts, "episode", "test"))
    return filled[list(COLUMNS)]


def is_printable(values: Iterable[str]) -> bool:
    """Returns whether all values may stand in a text column: each is printable and not blank."""
    return all(value.strip() and value.isprintable() for value in values)

"""The format of a result file: its columns, and the checks that a file must pass.

A result file is UTF-8 CSV, one row per scored episode or test point: leading `# key: value`
comment lines, one header line, then rows. The first thirteen columns are the published contract;
ours follow, and a file from elsewhere may lack them or bring others. This module knows what a
valid file is and words the complaint about an invalid one; `records` reads and writes files. The
checks are array operations, since a full-budget file has about a million rows; only a file that
has already failed is walked line by line, to say where.
"""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

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
"""The thirteen columns every result file starts with, in this order."""

COLUMNS = (*CONTRACT, "regret", "measure", "gap")
"""All columns that we write. `regret` is the run's cumulative exact regret, `measure` how the row
was measured (see `MEASURES`), `gap` the task's oracle return less its random return, which turns
the corrected score into the raw one: raw = score + (return - return_corrected) / gap."""

RUN_KEY = CONTRACT[:8]
"""The columns which together name one run."""

TEXT = ("suite", "suite_hash", "agent", "agent_version", "env_id", "context", "measure")
WHOLE = ("task_seed", "run_seed", "episode", "steps")
REAL = ("return", "return_corrected", "score", "regret", "gap")

CONTEXTS = ("none", "empty", "offline", "imitation")
"""What a run starts from; `none` is a learner that trains."""

MEASURES = ("exact", "test", "episode")
"""`exact`: a test point, the policy's exact expected score. `test`: a test point, the mean of five
sampled test episodes. `episode`: an acting episode of an in-context learner, all of which count."""


class RecordError(ValueError):
    """A result file breaks the format; the message is one line: file, line, column and cure."""


def complaint(path: Path, line: int, column: str, what: str, fix: str) -> RecordError:
    """The error for one breach, worded in the one way all of them are."""
    return RecordError(f"{path}: line {line}, column {column!r}: {what}; {fix}")


def check_columns(path: Path, line: int, names: Sequence[str]) -> None:
    """Raise RecordError unless `names`, found on `line`, start with CONTRACT and do not repeat."""
    for index, expected in enumerate(CONTRACT):
        found = names[index] if index < len(names) else "nothing"
        if found != expected:
            raise complaint(
                path,
                line,
                expected,
                f"the header has {found[:40]!r} as column {index + 1}",
                "the first 13 columns must be " + ",".join(CONTRACT),
            )
    for index, name in enumerate(names):
        if not name.strip() or name in names[:index]:
            what = f"the header has {name[:40]!r} as column {index + 1}"
            raise complaint(path, line, name[:40], what, "name every column, and each once")


def check_rows(path: Path, line: int, frame: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Check all rows of a parsed file whose header is on `line`.

    Text columns must be categorical; `measure` may be absent (`episode` is then assumed where
    there is a context). Returns the row order [rows] that brings each run's rows together, runs as
    first seen. Raises RecordError for the first breach found.
    """
    for column in frame.columns:
        if column in WHOLE:
            bad = frame[column] < 0
            _require(path, line, frame, column, bad, "is negative", "counts start at 0")
        elif column in REAL:
            bad = ~np.isfinite(frame[column])
            _require(path, line, frame, column, bad, "is not finite", "write a finite number")
        else:
            _check_text(path, line, frame, column)
    if "gap" in frame:
        _require(path, line, frame, "gap", frame["gap"] <= 0, "is not positive", "drop that task")
    return _check_runs(path, line, frame)


def explain(path: Path, line: int, names: Sequence[str]) -> RecordError:
    """The error for a file that the parser has refused: walk it to the first row at fault."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for _ in range(line):
                file.readline()
            reader = csv.reader(file)
            for row in reader:
                found = _row_fault(path, line + reader.line_num, names, row)
                if found is not None:
                    return found
    except UnicodeDecodeError:
        return RecordError(f"{path}: is not UTF-8 text; save it as UTF-8")
    except (OSError, csv.Error) as error:
        return RecordError(f"{path}: cannot be read ({error}); write it again")
    return RecordError(f"{path}: is not a well-formed CSV file; write it again")


def _row_fault(
    path: Path, line: int, names: Sequence[str], row: Sequence[str]
) -> RecordError | None:
    """The first thing wrong with the form of one row, or None."""
    if len(row) != len(names):
        what = f"the row has {len(row)} fields and the header {len(names)}"
        last = names[min(len(row), len(names) - 1)]
        return complaint(path, line, last, what, "write one field per column")
    for column, text in zip(names, row, strict=True):
        if not text.strip():
            return complaint(path, line, column, "the field is blank", "write a value")
        if column in WHOLE and not (text.isascii() and text.removeprefix("-").isdigit()):
            what = f"{text[:40]!r} is not a whole number"
            return complaint(path, line, column, what, "write digits only")
        if column in WHOLE and abs(int(text[:30])) >= 2**63:
            return complaint(path, line, column, f"{text[:40]} is too large", "stay below 2**63")
        if column in REAL and not _is_finite_number(text):
            what = f"{text[:40]!r} is not a finite number"
            return complaint(path, line, column, what, "write a decimal number")
    return None


def _is_finite_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _require(
    path: Path, line: int, frame: pd.DataFrame, column: str, bad: Any, what: str, fix: str
) -> None:
    """Raise for the first row where the boolean array `bad` [rows] is true, quoting its value."""
    wrong = np.asarray(bad)
    if wrong.any():
        row = int(wrong.argmax())
        value = str(frame[column].iloc[row])[:40]
        raise complaint(path, line + 1 + row, column, f"{value} {what}", fix)


def _check_text(path: Path, line: int, frame: pd.DataFrame, column: str) -> None:
    """Every value printable and not blank; contexts and measures among those we know."""
    values = frame[column].cat
    allowed = {"context": CONTEXTS, "measure": MEASURES}.get(column)
    for code, text in enumerate(values.categories):
        if not text.strip():
            what, fix = "the field is blank", "write a value"
        elif not text.isprintable():
            what, fix = f"{text[:40]!r} has control characters", "write plain text"
        elif allowed and text not in allowed:
            what, fix = f"{text[:40]!r} is unknown", "use one of " + ", ".join(allowed)
        else:
            continue
        row = int(np.argmax(np.asarray(values.codes) == code))
        raise complaint(path, line + 1 + row, column, what, fix)


def group_runs(frame: pd.DataFrame) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows by run: (order [rows], starts [runs]).

    `order` brings the rows of each run together, runs in the order first seen and rows of a run in
    the order given; `starts` are the positions in `order` where a run begins.
    """
    code = frame.groupby(list(RUN_KEY), sort=False, observed=True).ngroup().to_numpy()
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    return order, starts


def _check_runs(path: Path, line: int, frame: pd.DataFrame) -> npt.NDArray[np.intp]:
    """In each run episodes rise (in-context: 1, 2, 3...), steps never fall, measure, gap stay."""
    order, starts = group_runs(frame)
    first = np.zeros(len(order), dtype=bool)
    first[starts] = True
    episode = frame["episode"].to_numpy()[order]
    rise = np.diff(episode, prepend=0)

    def require(column: str, bad: npt.NDArray[np.bool_], what: str, fix: str) -> None:
        marked = np.zeros(len(order), dtype=bool)
        marked[order] = bad
        _require(path, line, frame, column, marked, what, fix)

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
    """The frame with exactly COLUMNS: regret and gap NaN where absent, measure by the context."""
    filled = frame.copy(deep=False)
    for column in ("regret", "gap"):
        if column not in filled:
            filled[column] = np.nan
    if "measure" not in filled:
        counts = np.asarray(filled["context"] != "none")
        filled["measure"] = pd.Categorical(np.where(counts, "episode", "test"))
    return filled[list(COLUMNS)]


def printable(values: Iterable[str]) -> bool:
    """Whether all values may stand in a text column: printable and not blank."""
    return all(value.strip() and value.isprintable() for value in values)

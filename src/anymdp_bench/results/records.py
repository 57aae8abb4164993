"""Result records: the data of one finished run, and the CSV files that carry it.

Writers give `write_csv` a list of `RunRecord`; readers get a pandas frame with one row per scored
episode. A file is deterministic to the byte (floats as shortest round-trip text, no clock, no
paths) and appears under its name only when complete. `schema` has the columns and checks,
`metadata` what a file says of its runs, and `csv_bytes` reads compressed and plain files alike.
"""

import csv
import gzip
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.results.csv_bytes import find_files, open_bytes, read_lines_above, row_numbers
from anymdp_bench.results.first_error import find_first_error
from anymdp_bench.results.metadata import METADATA, NOTHING, load_metadata, metadata_text
from anymdp_bench.results.schema import (
    COLUMNS,
    CONTEXTS,
    CONTRACT,
    DEFAULT_PROTOCOL,
    MEASURES,
    PROTOCOL,
    REAL,
    RUN_KEY,
    TEXT,
    WHOLE,
    RecordError,
    check_columns,
    check_rows,
    fill_missing,
    is_printable,
)

__all__ = [
    "COLUMNS",
    "CONTRACT",
    "RUN_KEY",
    "RecordError",
    "RunRecord",
    "is_marked_tuned",
    "read_csv",
    "read_file",
    "read_header",
    "read_many",
    "row_lines",
    "to_frame",
    "write_csv",
    "write_rows",
]


# Since pandas 3.1 floats are read exactly and the option warns; before, exactness is to be asked for.
_OLD_PANDAS = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
_EXACT: Literal["round_trip"] | None = "round_trip" if _OLD_PANDAS else None

_KINDS = dict.fromkeys(WHOLE, "int64") | dict.fromkeys(REAL, "float64")


@dataclass(frozen=True, eq=False)
class RunRecord:
    """The record of one run, one array entry per scored episode or test point, [n] each.

    `episode` counts from 1, `steps` are environment steps of the run so far, `return_` is the plain
    undiscounted return, `return_corrected` and `score` the variance-free ones, `regret` the run's
    cumulative exact regret in units of return, `gap` the task's oracle return less its random one.
    Arrays are copied to int64 or float64 and made read-only. `n` may be 0.

    Raises ValueError where the record could not be written: blank or unprintable text, an unknown
    context or measure, a negative count, a number that is not finite, a gap <= 0, unequal lengths,
    episodes that do not rise or steps that fall.
    """

    suite: str
    suite_hash: str
    agent: str
    agent_version: str
    env_id: str
    task_seed: int
    run_seed: int
    context: str
    measure: str
    gap: float
    episode: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    return_: npt.NDArray[np.float64]
    return_corrected: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    regret: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in TEXT:
            if not is_printable([getattr(self, name)]):
                raise ValueError(f"{name} must be printable and not blank: {getattr(self, name)!r}")
        if self.context not in CONTEXTS or self.measure not in MEASURES:
            raise ValueError(f"unknown context {self.context!r} or measure {self.measure!r}")
        if not (0 <= self.task_seed < 2**63 and 0 <= self.run_seed < 2**63):
            raise ValueError(f"task_seed and run_seed must be in [0, 2**63): {self.key}")
        if not (np.isfinite(self.gap) and self.gap > 0):
            raise ValueError(f"gap must be positive and finite: {self.gap!r}")
        for name in ("episode", "steps"):
            self._freeze(name, np.array(getattr(self, name), dtype=np.int64))
        for name in ("return_", "return_corrected", "score", "regret"):
            self._freeze(name, np.array(getattr(self, name), dtype=np.float64))
        if (self.episode < 0).any() or (np.diff(self.episode) <= 0).any():
            raise ValueError("episode must rise from 0 or more")
        if (self.steps < 0).any() or (np.diff(self.steps) < 0).any():
            raise ValueError("steps must not fall below 0 or the steps before")

    def _freeze(self, name: str, array: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> None:
        if array.shape != (len(self.episode),) or not np.isfinite(array).all():
            raise ValueError(f"{name} must be {len(self.episode)} finite numbers")
        array.setflags(write=False)
        object.__setattr__(self, name, array)

    @property
    def key(self) -> tuple[str | int, ...]:
        """What names this run, in the order of RUN_KEY."""
        return tuple(getattr(self, name) for name in RUN_KEY)


def write_csv(path: AnyPath, records: Iterable[RunRecord], header: Mapping[str, str]) -> None:
    """Writes `records`, in the order given, under `path`, which appears complete or not at all.

    `header` and errors: as in `write_rows`.
    """
    write_rows(path, (line for record in records for line in row_lines(record)), header)


def write_rows(path: AnyPath, rows: Iterable[str], header: Mapping[str, str]) -> None:
    """Writes text of `row_lines`, in the order given, as a result file: complete or not at all.

    `header` becomes the column `metadata`. A name that ends in `.gz` gets a compressed file, without a
    clock or a name in it. Raises ValueError for a key with a colon or unprintable, OSError where the
    folder cannot be written.
    """
    path = expand_home(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    is_packed = path.suffix.lower() == ".gz"
    try:
        with temporary.open("wb") as file:
            packed = gzip.GzipFile("", "wb", 6, file, mtime=0) if is_packed else file
            with io.TextIOWrapper(packed, "utf-8", newline="") as text:
                text.writelines(_with_metadata(rows, header))
                text.flush()
                if is_packed:
                    packed.close()
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _with_metadata(rows: Iterable[str], header: Mapping[str, str]) -> Iterator[str]:
    """Returns the text of a file: the header line, and the rows with the column `metadata` at their end."""
    yield ",".join((*COLUMNS, METADATA)) + "\n"
    first = f",{_quote([metadata_text(header)])}\n"
    for text in rows:
        start, end, rest = text.partition("\n")
        if end and first:
            yield start + first
            text, first = rest, ""
        yield text.replace("\n", f",{NOTHING}\n")


def row_lines(record: RunRecord) -> Iterator[str]:
    """Returns the rows of one run, each with its line end. Text beside the numbers is quoted once."""
    start, end = (_quote(part) for part in (record.key, (record.measure, float(record.gap))))
    arrays = (record.return_, record.return_corrected, record.score, record.regret)
    numbers = zip(*(array.tolist() for array in arrays), strict=True)
    counts = zip(record.episode.tolist(), record.steps.tolist(), strict=True)
    for (episode, steps), reals in zip(counts, numbers, strict=True):
        yield f"{start},{episode},{steps},{','.join(map(repr, reals))},{end}\n"


def _quote(fields: Sequence[str | int | float]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def read_header(path: AnyPath) -> dict[str, str]:
    """Returns what a result file says of its runs: the command, the settings, ... (see `metadata`).

    Raises RecordError if the file cannot be read.
    """
    path = expand_home(path)
    comments, line, names = _read_top(path)
    if METADATA not in names:
        return comments
    column: list[str] = []
    for most in (1, None):  # it stands in the first row, unless the rows were sorted
        if not any(value.startswith("{") for value in column):
            frame = _read_rows(path, line, names, [METADATA], most)
            column = frame[METADATA].tolist()
    return comments | load_metadata(path, column)


def is_marked_tuned(header: Mapping[str, str]) -> bool:
    """Tells whether a file's header says that the agent's settings were chosen for each environment."""
    return header.get("tuned", "").startswith("yes")


def _read_top(path: Path) -> tuple[dict[str, str], int, list[str]]:
    """Returns (comment values, line number of the header line, its column names)."""
    comments, number, line = read_lines_above(path)
    try:
        return comments, number, next(csv.reader([line]), [])
    except csv.Error as error:
        raise RecordError(f"{path}: line {number} cannot be read: {error}") from None


def read_csv(path: AnyPath) -> pd.DataFrame:
    """Reads one result file, plain or gzip, as a frame with COLUMNS. The rows of a run are in order.

    Text columns are categorical, counts int64, the rest float64. Columns of ours that the file
    lacks are filled: regret and gap with NaN, measure by the context. Raises RecordError (one line
    naming file, line, column and cure) for a file that breaks the format or holds no rows.
    """
    return read_file(path)[0]


def read_file(
    path: AnyPath,
) -> tuple[pd.DataFrame, npt.NDArray[np.intp], dict[str, str]]:
    """Returns the frame of `read_csv`, the line of each row in the file [rows], and the `read_header`."""
    path = expand_home(path)
    header, line, names = _read_top(path)
    check_columns(path, line, names)
    try:
        frame = _read_rows(path, line, names)
    except RecordError:
        raise
    except (ValueError, OverflowError, RuntimeWarning, pd.errors.ParserWarning):
        raise find_first_error(path, line, names) from None
    if frame.empty:
        raise RecordError(f"{path}: holds no rows; run more episodes or leave the file out")
    # Not read as categories at once: since pandas 3.1 that turns the version "1.0" into a number.
    frame = frame.astype({name: "category" for name in names if name not in _KINDS})
    lines = np.fromiter(row_numbers(path, line), np.intp)
    if len(lines) != len(frame):  # a field runs over a line's end, and is refused for that
        lines = np.arange(line + 1, line + 1 + len(frame))
    order = check_rows(path, lines, frame)
    if METADATA in names:
        values = frame[METADATA].astype(str)
        header |= load_metadata(path, values[values != NOTHING])
    if (np.diff(order) != 1).any():
        frame = frame.iloc[order].reset_index(drop=True)
    return fill_missing(frame), lines[order], header


def _read_rows(
    path: Path, line: int, names: list[str], only: list[str] | None = None, most: int | None = None
) -> pd.DataFrame:
    """Returns the first `most` rows below the header but blank ones, with the columns `only` of `names`.

    Raises ValueError, OverflowError or a warning where a row does not fit, RecordError as `open_bytes`.
    """
    with open_bytes(path) as file, warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        warnings.simplefilter("error", RuntimeWarning)  # of NumPy, where a count is infinite
        for _ in range(line):
            file.readline()
        frame: pd.DataFrame = pd.read_csv(
            file,
            header=None,
            names=names,
            dtype={name: _KINDS.get(name, "str") for name in names},
            index_col=False,
            na_filter=False,
            skip_blank_lines=True,
            low_memory=False,
            float_precision=_EXACT,
            encoding="utf-8",
            usecols=only,
            nrows=most,
        )
        return frame


def read_many(paths: AnyPath | Iterable[AnyPath]) -> pd.DataFrame:
    """Reads all result files among `paths` (folders: every `*.csv` and `*.csv.gz` beneath, sorted).

    One path may be given by itself. A file named twice is read once. Where the header of a file says that its
    agent is tuned, the frame has one more column, `tuned`: whether a row's agent is. Where a file was
    played by another protocol than the default one, it has the column `protocol`. Raises RecordError as
    `read_csv` does, where there is no file, and where two files hold the same run.
    """
    files: dict[Path, Path] = {}
    for each in [paths] if isinstance(paths, str | os.PathLike) else paths:
        path = expand_home(each)
        found = find_files(path) if path.is_dir() else [path]
        files.update((file.resolve(), file) for file in found)
    if not files:
        raise RecordError("no result files found; name a .csv file or a folder that holds some")
    seen: dict[tuple[object, ...], Path] = {}
    frames, tuned, protocols = [], [], []
    for path in files.values():
        frame, _, header = read_file(path)
        frames.append(frame)
        for run in frame[list(RUN_KEY)].drop_duplicates().itertuples(index=False, name=None):
            if run in seen:
                what = f"repeats a run of {seen[run]} ({run[2]} on {run[4]}, task {run[5]})"
                raise RecordError(f"{path}: {what}; name only one of the two files")
            seen[run] = path
        tuned.append(is_marked_tuned(header))
        protocols.append(header.get(PROTOCOL, DEFAULT_PROTOCOL))
    frame = _concatenate(frames)
    if any(tuned):
        frame["tuned"] = np.repeat(tuned, [len(each) for each in frames])
    if any(each != DEFAULT_PROTOCOL for each in protocols):
        frame[PROTOCOL] = np.repeat(protocols, [len(each) for each in frames])
    return frame


def _concatenate(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Stacks frames, keeping text columns categorical (concat alone would make them objects)."""
    for name in TEXT:
        values = list(dict.fromkeys(v for frame in frames for v in frame[name].cat.categories))
        for frame in frames:
            frame[name] = frame[name].cat.set_categories(values)
    return pd.concat(frames, ignore_index=True)


def to_frame(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Returns the frame that `read_csv` would return for a file of these records, at least one."""
    columns: dict[str, object] = {}
    lengths = [len(record.episode) for record in records]
    for name in COLUMNS:
        values = [getattr(record, "return_" if name == "return" else name) for record in records]
        if name in TEXT:
            columns[name] = pd.Categorical(values).repeat(lengths)
        elif name in ("task_seed", "run_seed", "gap"):
            columns[name] = np.repeat(np.array(values), lengths)
        else:
            columns[name] = np.concatenate(values)
    return pd.DataFrame(columns)

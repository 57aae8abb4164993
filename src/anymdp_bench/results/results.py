"""`Results`: the rows of result files as a pandas frame that knows its table, its plots and its file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from anymdp_bench.engine.arrays import Bools
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.results import metrics
from anymdp_bench.results.measures import Measure
from anymdp_bench.results.metrics import ScoreMode
from anymdp_bench.results.overall_table import render_overall
from anymdp_bench.results.plots import Kind, draw, save
from anymdp_bench.results.records import (
    COLUMNS,
    RunRecord,
    is_marked_tuned,
    read_csv,
    read_header,
    read_many,
    write_csv,
)
from anymdp_bench.results.schema import (
    DEFAULT_PROTOCOL,
    PROTOCOL,
    TEXT,
    RecordError,
    group_runs,
)
from anymdp_bench.results.tables import Format, render
from anymdp_bench.spelling import offer

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Origin:
    """Where the rows of a `Results` come from.

    Attributes:
        header: the `# key: value` lines of the result file.
        n_rows: number of rows of the result file.
        path: the result file; None if it was not kept.
        score: the score that tables and plots show unless they are told otherwise.
        failed: for each unit of work that failed, one line that says where and why.
        failed_runs: number of runs in these units.
        runs: number of runs in all units.
        played: number of units that were played; 0 if the result was complete already.
        seconds: wall-clock seconds that it took.
    """

    header: Mapping[str, str] = field(default_factory=dict)
    n_rows: int = 0
    path: Path | None = None
    score: ScoreMode = "corrected"
    failed: tuple[str, ...] = ()
    failed_runs: int = 0
    runs: int = 0
    played: int = 0
    seconds: float = 0.0


class Results(pd.DataFrame):
    """The rows of one or more result files, a pandas DataFrame with the columns `results.records.COLUMNS`.

    Each row is one scored episode or test point. `anymdp_bench.evaluate` returns such a frame, and
    `Results.read` reads one from files. What pandas makes of it is a `Results` as long as it has all the
    columns, and an ordinary DataFrame otherwise. `pandas.concat([a, b])` puts two results side by side.

    Attributes:
        origin: where the rows come from; None for rows of several files.
    """

    _metadata: ClassVar[list[str]] = ["origin"]
    origin: Origin | None = None

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return _make_frame

    def __finalize__(self, other: Any, method: str | None = None, **keywords: Any) -> Results:
        """Keeps what headers say where pandas puts results together, in columns `tuned` and `protocol`."""
        super().__finalize__(other, method, **keywords)  # type: ignore[misc]  # not in the stubs
        parts = list(getattr(other, "input_objs", ()))
        if not parts or sum(map(len, parts)) != len(self):  # these stand side by side
            return self
        tuned = np.concatenate([_find_tuned(part) for part in parts])
        if tuned.any():
            self["tuned"] = tuned
        protocols = [each for part in parts for each in _find_protocols(part)]
        if set(protocols) - {DEFAULT_PROTOCOL}:
            self[PROTOCOL] = protocols
        return self

    @classmethod
    def read(cls, paths: AnyPath | Iterable[AnyPath]) -> Results:
        """Reads result files.

        Args:
            paths: one or more CSV files, or folders of them; `~` is the home directory.

        Raises:
            RecordError: there is no result file among them, or one breaks the format.
        """
        if isinstance(paths, str | os.PathLike) and expand_home(paths).is_file():
            return cls.from_file(paths)
        return cls(read_many(paths))

    @classmethod
    def from_file(cls, path: AnyPath, /, **origin: Any) -> Results:
        """Reads one result file and remembers its header.

        Args:
            path: the file.
            **origin: further attributes of `Origin`.

        Raises:
            RecordError: the file cannot be read, or breaks the format.
        """
        results = cls(read_csv(path))
        kept = {"path": expand_home(path)} | origin
        results.origin = Origin(read_header(path), len(results), **kept)
        return results

    @property
    def path(self) -> Path | None:
        """The result file that holds these rows, or None."""
        return self.origin.path if self.origin else None

    @property
    def header(self) -> dict[str, str]:
        """The `# key: value` lines of the result file: the command, the settings, ..."""
        return dict(self.origin.header) if self.origin else {}

    @property
    def failed(self) -> tuple[str, ...]:
        """One line for each unit of work that failed: where and why. Its runs have no rows here."""
        return self.origin.failed if self.origin else ()

    @property
    def skipped(self) -> dict[str, list[int]]:
        """For each environment, the task seeds whose tasks do not count, since noise hides their gap."""
        found: dict[str, list[int]] = json.loads(self.header.get("skipped task seeds", "{}"))
        return found

    def table(
        self,
        format: Format = "text",
        *,
        target: float = 0.9,
        score: ScoreMode | None = None,
        measure: Measure = "test",
        reference: bool = False,
        of_optimum: bool | None = None,
        overall: bool = False,
        width: int | None = None,
        color: bool = False,
    ) -> str:
        """Returns the comparison table as text, as the command `anymdp-bench run` prints it.

        Args:
            format: "text", "markdown", "csv", "latex" or "html".
            target: the score that the columns `steps` and `episodes` wait for, 0 to 1.
            score: "corrected", "raw" or "paper"; by default the `score` that `evaluate` was given.
            measure: of learners that train, "test" shows the policies tested apart, "online" their own
                episodes. In-context agents have online scores only.
            reference: whether the paper's figures stand beside ours.
            of_optimum: whether scores are shown in units of the best policy of all too, which may use the
                steps that an episode has left; by default in the environments where a score passes 1. The
                tasks are sampled and solved for this.
            overall: whether the table has statistics over all environments, not one row for each.
            width: columns of the terminal, for text only; None never wraps a line.
            color: whether the text has colours for a terminal.

        Raises:
            ValueError: there is no such format, score or measure, or there are no rows.
        """
        if overall:
            return render_overall(
                self._ordered_rows(),
                format,
                score_mode=self._score(score),
                measure=measure,
                width=width,
                color=color,
            )
        summary = self.summary(target=target, score=score, measure=measure, of_optimum=of_optimum)
        return render(summary, format, reference=reference, width=width, color=color)

    def summary(
        self,
        *,
        target: float = 0.9,
        score: ScoreMode | None = None,
        measure: Measure = "test",
        of_optimum: bool | None = None,
        overall: bool = False,
    ) -> pd.DataFrame:
        """Returns the numbers behind the table, one row for each environment and agent.

        Args:
            target: as in `table`.
            score: as in `table`.
            measure: as in `table`.
            of_optimum: as in `table`.
            overall: as in `table`.

        Raises:
            ValueError: there is no such score or measure.
        """
        rows, mode = self._ordered_rows(), self._score(score)
        if overall:
            return metrics.summarise_overall(rows, mode, measure)
        return metrics.summarise(rows, target, mode, measure, of_optimum)

    def plot(  # type: ignore[override]
        self,
        kind: Kind = "curves",
        path: AnyPath | None = None,
        *,
        target: float = 0.9,
        x: str = "steps",
        log_x: bool = True,
        score: ScoreMode | None = None,
        measure: Measure = "test",
    ) -> Figure:
        """Draws the results, as the command `anymdp-bench plot` does.

        The plots of pandas are still there for an ordinary frame: `pandas.DataFrame(results).plot`.

        Args:
            kind: "curves" (learning curves), "targets" (steps to the target), "profiles" (share of runs
                above each score) or "context" (score against steps in context).
            path: where the figure is saved too, a name in .png, .svg or .pdf.
            target: the score to be reached, for "targets".
            x: horizontal axis of "curves", "steps" or "episode".
            log_x: whether the horizontal axis is logarithmic.
            score: as in `table`.
            measure: as in `table`.

        Returns:
            A matplotlib figure.

        Raises:
            ValueError: there is no such kind, score or measure, there is nothing to draw, or the figure
                cannot be saved.
        """
        if x not in ("steps", "episode"):
            raise ValueError(f"unknown axis x={x!r}; {offer(x, ('steps', 'episode'))}")
        frame = metrics.choose_scores(self._ordered_rows(), self._score(score), measure)
        figure = draw(frame, kind, target=target, log=log_x, unit=x)
        if path is not None:
            save(figure, path)
        return figure

    def save(self, path: AnyPath) -> Path:
        """Writes the result file: the CSV that `anymdp-bench run` writes, and that the leaderboard takes.

        Args:
            path: the file; `~` is the home directory, and a missing folder is made.

        Returns:
            The path of the file.

        Raises:
            RecordError: these are not the rows of one evaluation, or the file cannot be written.
        """
        target = expand_home(path)
        if self.origin is None:
            raise RecordError(
                f"{target}: the rows come from several evaluations; save each, or use to_csv"
            )
        if len(self) != self.origin.n_rows:
            raise RecordError(
                f"{target}: {len(self)} rows are left of {self.origin.n_rows}, and a part is no result;"
                " save the whole, or use to_csv"
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_csv(target, _make_records(self._ordered_rows()), self.origin.header)
        except OSError as error:
            raise RecordError(
                f"cannot write {target}: {error.strerror}; give another path"
            ) from None
        return target

    def _score(self, score: ScoreMode | None) -> ScoreMode:
        return score or (self.origin.score if self.origin else "corrected")

    def _ordered_rows(self) -> pd.DataFrame:
        """An ordinary frame: rows in order, text categorical, with `tuned` and `protocol` where known.

        Raises:
            RecordError: an episode of a run is there twice.
        """
        rows = pd.DataFrame(self)[list(COLUMNS)]
        if "tuned" in self.columns or is_marked_tuned(self.header):
            rows["tuned"] = _find_tuned(self)
        if PROTOCOL in self.columns or PROTOCOL in self.header:
            rows[PROTOCOL] = _find_protocols(self)
        for name in TEXT:
            if not isinstance(rows[name].dtype, pd.CategoricalDtype):
                rows[name] = rows[name].astype("category")
        order, starts = group_runs(rows)
        rise = np.diff(rows["episode"].to_numpy()[order], prepend=-1)
        rise[starts] = 1
        if (rise <= 0).any():
            rows = rows.sort_values("episode", kind="stable")
            order, starts = group_runs(rows)
            rise = np.diff(rows["episode"].to_numpy()[order], prepend=-1)
            rise[starts] = 1
        if (rise <= 0).any():
            raise RecordError("an episode of a run is there twice; put each result in once")
        return rows.iloc[order].reset_index(drop=True)


def _make_frame(*args: Any, **keywords: Any) -> pd.DataFrame:
    """A `Results` if all of its columns are there, else an ordinary frame."""
    frame = pd.DataFrame(*args, **keywords)
    return Results(frame) if set(COLUMNS) <= set(frame.columns) else frame


def _find_tuned(rows: pd.DataFrame) -> Bools:
    """Tells whether the agent of each row is tuned, bool [rows], by the column `tuned` or by the header."""
    if "tuned" in rows.columns:
        return rows["tuned"].eq(True).to_numpy(np.bool_)
    is_tuned = isinstance(rows, Results) and is_marked_tuned(rows.header)
    return np.full(len(rows), is_tuned, np.bool_)


def _find_protocols(rows: pd.DataFrame) -> list[str]:
    """Returns the protocol of each row, by the column `protocol` or by the header."""
    if PROTOCOL in rows.columns:
        return list(rows[PROTOCOL].fillna(DEFAULT_PROTOCOL))
    header = rows.header if isinstance(rows, Results) else {}
    return [header.get(PROTOCOL, DEFAULT_PROTOCOL)] * len(rows)


def _make_records(rows: pd.DataFrame) -> Iterator[RunRecord]:
    """The record of each run, in the order of the rows."""
    columns = {name: rows[name].to_numpy() for name in COLUMNS}
    order, starts = group_runs(rows)
    for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
        run = order[begin:end]
        values: dict[str, Any] = {name: column[run] for name, column in columns.items()}
        values["return_"] = values.pop("return")
        values |= {
            name: values[name].tolist()[0] for name in (*TEXT, "task_seed", "run_seed", "gap")
        }
        yield RunRecord(**values)

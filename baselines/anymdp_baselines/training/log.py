"""The training log: a CSV file, and TensorBoard or Weights & Biases where they are asked for."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from anymdp_bench.tracking import Tracker, open_tracker

Row = dict[str, float | int | str]


class Log:
    """Rows of `log.csv`, one for each task group and report, and the same numbers for a tracker.

    Args:
        folder: the folder of the training.
        begun: the round from which the training continues; rows of later rounds are dropped.
        track: a tracker that gets the numbers too; see `anymdp_bench.tracking`. Event files of TensorBoard go
            to `folder/tensorboard`.

    Raises:
        TrackError: the tracker is missing.
    """

    def __init__(self, folder: Path, begun: int, track: str | None = None) -> None:
        self._path = folder / "log.csv"
        self._tracker: Tracker | None = None
        if track is not None:
            self._tracker = open_tracker(track, folder, "", {"folder": str(folder)}, begun)
        if self._path.exists():
            self._cut(begun)

    def _cut(self, begun: int) -> None:
        """Drops the rows after round `begun`."""
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if begun and int(row["round"]) <= begun]
        fresh = self._path.with_suffix(".new")
        with fresh.open("w", newline="", encoding="utf-8") as file:
            if rows:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        os.replace(fresh, self._path)

    def add(self, row: Row) -> None:
        """Appends a row; its `round` and `group` say where it belongs."""
        is_empty = not self._path.exists() or not self._path.stat().st_size
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if is_empty:
                writer.writeheader()
            writer.writerow(row)
        if self._tracker is not None:
            numbers = {k: float(v) for k, v in row.items() if k not in ("round", "group")}
            named = {f"{row['group']}/{name}": value for name, value in numbers.items()}
            self._tracker.add(int(row["round"]), named)

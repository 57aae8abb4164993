"""The training log: a CSV file, and TensorBoard where it is asked for."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

Row = dict[str, float | int | str]


class Log:
    """Rows of `log.csv`, one for each task group and report, and the same numbers for TensorBoard.

    Args:
        folder: the folder of the training.
        begun: the round from which the training continues; rows of later rounds are dropped.
        tensorboard: whether event files are written to `folder/tensorboard` too.

    Raises:
        ModuleNotFoundError: TensorBoard is asked for and missing.
    """

    def __init__(self, folder: Path, begun: int, tensorboard: bool = False) -> None:
        self._path = folder / "log.csv"
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(folder / "tensorboard", purge_step=begun)
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
        if self._board is not None:
            for name, value in row.items():
                if name not in ("round", "group"):
                    self._board.add_scalar(f"{row['group']}/{name}", value, row["round"])
            self._board.flush()

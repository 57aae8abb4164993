"""The files of a study: a cache of measured rows, and a table with its figure.

The files in `out` are NAME.rows.csv (the measured rows, part by part; the same command continues from them),
NAME.csv and NAME.md (the table), and NAME.png (the figure).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ResultCache:
    """Measured rows in a CSV file, in parts; the file holds each part whole or not at all.

    Args:
        path: the CSV file. The first part creates it; its folder exists.
        key: the names of the columns that identify a part. They are everything that a part depends on, such
            as the scale and the agent's version, so a part with other settings is measured again.
    """

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        self.path, self.key = path, tuple(key)
        names = dict.fromkeys(self.key, str)
        self._rows = pd.read_csv(path, dtype=names) if path.exists() else None
        if self._rows is not None and not set(self.key) <= set(self._rows):
            self._rows = None  # an older version wrote the file, with fewer columns in its key

    def has(self, *part: object) -> bool:
        """Returns whether the file holds the rows of `part`, the values of the key."""
        return not self.rows(*part).empty

    def add(self, part: Sequence[object], rows: Iterable[Mapping[str, Any]]) -> None:
        """Writes the rows of a part, given without the key; they replace earlier rows of that part."""
        key = dict(zip(self.key, map(str, part), strict=True))
        frame = pd.DataFrame([key | dict(row) for row in rows])
        if self._rows is not None:
            frame = pd.concat([self._rows[~self._is_in(part)], frame], ignore_index=True)
        self._rows = frame
        new = self.path.with_name(f".{self.path.name}.new")
        frame.to_csv(new, index=False, lineterminator="\n")
        os.replace(new, self.path)

    def fetch(
        self, part: Sequence[object], measure: Callable[[], Iterable[Mapping[str, Any]]]
    ) -> pd.DataFrame:
        """Returns the rows of `part`.

        Where the file lacks them, `measure` makes them and they are written.
        """
        if not self.has(*part):
            self.add(part, measure())
        return self.rows(*part)

    def rows(self, *part: object) -> pd.DataFrame:
        """Returns the rows of `part`; fewer values than the key has give all parts that begin with them."""
        if self._rows is None:
            return pd.DataFrame()
        return self._rows[self._is_in(part)].reset_index(drop=True)

    def _is_in(self, part: Sequence[object]) -> pd.Series[bool]:
        """Returns for each row whether it belongs to `part`."""
        assert self._rows is not None
        is_in = pd.Series(True, index=self._rows.index)
        for name, value in zip(self.key, part, strict=False):
            is_in &= self._rows[name] == str(value)
        return is_in


def markdown(table: pd.DataFrame) -> str:
    """Renders a table in Markdown; columns of numbers are aligned to the right."""
    right = [pd.api.types.is_numeric_dtype(table[name]) for name in table]
    lines = [
        "| " + " | ".join(map(str, table.columns)) + " |",
        "| " + " | ".join("--:" if r else ":--" for r in right) + " |",
    ]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def publish(name: str, out: Path, table: pd.DataFrame, note: str, figure: Figure) -> list[Path]:
    """Prints the table and writes NAME.csv, NAME.md (table and note) and NAME.png to `out`."""
    csv, md, png = (out / f"{name}{suffix}" for suffix in (".csv", ".md", ".png"))
    table.to_csv(csv, index=False, lineterminator="\n")
    md.write_text(f"{markdown(table)}\n\n{note}\n", encoding="utf-8")
    figure.savefig(png, dpi=150)
    print(table.to_string(index=False), flush=True)
    return [csv, md, png]

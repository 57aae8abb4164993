"""What studies share: rows that are kept as they come, and a table with its picture.

A study's files in `out` are NAME.rows.csv (what was measured, part by part: the same command goes on
from there), NAME.csv and NAME.md (the table) and NAME.png (the picture).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ResultCache:
    """Measured rows on disk, in parts: a part is there whole or not at all.

    Args:
        path: a CSV file, made with the first part; its folder exists.
        key: names of the columns that tell parts apart. Put everything among them that a part depends on
            (the scale, an agent's version), and a part of other settings is measured anew.
    """

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        self.path, self.key = path, tuple(key)
        names = dict.fromkeys(self.key, str)
        self._rows = pd.read_csv(path, dtype=names) if path.exists() else None
        if self._rows is not None and not set(self.key) <= set(self._rows):
            self._rows = None  # of an older version, which told fewer parts apart

    def has(self, *part: object) -> bool:
        """Whether the rows of `part`, its values in the key's order, are there."""
        return not self.rows(*part).empty

    def add(self, part: Sequence[object], rows: Iterable[Mapping[str, Any]]) -> None:
        """Writes the rows of a part, given without the key; what had its key before is replaced."""
        begin = dict(zip(self.key, map(str, part), strict=True))
        fresh = pd.DataFrame([begin | dict(row) for row in rows])
        if self._rows is not None:
            fresh = pd.concat([self._rows[~self._of(part)], fresh], ignore_index=True)
        self._rows = fresh
        new = self.path.with_name(f".{self.path.name}.new")
        fresh.to_csv(new, index=False, lineterminator="\n")
        os.replace(new, self.path)

    def rows(self, *part: object) -> pd.DataFrame:
        """The rows of `part`, or of all parts that begin with the values given."""
        if self._rows is None:
            return pd.DataFrame()
        return self._rows[self._of(part)].reset_index(drop=True)

    def _of(self, part: Sequence[object]) -> pd.Series[bool]:
        assert self._rows is not None
        inside = pd.Series(True, index=self._rows.index)
        for name, value in zip(self.key, part, strict=False):
            inside &= self._rows[name] == str(value)
        return inside


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown: numbers to the right, as they are formatted already or else as they print."""
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

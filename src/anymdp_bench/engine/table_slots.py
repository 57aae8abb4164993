"""Step tables in which every stream has a place of its own, so that one task is replaced alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymdp_bench.engine.alias_tables import StepTables
from anymdp_bench.engine.arrays import Int64s

_SPARE = 1.25  # a place is this much larger than the largest task so far


class TableSlots:
    """The tables of n tasks. Task k has row k, and its cells begin at k times the size of a place.

    Args:
        tables: the tables of the first n tasks.

    Attributes:
        tables: all of them, for the kernels.
        horizon: the horizon of each task, int64 [n].
    """

    tables: StepTables
    horizon: Int64s

    def __init__(self, tables: Sequence[StepTables]) -> None:
        self._own = list(tables)
        self._rebuild()

    def _rebuild(self) -> None:
        """Makes places that are large enough, and fills them."""
        n = len(self._own)
        self._size = int(max(len(table.cells) for table in self._own) * _SPARE)
        rows = np.zeros((n, max(table.rows.shape[1] for table in self._own)), np.int64)
        cells = np.zeros((n * self._size, 4), np.uint64)
        self.tables = StepTables(rows, cells, cells.view(np.float64))
        self.horizon = np.zeros(n, np.int64)
        for k in range(n):
            self._write(k)

    def put(self, k: int, table: StepTables) -> bool:
        """Replaces task `k`.

        Returns:
            Whether all places had to be made larger. Then `tables` has new arrays.
        """
        self._own[k] = table
        if len(table.cells) > self._size or table.rows.shape[1] > self.tables.rows.shape[1]:
            self._rebuild()
            return True
        self._write(k)
        return False

    def _write(self, k: int) -> None:
        row, base = self._own[k].rows[0], k * self._size
        cells, out = self._own[k].cells, self.tables.rows[k]
        self.tables.cells[base : base + len(cells)] = cells
        out[: len(row) - 3] = row[:-3] + base
        out[len(row) - 3 : -2] = row[-3] + base  # as `stack_tables` pads
        out[-2] = row[-2] + base
        out[-1] = self.horizon[k] = row[-1]

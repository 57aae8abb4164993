"""Frames of grids: cells by their kind, and the agents that stand on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anymdp_bench.engine.arrays import Frame
from anymdp_bench.rendering.state_strip import colour_values

_COLOURS = {
    "#": (40, 44, 52),  # a wall
    ".": (238, 240, 243),  # floor
    "S": (37, 99, 235),  # start
    "x": (213, 94, 0),  # pitfall
    "G": (0, 158, 115),  # goal
    "a": (37, 99, 235),  # the goal of agent 1
    "b": (213, 94, 0),  # the goal of agent 2
}
_AGENTS = {"@": (204, 121, 167), "1": (37, 99, 235), "2": (213, 94, 0)}


def draw_grid(
    rows: int,
    columns: int,
    kinds: Mapping[tuple[int, int], str],
    marks: Mapping[tuple[int, int], str],
    shade: Mapping[tuple[int, int], float] | None = None,
    side: int = 48,
) -> Frame:
    """Draws a grid with kinds as squares and marks as discs.

    Args:
        rows: the number of rows.
        columns: the number of columns.
        kinds: the kind of each cell by (row, column). Cells without a kind are walls.
        marks: the agents by (row, column).
        shade: a value in 0..1 for each floor cell; it colours the inside of the cell from dark to bright.
        side: the side of a cell in pixels.

    Returns:
        A frame, uint8 [rows * side, columns * side, 3].
    """
    picture = np.full((rows * side, columns * side, 3), _COLOURS["#"], np.uint8)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    disc, ring = x * x + y * y < (0.30 * side) ** 2, x * x + y * y < (0.36 * side) ** 2
    for (row, column), kind in kinds.items():
        cell = picture[row * side : (row + 1) * side, column * side : (column + 1) * side]
        cell[1:-1, 1:-1] = _COLOURS[kind]
        inner = cell[side // 8 : -side // 8, side // 8 : -side // 8]
        if kind in "abS":
            inner[:] = _COLOURS["."]
        if shade is not None and kind in ".S":
            inner[:] = colour_values(shade[row, column])
        mark = marks.get((row, column))
        if mark is not None:
            cell[ring] = 255
            cell[disc] = _AGENTS[mark]
    return picture


def write_grid(rows: int, columns: int, marks: Mapping[tuple[int, int], str]) -> str:
    """Writes one line of characters for each row, with # for cells without a mark."""
    lines = ("".join(marks.get((r, c), "#") for c in range(columns)) for r in range(rows))
    return "\n".join(lines) + "\n"

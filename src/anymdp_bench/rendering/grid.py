"""Pictures of grids: cells by kind, with what stands on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import Float64s

Picture = npt.NDArray[np.uint8]
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
_LOW, _HIGH = np.array([68.0, 1.0, 84.0]), np.array([253.0, 231.0, 37.0])


def draw_grid(
    rows: int,
    columns: int,
    kinds: Mapping[tuple[int, int], str],
    marks: Mapping[tuple[int, int], str],
    shade: Mapping[tuple[int, int], float] | None = None,
    side: int = 48,
) -> Picture:
    """uint8 [rows * side, columns * side, 3]: kinds as squares, marks as discs; other cells are walls.

    `shade` (0..1, dark to bright) colours the inside of a floor cell by its value.
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
            inner[:] = _LOW + (_HIGH - _LOW) * shade[row, column]
        mark = marks.get((row, column))
        if mark is not None:
            cell[ring] = 255
            cell[disc] = _AGENTS[mark]
    return picture


def write_grid(rows: int, columns: int, marks: Mapping[tuple[int, int], str]) -> str:
    """One line of characters a row, # for a wall."""
    lines = ("".join(marks.get((r, c), "#") for c in range(columns)) for r in range(rows))
    return "\n".join(lines) + "\n"


def rescale(value: Float64s) -> Float64s:
    """Values scaled to 0..1."""
    out: Float64s = (value - value.min()) / max(float(np.ptp(value)), 1e-12)
    return out

"""The runs of a frame of result rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from anymdp_bench.results.schema import group_runs
from anymdp_bench.results.statistics import Array


class RunRows(NamedTuple):
    """One run of a frame: the positions of its rows, int [n], and their scores, float64 [n]."""

    env_id: str
    measure: str
    rows: npt.NDArray[np.intp]
    score: Array


def split_runs(frame: pd.DataFrame) -> list[RunRows]:
    """Splits a frame into its runs, in the order of first appearance."""
    order, starts = group_runs(frame)
    if len(order) == 0:
        return []
    scores = frame["score"].to_numpy()
    first = frame.iloc[order[starts]]
    return [
        RunRows(str(env_id), str(measure), rows, scores[rows])
        for env_id, measure, rows in zip(
            first["env_id"], first["measure"], np.split(order, starts[1:]), strict=True
        )
    ]

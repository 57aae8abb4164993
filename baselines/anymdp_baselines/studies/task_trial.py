"""One number of tasks in the study of task scaling: a model's training, and its losses on the way."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from anymdp_baselines.studies.context_config import Course
from anymdp_baselines.studies.context_model import ContextModel, ContextSize, reader
from anymdp_baselines.studies.context_trainer import device, train
from anymdp_baselines.studies.task_scaling import Scale, places, watched
from anymdp_bench.longcontext import score
from anymdp_bench.studies.files import ResultCache


def looked(scale: Scale, course: Course, folder: Path) -> pd.DataFrame:
    """Trains a model and looks at it on the way: rows of update, set, start and stop of a place, loss."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = watched(course, scale.runs)
    kept = ResultCache(folder / "looks.rows.csv", ("update", "set"))

    def look(update: int, model: ContextModel) -> None:
        for name, data in sets.items():
            loss = score(data, reader(model), course.segment).policy
            assert loss is not None
            rows = [
                {"start": start, "stop": stop, "loss": float(loss[:, start:stop].mean())}
                for start, stop in places(course.life)
            ]
            kept.add((update, name), rows)

    size = ContextSize(
        scale.mixer,
        course.n_states,
        course.n_actions,
        scale.width,
        scale.blocks,
        scale.heads,
        2 * scale.width,
    )
    train(course, size, folder / "state", look, course.updates // scale.looks, device())
    return kept.rows().astype({"update": int})

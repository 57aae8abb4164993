"""Tracks the result of an evaluation: the learning curve of each environment, in percent of the scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anymdp_bench.results.curves import learning_curve
from anymdp_bench.results.metrics import choose_scores
from anymdp_bench.results.results import Results
from anymdp_bench.tracking import open_tracker


def track_results(
    results: Results, kind: str, folder: Path, name: str, settings: dict[str, Any]
) -> None:
    """Gives the mean smoothed score of each environment to a tracker, by steps.

    Args:
        results: the results of one agent.
        kind: the tracker; see `tracking.open_tracker`.
        folder: the output folder. Event files of an earlier call under the same name are replaced.
        name: the name of the run.
        settings: the settings of the run.

    Raises:
        TrackError: the tracker cannot be opened.
        OSError: the folder cannot be written.
    """
    for old in (folder / "tensorboard" / name).glob("events.out.tfevents.*"):
        old.unlink()
    tracker = open_tracker(kind, folder, name, settings)
    frame = choose_scores(results, "corrected", "test")
    for env_id, part in frame.groupby("env_id", sort=False, observed=True):
        band = learning_curve(part, "steps")
        for at, mean in zip(band.at.tolist(), band.mean.tolist(), strict=True):
            tracker.add(int(at), {f"score/{env_id}": 100.0 * mean})
    tracker.close()

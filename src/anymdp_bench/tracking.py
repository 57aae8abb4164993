"""Numbers for TensorBoard or Weights & Biases, from an evaluation or a training.

Both are optional: their packages come with the extras `tensorboard` and `wandb`, and are imported when they
are asked for. What is tracked changes no result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from anymdp_bench.spelling import offer

TRACKERS = ("tensorboard", "wandb")


class TrackError(ValueError):
    """Numbers cannot be tracked as it was asked for. The message says why, and how to fix it."""


class Tracker(Protocol):
    """Takes numbers and shows them elsewhere."""

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Takes numbers by their names.

        Args:
            step: the position on the horizontal axis.
            values: the numbers.
        """

    def close(self) -> None:
        """Writes what is not written yet."""


def open_tracker(
    kind: str, folder: Path, name: str, settings: Mapping[str, Any], begun: int = 0
) -> Tracker:
    """Opens a tracker.

    Args:
        kind: "tensorboard" writes event files to `folder/tensorboard/name`. "wandb" starts a run in the
            project `anymdp-bench`, with its files in `folder`; the variables of W&B, such as
            WANDB_MODE=offline and WANDB_PROJECT, hold.
        folder: the output folder.
        name: the name of the run.
        settings: the settings of the run, which W&B shows.
        begun: the step from which a stopped run goes on; TensorBoard drops what an earlier one wrote from
            there on.

    Raises:
        TrackError: there is no such tracker, or its package is missing.
    """
    if kind not in TRACKERS:
        raise TrackError(f"no tracker {kind!r:.40}; {offer(kind, TRACKERS)}")
    try:
        if kind == "tensorboard":
            return _TensorBoard(folder / "tensorboard" / name, begun)
        return _Wandb(folder, name, settings)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != kind:
            raise
        raise TrackError(f"tracking needs {kind}: pip install 'anymdp-bench[{kind}]'") from None


class _TensorBoard:
    """Writes the event files of TensorBoard; PyTorch is not needed for it."""

    def __init__(self, folder: Path, begun: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        self._writer = EventFileWriter(str(folder))
        if begun:
            start = SessionLog(status=SessionLog.START)
            self._writer.add_event(Event(wall_time=time.time(), step=begun, session_log=start))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        parts = [
            self._summary.Value(tag=name, simple_value=value) for name, value in values.items()
        ]
        summary = self._summary(value=parts)
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    """Sends numbers to Weights & Biases, or keeps them in a folder where that is offline."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]) -> None:
        import os

        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        project = os.environ.get("WANDB_PROJECT", "anymdp-bench")
        try:
            self._run = wandb.init(
                project=project, name=name or None, dir=str(folder), config=dict(settings)
            )
        except Exception as error:  # no key, no network
            reason = " ".join(str(error).split())[:200]
            raise TrackError(f"wandb: {reason}; log in, or set WANDB_MODE=offline") from None

    def add(self, step: int, values: Mapping[str, float]) -> None:
        # Curves of several environments have steps that go back, which W&B's own step must not.
        self._run.log({**values, "step": step})

    def close(self) -> None:
        self._run.finish()

"""Writes frames as a video file: GIF with Pillow, MP4 with moviepy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anymdp_bench.paths import AnyPath, expand_home, make_parent

SUFFIXES = (".gif", ".mp4")


class VideoError(ValueError):
    """A picture or video cannot be made. The message says why, and how to fix it."""


def check_suffix(out: AnyPath) -> None:
    """Checks that a file name ends in a video format.

    Args:
        out: the file.

    Raises:
        VideoError: `out` ends in neither .gif nor .mp4.
    """
    suffix = expand_home(out).suffix
    if suffix.lower() not in SUFFIXES:
        raise VideoError(f"--out {out} ends in {suffix!r}; give a name in .gif or .mp4")


def write_video(frames: Sequence[npt.NDArray[np.uint8]], rate: int, out: AnyPath) -> None:
    """Writes frames to a video file.

    Args:
        frames: the frames, uint8 [height, width, 3] each.
        rate: frames per second.
        out: the file; its suffix is .gif or .mp4. A missing folder is made.

    Raises:
        OSError: the file cannot be written.
        VideoError: there is no frame, or a library is missing.
    """
    if not frames:
        raise VideoError("nothing was recorded; give at least 1 --episodes")
    out = make_parent(out)
    try:
        (_write_gif if out.suffix.lower() == ".gif" else _write_mp4)(frames, rate, out)
    except ModuleNotFoundError as error:
        raise VideoError(f"videos need {error.name}; pip install 'anymdp-bench[video]'") from None


def _write_gif(frames: Sequence[npt.NDArray[np.uint8]], rate: int, out: Path) -> None:
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(
        out, save_all=True, append_images=pictures[1:], duration=max(20, 1000 // rate), loop=0
    )


def _write_mp4(frames: Sequence[npt.NDArray[np.uint8]], rate: int, out: Path) -> None:
    from moviepy import ImageSequenceClip  # type: ignore[import-untyped]

    clip = ImageSequenceClip(list(frames), fps=rate)
    clip.write_videofile(str(out), logger=None)
    clip.close()

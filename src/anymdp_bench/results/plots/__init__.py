"""Plots of results: each kind is one function from the frame of `records.read_many` to a figure.

    curves     learning curves, one panel per environment
    targets    steps to target, with censored runs marked
    profiles   the share of runs above each score
    context    score against the steps in context, one line per starting context

The colours are those of Okabe and Ito (2008), which every kind of colour vision can distinguish. Lines differ
in dash and marker too. Text is 7 to 9 points at the printed size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

from anymdp_bench.paths import AnyPath, expand_home, make_parent
from anymdp_bench.results.schema import RecordError
from anymdp_bench.spelling import offer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Kind = Literal["curves", "targets", "profiles", "context"]
SUFFIXES = (".png", ".svg", ".pdf")


def draw(
    frame: pd.DataFrame,
    kind: Kind = "curves",
    *,
    target: float = 0.9,
    log: bool = True,
    unit: str = "steps",
) -> Figure:
    """Draws a figure.

    Args:
        frame: result rows, as `records.read_many` returns them.
        kind: the kind of figure.
        target: the score of `targets`.
        log: whether the horizontal axis of `curves` and `context` is logarithmic.
        unit: the horizontal axis of `curves`, "steps" or "episode".

    Raises:
        ValueError: there is no such kind.
        RecordError: there is nothing to draw.
    """
    from anymdp_bench.results.plots import context, curves, profiles, targets

    known: dict[str, Callable[[], Figure]] = {
        "curves": lambda: curves.draw(frame, "episode" if unit == "episode" else "steps", log),
        "targets": lambda: targets.draw(frame, target),
        "profiles": lambda: profiles.draw(frame),
        "context": lambda: context.draw(frame, log),
    }
    if kind not in known:
        raise ValueError(f"unknown kind {kind!r}; {offer(kind, get_args(Kind))}")
    return known[kind]()


def save(figure: Figure, path: AnyPath) -> None:
    """Writes a figure as PNG, SVG or PDF, by its name's end; the same bytes for the same figure.

    `~` in the path is the home directory, and a missing folder is made.

    Raises:
        RecordError: the suffix is another one, or the file cannot be written.
    """
    import matplotlib

    path = expand_home(path)
    if path.suffix.lower() not in SUFFIXES:
        raise RecordError(
            f"{path}: pictures are {', '.join(SUFFIXES)}; end the name in one of them"
        )
    no_date: dict[str, dict[str, None]] = {
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
        ".png": {},
    }
    try:
        with matplotlib.rc_context({"svg.hashsalt": "anymdp-bench", "svg.fonttype": "none"}):
            figure.savefig(make_parent(path), dpi=200, metadata=no_date[path.suffix.lower()])
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}; give another --out") from None

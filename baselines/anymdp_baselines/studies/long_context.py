"""Which memory models a long context best? Loss by position, throughput and memory of seven mixers.

Mixers of equal parameters (feed-forward networks make up for what a mixer has less) are trained on the same
runs in the same order and scored on a published stream (`anymdp_bench.longcontext`), far beyond the length
that they were trained at. Beside them: counts in the context, which need no training, and the entropy of the
transitions, which nobody beats. A mixer's state is kept in `long-context/`, its result file for the
leaderboard is `long-context/MIXER.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.context_config import Course
from anymdp_bench.longcontext import STREAMS, counting, save_result, score, stream
from anymdp_bench.longcontext.losses import Losses
from anymdp_bench.studies.files import ResultCache, publish

NAME = "long-context"
MIXERS = {
    "gated": "gated DeltaNet",
    "gsa": "GSA",
    "mamba2": "Mamba-2",
    "rwkv7": "RWKV-7",
    "window": "softmax attention, window of 128 tokens",
    "lstm": "LSTM",
    "attention": "softmax attention",
}
COUNTS = "counts"
VERSION = "2"


@dataclass(frozen=True)
class Scale:
    """How much work: the model before parameters are made equal, its course, and what it is scored on."""

    width: int
    blocks: int
    heads: int
    course: Course
    stream: str
    runs: int
    length: int


SCALES = {
    "tiny": Scale(16, 1, 1, Course(8, 3, 4, 64, 128, 8, 3e-3), "tau8-v1", 2, 2048),
    "small": Scale(64, 1, 1, Course(8, 3, 8, 128, 2048, 3000, 5e-3), "tau8-v1", 16, 32768),
    "paper": Scale(512, 18, 4, Course(64, 5, 40, 2048, 8192, 100_000, 2e-4), "tau64-v1", 16, 32768),
}


def _rows(found: Losses, more: dict[str, Any]) -> list[dict[str, Any]]:
    return [more | row for row in found.buckets()]


def run(scale: str, out: Path) -> list[Path]:
    """Trains and scores what is missing in `long-context.rows.csv`; writes the table and the picture."""
    from anymdp_baselines.studies.context_trainer import device
    from anymdp_baselines.studies.mixer_trial import measured

    chosen, folder = SCALES[scale], out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    updates = chosen.course.updates
    kept = ResultCache(out / f"{NAME}.rows.csv", ("scale", "updates", "mixer"))
    if not kept.has(scale, updates, COUNTS):
        data = stream(chosen.stream, chosen.runs, chosen.length)
        found = score(data, counting(data.n_states, data.n_actions))
        kept.add(
            (scale, updates, COUNTS),
            _rows(found, {"parameters": 0, "state_floats": _tables(chosen)}),
        )
    for name in MIXERS:
        if kept.has(scale, updates, name):
            continue
        found, more = measured(name, chosen, folder / scale, device())
        if found.stream.name in STREAMS:
            _submission(folder / f"{name}.json", name, chosen, found, more)
        kept.add((scale, updates, name), _rows(found, more))
        print(f"{MIXERS[name]}: {found.following.mean():.3f} nats", flush=True)
    rows = kept.rows(scale, updates)
    return publish(NAME, out, table(rows), _note(scale, chosen, device()), picture(rows, chosen))


def _tables(scale: Scale) -> int:
    S, A = scale.course.n_states, scale.course.n_actions
    return S * A * (S + 1)


def _submission(path: Path, name: str, scale: Scale, found: Losses, more: dict[str, Any]) -> None:
    save_result(
        path, found, model=f"{MIXERS[name]} ({NAME} study)", version=VERSION,
        parameters=more["parameters"], trained_steps=scale.course.steps,
        description=f"{scale.blocks} block(s) of width {scale.width}, trained on runs of"
        f" {scale.course.life} steps",
    )  # fmt: skip


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line a model: parameters, rates, memory, loss of the next observation in some buckets, both means."""
    lines = []
    for name, part in rows.groupby("mixer", sort=False):
        first = part.iloc[0]
        line: dict[str, str] = {"model": MIXERS.get(str(name), str(name))}
        line["parameters"] = f"{int(first['parameters']):,}"
        for title, column, form in (
            ("steps/s trained", "train_rate", _thousands),
            ("steps/s read", "read_rate", _thousands),
            ("state, KiB", "state_floats", lambda x: f"{4 * x / 1024:,.1f}"),
            ("peak, MiB", "peak_mib", lambda x: f"{x:,.0f}"),
        ):
            line[title] = _told(first.get(column), form)
        for _, row in _shown(part).iterrows():
            line[_title(row)] = f"{row['following']:.3f}"
        last = part.iloc[-1]
        line[f"action, {_title(last)}"] = f"{last['policy']:.3f}"
        lines.append(line)
    some = rows[rows["mixer"] == rows["mixer"].iloc[0]]
    floor = {_title(row): f"{row['floor']:.3f}" for _, row in _shown(some).iterrows()}
    lines.append({"model": "entropy of the transitions"} | floor)
    return pd.DataFrame(lines).fillna("")


def _told(value: Any, form: Callable[[float], str]) -> str:
    return "" if value is None or pd.isna(value) else form(float(value))


def _thousands(x: float) -> str:
    return f"{x / 1000:,.1f}K"


def _shown(part: pd.DataFrame) -> pd.DataFrame:
    """Every second bucket, the last one among them."""
    return part.iloc[(len(part) - 1) % 2 :: 2]


def _title(row: Any) -> str:
    return f"{int(row['start']):,}-{int(row['stop']):,}"


def picture(rows: pd.DataFrame, scale: Scale) -> Figure:
    """Both losses against the position in the context."""
    from matplotlib import rc_context

    from anymdp_bench.results.plots.style import (
        RC,
        add_legend,
        line_styles,
        make_panels,
        set_log_axis,
    )

    figure, axes = make_panels(["next observation", "oracle's action"])
    figure.set_size_inches(8.4, 4.0)
    look = line_styles(rows["mixer"])
    with rc_context(RC):  # type: ignore[arg-type]
        for axis, column in zip(axes, ("following", "policy"), strict=True):
            for name, part in rows.groupby("mixer", sort=False):
                at = (part["start"].clip(lower=16) * part["stop"]) ** 0.5
                style = look[str(name)]
                axis.plot(
                    at, part[column], color=style.color, linestyle=style.dash, marker=style.marker,
                    markersize=3, label=MIXERS.get(str(name), str(name)),
                )  # fmt: skip
            axis.axvline(scale.course.life, color="0.75", linewidth=0.8, zorder=0)
            axis.set_xlabel("position in the context, steps")
            set_log_axis(axis)
        some = rows[rows["mixer"] == rows["mixer"].iloc[0]]
        at = (some["start"].clip(lower=16) * some["stop"]) ** 0.5
        axes[0].plot(
            at, some["floor"], color="0.5", linewidth=1.0, label="entropy of the transitions"
        )
        axes[0].set_ylabel("loss, nats")
    add_legend(figure, axes, columns=3)
    return figure


def _note(name: str, scale: Scale, device: str) -> str:
    course = scale.course
    return (
        f"tau({course.n_states},{course.n_actions}); {scale.blocks} block(s) of width {scale.width},"
        f" two tokens a step; {course.updates:,} updates on {course.runs} runs x {course.segment} steps"
        f" ({course.steps / 1e6:.2f}M steps, lives of {course.life}), the same for all; scored on"
        f" {scale.runs} runs of {scale.length:,} steps of stream {scale.stream}. Losses in nats, by position."
        f" Rates in environment steps a second of {'the GPU' if device != 'cpu' else 'processor time'}."
        f" Command: `anymdp-bench study {NAME} --scale {name}`."
    )

"""The tables and the picture of the study `long-context`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.long_context_scale import COUNTS, MIXERS, Scale
from anymdp_bench.longcontext.losses import edges

NEXT, ACTION = "next observation", "oracle's action"


def table(rows: pd.DataFrame, costs: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """A line a model trained at the main length: parameters, costs, losses in some buckets of positions."""
    lines = []
    trained, read = (dict(zip(costs["mixer"], costs[k], strict=True)) for k in ("trained", "read"))
    for name, part in rows[rows["length"] == scale.main_length].groupby("mixer", sort=False):
        first, means = part.iloc[0], _means(part)
        line = {"model": MIXERS.get(str(name), str(name))}
        line["parameters"] = f"{int(first['parameters']):,}"
        line["cost, trained"] = f"{trained[name]:.2f}" if name in trained else ""
        line["cost, read"] = f"{read[name]:.2f}" if name in read else ""
        line["state, KiB"] = f"{4 * first['state_floats'] / 1024:,.1f}"
        for _, row in _every_second(means).iterrows():
            line[_title(row)] = f"{row['following']:.3f}"
        last = means.iloc[-1]
        line[f"action, {_title(last)}"] = f"{last['policy']:.3f}"
        lines.append(line)
    some = _means(rows[rows["mixer"] == COUNTS])
    floor = {_title(row): f"{row['floor']:.3f}" for _, row in _every_second(some).iterrows()}
    lines.append({"model": "entropy of the transitions"} | floor)
    return pd.DataFrame(lines).fillna("")


def table_of_lengths(rows: pd.DataFrame, scale: Scale, column: str) -> pd.DataFrame:
    """A line a model: a loss in the last bucket by length of the training runs, and its change till there."""
    lines = []
    for name, part in rows.groupby("mixer", sort=False):
        line = {"model": MIXERS.get(str(name), str(name))}
        parts = {int(str(length)): own for length, own in part.groupby("length")}
        for length, own in parts.items():
            line[f"runs of {length:,}"] = f"{_means(own).iloc[-1][column]:.3f}"
        for length, own in parts.items():
            moved, error = change(own, column, scale.main_length)
            line[f"change, {length:,}"] = f"{moved:+.3f} ± {error:.3f}"
        lines.append(line)
    names = [
        form.format(length) for form in ("runs of {:,}", "change, {:,}") for length in scale.lengths
    ]
    return pd.DataFrame(lines)[["model", *names]].fillna("")


def table_of_rates(search: pd.DataFrame, rows: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """A line a mixer: the late losses of the short training at each rate, and those of the whole training."""
    lines = []
    for name, part in search.groupby("mixer", sort=False):
        line = {"model": MIXERS[str(name)]}
        total = (part["following"] + part["policy"]).to_numpy()
        for k, (_, row) in enumerate(part.iterrows()):
            cell = f"{row['following']:.2f} / {row['policy']:.2f}"
            rate = f"{float(row['learning_rate']):g}"
            line[rate] = f"**{cell}**" if k == int(total.argmin()) else cell
        whole = rows[(rows["mixer"] == name) & (rows["length"] == scale.main_length)].iloc[0]
        line[f"{scale.config.updates:,} updates"] = (
            f"{whole['late_following']:.2f} / {whole['late_policy']:.2f}"
        )
        lines.append(line)
    return pd.DataFrame(lines)


def change(part: pd.DataFrame, column: str, length: int) -> tuple[float, float]:
    """Returns how a loss changes from the bucket that ends at `length` to the last one, and its error.

    The mean over runs, with its standard error; the entropy of the transitions is taken off the loss of the
    next observation first.
    """
    wide = part.assign(own=part[column] - (part["floor"] if column == "following" else 0.0))
    stops = wide.pivot(index="run", columns="stop", values="own")
    moved = (stops[stops.columns[-1]] - stops[length]).to_numpy()
    return float(moved.mean()), float(moved.std(ddof=1) / np.sqrt(len(moved)))


def _means(part: pd.DataFrame) -> pd.DataFrame:
    """Returns the means over runs, a row a bucket of positions."""
    means = part.groupby(["start", "stop"])[["following", "policy", "floor"]].mean()
    return means.reset_index()


def _every_second(part: pd.DataFrame) -> pd.DataFrame:
    """Every second bucket, the last one among them."""
    return part.iloc[(len(part) - 1) % 2 :: 2]


def _title(row: Any) -> str:
    return f"{int(row['start']):,}-{int(row['stop']):,}"


def picture(rows: pd.DataFrame, scale: Scale) -> Figure:
    """Both losses against the position in the context, of the models trained at the main length."""
    from matplotlib import rc_context

    from anymdp_bench.results.plots.lettering import add_legend
    from anymdp_bench.results.plots.style import RC, line_styles, make_panels, set_log_axis

    rows = rows[rows["length"] == scale.main_length]
    figure, axes = make_panels([NEXT, ACTION])
    figure.set_size_inches(8.4, 4.0)
    look = line_styles(rows["mixer"])
    with rc_context(RC):  # type: ignore[arg-type]
        for axis, column in zip(axes, ("following", "policy"), strict=True):
            for name, part in rows.groupby("mixer", sort=False):
                means, style = _means(part), look[str(name)]
                axis.plot(
                    _centres(means), means[column], color=style.color, linestyle=style.dash,
                    marker=style.marker, markersize=3, label=MIXERS.get(str(name), str(name)),
                )  # fmt: skip
            axis.axvline(scale.main_length, color="0.75", linewidth=0.8, zorder=0)
            axis.set_xlabel("position in the context, steps")
            set_log_axis(axis)
        some = _means(rows[rows["mixer"] == COUNTS])
        axes[0].plot(
            _centres(some), some["floor"], color="0.5", linewidth=1.0,
            label="entropy of the transitions",
        )  # fmt: skip
        axes[0].set_ylabel("loss, nats")
    add_legend(figure, axes, columns=3)
    return figure


def _centres(means: pd.DataFrame) -> Any:
    """Returns the geometric centres of the buckets."""
    return (means["start"].clip(lower=16) * means["stop"]) ** 0.5


def note(scale: Scale, device: str) -> str:
    """What stands below the main table; costs were measured on `device`."""
    config = scale.config
    return (
        f"tau({config.n_states},{config.n_actions}); {scale.blocks} block(s) of width {scale.width},"
        f" two tokens a step; {config.updates:,} updates on {config.runs} runs x {config.segment} steps"
        f" ({config.steps / 1e6:.2f}M steps), the same for all, in runs of {scale.main_length:,}; scored on"
        f" {scale.runs} runs of {scale.length:,} steps of stream {scale.stream}. Losses in nats, by position."
        f" Cost: {'time of the GPU' if device != 'cpu' else 'processor time'} of a step at the end of"
        f" {scale.main_length:,} steps, in training and in reading; {next(iter(MIXERS.values()))} = 1."
        f" State: what a run carries after {scale.length:,} steps."
    )


def note_of_lengths(what: str, scale: Scale) -> str:
    """What stands below the table of lengths of the loss of `what`, `NEXT` or `ACTION`."""
    first, last = edges(scale.length)[-1]
    return (
        f"Loss of the {what} at positions {first:,}-{last:,}, by length of the training runs, with equal"
        f" steps. Change: to there from positions {scale.main_length // 2:,}-{scale.main_length:,}, ± the"
        " standard error over runs"
        + ("; the entropy of the transitions is taken off first." if what == NEXT else ".")
        + " Below 0: better with position."
    )


def note_of_rates(scale: Scale) -> str:
    """What stands below the table of learning rates."""
    return (
        f"By learning rate: both losses (next / action) in the second half of {scale.held_out} held-out runs"
        f" of {scale.main_length:,} steps, after {scale.search:,} updates; in bold the rate of every training"
        " above. Last: after the whole training."
    )

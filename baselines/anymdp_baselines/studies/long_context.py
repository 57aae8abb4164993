"""Which memory models a long context best? Loss by position, throughput and memory. Needs the extra torch.

Mixers of equal parameters (feed-forward networks make up for what a mixer has less) are trained on the same
runs in the same order and scored on a published stream (`anymdp_bench.longcontext`), far beyond the length
that they were trained at. Beside them: counts in the context, which need no training, and the entropy of the
transitions, which nobody beats. A mixer's state is kept in `long-context/`, its result file for the
leaderboard is `long-context/MIXER.json`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.context_config import ContextConfig
from anymdp_bench.longcontext import STREAMS, counting, save_result, score, stream
from anymdp_bench.longcontext.losses import Losses
from anymdp_bench.studies.files import ResultCache, publish

if TYPE_CHECKING:
    from anymdp_baselines.studies.context_model import ContextSize

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
    """How much work: the model before parameters are made equal, its training, and what it is scored on."""

    width: int
    blocks: int
    heads: int
    config: ContextConfig
    stream: str
    runs: int
    length: int


SCALES = {
    "tiny": Scale(16, 1, 1, ContextConfig(8, 3, 4, 64, 128, 8, 3e-3), "tau8-v1", 2, 2048),
    "small": Scale(64, 1, 1, ContextConfig(8, 3, 8, 128, 2048, 3000, 5e-3), "tau8-v1", 16, 32768),
    "paper": Scale(
        512, 18, 4, ContextConfig(64, 5, 40, 2048, 8192, 100_000, 2e-4), "tau64-v1", 16, 32768
    ),
}


def _rows(found: Losses, more: dict[str, Any]) -> list[dict[str, Any]]:
    return [more | row for row in found.buckets()]


def run(scale: str, out: Path) -> list[Path]:
    """Trains and scores what is missing in `long-context.rows.csv`; writes the table and the picture."""
    from anymdp_baselines.studies.context_objective import find_device

    chosen, folder = SCALES[scale], out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    updates = chosen.config.updates
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
        found, more = measure_mixer(name, chosen, folder / scale, find_device())
        if found.stream.name in STREAMS:
            _submission(folder / f"{name}.json", name, chosen, found, more)
        kept.add((scale, updates, name), _rows(found, more))
        print(f"{MIXERS[name]}: {found.following.mean():.3f} nats", flush=True)
    rows = kept.rows(scale, updates)
    return publish(
        NAME, out, table(rows), _note(scale, chosen, find_device()), picture(rows, chosen)
    )


def equal_sizes(scale: Scale) -> dict[str, ContextSize]:
    """Returns the size of the model of every mixer, each with as many parameters as the largest.

    With feed-forward networks of twice the width, mixers differ. So those networks are widened by as many
    units as come nearest.
    """
    from anymdp_baselines.studies.context_model import ContextSize, count_parameters

    S, A = scale.config.n_states, scale.config.n_actions
    plain = {
        name: ContextSize(name, S, A, scale.width, scale.blocks, scale.heads, 2 * scale.width)
        for name in MIXERS
    }
    counts = {name: count_parameters(size) for name, size in plain.items()}
    most, unit = max(counts.values()), scale.blocks * (2 * scale.width + 1)
    return {
        name: replace(size, hidden=size.hidden + round((most - counts[name]) / unit))
        for name, size in plain.items()
    }


def measure_mixer(
    name: str, scale: Scale, folder: Path, device: str
) -> tuple[Losses, dict[str, Any]]:
    """Trains and scores a mixer; returns (losses, its other columns in the table)."""
    from anymdp_baselines.studies.context_model import count_parameters, reader
    from anymdp_baselines.studies.context_objective import train_context_model

    size = equal_sizes(scale)[name]
    _reset_peak(device)
    trained = train_context_model(scale.config, size, folder / name, device=device)
    peak = _read_peak(device)
    data = stream(scale.stream, scale.runs, scale.length)
    state: list[Any] = []

    def predict(before: Any, steps: Any) -> Any:
        answer = reader(trained.model)(before, steps)
        state[:] = answer[0]
        return answer

    begun = time.process_time()
    found = score(data, predict, 256)
    reading = time.process_time() - begun
    floats = sum(memory[0].numel() for memory in state)
    return found, {
        "parameters": count_parameters(size),
        "train_rate": scale.config.steps / max(trained.seconds, 1e-9),
        "read_rate": data.following.size / reading,
        "state_floats": floats,
        "peak_mib": peak,
    }


def _reset_peak(device: str) -> None:
    """Begins to watch the memory in use."""
    import torch

    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return
    watch = Path("/proc/self/clear_refs")
    if watch.exists():
        watch.write_text("5")  # Linux: the peak of resident memory becomes the present one


def _read_peak(device: str) -> float:
    """Returns the most memory in use since, in MiB: of the device, or of this process; 0 if unknown."""
    import torch

    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _tables(scale: Scale) -> int:
    S, A = scale.config.n_states, scale.config.n_actions
    return S * A * (S + 1)


def _submission(path: Path, name: str, scale: Scale, found: Losses, more: dict[str, Any]) -> None:
    save_result(
        path, found, model=f"{MIXERS[name]} ({NAME} study)", version=VERSION,
        parameters=more["parameters"], trained_steps=scale.config.steps,
        description=f"{scale.blocks} block(s) of width {scale.width}, trained on runs of"
        f" {scale.config.context_length} steps",
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
            line[title] = _format(first.get(column), form)
        for _, row in _every_second(part).iterrows():
            line[_title(row)] = f"{row['following']:.3f}"
        last = part.iloc[-1]
        line[f"action, {_title(last)}"] = f"{last['policy']:.3f}"
        lines.append(line)
    some = rows[rows["mixer"] == rows["mixer"].iloc[0]]
    floor = {_title(row): f"{row['floor']:.3f}" for _, row in _every_second(some).iterrows()}
    lines.append({"model": "entropy of the transitions"} | floor)
    return pd.DataFrame(lines).fillna("")


def _format(value: Any, form: Callable[[float], str]) -> str:
    return "" if value is None or pd.isna(value) else form(float(value))


def _thousands(x: float) -> str:
    return f"{x / 1000:,.1f}K"


def _every_second(part: pd.DataFrame) -> pd.DataFrame:
    """Every second bucket, the last one among them."""
    return part.iloc[(len(part) - 1) % 2 :: 2]


def _title(row: Any) -> str:
    return f"{int(row['start']):,}-{int(row['stop']):,}"


def picture(rows: pd.DataFrame, scale: Scale) -> Figure:
    """Both losses against the position in the context."""
    from matplotlib import rc_context

    from anymdp_bench.results.plots.lettering import add_legend
    from anymdp_bench.results.plots.style import RC, line_styles, make_panels, set_log_axis

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
            axis.axvline(scale.config.context_length, color="0.75", linewidth=0.8, zorder=0)
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
    config = scale.config
    return (
        f"tau({config.n_states},{config.n_actions}); {scale.blocks} block(s) of width {scale.width},"
        f" two tokens a step; {config.updates:,} updates on {config.runs} runs x {config.segment} steps"
        f" ({config.steps / 1e6:.2f}M steps, runs of {config.context_length}), the same for all; scored on"
        f" {scale.runs} runs of {scale.length:,} steps of stream {scale.stream}. Losses in nats, by position."
        f" Rates in environment steps a second of {'the GPU' if device != 'cpu' else 'processor time'}."
        f" Command: `anymdp-bench study {NAME} --scale {name}`."
    )

"""Which memory models a long context best? Loss by position, cost and state. Needs the extra torch.

Mixers of equal parameters (feed-forward networks make up for what a mixer has less) are trained on the same
runs in the same order, with runs of several lengths, and scored on a published stream
(`anymdp_bench.longcontext`), far beyond the length that they were trained at. Each mixer has the learning
rate that is best for it in a short training, by held-out runs. Beside them: counts in the context, which need
no training, and the entropy of the transitions, which nobody beats. The trainings are kept in
`long-context/`, and so are the result files for the leaderboard, `long-context/MIXER.json`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.context_config import FIRST_TASK, ContextConfig
from anymdp_bench.longcontext import STREAMS, Stream, counting, save_result, score, stream, training
from anymdp_bench.longcontext.losses import Losses, edges
from anymdp_bench.studies.files import ResultCache, markdown, publish

if TYPE_CHECKING:
    from anymdp_baselines.studies.context_network import ContextNetwork, ContextSize

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
VERSION = "3"
_HELD_OUT = FIRST_TASK + 2**39
_NEXT, _ACTION = "next observation", "oracle's action"
_SEGMENT_READ = 256
_TIMED = 7  # repetitions, of which the median counts


@dataclass(frozen=True)
class Scale:
    """How much work: the model before parameters are made equal, its trainings, and what it is scored on.

    Attributes:
        width: of the model.
        blocks: of it.
        heads: of its mixer.
        config: a training; its length of a run and its learning rate are set by the two that follow.
        lengths: steps of the training runs; the second is that of the search of the learning rate.
        rates: the learning rates of the search.
        search: updates of a training of the search.
        held_out: runs on which the search compares.
        stream: the published stream.
        runs: of it.
        length: steps of each.
    """

    width: int
    blocks: int
    heads: int
    config: ContextConfig
    lengths: tuple[int, ...]
    rates: tuple[float, ...]
    search: int
    held_out: int
    stream: str
    runs: int
    length: int

    @property
    def main_length(self) -> int:
        """The length of runs of the search and of the main table."""
        return self.lengths[1]

    def config_of(self, length: int, rate: float, updates: int = 0) -> ContextConfig:
        """Returns a training on runs of a length at a rate; by default with all updates."""
        return replace(
            self.config, context_length=length, rate=rate, updates=updates or self.config.updates
        )


SCALES = {
    "tiny": Scale(
        16, 1, 1, ContextConfig(8, 3, 4, 64, 128, 8, 3e-3), (64, 128), (3e-3, 1e-2), 4, 2,
        "tau8-v1", 2, 2048,
    ),
    "small": Scale(
        64, 1, 1, ContextConfig(8, 3, 8, 128, 2048, 4096, 3e-3), (512, 2048, 8192),
        (1e-3, 2.5e-3, 6e-3), 1536, 32, "tau8-v1", 16, 32768,
    ),
    "paper": Scale(
        512, 18, 4, ContextConfig(64, 5, 40, 2048, 8192, 98_304, 2e-4), (2048, 8192, 32768),
        (1e-4, 2e-4, 4e-4), 24_576, 32, "tau64-v1", 16, 32768,
    ),
}  # fmt: skip


def run(scale: str, out: Path) -> list[Path]:
    """Trains and scores what is missing in `long-context.rows.csv`; writes the tables and the picture."""
    from anymdp_baselines.studies.context_objective import find_device

    chosen, folder, device = SCALES[scale], out / NAME, find_device()
    folder.mkdir(parents=True, exist_ok=True)
    updates = chosen.config.updates
    kept = ResultCache(out / f"{NAME}.rows.csv", ("scale", "updates", "length", "mixer"))
    found = ResultCache(
        out / f"{NAME}.rates.csv", ("scale", "length", "search", "mixer", "learning_rate")
    )
    costs = ResultCache(out / f"{NAME}.costs.csv", ("scale", "length"))
    if not kept.has(scale, updates, chosen.main_length, COUNTS):
        data = stream(chosen.stream, chosen.runs, chosen.length)
        losses = score(data, counting(data.n_states, data.n_actions))
        more = {"parameters": 0, "state_floats": _tables(chosen)}
        kept.add((scale, updates, chosen.main_length, COUNTS), _rows(losses, more))
    for name in MIXERS:
        rate = find_rate(name, scale, folder / scale, found)
        for length in chosen.lengths:
            if kept.has(scale, updates, length, name):
                continue
            losses, more = measure_mixer(name, chosen, length, rate, folder / scale, device)
            if length == chosen.main_length and losses.stream.name in STREAMS:
                _submission(folder / f"{name}.json", name, chosen, losses, more)
            kept.add((scale, updates, length, name), _rows(losses, more))
            mean = losses.following.mean()
            print(f"{MIXERS[name]}, runs of {length:,}: {mean:.3f} nats", flush=True)
    at = (scale, chosen.main_length)
    cost = costs.fetch(at, lambda: measure_costs(chosen, device))
    rows = kept.rows(scale, updates)
    rows["length"] = rows["length"].astype(int)
    search = found.rows(scale, chosen.main_length, chosen.search)
    note = (
        f"{_note(chosen, device)}\n\n"
        f"{markdown(table_of_lengths(rows, chosen, 'following'))}\n\n"
        f"{_note_of_lengths(_NEXT, chosen)}\n\n"
        f"{markdown(table_of_lengths(rows, chosen, 'policy'))}\n\n"
        f"{_note_of_lengths(_ACTION, chosen)}\n\n"
        f"{markdown(table_of_rates(search, rows, chosen))}\n\n{_note_of_rates(chosen)}\n\n"
        f"Command: `anymdp-bench study {NAME} --scale {scale}`."
    )
    return publish(NAME, out, table(rows, cost, chosen), note, picture(rows, chosen))


def equal_sizes(scale: Scale) -> dict[str, ContextSize]:
    """Returns the size of the model of every mixer, each with as many parameters as the largest.

    With feed-forward networks of twice the width, mixers differ. So those networks are widened by as many
    units as come nearest.
    """
    from anymdp_baselines.studies.context_model import count_parameters
    from anymdp_baselines.studies.context_network import ContextSize

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


def train_mixer(
    name: str, scale: Scale, length: int, rate: float, folder: Path, device: str, updates: int = 0
) -> ContextNetwork:
    """Trains a mixer where that is not done yet, and returns the model.

    Args:
        name: the mixer, of `MIXERS`.
        scale: how much work.
        length: steps of the training runs.
        rate: the learning rate.
        folder: the folder of all trainings.
        device: the device, in PyTorch's words.
        updates: their number; by default as many as `scale` says.
    """
    from anymdp_baselines.studies.context_objective import train_context_model

    config = scale.config_of(length, rate, updates)
    where = folder / f"{name}-{length}-{config.updates}-{rate:g}"
    return train_context_model(config, equal_sizes(scale)[name], where, device=device).model


def find_rate(name: str, scale: str, folder: Path, found: ResultCache) -> float:
    """Returns the learning rate that is best for a mixer; searches where `found` lacks the losses.

    Each rate has a short training. The best has the lowest sum of both losses in the second half of the
    context, on held-out runs.
    """
    from anymdp_baselines.studies.context_network import reader
    from anymdp_baselines.studies.context_objective import find_device

    chosen = SCALES[scale]
    length, losses = chosen.main_length, {}
    for rate in chosen.rates:
        part = (scale, length, chosen.search, name, rate)
        if not found.has(*part):
            model = train_mixer(name, chosen, length, rate, folder, find_device(), chosen.search)
            found.add(part, [late_losses(held_out_runs(chosen, length), reader(model))])
        row = found.rows(*part).iloc[0]
        losses[rate] = float(row["following"] + row["policy"])
    return min(losses, key=lambda rate: losses[rate])


def held_out_runs(scale: Scale, length: int) -> Stream:
    """Returns runs of training tasks that no training has."""
    seeds = range(_HELD_OUT, _HELD_OUT + scale.held_out)
    return training(scale.config.n_states, scale.config.n_actions, seeds, length)


def late_losses(data: Stream, predict: Callable[..., Any]) -> dict[str, float]:
    """Returns the mean of both losses over the second half of the context."""
    losses = score(data, predict, _SEGMENT_READ)
    assert losses.policy is not None
    late = slice(data.length // 2, None)
    return {
        "following": float(losses.following[:, late].mean()),
        "policy": float(losses.policy[:, late].mean()),
    }


def measure_mixer(
    name: str, scale: Scale, length: int, rate: float, folder: Path, device: str
) -> tuple[Losses, dict[str, Any]]:
    """Trains and scores a mixer; returns (losses, its other columns)."""
    from anymdp_baselines.studies.context_model import count_parameters
    from anymdp_baselines.studies.context_network import reader

    model = train_mixer(name, scale, length, rate, folder, device)
    late = late_losses(held_out_runs(scale, length), reader(model))
    data = stream(scale.stream, scale.runs, scale.length)
    state: list[Any] = []

    def predict(before: Any, steps: Any) -> Any:
        answer = reader(model)(before, steps)
        state[:] = answer[0]
        return answer

    found = score(data, predict, _SEGMENT_READ)
    return found, {
        "parameters": count_parameters(equal_sizes(scale)[name]),
        "learning_rate": rate,
        "late_following": late["following"],
        "late_policy": late["policy"],
        "state_floats": sum(memory[0].numel() for memory in state),
    }


def measure_costs(scale: Scale, device: str) -> Iterator[dict[str, Any]]:
    """Measures, for each mixer, the time of a step at the end of a context of the main length.

    The mixers take turns, so what else the machine does strikes all alike. Yields the medians of training
    and of reading, in units of those of the first mixer.
    """
    from anymdp_baselines.studies.context_model import make_network

    config = scale.config_of(scale.main_length, scale.rates[0])
    data = config.make_data(0)
    last = data.part(config.context_length - config.segment, config.context_length)
    models = {name: make_network(size).to(device) for name, size in equal_sizes(scale).items()}
    states = {name: _read_before(model, data, config) for name, model in models.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for _ in range(_TIMED):
        for name, model in models.items():
            times[name].append(_time_once(model, last, states[name], device))
    first = next(iter(models))
    units = [statistics.median(pair[k] for pair in times[first]) for k in range(2)]
    for name, pairs in times.items():
        trained, read = (statistics.median(pair[k] for pair in pairs) / units[k] for k in range(2))
        yield {"mixer": name, "trained": trained, "read": read}


def _read_before(model: ContextNetwork, data: Stream, config: ContextConfig) -> list[Any]:
    """Returns the state of a model before the last segment of some runs."""
    import torch

    state = model.initial_state(config.runs)
    with torch.no_grad():
        for start in range(0, config.context_length - config.segment, config.segment):
            _, _, state = model(data.steps.part(start, start + config.segment), state)
    return state


def _time_once(
    model: ContextNetwork, data: Stream, state: list[Any], device: str
) -> tuple[float, float]:
    """Returns the seconds of (one segment in training, the same segment read)."""
    import torch

    def wait() -> float:
        if device != "cpu":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    start = wait()
    following, policy, _ = model.losses(data, state)
    (following + policy).backward()
    middle = wait()
    with torch.no_grad():
        model(data.steps, state)
    stop = wait()
    model.zero_grad()
    return middle - start, stop - middle


def _tables(scale: Scale) -> int:
    S, A = scale.config.n_states, scale.config.n_actions
    return S * A * (S + 1)


def _rows(found: Losses, more: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the mean losses of each run in each bucket of positions, with the columns of `more`."""
    assert found.policy is not None
    rows = []
    for start, stop in edges(found.stream.length):
        means = (
            x[:, start:stop].mean(1) for x in (found.following, found.policy, found.stream.floor)
        )
        for k, (following, policy, floor) in enumerate(zip(*means, strict=True)):
            own = {"run": k, "start": start, "stop": stop}
            losses = {"following": following, "policy": policy, "floor": floor}
            rows.append(own | {name: round(float(x), 6) for name, x in losses.items()} | more)
    return rows


def _submission(path: Path, name: str, scale: Scale, found: Losses, more: dict[str, Any]) -> None:
    save_result(
        path, found, model=f"{MIXERS[name]} ({NAME} study)", version=VERSION,
        parameters=more["parameters"], trained_steps=scale.config.steps,
        description=f"{scale.blocks} block(s) of width {scale.width}, trained on runs of"
        f" {scale.main_length} steps at a learning rate of {more['learning_rate']:g}",
    )  # fmt: skip


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
    figure, axes = make_panels([_NEXT, _ACTION])
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


def _note(scale: Scale, device: str) -> str:
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


def _note_of_lengths(what: str, scale: Scale) -> str:
    first, last = edges(scale.length)[-1]
    return (
        f"Loss of the {what} at positions {first:,}-{last:,}, by length of the training runs, with equal"
        f" steps. Change: to there from positions {scale.main_length // 2:,}-{scale.main_length:,}, ± the"
        " standard error over runs"
        + ("; the entropy of the transitions is taken off first." if what == _NEXT else ".")
        + " Below 0: better with position."
    )


def _note_of_rates(scale: Scale) -> str:
    return (
        f"By learning rate: both losses (next / action) in the second half of {scale.held_out} held-out runs"
        f" of {scale.main_length:,} steps, after {scale.search:,} updates; in bold the rate of every training"
        " above. Last: after the whole training."
    )

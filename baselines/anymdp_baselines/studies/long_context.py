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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymdp_baselines.studies import long_context_tables as tables
from anymdp_baselines.studies.context_config import FIRST_TASK, ContextConfig
from anymdp_baselines.studies.long_context_scale import COUNTS, MIXERS, SCALES, Scale
from anymdp_bench.longcontext import STREAMS, Stream, counting, save_result, score, stream, training
from anymdp_bench.longcontext.losses import Losses, edges
from anymdp_bench.studies.files import ResultCache, markdown, publish

if TYPE_CHECKING:
    from anymdp_baselines.studies.context_network import ContextNetwork, ContextSize

NAME = "long-context"
VERSION = "3"
_HELD_OUT = FIRST_TASK + 2**39
_SEGMENT_READ = 256
_TIMED = 7  # repetitions, of which the median counts


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
        f"{tables.note(chosen, device)}\n\n"
        f"{markdown(tables.table_of_lengths(rows, chosen, 'following'))}\n\n"
        f"{tables.note_of_lengths(tables.NEXT, chosen)}\n\n"
        f"{markdown(tables.table_of_lengths(rows, chosen, 'policy'))}\n\n"
        f"{tables.note_of_lengths(tables.ACTION, chosen)}\n\n"
        f"{markdown(tables.table_of_rates(search, rows, chosen))}\n\n{tables.note_of_rates(chosen)}\n\n"
        f"Command: `anymdp-bench study {NAME} --scale {scale}`."
    )
    return publish(NAME, out, tables.table(rows, cost, chosen), note, tables.picture(rows, chosen))


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

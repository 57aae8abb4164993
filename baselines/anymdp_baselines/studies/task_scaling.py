"""How many tasks make a model learn in context, at an equal number of runs? Needs the extra torch.

Few tasks can be told apart and known by heart (task identification); many have to be learned from the context
(task learning). A model is trained on each number of tasks, and looked at on the way, on new runs of tasks
it was trained on and of tasks it was not. With L_t the loss of the oracle's action at step t,

    d_t = 1 - L_t / L_0

is what the context has told by then. State is kept in `task-scaling/`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.context_config import FIRST_TASK, ContextConfig
from anymdp_bench.longcontext import Stream, score, training
from anymdp_bench.studies.files import ResultCache, publish

if TYPE_CHECKING:
    from anymdp_baselines.studies.context_model import ContextModel

NAME = "task-scaling"
SETS = ("seen", "unseen")
ENOUGH = 0.8
_UNSEEN = FIRST_TASK + 2**39
_FRESH = 2**40  # numbers of runs that no training reaches


@dataclass(frozen=True)
class Scale:
    """How much work: the model, its training on each number of tasks, and how it is watched.

    Attributes:
        mixer: of the model.
        width: of it.
        blocks: of it.
        heads: of its mixer.
        config: how the model is trained, but for the tasks.
        tasks: their numbers; 0: each run has a task of its own.
        looks: number of them, after the first at update 0.
        runs: of each set that is looked at.
    """

    mixer: str
    width: int
    blocks: int
    heads: int
    config: ContextConfig
    tasks: tuple[int, ...]
    looks: int
    runs: int


SCALES = {
    "tiny": Scale("gated", 16, 1, 1, ContextConfig(8, 3, 4, 64, 128, 8, 3e-3), (2, 0), 2, 4),
    "small": Scale(
        "mamba2",
        64,
        1,
        1,
        ContextConfig(8, 3, 8, 256, 256, 1250, 5e-3),
        (100, 1000, 10_000),
        10,
        64,
    ),
    "paper": Scale(
        "gated",
        512,
        18,
        4,
        ContextConfig(16, 5, 40, 2048, 8192, 320_000, 2e-4),
        (100, 1000, 10_000, 128_000),
        80,
        256,
    ),
}


def make_sets(config: ContextConfig, runs: int) -> dict[str, Stream]:
    """Returns new runs of tasks that are trained on, repeated as needed, and of tasks that are not."""
    seen = min(config.tasks or config.sequences, runs)
    tasks = {
        "seen": [FIRST_TASK + k % seen for k in range(runs)],
        "unseen": range(_UNSEEN, _UNSEEN + runs),
    }
    numbers = range(_FRESH, _FRESH + runs)
    S, A = config.n_states, config.n_actions
    return {
        name: training(S, A, seeds, config.context_length, numbers) for name, seeds in tasks.items()
    }


def places(length: int) -> list[tuple[int, int]]:
    """Returns where L_t is averaged: step 0, 1 to 3, 4 and 5, 6 and 7, 8 to 11, and so on, two an octave."""
    ends = [0, 1, min(4, length)]
    while ends[-1] < length:
        last = ends[-1]
        ends.append(min(length, last // 2 * 3 if last & (last - 1) == 0 else last // 3 * 4))
    return list(pairwise(ends))


def train_watched(scale: Scale, config: ContextConfig, folder: Path) -> pd.DataFrame:
    """Trains a model and watches it; returns rows of update, set, start and stop of a place, and loss."""
    from anymdp_baselines.studies.context_model import ContextSize, reader
    from anymdp_baselines.studies.context_objective import find_device, train_context_model

    folder.mkdir(parents=True, exist_ok=True)
    sets = make_sets(config, scale.runs)
    kept = ResultCache(folder / "looks.rows.csv", ("update", "set"))

    def watch(update: int, model: ContextModel) -> None:
        for name, data in sets.items():
            loss = score(data, reader(model), config.segment).policy
            assert loss is not None
            rows = [
                {"start": start, "stop": stop, "loss": float(loss[:, start:stop].mean())}
                for start, stop in places(config.context_length)
            ]
            kept.add((update, name), rows)

    size = ContextSize(
        scale.mixer, config.n_states, config.n_actions, scale.width, scale.blocks, scale.heads,
        2 * scale.width,
    )  # fmt: skip
    every = config.updates // scale.looks
    train_context_model(config, size, folder / "training", watch, every, find_device())
    return kept.rows().astype({"update": int})


def run(scale: str, out: Path) -> list[Path]:
    """Trains what is missing in `task-scaling.rows.csv`; writes the paper's table and the maps."""
    chosen, folder = SCALES[scale], out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    kept = ResultCache(out / f"{NAME}.rows.csv", ("scale", "updates", "tasks"))
    for tasks in chosen.tasks:
        config = replace(chosen.config, tasks=tasks)
        name = tasks or config.sequences
        part = (scale, config.updates, name)
        if not kept.has(*part):
            rows = train_watched(chosen, config, folder / f"{scale}-{name}")
            kept.add(part, [dict(row) for _, row in rows.iterrows()])
            print(f"{name:,} tasks: done", flush=True)
    rows = advances(kept.rows(scale, chosen.config.updates))
    return publish(NAME, out, table(rows), _note(scale, chosen), picture(rows))


def advances(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `d`, 1 - L_t / L_0, of their own set and look."""
    first = rows[rows["start"] == 0].set_index(["tasks", "update", "set"])["loss"]
    at = pd.MultiIndex.from_frame(rows[["tasks", "update", "set"]])
    return rows.assign(d=1.0 - rows["loss"].to_numpy() / first.loc[at].to_numpy())


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The paper's: by set, the best d_t of the best look, the first t with d_t >= 80%; and which look."""
    columns: dict[str, list[str]] = {}
    for tasks, part in rows.groupby("tasks", sort=False):
        cells = []
        for name in SETS:
            mine = part[part["set"] == name]
            best = int(mine["update"].to_numpy()[int(mine["d"].to_numpy().argmax())])
            there = mine[mine["update"] == best]
            enough = there[there["d"] >= ENOUGH]
            cells.append(f"{there['d'].max():.1%}")
            cells.append("-" if enough.empty else f"{int(enough['start'].min()):,}")
        columns[f"{int(str(tasks)):,} tasks"] = [*cells, f"{best:,}"]
    lines = [(s, m) for s in SETS for m in ("max d_t", f"first t with d_t >= {ENOUGH:.0%}")]
    lines.append((SETS[-1], "best at update"))
    names = pd.DataFrame(lines, columns=["runs of", "measure"])
    return pd.concat([names, pd.DataFrame(columns)], axis=1)


def picture(rows: pd.DataFrame) -> Figure:
    """d_t by update and position, a map for every number of tasks and set."""
    from matplotlib import rc_context
    from matplotlib.colors import Normalize

    from anymdp_bench.results.plots.style import RC

    tasks = list(dict.fromkeys(rows["tasks"]))
    with rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(2.1 * len(tasks) + 1.0, 4.2), layout="constrained")
        axes = figure.subplots(2, len(tasks), squeeze=False, sharex=True, sharey=True)
        mesh: Any = None
        for line, name in zip(axes, SETS, strict=True):
            for axis, number in zip(line, tasks, strict=True):
                mine = rows[(rows["tasks"] == number) & (rows["set"] == name) & (rows["start"] > 0)]
                grid = mine.pivot(index="stop", columns="update", values="d")
                updates, stops = list(grid.columns), [1, *grid.index]
                edges = [updates[0], *updates]
                mesh = axis.pcolormesh(
                    [*edges[1:], 2 * edges[-1] - edges[-2]], stops, grid.to_numpy(),
                    norm=Normalize(0.0, 1.0), cmap="viridis", shading="flat",
                )  # fmt: skip
                axis.set_yscale("log")
                axis.grid(False)
                axis.set_title(f"{int(str(number)):,} tasks, {name}")
        for axis in axes[-1]:
            axis.set_xlabel("update")
        for axis in axes[:, 0]:
            axis.set_ylabel("step t of the context")
        figure.colorbar(mesh, ax=axes, label="$d_t = 1 - L_t / L_0$")
    return figure


def _note(name: str, scale: Scale) -> str:
    config = scale.config
    return (
        f"tau({config.n_states},{config.n_actions}), {scale.mixer} ({scale.blocks} block(s) of width"
        f" {scale.width}, two tokens a step); {config.updates:,} updates, {config.sequences:,} runs of"
        f" {config.context_length} steps ({config.steps / 1e6:.2f}M steps) with every number of tasks."
        f" Losses of the oracle's action on {scale.runs} new runs of each set, by position; L_0 is at step 0."
        f" Command: `anymdp-bench study {NAME} --scale {name}`."
    )

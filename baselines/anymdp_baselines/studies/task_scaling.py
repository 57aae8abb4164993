"""How many tasks make a model learn in context, at an equal number of runs? Needs the extra torch.

Few tasks can be told apart and known by heart (task identification); many have to be learned from the context
(task learning). Two networks are trained on each number of tasks: that of `omnirl`, which has a planning
memory, and one without. Each is looked at on the way, on new runs of tasks it was trained on and of tasks it
was not. With L_t the loss of the oracle's action at step t,

    d_t = 1 - L_t / L_0

is what the context has told by then. State is kept in `task-scaling/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.context_config import FIRST_TASK, ContextConfig
from anymdp_bench.longcontext import Stream, score, training
from anymdp_bench.studies.files import ResultCache, markdown, publish

if TYPE_CHECKING:
    from anymdp_baselines.studies.context_network import ContextNetwork, ContextSize

NAME = "task-scaling"
SETS = ("seen", "unseen")
PAPER = {
    "runs of": ["seen", "seen", "unseen", "unseen", "unseen"],
    "measure": [*["max d_t", "first t with d_t >= 80%"] * 2, "best at iteration"],
    "100 tasks": ["> 81.0%", "0.88K", "17.9%", "-", "2K"],
    "1K tasks": ["> 65.4%", "-", "38.0%", "-", "14K"],
    "10K tasks": [">= 86.6%", "2.4K", "84.4%", "3.9K", "72K"],
    "128K tasks": [">= 84.5%", "5.2K", ">= 84.8%", "5.1K", ">= 80K"],
}
"""The paper's table of its task scaling, by column."""
NAMES = {"planning": "planning memory", "mamba2": "Mamba-2", "gated": "gated DeltaNet"}
ENOUGH = 0.8
_UNSEEN = FIRST_TASK + 2**39
_FRESH = 2**40  # numbers of runs that no training reaches
_READ = 256


@dataclass(frozen=True)
class Setting:
    """A network, its training on each number of tasks, and how it is watched.

    Attributes:
        mixer: of the network, or "planning" for the network of `omnirl`.
        width: of it.
        blocks: of it.
        heads: of its mixer.
        config: how the network is trained, but for the tasks.
        tasks: their numbers; 0: each run has a task of its own.
        length: steps of the runs that are looked at.
        looks: number of them, after the first at update 0.
        runs: of each set that is looked at.
        last_runs: runs of each set that the trained network is scored on; 0: none.
    """

    mixer: str
    width: int
    blocks: int
    heads: int
    config: ContextConfig
    tasks: tuple[int, ...]
    length: int
    looks: int
    runs: int
    last_runs: int = 0

    @property
    def device(self) -> str:
        """The device of the training; the planning memory has no kernel for a GPU."""
        from anymdp_baselines.studies.context_objective import find_device

        return "cpu" if self.mixer == "planning" else find_device()

    @property
    def size(self) -> ContextSize:
        """The size of the network."""
        from anymdp_baselines.studies.context_network import ContextSize

        config, hidden = self.config, 2 * self.width
        shape = (config.n_states, config.n_actions, self.width, self.blocks, self.heads, hidden)
        return ContextSize(self.mixer, *shape)


SCALES = {
    "tiny": (
        Setting(
            "planning", 16, 1, 1, ContextConfig(8, 3, 4, 64, 64, 4, 3e-3), (2, 0), 128, 2, 4, 8
        ),
        Setting("gated", 16, 1, 1, ContextConfig(8, 3, 4, 64, 128, 8, 3e-3), (2, 0), 128, 2, 4),
    ),
    "small": (
        Setting(
            "planning", 16, 2, 4,
            ContextConfig(16, 5, 25, 128, 128, 5120, 4e-3, following_share=0.1),
            (100, 1000, 10_000, 128_000), 8192, 10, 32, 256,
        ),
        Setting(
            "mamba2", 64, 1, 1, ContextConfig(8, 3, 8, 256, 256, 1250, 5e-3),
            (100, 1000, 10_000), 256, 10, 64,
        ),
    ),
    "paper": (
        Setting(
            "gated", 512, 18, 4, ContextConfig(16, 5, 40, 2048, 8192, 320_000, 2e-4),
            (100, 1000, 10_000, 128_000), 8192, 80, 256,
        ),
    ),
}  # fmt: skip


def make_sets(config: ContextConfig, runs: int, length: int) -> dict[str, Stream]:
    """Returns new runs of tasks that are trained on, repeated as needed, and of tasks that are not."""
    seen = min(config.tasks or config.sequences, runs)
    tasks = {
        "seen": [FIRST_TASK + k % seen for k in range(runs)],
        "unseen": range(_UNSEEN, _UNSEEN + runs),
    }
    numbers = range(_FRESH, _FRESH + runs)
    S, A = config.n_states, config.n_actions
    return {name: training(S, A, seeds, length, numbers) for name, seeds in tasks.items()}


def places(length: int) -> list[tuple[int, int]]:
    """Returns where L_t is averaged: step 0, 1 to 3, 4 and 5, 6 and 7, 8 to 11, and so on, two an octave."""
    ends = [0, 1, min(4, length)]
    while ends[-1] < length:
        last = ends[-1]
        ends.append(min(length, last // 2 * 3 if last & (last - 1) == 0 else last // 3 * 4))
    return list(pairwise(ends))


def train_watched(setting: Setting, config: ContextConfig, folder: Path) -> pd.DataFrame:
    """Trains a model and watches it; returns rows of update, set, start and stop of a place, and loss."""
    from anymdp_baselines.studies.context_objective import train_context_model

    folder.mkdir(parents=True, exist_ok=True)
    sets = make_sets(config, setting.runs, setting.length)
    kept = ResultCache(folder / "looks.rows.csv", ("update", "set"))

    def watch(update: int, model: ContextNetwork) -> None:
        for name, data in sets.items():
            kept.add((update, name), _score(model, data))

    every = config.updates // setting.looks
    train_context_model(config, setting.size, folder / "training", watch, every, setting.device)
    return kept.rows().astype({"update": int})


def score_trained(setting: Setting, config: ContextConfig, folder: Path) -> list[dict[str, Any]]:
    """Scores a trained model on more runs; returns rows of set, start and stop of a place, and loss."""
    from anymdp_baselines.studies.context_objective import train_context_model

    where = folder / "training"
    model = train_context_model(config, setting.size, where, device=setting.device).model
    sets = make_sets(config, setting.last_runs, setting.length)
    return [{"set": name} | row for name, data in sets.items() for row in _score(model, data)]


def _score(model: ContextNetwork, data: Stream) -> list[dict[str, Any]]:
    """Returns a row for each place of a stream: start, stop and mean loss of the oracle's action."""
    from anymdp_baselines.studies.context_network import reader

    loss = score(data, reader(model), _READ).policy
    assert loss is not None
    return [
        {"start": start, "stop": stop, "loss": float(loss[:, start:stop].mean())}
        for start, stop in places(data.length)
    ]


def run(scale: str, out: Path) -> list[Path]:
    """Trains what is missing in `task-scaling.rows.csv`; writes the paper's table and the maps."""
    folder, key = out / NAME, ("scale", "mixer", "updates", "tasks")
    folder.mkdir(parents=True, exist_ok=True)
    looks = ResultCache(out / f"{NAME}.rows.csv", key)
    last = ResultCache(out / f"{NAME}.last.csv", key)
    parts, trained = [], []
    for setting in SCALES[scale]:
        mixer, updates = setting.mixer, setting.config.updates
        for tasks in setting.tasks:
            config = replace(setting.config, tasks=tasks)
            name = tasks or config.sequences
            part, where = (scale, mixer, updates, name), folder / f"{scale}-{mixer}-{name}"
            if not looks.has(*part):
                rows = train_watched(setting, config, where)
                looks.add(part, [dict(row) for _, row in rows.iterrows()])
                print(f"{NAMES[mixer]}, {name:,} tasks: done", flush=True)
            if setting.last_runs and not last.has(*part):
                last.add(part, score_trained(setting, config, where))
        parts.append(advances(looks.rows(scale, mixer, updates)))
        if setting.last_runs:
            rows = last.rows(scale, mixer, updates).assign(update=updates)
            trained.append(table(advances(rows))[: 2 * len(SETS)])
    whole = pd.concat([table(rows) for rows in parts]).fillna("")
    note = _note(scale) + "".join(f"\n\n{text}" for text in _more_tables(scale, trained))
    note += f"\n\nCommand: `anymdp-bench study {NAME} --scale {scale}`."
    return publish(NAME, out, whole, note, picture(parts))


def _more_tables(scale: str, trained: list[pd.DataFrame]) -> Iterator[str]:
    """Yields the tables below the first, each after a sentence about it."""
    if trained:
        runs = max(setting.last_runs for setting in SCALES[scale])
        yield f"At the end of the training, on {runs} new runs of each set:"
        yield markdown(pd.concat(trained).fillna(""))
    yield "The paper's table:"
    yield markdown(pd.DataFrame(PAPER))


def advances(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `d`, 1 - L_t / L_0, of their own set and look."""
    first = rows[rows["start"] == 0].set_index(["tasks", "update", "set"])["loss"]
    at = pd.MultiIndex.from_frame(rows[["tasks", "update", "set"]])
    return rows.assign(d=1.0 - rows["loss"].to_numpy() / first.loc[at].to_numpy())


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The paper's, of one network: by set, the best d_t of the best look, and the first t with d_t >= 80%.

    The last line says which look of the unseen tasks is best.
    """
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
    mixer = str(rows["mixer"].iloc[0])
    names = pd.DataFrame(
        [(NAMES[mixer], *line) for line in lines], columns=["network", "runs of", "measure"]
    )
    return pd.concat([names, pd.DataFrame(columns)], axis=1)


def picture(parts: list[pd.DataFrame]) -> Figure:
    """d_t by update and position, a map for every network, set and number of tasks."""
    from matplotlib import rc_context
    from matplotlib.colors import Normalize

    from anymdp_bench.results.plots.style import RC

    most = max(rows["tasks"].nunique() for rows in parts)
    with rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(1.9 * most + 1.0, 3.8 * len(parts)), layout="constrained")
        grid = figure.subplots(2 * len(parts), most, squeeze=False)
        mesh: Any = None
        for rows, upper in zip(parts, range(0, 2 * len(parts), 2), strict=True):
            tasks = list(dict.fromkeys(rows["tasks"]))
            for axes, name in zip(grid[upper:], SETS, strict=False):
                for axis, number in zip(axes, tasks, strict=False):
                    mine = rows[(rows["tasks"] == number) & (rows["set"] == name)]
                    mesh = _draw_map(axis, mine, Normalize(0.0, 1.0))
                    axis.set_title(f"{int(str(number)):,} tasks, {name}")
                for axis in axes[1 : len(tasks)]:
                    axis.tick_params(labelleft=False)
                for axis in axes[len(tasks) :]:
                    axis.set_axis_off()
                mixer = str(rows["mixer"].iloc[0])
                axes[0].set_ylabel(f"{NAMES[mixer]}\nstep t of the context")
            for axis in grid[upper, : len(tasks)]:
                axis.tick_params(labelbottom=False)
            for axis in grid[upper + 1, : len(tasks)]:
                axis.set_xlabel("update")
        figure.colorbar(mesh, ax=grid, label="$d_t = 1 - L_t / L_0$", shrink=0.6)
    return figure


def _draw_map(axis: Any, rows: pd.DataFrame, norm: Any) -> Any:
    """Draws d_t of one set; returns the mesh, for the colours."""
    values = rows[rows["start"] > 0].pivot(index="stop", columns="update", values="d")
    updates, stops = [int(str(u)) for u in values.columns], [1, *values.index]
    mesh = axis.pcolormesh(
        [*updates, 2 * updates[-1] - updates[-2]], stops, values.to_numpy(), norm=norm,
        cmap="viridis", shading="flat",
    )  # fmt: skip
    axis.set_yscale("log")
    axis.grid(False)
    return mesh


def _note(name: str) -> str:
    told = []
    for setting in SCALES[name]:
        config = setting.config
        told.append(
            f"{NAMES[setting.mixer]}: tau({config.n_states},{config.n_actions}), {setting.blocks} block(s) of"
            f" width {setting.width}; {config.updates:,} updates on {config.sequences:,} runs of"
            f" {config.context_length} steps ({config.steps / 1e6:.1f}M steps) with every number of tasks;"
            f" looked at on {setting.runs} new runs of {setting.length:,} steps of each set."
        )
    return (
        " ".join(told)
        + " Losses of the oracle's action, by position; L_0 is that of step 0. The seen tasks looked at are"
        " the same in every column, and so are the unseen ones: compare along a line, not between lines."
    )

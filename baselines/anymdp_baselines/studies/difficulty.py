"""What makes AnyMDP hard, compared with Garnet and with plain rewards?

The study has four families of tasks with 16 states and 5 actions: AnyMDP, AnyMDP with a Normal reward for
every (s, a, s') instead, and Garnet with 2 and with 4 successors. `tql-ucb-fast`, PPO and PSRL learn the same
tasks of each family, the first ones that count, and are scored exactly at the test points of the
evaluation. The stationary distributions under the random policy and the oracle are averaged over tasks at
equal rank. The measures of hardness are those of theory (`anymdp_bench.tasks.hardness`). The rank
correlation of a measure with the steps that a learner needs shows how well the measure predicts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.stationary import fit_decay, sorted_distributions
from anymdp_bench.agents import AgentSpec, CompiledAgent
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.evaluation import Budget, Run, play_compiled, play_training
from anymdp_bench.results.plots.style import COLOURS, RC, set_log_axis
from anymdp_bench.studies.files import ResultCache, publish
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.hardness import measure_hardness
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.source import TaskSource
from anymdp_bench.tasks.task import Task

AGENTS = ("tql-ucb-fast", "ppo", "psrl")
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "AnyMDP": ("AnyMDP-16s5a-v0", {}),
    "AnyMDP, plain reward": ("AnyMDP-16s5a-v0", {"composite_reward": False}),
    "Garnet, b = 2": ("Garnet-16s5a2b-v0", {}),
    "Garnet, b = 4": ("Garnet-16s5a4b-v0", {}),
}
MEASURES = ("diameter", "reciprocal_gaps", "value_norm")
TARGET = 0.8
_TASKS = {"tiny": 2, "small": 64, "paper": 64}  # tasks of the learners
_EPISODES = {"tiny": 20, "small": 500, "paper": 10_000}
_SAMPLED = {"tiny": 4, "small": 64, "paper": 1024}  # tasks of the distributions and the measures


def source_of(family: str) -> TaskSource:
    """Returns the source of the tasks of one of `FAMILIES`."""
    env_id, keywords = FAMILIES[family]
    return task_source(env_id, **keywords)


def measure_learner(name: str, env_id: str, task: Task, episodes: int) -> Iterator[dict[str, Any]]:
    """Plays one learner on one task, and yields its exact scores.

    There is a row for each test whose score differs from that of the test before, and one for the last test.
    """
    agent, run = AgentSpec(name).make(env_id), Run(env_id, task, 0)
    budget = Budget(episodes=episodes)
    if isinstance(agent, CompiledAgent):
        curve = play_compiled(agent, run, budget)
    else:
        curve = play_training(agent, run, budget)
    scores = curve.score.round(5)
    is_new = np.diff(scores, prepend=np.nan) != 0.0
    is_new[-1] = True
    for steps, score in zip(curve.steps[is_new].tolist(), scores[is_new].tolist(), strict=True):
        yield {"task_seed": task.seed, "steps": steps, "score": score}


def _measure_learners(
    name: str, env_id: str, tasks: Sequence[Task], episodes: int
) -> list[dict[str, Any]]:
    """Plays one learner on all tasks, and returns the rows of `measure_learner`."""
    return [row for task in tasks for row in measure_learner(name, env_id, task, episodes)]


def steps_to(rows: pd.DataFrame, target: float = TARGET) -> Float64s:
    """Returns the steps at which the score of each task first reached `target`, or inf; float64 [tasks]."""
    reached = rows[rows["score"] >= target].groupby("task_seed")["steps"].min()
    every = rows["task_seed"].unique()
    return reached.reindex(every).fillna(np.inf).to_numpy(np.float64)


def mean_curve(rows: pd.DataFrame) -> tuple[Float64s, Float64s]:
    """Returns (steps, mean over tasks of the last score until then), float64 [60] each."""
    grid = np.geomspace(200, rows["steps"].max(), 60)
    each = []
    for _, part in rows.groupby("task_seed"):
        at = np.searchsorted(part["steps"].to_numpy(), grid, side="right") - 1
        each.append(np.where(at >= 0, part["score"].to_numpy()[np.maximum(at, 0)], 0.0))
    return grid, np.mean(each, axis=0)


class FamilyResult(NamedTuple):
    """The results of one family of tasks.

    Attributes:
        curves: the rows of `measure_learner`, by agent.
        played: the measures of hardness of each task of the learners.
        sampled: the measures of the tasks of the first seeds, whether they count or not.
        shapes: the mean sorted stationary distributions, by policy.
    """

    curves: dict[str, pd.DataFrame]
    played: pd.DataFrame
    sampled: pd.DataFrame
    shapes: dict[str, Float64s]


def run(scale: str, out: Path) -> list[Path]:
    """Plays the missing runs, and writes the table and the figure."""
    # Before any work, as PPO needs an extra that may be missing.
    versions = {name: AgentSpec(name).make().version for name in AGENTS}
    cache = ResultCache(
        out / "difficulty.rows.csv", ("scale", "tasks", "family", "agent", "version")
    )
    found = {family: _measure_family(family, scale, cache, versions) for family in FAMILIES}
    note = (
        f"Median steps until a learner's exact score first reached {TARGET:g} (reached/tasks), and its mean"
        f" score at the end: {_TASKS[scale]} tasks that count, {_EPISODES[scale]} episodes. Medians of the"
        " measures, and the fall of the uniform policy's stationary probability per rank (of its logarithm,"
        f" with R²): task seeds 0 to {_SAMPLED[scale] - 1}.\n\n{_correlations(found)}\n\n"
        f"Command: `anymdp-bench study difficulty --scale {scale}`."
    )
    return [cache.path, *publish("difficulty", out, _make_table(found), note, _draw_figure(found))]


def _measure_family(
    family: str, scale: str, cache: ResultCache, versions: dict[str, str]
) -> FamilyResult:
    """Measures one family; the scores of its learners come from the cache where they are there."""
    source, env_id = source_of(family), FAMILIES[family][0]
    tasks, _ = select_tasks(source, _TASKS[scale])
    curves = {}
    for name in AGENTS:
        part = (scale, _TASKS[scale], family, name, versions[name])
        measure = partial(_measure_learners, name, env_id, tasks, _EPISODES[scale])
        curves[name] = cache.fetch(part, measure)
    seeds = range(_SAMPLED[scale])
    return FamilyResult(
        curves,
        pd.DataFrame([measure_hardness(source, task.seed) for task in tasks]),
        pd.DataFrame([measure_hardness(source, seed) for seed in seeds]),
        sorted_distributions([source.sample(seed) for seed in seeds]),
    )


def _make_table(found: dict[str, FamilyResult]) -> pd.DataFrame:
    rows = []
    for family, result in found.items():
        row: dict[str, Any] = {"tasks": family}
        for name, curve in result.curves.items():
            steps = steps_to(curve)
            last = curve.groupby("task_seed")["score"].last().mean()
            middle = np.median(steps)
            typical = f"{middle:,.0f}" if np.isfinite(middle) else "never"
            row[name] = f"{typical} ({np.isfinite(steps).sum()}/{len(steps)}), {last:.2f}"
        for measure in MEASURES:
            row[measure.replace("_", " ")] = f"{result.sampled[measure].median():.3g}"
        slope, fit = fit_decay(result.shapes["uniform"])
        row["fall per rank"] = f"{slope:.3f} ({fit:.2f})"
        rows.append(row)
    return pd.DataFrame(rows)


def _correlations(found: dict[str, FamilyResult]) -> str:
    """Renders the rank correlations of all measures with the steps of all learners, in Markdown."""
    lines = [
        "Spearman's rank correlation with the steps needed, over the tasks of AnyMDP / of all four families:",
        "",
        "| measure |" + "".join(f" {name} |" for name in AGENTS),
        "| :-- |" + " --: |" * len(AGENTS),
    ]
    for measure in (*MEASURES, "noise"):
        cells = []
        for name in AGENTS:
            pair = []
            for families in (list(found)[:1], list(found)):
                steps = np.concatenate([steps_to(found[f].curves[name]) for f in families])
                by = np.concatenate([found[f].played[measure] for f in families])
                pair.append(f"{spearman(by, steps):.2f}")
            cells.append(f" {' / '.join(pair)} |")
        lines.append(f"| {measure.replace('_', ' ')} |" + "".join(cells))
    return "\n".join(lines)


def spearman(x: Float64s, y: Float64s) -> float:
    """Returns Spearman's rank correlation of two arrays [n]; NaN where either is constant.

    Ties, such as unreached targets, share a rank.
    """
    ranks = [pd.Series(z).rank().to_numpy(np.float64) for z in (x, y)]
    if min(float(np.ptp(r)) for r in ranks) == 0.0:
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _draw_figure(found: dict[str, FamilyResult]) -> Figure:
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.5, 5.6), layout="constrained")
        axes: Any = figure.subplots(2, 3)
        for (family, result), colour in zip(found.items(), COLOURS, strict=False):
            for axis, name in zip(axes[0], AGENTS, strict=True):
                axis.plot(*mean_curve(result.curves[name]), color=colour, label=family)
            for axis, mean in zip(axes[1], result.shapes.values(), strict=False):
                axis.semilogy(np.arange(1, len(mean) + 1), mean, color=colour)
            axes[1][2].loglog(
                result.sampled["diameter"],
                result.sampled["value_norm"],
                ".",
                color=colour,
                markersize=4,
            )
        for axis, name in zip(axes[0], AGENTS, strict=True):
            set_log_axis(axis)
            axis.set(title=name, xlabel="steps", ylabel="exact score", ylim=(-0.2, 1.05))
        for axis, policy in zip(axes[1], ("uniform", "oracle"), strict=False):
            axis.set(title=f"{policy} policy", xlabel="state, by its probability", ylim=(1e-5, 1))
            axis.set_ylabel("stationary probability")
        axes[1][2].set(title="a dot a task", xlabel="diameter", ylabel="value norm")
        set_log_axis(axes[1][2])
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure

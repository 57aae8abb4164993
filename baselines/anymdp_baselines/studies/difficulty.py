"""What makes AnyMDP hard: against Garnet, and against itself without its composite reward.

Four families of tau(16,5): AnyMDP, AnyMDP with a Normal reward for every (s, a, s') instead, and Garnet with
2 and 4 successors. On each TQL-UCB, PPO and PSRL learn the same tasks, the first that count, and are
scored exactly at the protocol's test points; the stationary distributions under the random and the oracle
policy are averaged over tasks at equal rank; and the tasks are measured as theory does
(`anymdp_bench.tasks.hardness`). The rank correlation of each measure with the steps that a learner needs says
what it is good for.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from anymdp_bench.tasks.family import TaskSource, task_source
from anymdp_bench.tasks.hardness import measured
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.task import Task

AGENTS = ("tql-ucb", "ppo", "psrl")
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "AnyMDP": ("AnyMDP-16s5a-v0", {}),
    "AnyMDP, plain reward": ("AnyMDP-16s5a-v0", {"composite_reward": False}),
    "Garnet, b = 2": ("Garnet-16s5a2b-v0", {}),
    "Garnet, b = 4": ("Garnet-16s5a4b-v0", {}),
}
MEASURES = ("diameter", "reciprocal_gaps", "value_norm")
TARGET = 0.8
_TASKS = {"tiny": 2, "small": 64, "paper": 64}  # that learners play
_EPISODES = {"tiny": 20, "small": 500, "paper": 10_000}
_SAMPLED = {"tiny": 4, "small": 64, "paper": 1024}  # that distributions and measures are taken of


def source_of(family: str) -> TaskSource:
    """The tasks of one of `FAMILIES`."""
    env_id, keywords = FAMILIES[family]
    return task_source(env_id, **keywords)


def measure_learner(name: str, env_id: str, task: Task, episodes: int) -> Iterator[dict[str, Any]]:
    """The exact scores of one learner on one task: a row for each test point with a new one, and the last."""
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


def steps_to(rows: pd.DataFrame, target: float = TARGET) -> Float64s:
    """Steps at which each task's score first reached `target`, inf where it did not, [tasks]."""
    reached = rows[rows["score"] >= target].groupby("task_seed")["steps"].min()
    every = rows["task_seed"].unique()
    return reached.reindex(every).fillna(np.inf).to_numpy(np.float64)


def mean_curve(rows: pd.DataFrame) -> tuple[Float64s, Float64s]:
    """(steps, mean over tasks of the score last tested by then), on a geometric grid."""
    grid = np.geomspace(200, rows["steps"].max(), 60)
    each = []
    for _, part in rows.groupby("task_seed"):
        at = np.searchsorted(part["steps"].to_numpy(), grid, side="right") - 1
        each.append(np.where(at >= 0, part["score"].to_numpy()[np.maximum(at, 0)], 0.0))
    return grid, np.mean(each, axis=0)


class FamilyResult(NamedTuple):
    """What was found of one family.

    Attributes:
        curves: the rows of `measure_learner`, by agent.
        played: a row of measures for each task that was learned.
        sampled: the same for the first task seeds, whether they count or not.
        shapes: sorted stationary distributions by policy.
    """

    curves: dict[str, pd.DataFrame]
    played: pd.DataFrame
    sampled: pd.DataFrame
    shapes: dict[str, Float64s]


def run(scale: str, out: Path) -> list[Path]:
    """Measures what is missing, and puts out the table and the picture."""
    kept = ResultCache(
        out / "difficulty.rows.csv", ("scale", "tasks", "family", "agent", "version")
    )
    found = {family: _measure_family(family, scale, kept) for family in FAMILIES}
    note = (
        f"Median steps until a learner's exact score first reached {TARGET:g} (reached/tasks), and its mean"
        f" score at the end: {_TASKS[scale]} tasks that count, {_EPISODES[scale]} episodes. Medians of the"
        " measures, and the fall of the uniform policy's stationary probability per rank (of its logarithm,"
        f" with R²): task seeds 0 to {_SAMPLED[scale] - 1}.\n\n{_correlations(found)}\n\n"
        f"Command: `anymdp-bench study difficulty --scale {scale}`."
    )
    return [kept.path, *publish("difficulty", out, _table(found), note, _figure(found))]


def _measure_family(family: str, scale: str, kept: ResultCache) -> FamilyResult:
    source, env_id = source_of(family), FAMILIES[family][0]
    tasks, _ = select_tasks(source, _TASKS[scale])
    curves = {}
    for name in AGENTS:
        part = (scale, _TASKS[scale], family, name, AgentSpec(name).make().version)
        if not kept.has(*part):
            rows = [
                row for t in tasks for row in measure_learner(name, env_id, t, _EPISODES[scale])
            ]
            kept.add(part, rows)
        curves[name] = kept.rows(*part)
    seeds = range(_SAMPLED[scale])
    return FamilyResult(
        curves,
        pd.DataFrame([measured(source, task.seed) for task in tasks]),
        pd.DataFrame([measured(source, seed) for seed in seeds]),
        sorted_distributions([source.sample(seed) for seed in seeds]),
    )


def _table(found: dict[str, FamilyResult]) -> pd.DataFrame:
    rows = []
    for family, of in found.items():
        row: dict[str, Any] = {"tasks": family}
        for name, curve in of.curves.items():
            steps = steps_to(curve)
            last = curve.groupby("task_seed")["score"].last().mean()
            middle = np.median(steps)
            shown = f"{middle:,.0f}" if np.isfinite(middle) else "never"
            row[name] = f"{shown} ({np.isfinite(steps).sum()}/{len(steps)}), {last:.2f}"
        for measure in MEASURES:
            row[measure.replace("_", " ")] = f"{of.sampled[measure].median():.3g}"
        slope, fit = fit_decay(of.shapes["uniform"])
        row["fall per rank"] = f"{slope:.3f} ({fit:.2f})"
        rows.append(row)
    return pd.DataFrame(rows)


def _correlations(found: dict[str, FamilyResult]) -> str:
    """Spearman's rank correlation of measures with steps, in Markdown."""
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
    """Spearman's rank correlation; ties (unreached targets) share a rank; nan where either is constant."""
    ranks = [pd.Series(z).rank().to_numpy(np.float64) for z in (x, y)]
    if min(float(np.ptp(r)) for r in ranks) == 0.0:
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _figure(found: dict[str, FamilyResult]) -> Figure:
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.5, 5.6), layout="constrained")
        axes: Any = figure.subplots(2, 3)
        for (family, of), colour in zip(found.items(), COLOURS, strict=False):
            for axis, name in zip(axes[0], AGENTS, strict=True):
                axis.plot(*mean_curve(of.curves[name]), color=colour, label=family)
            for axis, mean in zip(axes[1], of.shapes.values(), strict=False):
                axis.semilogy(np.arange(1, len(mean) + 1), mean, color=colour)
            axes[1][2].loglog(
                of.sampled["diameter"], of.sampled["value_norm"], ".", color=colour, markersize=4
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

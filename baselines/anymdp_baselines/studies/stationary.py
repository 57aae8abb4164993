"""How rarely does a random policy visit good states, on AnyMDP and on Garnet?

The stationary distribution of each task is sorted, with the most visited state first, and averaged over
tasks at equal rank, as in the paper's figure. Under the uniform policy it falls exponentially on AnyMDP and
is nearly flat on Garnet. Under the oracle it is concentrated on few states.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve, stationary_distribution
from anymdp_bench.scoring import ORACLE_GAMMA
from anymdp_bench.tasks.family import sample_tasks

ENVIRONMENTS = ("AnyMDP-64s5a-v0", "Garnet-64s5a2b-v0")
_TASKS = {"tiny": 8, "small": 64, "paper": 1024}


def sorted_distributions(mdps: Sequence[TabularMDP]) -> dict[str, Float64s]:
    """Returns the mean over tasks of the sorted stationary distribution, float64 [S], by policy."""
    out: dict[str, list[Float64s]] = {"uniform": [], "oracle": []}
    for mdp in mdps:
        uniform = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
        for name, policy in (("uniform", uniform), ("oracle", solve(mdp, ORACLE_GAMMA).policy)):
            out[name].append(np.sort(stationary_distribution(mdp, policy))[::-1])
    return {name: np.mean(rows, axis=0) for name, rows in out.items()}


def fit_decay(distribution: Float64s) -> tuple[float, float]:
    """Fits a line to ln p by rank, over the ranks with p > 1e-12; returns (slope, R^2)."""
    positive = distribution[distribution > 1e-12]
    rank, log = np.arange(len(positive)), np.log(positive)
    slope, offset = np.polyfit(rank, log, 1)
    residual = log - (slope * rank + offset)
    return float(slope), float(1.0 - residual.var() / log.var())


def run(scale: str, out: Path) -> list[Path]:
    """Prints the fits and draws `stationary.png`."""
    from matplotlib.figure import Figure

    from anymdp_bench.results.plots.lettering import add_legend

    figure = Figure(figsize=(7.0, 2.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    colours = {"uniform": "#0072B2", "oracle": "#D55E00"}
    print(f"{'environment':20} {'policy':8} {'slope per rank':>14} {'R2':>6} {'first/last':>10}")
    for axis, env_id in zip(axes, ENVIRONMENTS, strict=True):
        mdps = sample_tasks(env_id, range(_TASKS[scale]))
        for name, mean in sorted_distributions(mdps).items():
            slope, fit = fit_decay(mean)
            ratio = mean[0] / max(mean[-1], 1e-300)
            print(f"{env_id:20} {name:8} {slope:14.4f} {fit:6.3f} {ratio:10.3g}")
            axis.semilogy(np.arange(1, len(mean) + 1), mean, color=colours[name], label=name)
        axis.set(title=env_id, xlabel="state, by stationary probability")
        axis.grid(alpha=0.25, linewidth=0.5)
    axes[0].set(ylabel="stationary probability", ylim=(1e-7, 1))
    add_legend(figure, list(axes), "policy")
    path = out / "stationary.png"
    figure.savefig(path, dpi=200)
    return [path]

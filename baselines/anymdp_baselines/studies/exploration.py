"""How do agents explore? The study measures the entropy of their decisions and their exact regret.

All agents play the same tasks from an empty memory. In each window of a run the study measures

    entropy   -ln of the probability that two visits of a state, in different episodes of the window, choose
              the same action. This is Renyi's entropy of order 2, from its unbiased estimate by pairs: ln A
              for random choices, and 0 for settled ones. It needs only the actions, so it is the same
              quantity for a softmax, for noise on a bonus, and for a policy that is sampled from a
              posterior.
    regret    minus the sum of the oracle's advantages of the actions taken (`anymdp_bench.scoring`). It is
              exact, in units of the task's gap; an episode of random actions costs one unit.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_bench.agents import Agent, AgentSpec, CompiledAgent, is_shaped, start_agent
from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.evaluation import (
    Interaction,
    Run,
    SteppedAgent,
    make_simulator,
    run_batch,
)
from anymdp_bench.results.plots.lettering import add_legend
from anymdp_bench.results.plots.style import RC, line_styles
from anymdp_bench.studies.files import ResultCache, publish
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.tabular import TabularSimulator

ENV_ID = "AnyMDP-16s5a-v0"
AGENTS = ("omnirl", "neural-planner", "psrl", "ucbvi", "tql-ucb")
WINDOWS = 10
_TASKS = {"tiny": 2, "small": 64, "paper": 64}
_STEPS = {"tiny": 2_000, "small": 4_000, "paper": 20_000}


class History(NamedTuple):
    """The steps of n runs, arrays [n, steps].

    Attributes:
        observation: the observation of each step.
        action: the action taken.
        episode: the number of the episode.
        regret: the regret up to and including the step, in units of the gap.
    """

    observation: Int64s
    action: Int64s
    episode: Int64s
    regret: Float64s


def record_history(agent: Agent, runs: list[Run], steps: int) -> History:
    """Plays `runs` side by side from an empty memory for `steps` steps, and records the steps."""
    simulator = make_simulator(runs, shaped=is_shaped(agent))
    assert isinstance(simulator, TabularSimulator)
    start_agent(agent, run_batch(runs, privileged=False))
    play, gap = Interaction(agent, simulator), np.array([r.task.references.gap for r in runs])
    seen, taken, episode = (np.zeros((len(runs), steps), np.int64) for _ in range(3))
    regret, finished = np.zeros((len(runs), steps)), np.zeros(len(runs))
    for t in range(steps):
        action = play.act()
        seen[:, t], taken[:, t], episode[:, t] = simulator.observation, action, play.episodes
        for i, _, advantage_sum in play.play(action):
            finished[i] -= advantage_sum
        regret[:, t] = (finished - simulator.advantage_sum) / gap
    return History(seen, taken, episode, regret)


def collision_rate(observation: Int64s, action: Int64s, episode: Int64s, n_actions: int) -> float:
    """Estimates the probability that two visits of a state in different episodes choose the same action.

    The arrays are those of one window of one run, int64 [steps]. The weight of a state is its number of
    visits. The result is NaN where no state was visited in two episodes.
    """
    table = np.zeros((observation.max() + 1, np.ptp(episode) + 1, n_actions))
    np.add.at(table, (observation, episode - episode.min(), action), 1.0)
    visits = table.sum(axis=(1, 2))
    same = _pairs(table.sum(axis=1)).sum(axis=1) - _pairs(table).sum(axis=(1, 2))
    every = _pairs(visits) - _pairs(table.sum(axis=2)).sum(axis=1)
    has_pairs = every > 0
    if not has_pairs.any():
        return float("nan")
    rate = same[has_pairs] / every[has_pairs]
    return float(np.average(rate, weights=visits[has_pairs]))


def _pairs(n: Float64s) -> Float64s:
    return n * (n - 1.0) / 2.0


def measure_agent(name: str, n_tasks: int, steps: int) -> list[dict[str, Any]]:
    """Plays one agent, and returns a row for each task and window."""
    tasks, _ = select_tasks(task_source(ENV_ID), n_tasks)
    runs = [Run(ENV_ID, task, 0) for task in tasks]
    agent = AgentSpec(name).make(ENV_ID)
    if isinstance(agent, CompiledAgent):
        each = [record_history(SteppedAgent(agent), [run], steps) for run in runs]
    else:
        each = [record_history(agent, runs, steps)]
    whole = History(*(np.concatenate(parts) for parts in zip(*each, strict=True)))
    width, rows = steps // WINDOWS, []
    for i, run in enumerate(runs):
        for begin in range(0, width * WINDOWS, width):
            inside = slice(begin, begin + width)
            seen, taken, episode = (part[i, inside] for part in whole[:3])
            rate = collision_rate(seen, taken, episode, run.task.n_actions)
            regret = float(whole.regret[i, begin + width - 1])
            row = {"task_seed": run.task.seed, "steps": begin + width}
            rows.append(row | {"collision": round(rate, 5), "regret": round(regret, 5)})
    return rows


def run(scale: str, out: Path) -> list[Path]:
    """Plays the missing runs, and writes the table and the figure."""
    cache = ResultCache(
        out / "exploration.rows.csv", ("scale", "n_tasks", "budget_steps", "agent", "version")
    )
    curves = {}
    for name in AGENTS:
        version = AgentSpec(name).make().version
        part = (scale, _TASKS[scale], _STEPS[scale], name, version)
        measure = partial(measure_agent, name, _TASKS[scale], _STEPS[scale])
        by_steps = cache.fetch(part, measure).groupby("steps")
        regret = by_steps["regret"].agg(["mean", "sem", "median"])
        entropy = pd.DataFrame({"entropy": -np.log(by_steps["collision"].mean())})
        curves[name] = entropy.join(regret)
    marks = [_STEPS[scale] * k // WINDOWS for k in (1, 3, WINDOWS)]
    rows = []
    for name, curve in curves.items():
        row: dict[str, Any] = {"agent": name}
        row |= {f"entropy to {m:,}": f"{curve['entropy'][m]:.2f}" for m in marks}
        row |= {
            f"regret at {m:,}": f"{curve['mean'][m]:.2f} ± {curve['sem'][m]:.2f}" for m in marks
        }
        row["its median"] = f"{curve['median'][marks[-1]]:.2f}"
        rows.append(row)
    note = (
        f"{_TASKS[scale]} tasks of {ENV_ID} that count. Entropy of decisions in nats, in the window of"
        f" {_STEPS[scale] // WINDOWS:,} steps that ends there (ln 5 = 1.61: random; 0: settled). Regret in"
        " units of the gap, ± the standard error over tasks.\n\n"
        f"Command: `anymdp-bench study exploration --scale {scale}`."
    )
    paths = publish("exploration", out, pd.DataFrame(rows), note, _draw_figure(curves))
    return [cache.path, *paths]


def _draw_figure(curves: dict[str, pd.DataFrame]) -> Figure:
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(7.0, 2.8), layout="constrained")
        axes: Any = figure.subplots(1, 2)
        for (name, line), curve in zip(line_styles(curves).items(), curves.values(), strict=True):
            style = {"color": line.color, "linestyle": line.dash, "marker": line.marker, "ms": 3}
            axes[0].plot(curve.index, curve["entropy"], label=name, **style)
            axes[1].errorbar(curve.index, curve["mean"], curve["sem"], capsize=2, **style)
        axes[0].axhline(np.log(5), color="0.55", linewidth=0.8, linestyle=(0, (1, 2)))
        axes[0].set(xlabel="steps", ylabel="entropy of decisions, nats", ylim=(0, None))
        axes[1].set(xlabel="steps", ylabel="regret, in gaps", ylim=(0, None))
    add_legend(figure, list(axes))
    return figure

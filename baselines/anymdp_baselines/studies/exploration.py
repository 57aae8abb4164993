"""How agents explore: the entropy of their decisions over the context, and their exact regret.

Agents play the same tasks from an empty memory. In each window of a run

    entropy   -ln of the chance that two visits of a state, in different episodes of the window, choose the
              same action (Renyi's entropy of order 2, from its unbiased estimate by pairs): ln A for random
              choices, 0 for settled ones. It is read off what was done, so it is the same quantity for a
              sampled softmax, for noise on a bonus, and for a policy that is redrawn from a posterior.
    regret    minus the sum of the oracle's advantages of what was played (`anymdp_bench.scoring`): exact, in
              units of the task's gap, one unit being an episode played at random.
"""

from __future__ import annotations

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
from anymdp_bench.results.plots.style import RC, looks
from anymdp_bench.studies.files import Kept, publish
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.tabular import TabularSimulator

ENV_ID = "AnyMDP-16s5a-v0"
AGENTS = ("neural-planner", "psrl", "tql-ucb")
WINDOWS = 10
_TASKS = {"tiny": 2, "small": 32, "paper": 64}
_STEPS = {"tiny": 2_000, "small": 4_000, "paper": 20_000}


class History(NamedTuple):
    """What was done in `n` runs, [n, steps] each."""

    observation: Int64s
    action: Int64s
    episode: Int64s
    regret: Float64s  # up to and with that step, in units of the gap


def watched(agent: Agent, runs: list[Run], steps: int) -> History:
    """Plays `runs` side by side from an empty memory and writes down what is done."""
    simulator = make_simulator(runs, shaped=is_shaped(agent))
    assert isinstance(simulator, TabularSimulator)
    start_agent(agent, run_batch(runs, privileged=False))
    play, gap = Interaction(agent, simulator), np.array([r.task.references.gap for r in runs])
    seen, done, episode = (np.zeros((len(runs), steps), np.int64) for _ in range(3))
    regret, finished = np.zeros((len(runs), steps)), np.zeros(len(runs))
    for t in range(steps):
        action = play.act()
        seen[:, t], done[:, t], episode[:, t] = simulator.observation, action, play.episodes
        for i, _, advantage_sum in play.play(action):
            finished[i] -= advantage_sum
        regret[:, t] = (finished - simulator.advantage_sum) / gap
    return History(seen, done, episode, regret)


def collisions(observation: Int64s, action: Int64s, episode: Int64s, n_actions: int) -> float:
    """Chance that two visits of a state in different episodes chose alike; nan where there are none.

    Of one run's window, int64 [steps] each; states weigh as much as they are visited.
    """
    table = np.zeros((observation.max() + 1, np.ptp(episode) + 1, n_actions))
    np.add.at(table, (observation, episode - episode.min(), action), 1.0)
    visits = table.sum(axis=(1, 2))
    alike = _pairs(table.sum(axis=1)).sum(axis=1) - _pairs(table).sum(axis=(1, 2))
    every = _pairs(visits) - _pairs(table.sum(axis=2)).sum(axis=1)
    met = every > 0
    if not met.any():
        return float("nan")
    return float(np.average(alike[met] / every[met], weights=visits[met]))


def _pairs(n: Float64s) -> Float64s:
    return n * (n - 1.0) / 2.0


def measured(name: str, n_tasks: int, steps: int) -> list[dict[str, Any]]:
    """A row for each task and window of one agent."""
    tasks, _ = select_tasks(task_source(ENV_ID), n_tasks)
    runs = [Run(ENV_ID, task, 0) for task in tasks]
    made = AgentSpec(name).make(ENV_ID)
    if isinstance(made, CompiledAgent):
        each = [watched(SteppedAgent(made), [run], steps) for run in runs]
    else:
        each = [watched(made, runs, steps)]
    whole = History(*(np.concatenate(parts) for parts in zip(*each, strict=True)))
    width, rows = steps // WINDOWS, []
    for i, run in enumerate(runs):
        for begin in range(0, width * WINDOWS, width):
            inside = slice(begin, begin + width)
            seen, done, episode = (part[i, inside] for part in whole[:3])
            alike = collisions(seen, done, episode, run.task.n_actions)
            lost = float(whole.regret[i, begin + width - 1])
            row = {"task_seed": run.task.seed, "steps": begin + width}
            rows.append(row | {"collision": round(alike, 5), "regret": round(lost, 5)})
    return rows


def run(scale: str, out: Path) -> list[Path]:
    """Measures what is missing, and puts out the table and the picture."""
    kept = Kept(out / "exploration.rows.csv", ("scale", "agent", "version"))
    curves = {}
    for name in AGENTS:
        part = (scale, name, AgentSpec(name).make().version)
        if not kept.has(*part):
            kept.add(part, measured(name, _TASKS[scale], _STEPS[scale]))
        by = kept.rows(*part).groupby("steps")
        regret = by["regret"].agg(["mean", "sem", "median"])
        curves[name] = pd.DataFrame({"entropy": -np.log(by["collision"].mean())}).join(regret)
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
    paths = publish("exploration", out, pd.DataFrame(rows), note, _figure(curves))
    return [kept.path, *paths]


def _figure(curves: dict[str, pd.DataFrame]) -> Figure:
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(7.0, 2.8), layout="constrained")
        axes: Any = figure.subplots(1, 2)
        for (name, look), curve in zip(looks(curves).items(), curves.values(), strict=True):
            style = {"color": look.color, "linestyle": look.dash, "marker": look.marker, "ms": 3}
            axes[0].plot(curve.index, curve["entropy"], label=name, **style)
            axes[1].errorbar(curve.index, curve["mean"], curve["sem"], capsize=2, **style)
        axes[0].axhline(np.log(5), color="0.55", linewidth=0.8, linestyle=(0, (1, 2)))
        axes[0].set(xlabel="steps", ylabel="entropy of decisions, nats", ylim=(0, None))
        axes[1].set(xlabel="steps", ylabel="regret, in gaps", ylim=(0, None))
        axes[0].legend(frameon=False)
    return figure

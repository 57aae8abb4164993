"""In-context RL by data recipe: AD, AD-eps, DPT and OmniRL in three contexts. Needs the extra torch.

One network, trainer and number of updates; only the data differ (`anymdp_baselines.omnirl.recipes`). Each
method then plays unseen tasks of tau(16,5) from an empty context, after 100 demonstration episodes of the
oracle with 30% random actions (offline), and after 100 of the oracle (imitation); the score is by episode. A
model trained with tags gets the oracle's tag with the demonstrations of the imitation, and no tag with the
offline ones. It plays the imitation without the tag too. Behaviour cloning and conservative Q-learning get
the same demonstrations, and so do all on the classic tasks, offline.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_baselines.studies.methods import METHODS, method_preset, train_method
from anymdp_baselines.tabular.offline import Cloning, ConservativeQ
from anymdp_bench.agents import Agent
from anymdp_bench.datasets.codes import TAG_ORACLE, TAG_UNKNOWN
from anymdp_bench.evaluation import CONTEXTS, Budget, Run, play_in_context
from anymdp_bench.results.plots.style import RC, line_styles
from anymdp_bench.studies.files import ResultCache, markdown, publish
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

TASKS = "AnyMDP-16s5a-v0"
CLASSICS = (
    "FrozenLake4x4-v0", "FrozenLake4x4Slippery-v0", "CliffWalkingTerminal-v0", "Darkroom-8x8-v0",
    "DiscretePendulum-g5-v0",
)  # fmt: skip
OFFLINE = {"bc": Cloning, "cql": ConservativeQ}
UNTAGGED = (
    "imitation, untold"  # without the tag of the oracle; the text is a value of the result files
)
_RUNS = {"tiny": 2, "small": 32, "paper": 128}  # tasks of tau(16,5)
_EPISODES = {"tiny": 3, "small": 20, "paper": 200}
_SHOWN = {"tiny": 2, "small": 100, "paper": 100}  # demonstration episodes
_CLASSIC = {"tiny": 1, "small": 5, "paper": 5}  # of CLASSICS
_CLASSIC_RUNS = {"tiny": 2, "small": 8, "paper": 32}
_CLASSIC_EPISODES = 10


def _questions(scale: str) -> list[tuple[str, str]]:
    """Returns all (environment, context), in the order in which they are played."""
    contexts = ("empty", "imitation", UNTAGGED, "offline")
    classics = CLASSICS[: _CLASSIC[scale]]
    return [*((TASKS, c) for c in contexts), *((env_id, "offline") for env_id in classics)]


def contexts_of(method: str) -> tuple[str, ...]:
    """Returns the contexts that a method is played in."""
    from anymdp_baselines.omnirl.recipes import RECIPES

    if method in OFFLINE:
        return ("offline", "imitation")
    untagged = (UNTAGGED,) if RECIPES[method].has_tags else ()
    return ("empty", "offline", "imitation", *untagged)


def agent_of(method: str, context: str, weights: Path) -> Agent:
    """Returns the method as an agent that tags demonstrations as it is to know them."""
    from anymdp_baselines.omnirl.agent import load_agent
    from anymdp_baselines.omnirl.recipes import RECIPES

    if method in OFFLINE:
        return OFFLINE[method]()
    is_tagged = context == "imitation" and RECIPES[method].has_tags
    return load_agent(method, str(weights), ("delta",), TAG_ORACLE if is_tagged else TAG_UNKNOWN)


def play_method(agent: Agent, env_id: str, context: str, scale: str) -> list[dict[str, Any]]:
    """Plays an agent; returns the score of every episode."""
    demonstrations = CONTEXTS[context.partition(",")[0]]
    if demonstrations is not None:
        demonstrations = replace(demonstrations, episodes=_SHOWN[scale])
    sampled = env_id == TASKS
    tasks, _ = select_tasks(task_source(env_id), _RUNS[scale])
    seeds = range(1 if sampled else _CLASSIC_RUNS[scale])
    runs = [Run(env_id, task, seed) for task in tasks for seed in seeds]
    episodes = _EPISODES[scale] if sampled else _CLASSIC_EPISODES
    curves = play_in_context(agent, runs, Budget(episodes=episodes), None, demonstrations)
    return [
        {"run": i, "episode": e, "score": round(s, 5)}
        for i, curve in enumerate(curves)
        for e, s in zip(curve.episode.tolist(), curve.score.tolist(), strict=True)
    ]


def run(scale: str, out: Path) -> list[Path]:
    """Trains and plays what is missing, and puts out the tables and the picture."""
    kept = ResultCache(
        out / "icrl-methods.rows.csv", ("scale", "updates", "env_id", "method", "context")
    )
    preset = method_preset(scale, "omnirl")
    updates = preset.rounds * preset.minibatches
    for env_id, context in _questions(scale):
        for method in (*METHODS, *OFFLINE):
            part = (scale, updates, env_id, method, context)
            if context not in contexts_of(method) or kept.has(*part):
                continue
            weights = out / "icrl-methods" / scale / method
            if method in METHODS:
                weights = train_method(scale, method, weights)
            agent = agent_of(method, context, weights)
            kept.add(part, play_method(agent, env_id, context, scale))
    rows = kept.rows(scale, updates)
    runs = sum(group.own_runs + group.recorded_runs for group in preset.groups)
    steps = preset.rounds * preset.groups[0].segment * runs
    classics = _classics(rows[rows["env_id"] != TASKS])
    note = (
        f"Mean score (0 random, 1 oracle), ± standard error, of {_RUNS[scale]} unseen tasks of {TASKS}, in"
        f" the first and last fifth of {_EPISODES[scale]} episodes. Every method: width {preset.model.width},"
        f" {preset.model.blocks} blocks, {updates:,} updates, {steps:,} steps.\n\n"
        f"Classic tasks, offline, {_CLASSIC_RUNS[scale]} runs of {_CLASSIC_EPISODES} episodes:\n\n"
        f"{markdown(classics)}\n\nCommand: `anymdp-bench study icrl-methods --scale {scale}`."
    )
    anymdp = rows[rows["env_id"] == TASKS]
    paths = publish("icrl-methods", out, _table(anymdp), note, _figure(anymdp))
    print(classics.to_string(index=False), flush=True)
    return [kept.path, *paths]


def _format_mean(values: pd.Series[float]) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{values.mean():.2f} ± {error:.2f}"


def _name(method: str) -> str:
    from anymdp_baselines.omnirl.recipes import RECIPES

    return RECIPES[method].name if method in RECIPES else method


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    last = int(rows["episode"].max())
    fifth = max(last // 5, 1)
    table = []
    for method in (*METHODS, *OFFLINE):
        part = rows[rows["method"] == method]
        line: dict[str, str] = {"method": _name(method)}
        for context in ("empty", "offline", "imitation", UNTAGGED):
            own = part[part["context"] == context]
            ends = {"first": own["episode"] <= fifth, "last": own["episode"] > last - fifth}
            for when, inside in ends.items():
                mean = own[inside].groupby("run")["score"].mean()
                line[f"{context}, {when}"] = _format_mean(mean) if len(mean) else "—"
        table.append(line)
    return pd.DataFrame(table)


def _classics(rows: pd.DataFrame) -> pd.DataFrame:
    table = []
    for method in (*METHODS, *OFFLINE):
        part = rows[rows["method"] == method]
        line = {"method": _name(method)}
        for env_id, own in part.groupby("env_id", sort=False):
            line[str(env_id).removesuffix("-v0")] = _format_mean(own.groupby("run")["score"].mean())
        table.append(line)
    return pd.DataFrame(table)


def _figure(rows: pd.DataFrame) -> Figure:
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.5, 3.4), layout="constrained")
        axes: Any = figure.subplots(1, 3, sharey=True)
        every = line_styles((*METHODS, *OFFLINE))
        for axis, context in zip(axes, ("empty", "offline", "imitation"), strict=True):
            for method, look in every.items():
                own = rows[(rows["method"] == method) & (rows["context"] == context)]
                if own.empty:
                    continue
                mean = own.groupby("episode")["score"].mean().rolling(3, min_periods=1).mean()
                axis.plot(
                    mean.index, mean, color=look.color, linestyle=look.dash, label=_name(method)
                )
            axis.axhline(1.0, color="0.55", linewidth=0.8, linestyle=(0, (1, 2)))
            axis.set(title=f"{context} context", xlabel="episode", ylim=(-0.3, 1.06))
        axes[0].set_ylabel("score, mean of 3 episodes")
        handles, labels = axes[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure

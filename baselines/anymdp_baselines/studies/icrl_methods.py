"""In-context RL by data recipe: AD, AD-eps, DPT and OmniRL in three contexts. Needs the extra torch.

One network, trainer and number of updates; only the data differ (`anymdp_baselines.omnirl.recipes`). Each
recipe is trained with several seeds. It then plays unseen tasks of tau(16,5):

    empty           from an empty context
    offline         after 100 episodes of the oracle with 30% random actions
    offline, poor   after 20 episodes of the oracle with 90% random actions
    imitation       after 100 episodes of the oracle

A model that was trained with tags gets the oracle's tag with the demonstrations of the imitation, and no tag
with the offline ones. It plays the imitation without the tag too. Behaviour cloning and conservative
Q-learning get the same demonstrations. So do two agents that are no recipes: the planner without its network,
which counts, and `omnirl` as it ships. All play the classic tasks too, after the demonstrations of `offline`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from anymdp_baselines.studies.methods import METHODS, method_preset, train_method
from anymdp_baselines.tabular.offline import Cloning, ConservativeQ
from anymdp_bench.agents import Agent
from anymdp_bench.datasets.codes import TAG_ORACLE, TAG_UNKNOWN
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.evaluation import CONTEXTS, Budget, Demonstrations, Run, play_in_context
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
COUNTS, SHIPPED = "planner-no-network", "omnirl as shipped"
OTHERS = (*OFFLINE, COUNTS, SHIPPED)
POOR, UNTAGGED = "offline, poor", "imitation, untold"  # values of the result files
_POOR_DEMONSTRATIONS = Demonstrations(20, 0.9)
_SEEDS = {"tiny": 1, "small": 3, "paper": 1}  # of training
_RUNS = {"tiny": 2, "small": 128, "paper": 128}  # tasks of tau(16,5)
_EPISODES = {"tiny": 5, "small": 40, "paper": 200}
_SHOWN = {"tiny": 2, "small": 100, "paper": 100}  # demonstration episodes
_CLASSIC = {"tiny": 1, "small": 5, "paper": 5}  # of CLASSICS
_CLASSIC_RUNS = {"tiny": 2, "small": 8, "paper": 32}
_CLASSIC_EPISODES = 10
_BLOCKS = 10  # the rows have the mean score of each tenth of the episodes
_RESAMPLES = 4000


def contexts_of(method: str) -> tuple[str, ...]:
    """Returns the contexts that a method is played in."""
    from anymdp_baselines.omnirl.recipes import RECIPES

    if method in OFFLINE:
        return ("offline", POOR, "imitation")
    is_tagged = method == SHIPPED or (method in RECIPES and RECIPES[method].has_tags)
    return ("empty", "offline", POOR, "imitation", *((UNTAGGED,) if is_tagged else ()))


def agent_of(method: str, context: str, weights: Path) -> Agent:
    """Returns the method as an agent that tags demonstrations as it is to know them."""
    from anymdp_baselines.omnirl.agent import load_agent
    from anymdp_baselines.planner.agent import planner_no_network

    if method in OFFLINE:
        return OFFLINE[method]()
    if method == COUNTS:
        return planner_no_network()
    tag = TAG_ORACLE if context == "imitation" and UNTAGGED in contexts_of(method) else TAG_UNKNOWN
    if method == SHIPPED:
        return load_agent("omnirl", None, ("delta",), tag)
    return load_agent(method, str(weights), ("delta",), tag)


def play_method(agent: Agent, env_id: str, context: str, scale: str) -> list[dict[str, Any]]:
    """Plays an agent; returns the mean score of each run in each tenth of its episodes."""
    demonstrations = _POOR_DEMONSTRATIONS if context == POOR else CONTEXTS[context.split(",")[0]]
    if demonstrations is not None:
        most = min(demonstrations.episodes, _SHOWN[scale])
        demonstrations = replace(demonstrations, episodes=most)
    is_sampled = env_id == TASKS
    tasks, _ = select_tasks(task_source(env_id), _RUNS[scale])
    seeds = range(1 if is_sampled else _CLASSIC_RUNS[scale])
    runs = [Run(env_id, task, seed) for task in tasks for seed in seeds]
    episodes = _EPISODES[scale] if is_sampled else _CLASSIC_EPISODES
    curves = play_in_context(agent, runs, Budget(episodes=episodes), None, demonstrations)
    return [
        {"run": i, "block": block, "score": round(float(part.mean()), 4)}
        for i, curve in enumerate(curves)
        for block, part in enumerate(np.array_split(curve.score, min(_BLOCKS, episodes)))
    ]


def _parts(scale: str) -> list[tuple[str, int, str, str]]:
    """Returns all (method, training seed, environment, context), in the order in which they are played."""
    out = []
    for seed in range(_SEEDS[scale]):
        for method in (*METHODS, *OTHERS) if seed == 0 else METHODS:
            out += [(method, seed, TASKS, context) for context in contexts_of(method)]
            out += [(method, seed, env_id, "offline") for env_id in CLASSICS[: _CLASSIC[scale]]]
    return out


def run(scale: str, out: Path) -> list[Path]:
    """Trains and plays what is missing, and puts out the tables and the picture."""
    cache = ResultCache(
        out / "icrl-methods.rows.csv", ("scale", "updates", "env_id", "method", "seed", "context")
    )
    preset = method_preset(scale, "omnirl")
    updates = preset.rounds * preset.minibatches
    for method, seed, env_id, context in _parts(scale):
        part = (scale, updates, env_id, method, seed, context)
        if cache.has(*part):
            continue
        weights = out / "icrl-methods" / scale / f"{method}-{seed}"
        if method in METHODS:
            weights = train_method(scale, method, seed, weights)
        cache.add(part, play_method(agent_of(method, context, weights), env_id, context, scale))
    rows = cache.rows(scale, updates)
    runs = sum(group.own_runs + group.recorded_runs for group in preset.groups)
    steps = preset.rounds * preset.groups[0].segment * runs
    anymdp = rows[rows["env_id"] == TASKS]
    size = f"width {preset.model.width}, {preset.model.blocks} blocks, {preset.model.plan_columns} columns"
    note = (
        f"Mean score (0 random, 1 oracle) of {_RUNS[scale]} unseen tasks of {TASKS}, in the first or last"
        f" fifth of {_EPISODES[scale]} episodes, with 95% bootstrap intervals over tasks and"
        f" {_SEEDS[scale]} training seeds. Every recipe: {size} of planning memory, {updates:,} updates,"
        f" {steps:,} steps.\n\n"
        "OmniRL minus the other, paired by task. \\*: the 95% interval excludes 0.\n\n"
        f"{markdown(_differences(anymdp))}\n\n"
        f"Classic tasks, offline, {_CLASSIC_RUNS[scale]} runs of {_CLASSIC_EPISODES} episodes (± the standard"
        f" error):\n\n{markdown(_classics(rows[rows['env_id'] != TASKS]))}\n\n"
        f"Command: `anymdp-bench study icrl-methods --scale {scale}`."
    )
    paths = publish("icrl-methods", out, _table(anymdp), note, _figure(anymdp, _EPISODES[scale]))
    return [cache.path, *paths]


_COLUMNS = (
    ("empty", "first"), ("empty", "last"), ("offline", "first"), (POOR, "first"), (POOR, "last"),
    ("imitation", "first"), (UNTAGGED, "first"),
)  # fmt: skip


def _scores(rows: pd.DataFrame, method: str, context: str, when: str) -> Float64s:
    """Returns the mean scores in the first or last fifth of the episodes, [training seeds, tasks]."""
    own = rows[(rows["method"] == method) & (rows["context"] == context)]
    blocks = np.unique(rows["block"])
    fifth = max(len(blocks) // 5, 1)
    inside = own["block"].isin(blocks[:fifth] if when == "first" else blocks[-fifth:])
    out: Float64s = own[inside].pivot_table(index="seed", columns="run", values="score").to_numpy()
    return out


def interval(scores: Float64s) -> tuple[float, float, float]:
    """Returns the mean and the two ends of its 95% bootstrap interval.

    Seeds and tasks are resampled both, so that the interval is for other trainings and other tasks.

    Args:
        scores: [training seeds, tasks].
    """
    rng = np.random.default_rng(0)
    seeds = rng.integers(len(scores), size=(_RESAMPLES, len(scores), 1))
    tasks = rng.integers(scores.shape[1], size=(_RESAMPLES, 1, scores.shape[1]))
    low, high = np.quantile(scores[seeds, tasks].mean((1, 2)), [0.025, 0.975])
    return float(scores.mean()), float(low), float(high)


def _name(method: str) -> str:
    from anymdp_baselines.omnirl.recipes import RECIPES

    return RECIPES[method].name if method in RECIPES else f"`{method}`"


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the mean score of every method with its interval."""
    table = []
    for method in (*METHODS, *OTHERS):
        scores = [_scores(rows, method, *column) for column in _COLUMNS]
        table.append({"method": _name(method)} | _cells(scores, "{0:.2f} [{1:.2f}, {2:.2f}]"))
    return pd.DataFrame(table)


def _differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns OmniRL's scores minus those of every other method, paired by task."""
    mine = [_scores(rows, "omnirl", *column) for column in _COLUMNS[:-1]]
    table = []
    for method in (*METHODS, *OTHERS):
        if method == "omnirl":
            continue
        others = [_scores(rows, method, *column) for column in _COLUMNS[:-1]]
        less = [x - y if y.size else y for x, y in zip(mine, others, strict=True)]
        table.append(
            {"OmniRL minus": _name(method)} | _cells(less, "{0:+.2f}{3} [{1:.2f}, {2:.2f}]")
        )
    return pd.DataFrame(table)


def _cells(scores: list[Float64s], form: str) -> dict[str, str]:
    """Returns the cells of a row: mean, ends of the interval, and a star where it excludes 0."""
    out = {}
    for (context, when), each in zip(_COLUMNS, scores, strict=False):
        cell = "—"
        if each.size:
            mean, low, high = interval(each)
            cell = form.format(mean, low, high, r"\*" if low > 0.0 or high < 0.0 else "")
        out[f"{context}, {when}"] = cell
    return out


def _classics(rows: pd.DataFrame) -> pd.DataFrame:
    table = []
    for method in (*METHODS, *OTHERS):
        line = {"method": _name(method)}
        for env_id, own in rows[rows["method"] == method].groupby("env_id", sort=False):
            scores = own.groupby(["seed", "run"])["score"].mean()
            error = scores.std(ddof=1) / np.sqrt(len(scores))
            line[str(env_id).removesuffix("-v0")] = f"{scores.mean():.2f} ± {error:.2f}"
        table.append(line)
    return pd.DataFrame(table)


def _figure(rows: pd.DataFrame, episodes: int) -> Figure:
    """Draws the score by episode: the recipes, and the two agents that learn offline alone."""
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(figsize=(9.5, 3.2), layout="constrained")
        contexts = ("empty", "offline", POOR, "imitation")
        axes: Any = figure.subplots(1, len(contexts), sharey=True)
        every = line_styles((*METHODS, *OFFLINE))
        for axis, context in zip(axes, contexts, strict=True):
            for method, look in every.items():
                own = rows[(rows["method"] == method) & (rows["context"] == context)]
                if own.empty:
                    continue
                mean = own.groupby("block")["score"].mean()
                axis.plot(
                    (mean.index + 0.5) * episodes / len(mean), mean, color=look.color, linestyle=look.dash,
                    label=_name(method).strip("`"),
                )  # fmt: skip
            axis.axhline(1.0, color="0.55", linewidth=0.8, linestyle=(0, (1, 2)))
            axis.set(title=context, xlabel="episode", ylim=(-0.1, 1.06), xlim=(0, episodes))
        axes[0].set_ylabel("score")
        drawn: dict[str, Artist] = {}
        for axis in axes:
            drawn |= {
                label: handle
                for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
            }
        figure.legend(
            list(drawn.values()), list(drawn), loc="outside upper center", ncols=5, frameon=False
        )
    return figure

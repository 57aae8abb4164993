"""How do tabular and in-context agents score after a fixed number of steps?

The study plays one run of each agent on public tasks. The agents are compiled tabular learners and in-context
agents that return their policy. For each environment and number of steps N it measures two scores:

    exact   the exact expected score of the policy that the learner would be tested with after N steps
    online  the mean variance-free score of the learner's own episodes that ended in the last tenth before N,
            with its exploration

Both have the standard error of the mean over tasks. The tasks are the first ones that count; the rows of
`EXPECTED_SCORES` are also measured over all task seeds from 0 up. A learner also learns from the part of the
last episode before N. The file `steps.csv` is written after each environment and agent, and the same command
continues from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anymdp_bench.agents import Agent, AgentSpec, CompiledAgent, is_shaped, start_agent
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rollout import EPISODES, STEPS, learn_episodes
from anymdp_bench.evaluation import (
    Interaction,
    Run,
    expected_return,
    make_simulator,
    run_batch,
)
from anymdp_bench.scoring import oracle_advantages
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

MARKS: dict[str, tuple[int, ...]] = {
    "AnyMDP-16s5a-v0": (1_000, 2_000, 3_000, 4_000),
    "AnyMDP-32s5a-v0": (6_500,),
    "Garnet-16s5a2b-v0": (8_000,),
    "Garnet-64s5a2b-v0": (8_000,),
    "AnyMDP-64s5a-v0": (7_700, 15_000, 20_000, 40_000),
    "AnyMDP-128s5a-v0": (20_000, 36_300),
}
EXPECTED_SCORES = {
    ("AnyMDP-16s5a-v0", 3_000): 0.94,
    ("AnyMDP-16s5a-v0", 4_000): 0.98,
    ("AnyMDP-64s5a-v0", 15_000): 0.90,
    ("AnyMDP-64s5a-v0", 40_000): 0.97,
}
"""The exact scores that `psrl-episodic` was expected to reach, over all task seeds."""
AGENTS = ("neural-planner", "psrl", "psrl-episodic", "ucbvi", "tql-ucb-fast")
_SIZES = {
    "tiny": ({}, 2, 1),
    "small": ({"AnyMDP-16s5a-v0": 256, "AnyMDP-128s5a-v0": 16}, 64, 6),
    "paper": ({"AnyMDP-16s5a-v0": 256}, 64, 6),
}
"""By scale: special numbers of tasks, the number elsewhere, and the number of environments.

A run on 128 states takes a minute."""

_COLUMNS = [
    "env_id",
    "agent",
    "agent_version",
    "steps",
    "tasks",
    "n_tasks",
    "measure",
    "mean",
    "se",
]


def score_along_run(agent: CompiledAgent, run: Run, marks: Sequence[int]) -> Float64s:
    """Plays one run of a compiled learner, and scores it at rising numbers of steps.

    An episode that continues past a mark is played twice from the same state: up to the mark, and to its end.

    Args:
        agent: the learner.
        run: the run; its task is a table.
        marks: the numbers of steps, ascending.

    Returns:
        (exact, online) at each mark, float64 [marks, 2]; online is NaN where no episode ended then.
    """
    mdp, scale = run.task.table, run.task.references
    assert mdp is not None
    batch = run_batch([run], privileged=False)
    settings = agent.settings(batch)
    advantage = oracle_advantages(mdp, scale.policy)
    state: list[Any] = [agent.memory(batch), run.streams("agent"), run.streams("environment")]
    state.append(np.zeros(2, np.int64))
    table = np.zeros((mdp.n_observations, mdp.n_actions))
    ended, scored, out = [], [], []
    for mark in marks:
        while True:
            counters = state[-1]
            before = (
                [part.copy() for part in state] if counters[STEPS] + mdp.max_steps > mark else []
            )
            episode = counters[EPISODES] + 1
            memory, agent_rng, env_rng, _ = state
            regret = learn_episodes(
                agent.compiled_act, agent.compiled_learn, *mdp.step_tables, advantage, memory,
                settings, agent_rng, env_rng, counters, episode, mark,
            )  # fmt: skip
            if counters[EPISODES] == episode:
                ended.append(int(counters[STEPS]))
                scored.append(1.0 - regret / scale.gap)
            if counters[STEPS] >= mark:
                break
        agent.compiled_policy(*table.shape, state[0], settings, table)
        late = [s for n, s in zip(ended, scored, strict=True) if n > 0.9 * mark]
        exact = scale.score(expected_return(run.task, table[None]))
        out.append((exact, np.mean(late) if late else np.nan))
        if counters[EPISODES] < episode:  # the mark cut the episode: go back to its start
            state = before
    return np.array(out, dtype=np.float64)


def score_at_step(agent: CompiledAgent, run: Run, steps: int) -> tuple[float, float]:
    """Returns the (exact, online) score of one run after `steps` steps; see `score_along_run`."""
    [(exact, online)] = score_along_run(agent, run, [steps])
    return float(exact), float(online)


def score_in_context(agent: Agent, runs: Sequence[Run], marks: Sequence[int]) -> Float64s:
    """Plays runs of an in-context agent side by side, and scores them at rising numbers of steps.

    The runs are those of the evaluation: a call of the agent's `policy` does not change them.

    Returns:
        (exact, online) of each run at each mark, float64 [runs, marks, 2]; online may be NaN.
    """
    play = Interaction(agent, make_simulator(runs, shaped=is_shaped(agent)))
    start_agent(agent, run_batch(runs, privileged=False))
    ended: list[list[tuple[int, float]]] = [[] for _ in runs]
    out = np.full((len(runs), len(marks), 2), np.nan)
    for k, mark in enumerate(marks):
        while play.steps < mark:
            for i, _, advantage_sum in play.step():
                gap = runs[i].task.references.gap
                ended[i].append((play.steps, 1.0 + advantage_sum / gap))
        tables = np.asarray(agent.policy())
        for i, run in enumerate(runs):
            late = [score for n, score in ended[i] if n > 0.9 * mark]
            value = expected_return(run.task, tables[i][None])
            out[i, k] = run.task.references.score(value), np.mean(late) if late else np.nan
    return out


def measure_agent(name: str, env_id: str, n_tasks: int) -> Iterator[list[object]]:
    """Plays one agent on one environment, and yields its rows of `steps.csv`.

    Raises:
        AgentError: there is no agent of that name.
    """
    agent = AgentSpec(name).make(env_id)
    source, marks = task_source(env_id), MARKS[env_id]
    chosen = {"counting": select_tasks(source, n_tasks)[0]}
    if any(env == env_id for env, _ in EXPECTED_SCORES):
        known = {task.seed: task for task in chosen["counting"]}
        chosen["all"] = [known.get(s) or source.task(s) for s in range(n_tasks)]
    every = {task.seed: Run(env_id, task, 0) for tasks in chosen.values() for task in tasks}
    if isinstance(agent, CompiledAgent):
        played = {seed: score_along_run(agent, run, marks) for seed, run in every.items()}
    else:
        played = dict(zip(every, score_in_context(agent, list(every.values()), marks), strict=True))
    for which, tasks in chosen.items():
        scores = np.array([played[task.seed] for task in tasks])
        for k, steps in enumerate(marks):
            for m, measure in enumerate(("exact", "online")):
                values = scores[:, k, m][~np.isnan(scores[:, k, m])]
                mean, error = np.nan, np.nan
                if len(values) > 1:
                    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
                yield [
                    env_id, name, agent.version, steps, which, n_tasks, measure,
                    round(float(mean), 4), round(float(error), 4),
                ]  # fmt: skip


def run(scale: str, out: Path) -> list[Path]:
    """Plays the missing runs, prints the tables in Markdown, and writes `steps.csv` and `steps.md`."""
    special, usual, n_rows = _SIZES[scale]
    path, text = out / "steps.csv", out / "steps.md"
    rows = pd.read_csv(path, dtype={"agent_version": str}) if path.exists() else pd.DataFrame()
    for env_id in list(MARKS)[:n_rows]:
        n_tasks = special.get(env_id, usual)
        for name in AGENTS:
            if _has_rows(rows, env_id, name, n_tasks):
                continue
            new = pd.DataFrame(list(measure_agent(name, env_id, n_tasks)), columns=_COLUMNS)
            rows = pd.concat([rows, new], ignore_index=True)
            rows = rows.drop_duplicates(_COLUMNS[:2] + _COLUMNS[3:5] + ["measure"], keep="last")
            rows.to_csv(path, index=False, lineterminator="\n")
            text.write_text("\n".join(make_tables(rows)) + "\n", encoding="utf-8")
            print(f"{env_id} {name}", flush=True)
    text.write_text("\n".join(make_tables(rows)) + "\n", encoding="utf-8")
    print(text.read_text(encoding="utf-8"), flush=True)
    return [path, text]


def _has_rows(rows: pd.DataFrame, env_id: str, name: str, n_tasks: int) -> bool:
    """Returns whether all marks are there, for the agent's present version and for enough tasks."""
    if rows.empty:
        return False
    version = AgentSpec(name).make().version
    own = rows[(rows["env_id"] == env_id) & (rows["agent"] == name) & (rows["tasks"] == "counting")]
    valid = own[(own["agent_version"] == version) & (own["n_tasks"] >= n_tasks)]
    return set(MARKS[env_id]) <= set(valid["steps"])


def make_tables(rows: pd.DataFrame) -> list[str]:
    """Renders both tables of the study as lines of Markdown."""
    key = ["env_id", "steps", "agent", "tasks", "measure"]
    cell: dict[Any, tuple[float, float]] = {
        tuple(row[k] for k in key): (row["mean"], row["se"]) for row in rows.to_dict("records")
    }

    def format_cell(*at: object) -> str:
        mean, error = cell.get(at, (np.nan, np.nan))
        return "—" if np.isnan(mean) else f"{mean:.3f} ± {error:.3f}"

    lines = [
        "| environment | steps | tasks |" + "".join(f" {a} exact | {a} online |" for a in AGENTS),
        "| :-- | --: | --: |" + " --: |" * (2 * len(AGENTS)),
    ]
    pairs = [
        (env, n) for env, marks in MARKS.items() for n in marks if (rows["env_id"] == env).any()
    ]
    for env_id, steps in pairs:
        n_tasks = rows.loc[rows["env_id"] == env_id, "n_tasks"].min()
        line = f"| {env_id} | {steps:,} | {n_tasks} |"
        for name in AGENTS:
            for measure in ("exact", "online"):
                line += f" {format_cell(env_id, steps, name, 'counting', measure)} |"
        lines.append(line)
    lines += [
        "",
        "Exact scores over all task seeds from 0 up, counting or not:",
        "",
        "| environment | steps | expected of psrl-episodic | psrl-episodic | psrl |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for (env_id, steps), value in EXPECTED_SCORES.items():
        ours = [
            format_cell(env_id, steps, name, "all", "exact") for name in ("psrl-episodic", "psrl")
        ]
        if (rows["env_id"] == env_id).any():
            lines.append(f"| {env_id} | {steps:,} | {value:.2f} | {ours[0]} | {ours[1]} |")
    return lines

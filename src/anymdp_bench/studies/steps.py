"""Scores at fixed numbers of steps: what an in-context agent's sample efficiency is compared with.

For each environment and number of steps N, over the first public tasks that count, one run each, of
compiled tabular learners:

    exact   the expected score of the policy that the learner would be tested with after N steps, exactly
    online  the variance-free score of the learner's own episodes that ended in the last tenth before N,
            exploration included, averaged per task

both with the standard error of the mean over tasks. The episode that N cuts is learned from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anymdp_bench.agents import AgentSpec, FusedAgent
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rollout import EPISODES, STEPS, learn_episodes
from anymdp_bench.protocol import Run, expected_table_return
from anymdp_bench.protocol.runs import told
from anymdp_bench.scoring import oracle_advantages, tasks_that_count
from anymdp_bench.tasks.family import task_source

ROWS = (
    ("AnyMDP-16s5a-v0", 1_000),
    ("AnyMDP-16s5a-v0", 2_000),
    ("AnyMDP-32s5a-v0", 6_500),
    ("AnyMDP-64s5a-v0", 7_700),
    ("AnyMDP-64s5a-v0", 20_000),
    ("AnyMDP-128s5a-v0", 20_000),
    ("AnyMDP-128s5a-v0", 36_300),
    ("Garnet-16s5a2b-v0", 8_000),
    ("Garnet-64s5a2b-v0", 8_000),
)
AGENTS = ("psrl", "psrl-episodic", "ucbvi", "tql-ucb")
_SIZES = {"tiny": (2, 2), "small": (64, len(ROWS)), "paper": (64, len(ROWS))}  # tasks, rows


def scores_at(agent: FusedAgent, run: Run, steps: int) -> tuple[float, float]:
    """(exact, online) score of one run after `steps` steps; online is nan where no episode ended then."""
    mdp, scale = run.task.mdp, run.task.references
    streams = told([run], privileged=False)
    settings, memory = agent.settings(streams), agent.memory(streams)
    advantage = oracle_advantages(mdp, scale.policy)
    rngs = run.streams("agent"), run.streams("environment")
    account = np.zeros(2, np.int64)
    late = []
    while account[STEPS] < steps:
        episode = account[EPISODES] + 1
        regret = learn_episodes(
            agent.compiled_act, agent.compiled_learn, *mdp.step_tables, advantage, memory, settings,
            *rngs, account, episode, steps,
        )  # fmt: skip
        if account[EPISODES] == episode and account[STEPS] > 0.9 * steps:
            late.append(1.0 - regret / scale.gap)
    table = np.zeros((mdp.n_observations, mdp.n_actions))
    agent.compiled_policy(mdp.n_observations, mdp.n_actions, memory, settings, table)
    exact = scale.score(expected_table_return(run.task, table))
    return exact, float(np.mean(late)) if late else float("nan")


def scores(name: str, env_id: str, steps: int, n_tasks: int) -> Float64s:
    """(exact, online) of each task, float64 [n_tasks, 2].

    Raises:
        AgentError: there is no agent of that name.
    """
    agent = AgentSpec(name).make()
    assert isinstance(agent, FusedAgent)
    tasks, _ = tasks_that_count(task_source(env_id), n_tasks)
    return np.array([scores_at(agent, Run(env_id, task, 0), steps) for task in tasks])


def _cell(values: Float64s) -> str:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return "—"
    return f"{known.mean():.3f} ± {known.std(ddof=1) / np.sqrt(len(known)):.3f}"


def run(scale: str, out: Path) -> list[Path]:
    """Prints the table, in Markdown, and writes it to `steps.md`."""
    n_tasks, n_rows = _SIZES[scale]
    lines = [
        "| environment | steps |" + "".join(f" {a} exact | {a} online |" for a in AGENTS),
        "| :-- | --: |" + " --: |" * (2 * len(AGENTS)),
    ]
    print("\n".join(lines), flush=True)
    for env_id, steps in ROWS[:n_rows]:
        line = f"| {env_id} | {steps:,} |"
        for name in AGENTS:
            exact, online = scores(name, env_id, steps, n_tasks).T
            line += f" {_cell(exact)} | {_cell(online)} |"
        lines.append(line)
        print(line, flush=True)
    lines.append(
        f"\nMean score and its standard error over the first {n_tasks} task seeds that count, one run each."
        f" Command: `anymdp-bench study steps --scale {scale}`."
    )
    path = out / "steps.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path]

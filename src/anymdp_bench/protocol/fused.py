"""Compiled learners: whole episodes at a time, an exact test at every test point."""

from __future__ import annotations

import numpy as np

from anymdp_bench.agents import FusedAgent
from anymdp_bench.engine.rollout import EPISODES, STEPS, learn_episodes
from anymdp_bench.protocol.runs import (
    FOREVER,
    Budget,
    Curve,
    Ledger,
    Report,
    Run,
    expected_table_return,
    test_points,
    told,
)
from anymdp_bench.scoring import oracle_advantages


def play_fused(agent: FusedAgent, run: Run, budget: Budget, report: Report | None = None) -> Curve:
    """One run of a compiled learner, tested exactly at the test points."""
    mdp, scale = run.task.mdp, run.task.references
    streams = told([run], privileged=False)
    settings, memory = agent.settings(streams), agent.memory(streams)
    advantage = oracle_advantages(mdp, scale.policy)
    table = np.zeros((mdp.n_observations, mdp.n_actions))
    agent_rng, env_rng = run.streams("agent"), run.streams("environment")
    account = np.zeros(2, np.int64)
    ledger = Ledger("exact")
    regret = 0.0
    tested, value = b"", 0.0
    for point in test_points(budget.episodes or budget.steps):
        regret += learn_episodes(
            agent.compiled_act,
            agent.compiled_learn,
            *mdp.step_tables,
            advantage,
            memory,
            settings,
            agent_rng,
            env_rng,
            account,
            point,
            budget.steps or FOREVER,
        )
        if account[EPISODES] < point:
            break
        agent.compiled_policy(mdp.n_observations, mdp.n_actions, memory, settings, table)
        if table.tobytes() != tested:  # an unchanged policy keeps its value
            tested, value = table.tobytes(), expected_table_return(run.task, table)
        episode, steps = int(account[EPISODES]), int(account[STEPS])
        ledger.rows.append((episode, steps, value, value, scale.score(value), regret))
        if report is not None:
            report(budget.share(episode, steps), ledger.rows[-1][4])
    return ledger.curve()

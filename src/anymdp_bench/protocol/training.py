"""Learners in plain Python: one run at a time, tested apart."""

from __future__ import annotations

import numpy as np

from anymdp_bench.agents import Agent, is_privileged
from anymdp_bench.protocol.arena import Arena
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

TEST_EPISODES = 5  # played at a test point where the policy is no table


def play_training(agent: Agent, run: Run, budget: Budget, report: Report | None = None) -> Curve:
    """One run of a learner in plain Python, tested at the test points: exactly where its policy is a table.

    Raises:
        AgentError: the agent broke the contract.
    """
    arena, tests = Arena([run]), Arena([run], "test")
    agent.start(told([run], is_privileged(agent)))
    scale = run.task.references
    exact = agent.policy() is not None
    points = set(test_points(budget.episodes or budget.steps).tolist())
    if not exact:
        points = {p for p in points if p % 100 == 0}
    last = max(points, default=0)
    ledger = Ledger("exact" if exact else "test")
    regret = 0.0
    while arena.episodes[0] < last and arena.steps < (budget.steps or FOREVER):
        over, results = arena.step(arena.actions(agent.act(arena.observation)), agent)
        if not len(over):
            continue
        regret -= results[0][1]
        episode = int(arena.episodes[0])
        if episode not in points:
            continue
        return_, corrected = _tested(agent, run, tests, exact)
        ledger.rows.append(
            (episode, arena.steps, return_, corrected, scale.score(corrected), regret)
        )
        if report is not None:
            report(budget.share(episode, arena.steps), ledger.rows[-1][4])
    return ledger.curve()


def _tested(agent: Agent, run: Run, tests: Arena, exact: bool) -> tuple[float, float]:
    """(return, corrected return) of the policy learned so far."""
    if exact:
        table = np.asarray(agent.policy())
        value = expected_table_return(run.task, table[0])
        return value, value
    played: list[tuple[float, float]] = []
    while len(played) < TEST_EPISODES:
        _, results = tests.step(tests.actions(agent.act(tests.observation, test=True)), None)
        played += results
    return_, excess = np.mean(played, axis=0)
    return float(return_), float(tests.oracle[0] + excess)

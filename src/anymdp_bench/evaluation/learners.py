"""Learners in plain Python: one run at a time, tested apart."""

from __future__ import annotations

import numpy as np

from anymdp_bench.agents import Agent, begin, is_privileged, parallel
from anymdp_bench.evaluation.runs import (
    FOREVER,
    TEST_EPISODES,
    Budget,
    Curve,
    Ledger,
    Report,
    Run,
    expected_tables_return,
    sampled_test_points,
    test_points,
    told,
)
from anymdp_bench.evaluation.simulators import AnyArena, make_arena
from anymdp_bench.tasks.pendulum.game import Pendulum


def play_training(agent: Agent, run: Run, budget: Budget, report: Report | None = None) -> Curve:
    """One run of a learner in plain Python, tested at the test points: exactly where its policy is a table.

    A learner that plays several streams at once is charged for the steps and episodes of all. Where episodes
    that end in the same step pass several test points, one test, after that step, serves them all.

    Raises:
        AgentError: the agent broke the contract, or refused the runs.
    """
    copies = run.copies(parallel(agent))
    arena, tests = make_arena(copies), make_arena([run], "test")
    begin(agent, told(copies, is_privileged(agent), arena.oracle_actions))
    scale = run.task.references
    exact = agent.policy() is not None and not isinstance(run.task.game, Pendulum)
    chosen = test_points if exact else sampled_test_points
    points = chosen(budget.episodes or budget.steps)
    last = int(max(points, default=0))
    ledger = Ledger("exact" if exact else "test")
    regret, episode, steps = 0.0, 0, 0
    while episode < last and steps < (budget.steps or FOREVER):
        over, results = arena.step(arena.actions(agent.act(arena.observation)), agent)
        steps = arena.steps * len(copies)
        if not len(over):
            continue
        regret -= sum(excess for _, excess in results)
        before, episode = episode, int(arena.episodes.sum())
        passed = points[(points > before) & (points <= episode)]
        if not len(passed):
            continue
        return_, corrected = _tested(agent, run, tests, exact)
        score = scale.score(corrected)
        ledger.rows += [(int(p), steps, return_, corrected, score, regret) for p in passed]
        if report is not None:
            report(budget.share(episode, steps), score)
    if not exact and not ledger.rows and episode:  # cut before its first sampled test
        return_, corrected = _tested(agent, run, tests, exact)
        ledger.rows.append((episode, steps, return_, corrected, scale.score(corrected), regret))
    return ledger.curve()


def _tested(agent: Agent, run: Run, tests: AnyArena, exact: bool) -> tuple[float, float]:
    """(return, corrected return) of the policy learned so far."""
    if exact:
        value = expected_tables_return(run.task, np.asarray(agent.policy()))
        return value, value
    played: list[tuple[float, float]] = []
    while len(played) < TEST_EPISODES:
        _, results = tests.step(tests.actions(agent.act(tests.observation, test=True)), None)
        played += results
    return_, excess = np.mean(played, axis=0)
    return float(return_), float(tests.oracle[0] + excess)

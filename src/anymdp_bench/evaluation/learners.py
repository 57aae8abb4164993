"""The evaluation of learners in plain Python: one run at a time, tested at test points."""

from __future__ import annotations

import numpy as np

from anymdp_bench.agents import Agent, get_parallel, is_privileged, start_agent
from anymdp_bench.evaluation.loop import FinishedEpisode, Interaction
from anymdp_bench.evaluation.runs import (
    FOREVER,
    TEST_EPISODES,
    Budget,
    Curve,
    CurveRecorder,
    Report,
    Run,
    expected_return,
    make_simulator,
    run_batch,
    sampled_test_points,
    test_points,
)


def play_training(
    agent: Agent,
    run: Run,
    budget: Budget,
    report: Report | None = None,
    exact_tests: bool = True,
) -> Curve:
    """Plays one run of a learner in plain Python, and tests it at the test points.

    A test is exact if `exact_tests`, the policy of the learner is a table and the task is countable.
    Otherwise test episodes are played. If a learner steps several copies of the task at once, the steps and
    episodes of all copies count. Several episodes can end in the same step and pass several test points.
    Then one test after the step serves all of them, each with the regret of as many episodes as its point
    says.

    Args:
        agent: the learner.
        run: the run.
        budget: how long the run lasts.
        report: called at each test.
        exact_tests: whether tests are exact where that is possible.

    Raises:
        AgentError: the agent broke the contract, or refused the runs.
    """
    copies = run.copies(get_parallel(agent))
    simulator = make_simulator(copies)
    start_agent(agent, run_batch(copies, is_privileged(agent), simulator))
    play = Interaction(agent, simulator)
    tests = Interaction(agent, make_simulator([run], "test"), test=True)
    scale = run.task.references
    exact = exact_tests and agent.policy() is not None and len(run.task.observed) > 0
    chosen = test_points if exact else sampled_test_points
    points = chosen(budget.episodes or budget.steps)
    last = int(max(points, default=0))
    recorder = CurveRecorder("exact" if exact else "test")
    regret, episode, steps = 0.0, 0, 0
    while episode < last and steps < (budget.steps or FOREVER):
        finished = play.step()
        steps = play.steps * len(copies)
        if not finished:
            continue
        before, episode = episode, int(play.episodes.sum())
        spent = regret - np.cumsum([each.advantage_sum for each in finished])
        regret = float(spent[-1])
        passed = points[(points > before) & (points <= episode)]
        if not len(passed):
            continue
        return_, corrected = _test(agent, run, tests, exact)
        score = scale.score(corrected)
        recorder.rows += [
            (int(p), steps, return_, corrected, score, float(spent[p - before - 1])) for p in passed
        ]
        if report is not None:
            report(budget.share(episode, steps), score)
    if (
        not exact and not recorder.rows and episode
    ):  # the run was cut before its first test by episodes
        return_, corrected = _test(agent, run, tests, exact)
        recorder.rows.append((episode, steps, return_, corrected, scale.score(corrected), regret))
    return recorder.curve()


def _test(agent: Agent, run: Run, tests: Interaction, exact: bool) -> tuple[float, float]:
    """Tests the current policy, and returns (return, corrected return)."""
    if exact:
        value = expected_return(run.task, np.asarray(agent.policy()))
        return value, value
    played: list[FinishedEpisode] = []
    while len(played) < TEST_EPISODES:
        played += tests.step()
    return_, advantage_sum = np.mean([each[1:] for each in played], axis=0)
    return float(return_), float(run.task.references.oracle + advantage_sum)

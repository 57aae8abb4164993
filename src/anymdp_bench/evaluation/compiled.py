"""The evaluation of compiled learners, which are tested at test points."""

from __future__ import annotations

import numpy as np

from anymdp_bench.agents import CompiledAgent
from anymdp_bench.engine.rollout import EPISODES, STEPS, CompiledLearner
from anymdp_bench.evaluation.runs import (
    FOREVER,
    TEST_EPISODES,
    Budget,
    Curve,
    CurveRecorder,
    Report,
    Run,
    expected_return,
    run_batch,
    sampled_test_points,
    test_points,
)
from anymdp_bench.evaluation.stepped import test_action_stream
from anymdp_bench.tasks.task import CompiledRun


def make_compiled_run(agent: CompiledAgent, run: Run) -> CompiledRun:
    """Puts a compiled learner with an empty memory on the task of a run, with one copy for each player."""
    batches = run_batch([run], privileged=False).split()
    learner = CompiledLearner(
        agent.compiled_act,
        agent.compiled_learn,
        agent.compiled_policy,
        agent.settings(batches[0]),
        np.stack([agent.memory(batch) for batch in batches]),
        run.streams("agent"),
    )
    test_rng = np.stack([run.streams("test")[:1], test_action_stream(batches[0].seeds)])
    return run.task.compiled_run(learner, run.streams("environment"), test_rng)


def play_compiled(
    agent: CompiledAgent, run: Run, budget: Budget, report: Report | None = None
) -> Curve:
    """Plays one run of a compiled learner, and tests it at the test points.

    A test is exact if the task is countable. Otherwise test episodes are played.

    Args:
        agent: the learner.
        run: the run.
        budget: how long the run lasts.
        report: called at each test point.
    """
    task, play = run.task, make_compiled_run(agent, run)
    exact = len(task.observed) > 0
    chosen = test_points if exact else sampled_test_points
    recorder = CurveRecorder("exact" if exact else "test")
    regret, tested, value, corrected = 0.0, b"", 0.0, 0.0
    for point in chosen(budget.episodes or budget.steps):
        regret += play.learn(int(point), budget.steps or FOREVER)
        is_cut = bool(play.counts[EPISODES] < point)
        # A run that is cut before its first test by episodes is tested at its end.
        is_untested = not exact and not recorder.rows and play.counts[EPISODES] > 0
        if is_cut and not is_untested:
            break
        if exact:
            policies = play.policy()
            if policies.tobytes() != tested:  # an unchanged policy has the same value
                tested = policies.tobytes()
                value = corrected = expected_return(task, policies)
        else:
            value, corrected = play.play_test(TEST_EPISODES)
        score = task.references.score(corrected)
        episode, steps = int(play.counts[EPISODES]), int(play.counts[STEPS])
        recorder.rows.append((episode, steps, value, corrected, score, regret))
        if report is not None:
            report(budget.share(episode, steps), score)
        if is_cut:
            break
    return recorder.curve()

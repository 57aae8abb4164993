"""The evaluation of compiled learners, which are tested at test points."""

from __future__ import annotations

import numpy as np

from anymdp_bench.agents import CompiledAgent
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rollout import EPISODES, STEPS, CompiledLearner, draw_action
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


class PolicyTests:
    """Test episodes of a learner's tables on a countable task, the same as `SteppedAgent` plays.

    Args:
        run: the run that is tested.
    """

    def __init__(self, run: Run) -> None:
        self._simulator = make_simulator([run], "test")
        batches = run_batch([run], privileged=False).split()
        self._rng = [test_action_stream(batch.seeds) for batch in batches]
        self._oracle = run.task.references.oracle

    def play(self, policies: Float64s, episodes: int) -> tuple[float, float]:
        """Plays test episodes.

        Args:
            policies: the action probabilities of each player by observation, float64 [players, O, A].
            episodes: how many are played.

        Returns:
            (mean return, mean corrected return).
        """
        simulator, total, ahead, played = self._simulator, 0.0, 0.0, 0
        while played < episodes:
            seen = zip(policies, simulator.observation, self._rng, strict=True)
            action = [draw_action(table[s], rng) for table, s, rng in seen]
            result = simulator.step(np.array(action, np.int64))
            total += float(result.reward[0])
            ahead += float(result.advantage_sum.sum())
            played += len(result.finished)
        return total / episodes, self._oracle + ahead / episodes


def play_compiled(
    agent: CompiledAgent,
    run: Run,
    budget: Budget,
    report: Report | None = None,
    exact_tests: bool = True,
) -> Curve:
    """Plays one run of a compiled learner, and tests it at the test points.

    A test is exact if `exact_tests` and the task is countable. Otherwise test episodes are played.

    Args:
        agent: the learner.
        run: the run.
        budget: how long the run lasts.
        report: called at each test point.
        exact_tests: whether tests are exact where that is possible.
    """
    task, play = run.task, make_compiled_run(agent, run)
    is_countable = len(task.observed) > 0
    exact = exact_tests and is_countable
    tests = PolicyTests(run) if is_countable and not exact else None
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
        elif tests is not None:
            value, corrected = tests.play(play.policy(), TEST_EPISODES)
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

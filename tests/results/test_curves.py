"""Learning curves and profiles, worked by hand."""

import numpy as np
import pytest

from anymdp_bench.results.curves import learning_curve, performance_profile
from anymdp_bench.results.records import RunRecord, to_frame


def learner(scores, episodes, steps=None, seed=0, env_id="AnyMDP-16s5a-v0"):
    score, episode = np.array(scores, float), np.array(episodes)
    return RunRecord(
        "quick", "c0ffee", "tql-ucb", "1", env_id, seed, 0, "none", "exact", 1.0, episode,
        episode * 10 if steps is None else np.array(steps), score, score, score, score,
    )  # fmt: skip


def test_a_run_keeps_its_score_between_and_after_its_rows():
    """Run 0: 0.0 at episode 1, 1.0 at 4. Run 1: 0.5 at 2, and it ends there."""
    frame = to_frame([learner([0.0, 1.0], [1, 4]), learner([0.5], [2], seed=1)])
    band = learning_curve(frame, "episode", log=False, points=5)
    # The curve begins at the median first score, 1.5, in whole episodes.
    assert band.at.tolist() == [2.0, 3.0, 4.0]
    assert band.mean.tolist() == [0.25, 0.25, 0.75]
    assert band.low[0] == 0.0
    assert band.high[0] == 0.5


def test_against_steps_and_on_a_log_scale():
    frame = to_frame([learner([0.2, 0.4, 0.8], [1, 10, 100])])
    band = learning_curve(frame, "steps", points=3)
    assert band.at.tolist() == [10.0, 100.0, 1000.0]
    assert band.mean.tolist() == pytest.approx([0.2, 0.4, 0.8])
    assert np.isnan(band.low).all()  # a single run has no interval


def test_without_a_smoothed_score_there_is_no_curve():
    short = RunRecord(
        "quick", "c0ffee", "a", "1", "AnyMDP-16s5a-v0", 0, 0, "empty", "episode", 1.0, np.arange(1, 10),
        np.arange(1, 10), *(np.ones(9) for _ in range(4)),
    )  # fmt: skip
    assert all(len(part) == 0 for part in learning_curve(to_frame([short])))


def test_a_profile_counts_every_environment_the_same():
    """Two runs at 0.2 and 0.8 on one environment, one at 0.6 on the other."""
    runs = [learner([0.2], [1]), learner([0.8], [1], seed=1)]
    runs.append(learner([0.6], [1], env_id="Garnet-16s5a2b-v0"))
    band = performance_profile(to_frame(runs), np.array([0.0, 0.5, 0.6, 0.7, 0.9]))
    assert band.mean.tolist() == [1.0, 0.75, 0.25, 0.25, 0.0]

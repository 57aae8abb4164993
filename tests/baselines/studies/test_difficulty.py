"""The study of difficulty: its parts worked by hand, and a tiny run that plays nothing twice."""

import numpy as np
import pandas as pd
import pytest

from anymdp_baselines.studies.difficulty import mean_curve, run, spearman, steps_to

ROWS = pd.DataFrame(
    {
        "task_seed": [3, 3, 3, 5, 5],
        "steps": [200, 400, 800, 200, 1600],
        "score": [0.1, 0.9, 0.5, 0.2, 0.4],
    }
)


def test_steps_to_a_target_are_those_of_the_first_test_that_reached_it():
    assert steps_to(ROWS).tolist() == [400, np.inf]


def test_the_mean_curve_takes_each_tasks_last_test():
    steps, mean = mean_curve(ROWS)
    at = dict(zip(steps.round(6).tolist(), mean.tolist(), strict=True))
    assert at[200.0] == pytest.approx(0.15)
    assert at[1600.0] == pytest.approx(0.45)


def test_rank_correlation():
    assert spearman(np.array([1.0, 2, 9]), np.array([10.0, 20, np.inf])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 9]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_a_tiny_study_ends_in_a_table_and_a_picture_and_goes_on(tmp_path, capsys):
    pytest.importorskip("stable_baselines3")
    paths = run("tiny", tmp_path)
    assert [path.suffix for path in paths] == [".csv", ".csv", ".md", ".png"]
    assert paths[-1].read_bytes()[:4] == b"\x89PNG"
    table = pd.read_csv(paths[1])
    assert len(table) == 4
    assert "Garnet, b = 2" in capsys.readouterr().out
    text, before = paths[2].read_text(), paths[0].stat().st_mtime_ns
    assert "Spearman" in text
    run("tiny", tmp_path)
    assert paths[0].stat().st_mtime_ns == before  # nothing is learned again
    assert paths[2].read_text() == text

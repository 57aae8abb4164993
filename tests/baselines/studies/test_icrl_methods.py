"""The study of data recipes, tiny: tables and a picture, and nothing is done twice; and its intervals."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from anymdp_baselines.studies.icrl_methods import CLASSICS, OTHERS, interval, run
from anymdp_baselines.studies.methods import METHODS


@pytest.mark.slow
def test_a_tiny_study_ends_in_tables_and_a_picture_and_goes_on(tmp_path, capsys):
    paths = run("tiny", tmp_path)
    rows = pd.read_csv(paths[0])
    assert set(rows["method"]) == {*METHODS, *OTHERS}
    tagged = rows[rows["context"] == "imitation, untold"]
    assert set(tagged["method"]) == {"omnirl", "omnirl-recorded", "omnirl as shipped"}
    own = rows[(rows["method"] == "dpt") & (rows["context"] == "empty")]
    assert own.groupby("run")["block"].max().tolist() == [4, 4]
    table = pd.read_csv(paths[1])
    assert len(table) == len(METHODS) + len(OTHERS)
    text, said = paths[2].read_text(), capsys.readouterr().out
    assert CLASSICS[0].removesuffix("-v0") in text
    assert "OmniRL minus" in text
    assert "OmniRL, no tags" in said
    before = paths[0].stat().st_mtime_ns
    run("tiny", tmp_path)
    assert paths[0].stat().st_mtime_ns == before
    assert paths[2].read_text() == text


def test_an_interval_is_for_other_trainings_too():
    """Three trainings that differ and tasks that do not: the interval spans the trainings."""
    scores = np.repeat([[0.0], [0.5], [1.0]], 100, axis=1)
    assert interval(scores) == pytest.approx((0.5, 0.0, 1.0))


def test_an_interval_of_one_training_covers_the_mean_over_tasks():
    """Of 200 samples of 64 tasks, 95% intervals miss the true mean in 3 to 21 (false alarms: under 1%)."""
    rng, missed = np.random.default_rng(1), 0
    for _ in range(200):
        _, low, high = interval(rng.normal(size=(1, 64)))
        missed += not low < 0.0 < high
    assert 3 <= missed <= 21

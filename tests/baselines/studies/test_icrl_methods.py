"""The study of data recipes, tiny: tables and a picture, and nothing is done twice."""

import pandas as pd
import pytest

pytest.importorskip("torch")

from anymdp_baselines.studies.icrl_methods import CLASSICS, run
from anymdp_baselines.studies.methods import METHODS


@pytest.mark.slow
def test_a_tiny_study_ends_in_tables_and_a_picture_and_goes_on(tmp_path, capsys):
    paths = run("tiny", tmp_path)
    rows = pd.read_csv(paths[0])
    assert set(rows["method"]) == {*METHODS, "bc", "cql"}
    tagged = rows[rows["context"] == "imitation, untold"]
    assert set(tagged["method"]) == {"omnirl", "omnirl-recorded"}
    own = rows[(rows["method"] == "dpt") & (rows["context"] == "empty")]
    assert own.groupby("run")["episode"].max().tolist() == [3, 3]
    table = pd.read_csv(paths[1])
    assert len(table) == len(METHODS) + 2
    text, said = paths[2].read_text(), capsys.readouterr().out
    assert CLASSICS[0].removesuffix("-v0") in text
    assert "OmniRL, no tags" in said
    before = paths[0].stat().st_mtime_ns
    run("tiny", tmp_path)
    assert paths[0].stat().st_mtime_ns == before
    assert paths[2].read_text() == text

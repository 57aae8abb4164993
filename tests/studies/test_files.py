"""The files of studies: the cache of rows, and tables; and how studies are found."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from anymdp_bench.cli.app import run as command
from anymdp_bench.studies import load_study, study_names
from anymdp_bench.studies.files import ResultCache, markdown, publish
from anymdp_bench.suites import SuiteError


def test_parts_are_written_and_replaced_whole(tmp_path):
    path = tmp_path / "rows.csv"
    cache = ResultCache(path, ("scale", "agent"))
    assert not cache.has("tiny", "a")
    cache.add(("tiny", "a"), [{"x": 1}, {"x": 2}])
    cache.add(("tiny", "b"), [{"x": 3}])
    again = ResultCache(path, ("scale", "agent"))
    assert again.has("tiny", "a")
    assert again.rows("tiny", "a")["x"].tolist() == [1, 2]
    assert again.rows("tiny")["x"].tolist() == [1, 2, 3]
    assert again.rows("small").empty
    again.add(("tiny", "a"), [{"x": 9}])
    assert ResultCache(path, ("scale", "agent")).rows("tiny", "a")["x"].tolist() == [9]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_a_part_is_measured_once(tmp_path):
    cache = ResultCache(tmp_path / "rows.csv", ("agent",))
    calls = []
    for _ in range(2):
        rows = cache.fetch(("a",), lambda: calls.append(1) or [{"x": 1}])
        assert rows["x"].tolist() == [1]
    assert len(calls) == 1


def test_versions_that_look_like_numbers_stay_text(tmp_path):
    path = tmp_path / "rows.csv"
    ResultCache(path, ("version",)).add(("1.10",), [{"x": 0.5}])
    assert ResultCache(path, ("version",)).has("1.10")


def test_a_table_in_markdown():
    table = pd.DataFrame({"agent": ["a"], "score": [0.5]})
    assert markdown(table) == "| agent | score |\n| :-- | --: |\n| a | 0.5 |"


def test_a_study_is_put_out_as_text_csv_markdown_and_picture(tmp_path, capsys):
    table = pd.DataFrame({"agent": ["a"], "score": [0.5]})
    paths = publish("mine", tmp_path, table, "How.", Figure())
    assert [p.name for p in paths] == ["mine.csv", "mine.md", "mine.png"]
    assert pd.read_csv(paths[0]).equals(table)
    assert paths[1].read_text().endswith("\n\nHow.\n")
    assert "agent  score" in capsys.readouterr().out


def test_studies_are_found_inside_and_by_entry_point():
    assert {"difficulty", "exploration", "icrl-methods", "stationary", "steps"} <= set(
        study_names()
    )
    for name in study_names():
        study = load_study(name)
        assert study.__doc__.splitlines()[0].endswith((".", "?"))
        assert callable(study.run)


def test_an_unknown_study_is_refused():
    with pytest.raises(SuiteError, match="no study 'nix'; known: difficulty"):
        load_study("nix")


def test_a_study_without_its_extra_says_what_to_install(tmp_path, monkeypatch, capsys):
    def run(scale, out):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(load_study("icrl-methods"), "run", run)
    assert command(["study", "icrl-methods", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "anymdp-bench: study icrl-methods needs torch; install it"
        " (PyTorch: pip install 'anymdp-bench[torch]')\n"
    )


def test_tasks_are_listed_by_difficulty(capsys):
    words = ["list", "tasks", "AnyMDP-16s5a-v0", "--tasks", "3", "--sort", "diameter", "--csv"]
    assert command(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("task_seed,counts,oracle,random,noise,max_steps,terminal,diameter")
    values = [float(line.split(",")[7]) for line in lines[1:]]
    assert values == sorted(values, reverse=True)
    assert len(values) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nix"], "no tasks behind 'nix'"),
        (["DiscretePendulum-g1-v0"], "no TabularMDP"),
        (["CliffWalkingTerminal-v0", "--sort", "nix"], "no column 'nix'"),
    ],
)
def test_tasks_that_cannot_be_listed_are_refused_in_one_line(words, message, capsys):
    assert command(["list", "tasks", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

"""`--json`: each command's answer is one JSON value on stdout and nothing besides."""

import json
import shutil

import pytest

from anymdp_bench.cli.app import run
from anymdp_bench.studies import study_names
from anymdp_bench.suites import suite_names


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with a result of suite smoke."""
    out = tmp_path_factory.mktemp("results")
    words = ["run", "--agent", "tql-ucb", "--suite", "smoke", "--workers", "1", "--quiet"]
    assert run([*words, "--out", str(out)]) == 0
    return out


@pytest.fixture
def answer(capsys):
    """answer(*words) -> what the command prints on stdout, read as JSON."""

    def call(*words):
        capsys.readouterr()
        assert run([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


def test_lists(answer):
    assert [row["suite"] for row in answer("list", "suites")] == suite_names()
    assert "tql-ucb" in [row["agent"] for row in answer("list", "agents")]
    assert "Switch2-v0" in [row["env_id"] for row in answer("list", "envs")]
    assert [row["study"] for row in answer("list", "studies")] == study_names()


def test_tables(answer, results):
    rows = answer("table", results)
    assert [row["env_id"] for row in rows] == ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"]
    assert answer("run", "--agent", "tql-ucb", "--suite", "smoke", "--out", results) == rows


def test_a_plot_says_what_it_shows(answer, results, tmp_path):
    out = tmp_path / "curves.svg"
    assert answer("plot", results, "--out", out) == {
        "file": str(out),
        "kind": "curves",
        "env_ids": ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"],
        "agents": ["tql-ucb"],
    }
    assert out.stat().st_size > 0


def test_a_study_prints_its_table_elsewhere(answer, tmp_path):
    found = answer("study", "stationary", "--scale", "tiny", "--out", tmp_path)
    assert (found["study"], found["scale"]) == ("stationary", "tiny")
    assert found["files"] == [
        str(path) for path in tmp_path.iterdir() if str(path) in found["files"]
    ]
    assert found["files"]


def test_a_picture_and_a_film(answer, tmp_path):
    picture, film = tmp_path / "task.png", tmp_path / "film.gif"
    assert answer("show", "AnyMDP-16s5a-v0", "--task-seed", 3, "--out", picture) == {
        "file": str(picture),
        "env_id": "AnyMDP-16s5a-v0",
        "task_seed": 3,
    }
    pytest.importorskip("moviepy")
    words = ("FrozenLake4x4-v0", "--agent", "random", "--after", 2, "--episodes", 2)
    found = answer("play", *words, "--out", film)
    assert (found["file"], found["episode"], len(found["returns"])) == (str(film), 3, 2)


def test_the_leaderboard(answer, results, tmp_path):
    submission = tmp_path / "smoke-tql-ucb.csv"
    shutil.copy(results / submission.name, submission)
    [valid] = answer("leaderboard", "validate", submission)
    assert (valid["agent"], valid["valid"]) == ("tql-ucb", True)
    site = tmp_path / "site"
    before = answer("leaderboard", "build", submission, "--out", site)
    assert before["page"] == str(site / "index.html")
    assert [each["verified"] for each in before["submissions"]] == [False]
    receipt = answer(
        "leaderboard", "verify", submission, "--episodes", 5, "--tasks", 1, "--sample", 1
    )
    assert receipt["holds"]
    [entry] = answer("leaderboard", "build", submission, "--out", site)["submissions"]
    assert entry["verified"]
    assert entry["sha256"] == valid["sha256"] == receipt["sha256"]

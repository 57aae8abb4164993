"""`run --protocol paper`: another result, which nothing mixes with the default one."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from anymdp_bench import Results, evaluate
from anymdp_bench.results.records import read_header, read_many
from anymdp_bench.results.schema import RUN_KEY

WORDS = [sys.executable, "-m", "anymdp_bench"]
RUN = [*WORDS, "run", "--agent", "tql-ucb-fast", "--suite", "smoke", "--workers", "1"]
NAME = "smoke-tql-ucb-fast"


def call(*words, folder):
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A folder with the suite smoke by both protocols, and the answer of the second command."""
    folder = tmp_path_factory.mktemp("protocols")
    first = call(*RUN, folder=folder)
    assert first.returncode == 0, first.stderr
    before = (folder / "results" / f"{NAME}.csv").read_bytes()
    answer = call(*RUN, "--protocol", "paper", folder=folder)
    assert answer.returncode == 0, answer.stderr
    assert (folder / "results" / f"{NAME}.csv").read_bytes() == before
    return folder / "results", answer


def test_the_file_says_by_which_protocol_it_was_played(played):
    folder, answer = played
    header = read_header(folder / f"{NAME}-paper.csv")
    assert header["protocol"] == json.loads(header["settings"])["protocol"] == "paper"
    assert header["command"].endswith("--suite smoke --protocol paper")
    assert "protocol" not in read_header(folder / f"{NAME}.csv")
    assert "Protocol paper:" in " ".join(answer.stdout.split())
    assert "published" in answer.stdout.splitlines()[0]
    assert "submit:" not in answer.stderr


def test_the_tests_are_played_and_the_tasks_are_those_the_paper_keeps(played):
    folder, _ = played
    frames = {name: read_many(folder / f"{name}.csv") for name in (NAME, f"{NAME}-paper")}
    default, paper = frames.values()
    assert set(paper["measure"]) == {"test"}
    assert set(default["measure"]) == {"exact"}
    assert (paper["episode"] % 100 == 0).all()
    seeds = {int(seed) for seed in paper[paper["env_id"] == "AnyMDP-16s5a-v0"]["task_seed"]}
    skipped = json.loads(read_header(folder / f"{NAME}-paper.csv").get("skipped task seeds", "{}"))
    assert seeds.isdisjoint(skipped.get("AnyMDP-16s5a-v0", []))
    assert not set(zip(paper["suite_hash"], paper["env_id"], strict=True)) & set(
        zip(default["suite_hash"], default["env_id"], strict=True)
    )


def test_evaluate_gives_the_same_rows_with_any_number_of_workers(played, tmp_path):
    folder, _ = played
    path = folder / f"{NAME}-paper.csv"
    found = evaluate("tql-ucb-fast", "smoke", protocol="paper", workers=2, out=tmp_path)
    assert found.path.read_bytes() == path.read_bytes()
    assert Results.read(path).table() == found.table()
    again = evaluate("tql-ucb-fast", "smoke", protocol="paper", workers=1, out=tmp_path)
    assert again.origin.played == 0


def test_a_table_of_both_has_a_row_for_each(played):
    folder, _ = played
    results = Results.read(folder)
    summary = results.summary()
    assert len(summary) == 4
    assert (
        summary.groupby("env_id")["protocol"].apply(sorted).tolist() == [["default", "paper"]] * 2
    )
    runs = read_many(folder)[[*RUN_KEY, "protocol"]].drop_duplicates()
    assert (summary["n_runs"] == 2).all()
    assert len(runs) == 8
    text = results.table()
    assert text.count("[smoke, protocol paper]") == 2
    assert text.count("[smoke]") == 2
    csv = pd.read_csv(folder / f"{NAME}-paper.csv")
    assert "published_percent" in Results.read(folder / f"{NAME}-paper.csv").table("csv")
    assert len(csv) == sum(results["protocol"] == "paper")
    overall = results.table(overall=True)
    assert "smoke, protocol paper" in overall


def test_the_published_figure_stands_beside_rows_of_the_papers_protocol_alone(tmp_path):
    """Unless it is asked for: then a caption says that it is for other tasks."""
    settings = {"tasks": 2, "episodes": 100, "workers": 1, "out": tmp_path}
    default = evaluate("tql-ucb", "AnyMDP-16s5a-v0", **settings)
    paper = evaluate("tql-ucb", "AnyMDP-16s5a-v0", protocol="paper", **settings)
    assert "92.0 / 297K / 4.7K" not in default.table()
    assert "92.0 / 297K / 4.7K" in paper.table()
    asked = default.table(reference=True)
    assert "92.0 / 297K / 4.7K" in asked
    assert "other tasks, horizons and starts" in asked.replace("\n", " ")
    assert "other tasks, horizons and starts" not in paper.table().replace("\n", " ")
    both = Results.read(tmp_path).table()
    assert both.count("92.0 / 297K / 4.7K") == 1
    row = paper.summary().iloc[0]
    assert row["paper_low"] <= row["paper_score"] <= row["paper_high"]


def test_a_plot_names_the_protocol(played, tmp_path):
    folder, _ = played
    figure = Results.read(folder).plot()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("protocol paper" in name for name in names)
    assert any("protocol paper" not in name for name in names)


@pytest.mark.parametrize("command", ["validate", "verify"])
def test_the_leaderboard_refuses_it_in_one_line(played, tmp_path, command):
    folder, _ = played
    path = folder / f"{NAME}-paper.csv"
    found = call(*WORDS, "leaderboard", command, str(path), folder=tmp_path)
    assert found.returncode == 2
    assert "was played by protocol 'paper'" in found.stderr
    assert "run the suite without --protocol" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    packed = tmp_path / f"{NAME}-paper.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert call(*WORDS, "leaderboard", command, str(packed), folder=tmp_path).returncode == 2


def test_the_leaderboard_refuses_it_without_its_metadata_too(played, tmp_path):
    folder, _ = played
    frame = pd.read_csv(folder / f"{NAME}-paper.csv").drop(columns="metadata")
    frame.to_csv(tmp_path / "bare.csv", index=False)
    found = call(*WORDS, "leaderboard", "validate", "bare.csv", folder=tmp_path)
    assert found.returncode == 2
    assert "suite_hash" in found.stderr
    assert "--protocol" in found.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol", "papre"], "did you mean 'paper'"),
        (["--protocol", "paper", "--env", "FrozenLake4x4-v0?max_steps=9"], "leave max_steps out"),
    ],
)
def test_bad_values_get_one_line(tmp_path, words, message):
    found = call(*WORDS, "run", "--agent", "random", "--quiet", *words, folder=tmp_path)
    assert found.returncode == 2
    assert message in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    with pytest.raises(ValueError, match="protocol is 'x'"):
        evaluate("random", "smoke", protocol="x")


def test_an_interrupted_run_goes_on_to_the_same_bytes(played, tmp_path):
    folder, _ = played
    words = [*RUN, "--protocol", "paper", "--quiet", "--out", str(tmp_path)]
    work = tmp_path / f".{NAME}-paper"
    process = subprocess.Popen(words, start_new_session=True)
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end and not any(work.glob("*.part")):
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert call(*words, folder=tmp_path).returncode == 0
    path = tmp_path / f"{NAME}-paper.csv"
    assert path.read_bytes() == (folder / f"{NAME}-paper.csv").read_bytes()


def test_runs_that_end_before_their_first_episode_are_named(tmp_path):
    words = [
        "run",
        "--agent",
        "omnirl",
        "--env",
        "AnyMDP-16s5a-v0",
        "--tasks",
        "6",
        "--steps",
        "90",
    ]
    found = call(*WORDS, *words, "--workers", "1", folder=tmp_path)
    scored = len(read_many(tmp_path / "results")[list(RUN_KEY)].drop_duplicates())
    assert 0 < scored < 6
    missing = f"AnyMDP-16s5a-v0: {6 - scored} of 6 runs ended before they were first scored"
    assert missing in found.stderr

"""The board of long contexts on the page."""

import html
import json
import shutil
from pathlib import Path

import pytest

from anymdp_bench.cli.app import run
from anymdp_bench.leaderboard.entries import make_board
from anymdp_bench.leaderboard.longcontext import board_rows, load_board
from anymdp_bench.leaderboard.page import render
from anymdp_bench.leaderboard.validate import validate
from anymdp_bench.longcontext import STREAMS, counting, save_result, score, stream
from anymdp_bench.results.schema import RecordError

ROOT = Path(__file__).parents[2]
EVIL = "<img src=x onerror=alert(1)></script>"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with counts of two priors."""
    folder = tmp_path_factory.mktemp("longcontext")
    data = stream("tau8-v1")
    for name, alpha in (("b", 0.1), ("a", 30.0)):
        found = score(data, counting(8, 3, alpha))
        save_result(
            folder / f"{name}.json", found, model=f"counts {alpha}", version="1", author="us"
        )
    return folder


def test_the_page_shows_the_lowest_loss_first(results, made):
    rows = board_rows(load_board(results))
    assert [row["label"] for row in rows] == ["counts 0.1 1", "counts 30.0 1"]
    assert rows[0]["floor"] == rows[1]["floor"] <= rows[0]["loss"] < rows[1]["loss"]
    page = html.unescape(render(make_board([validate(made("random"))[0]]), rows))
    assert "16,384–32,768" in page  # noqa: RUF001
    assert page.index("counts 0.1 1") < page.index("counts 30.0 1")


def test_build_takes_the_folder_and_copies_the_files(results, made, tmp_path):
    shutil.copy(made("random"), tmp_path)
    words = ["leaderboard", "build", str(tmp_path), "--out", str(tmp_path / "site")]
    assert run([*words, "--longcontext", str(results)]) == 0
    assert "Long contexts" in (tmp_path / "site" / "index.html").read_text("utf-8")
    assert (tmp_path / "site" / "longcontext" / "a.json").exists()
    assert run([*words, "--longcontext", str(tmp_path / "none")]) == 0
    assert "Long contexts" not in (tmp_path / "site" / "index.html").read_text("utf-8")


def test_everything_of_a_result_is_escaped(results, made, tmp_path):
    result = json.loads((results / "a.json").read_text())
    result |= {"model": EVIL, "author": EVIL, "description": '"' + EVIL, "link": 'https://x/"><b>'}
    (tmp_path / "evil.json").write_text(json.dumps(result))
    page = render(make_board([validate(made("random"))[0]]), board_rows(load_board(tmp_path)))
    assert "<img" not in page
    assert "<b>" not in page
    assert page.count("</script") == 2


def test_the_same_model_twice_is_refused(results, tmp_path):
    for name in "xy":
        shutil.copy(results / "a.json", tmp_path / f"{name}.json")
    with pytest.raises(RecordError, match=r"y.json: repeats x.json \(counts 30.0 1\); keep one"):
        load_board(tmp_path)


def test_a_file_that_is_no_result_ends_the_build_with_one_line(results, made, tmp_path, capsys):
    shutil.copy(made("random"), tmp_path)
    (tmp_path / "bad.json").write_text("{}")
    words = ["leaderboard", "build", str(tmp_path), "--out", str(tmp_path / "site")]
    assert run([*words, "--longcontext", str(tmp_path)]) == 2
    assert "no result file" in capsys.readouterr().err


def test_our_own_results_are_what_the_references_lose():
    """leaderboard/longcontext: each is of a published stream, and counts are counted again."""
    board = load_board(ROOT / "leaderboard" / "longcontext")
    assert {result.stream for _, result in board} == set(STREAMS)
    again = score(stream("tau8-v1"), counting(8, 3)).buckets()
    [mine] = [r for _, r in board if (r.stream, r.model) == ("tau8-v1", "counts")]
    for row, known in zip(again, mine.buckets, strict=True):
        assert row["following"] == pytest.approx(known["following"], abs=1e-5)

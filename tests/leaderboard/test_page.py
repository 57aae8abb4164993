"""The page: whole, escaped, deterministic, and without a single outside address of its own."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from anymdp_bench.cli.app import run
from anymdp_bench.leaderboard.entries import make_board
from anymdp_bench.leaderboard.page import build, render
from anymdp_bench.leaderboard.receipt import Environment, Receipt
from anymdp_bench.leaderboard.validate import submission_paths, validate
from anymdp_bench.results.metrics import summarise, summarise_overall
from anymdp_bench.results.records import read_csv
from anymdp_bench.results.schema import RecordError

ROOT = Path(__file__).parents[2]
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


def a_receipt(found, **changes):
    fields = {
        "submission": found.path.name, "sha256": found.digest, "nonce": "n", "agent": found.agent,
        "agent_version": found.version, "package": "0", "episodes": None,
        "environments": (Environment("AnyMDP-16s5a-v0", 2, 2, (5,), 0.5, 0.5),),
        "p_sampled": 1.0, "p_fresh": 0.5,
    }  # fmt: skip
    return Receipt(**fields | changes)


@pytest.fixture
def folder(made, tmp_path):
    """Submissions of two agents in a folder."""
    for agent in ("tql-ucb", "random"):
        shutil.copy(made(agent), tmp_path)
    return tmp_path


@pytest.fixture
def hostile(sheet, tmp_path):
    """A valid submission whose every free text is an attack."""
    evil = sheet()
    for row in range(len(evil.rows)):
        evil.set(row, "agent_version", f"{EVIL}\"'><b>1")
    evil.rows = [
        ['"' + f.replace('"', '""') + '"' if '"' in f else f for f in row] for row in evil.rows
    ]
    evil.comments += [
        f"# author: {EVIL}",
        f"# description: {EVIL}",
        "# link: https://x.org/{{7*7}}",
    ]
    evil.comments += [f"# command: anymdp-bench run --agent '{EVIL}'"]
    return evil.write(tmp_path / "evil &amp;.csv")


def test_build_writes_the_page_and_copies_the_files(folder, capsys):
    out = folder / "site"
    assert run(["leaderboard", "build", str(folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'index.html'}\n"
    assert sorted(path.name for path in (out / "submissions").iterdir()) == [
        "smoke-random.csv",
        "smoke-tql-ucb.csv",
    ]
    page = (out / "index.html").read_bytes()
    assert run(["leaderboard", "build", str(folder), "--out", str(out)]) == 0
    assert (out / "index.html").read_bytes() == page


def test_the_page_shows_the_numbers_of_the_table(made):
    found = [validate(made(agent))[0] for agent in ("tql-ucb", "random")]
    rows = make_board(found).rows
    summary = summarise(read_csv(made("tql-ucb")))
    for row, expected in zip(
        [row for row in rows if row["agent"] == "tql-ucb"], summary.to_dict("records"), strict=True
    ):
        assert row["env_id"] == expected["env_id"]
        assert row["score_key"] == expected["score"]
        assert row["score"] == f"{100 * expected['score']:.1f}"
        assert row["reached"] == f"{expected['reached']}/{expected['n_runs']}"


def test_tuned_agents_are_marked(made):
    board = make_board([validate(made(agent))[0] for agent in ("tql-ucb", "random")])
    for row in (*board.rows, *board.overall):
        assert row["tuned"] == (row["agent"] == "tql-ucb")
    page = render(board)
    assert page.count("<td>per environment</td>") == page.count(" data-tuned>") - 2 == 1


def test_a_row_says_its_budget_and_what_the_agent_brings_along(made, sheet, tmp_path):
    """What is not known is said to be unknown; a learner's training is its run."""
    told = sheet("random")
    told.comments += ["# parameters: 694,573", "# training cost: 93M steps"]
    found = [validate(path)[0] for path in (made("tql-ucb"), told.write(tmp_path / "told.csv"))]
    rows = {row["agent"]: row for row in make_board(found).overall}
    cells = ("budget", "measure", "parameters", "training")
    assert [rows["random"][k] for k in cells] == ["300 episodes", "online", "695K", "93M steps"]
    assert [rows["tql-ucb"][k] for k in cells] == [
        "300 episodes", "test", "not given", "learns in the run",
    ]  # fmt: skip
    assert make_board([validate(made("random"))[0]]).overall[0]["training"] == "not given"
    told.comments[-2] = "# parameters: many"
    with pytest.raises(RecordError, match="'parameters' is no number"):
        validate(told.write(tmp_path / "told.csv"))


def test_a_page_says_where_paper_and_documentation_are_and_how_to_submit(made):
    board = make_board([validate(made("random"))[0]])
    page = render(board, docs="../docs/index.html")
    assert '<a href="https://arxiv.org/abs/2502.02869"' in page
    assert '<a href="../docs/index.html">Documentation</a>' in page
    assert "anymdp-bench leaderboard validate" in page
    assert "Documentation" not in render(board)


def test_nothing_is_fetched_from_anywhere(made):
    page = html.unescape(render(make_board([validate(made("random"))[0]])))
    links = re.findall(r"""<(\w+)[^>]*?\b(?:src|href|action)=["']?(?:https?:)?//""", page)
    assert set(links) == {"a"}  # the paper, which nothing asks for until it is chosen
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_everything_from_a_submission_is_escaped(hostile):
    page = render(make_board([validate(hostile)[0]]))
    assert "<img" not in page
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "alert(2)" in page
    assert html.escape(EVIL) in page
    assert "{{7*7}}" in page
    data = re.search(r'<script type="application/json" id="curves">(.*?)</script>', page, re.S)
    curves = json.loads(data.group(1))
    assert next(iter(curves.values()))[0]["label"].startswith(f"tql-ucb {EVIL}")


def test_verified_is_said_only_of_these_very_bytes(made, tmp_path):
    path = shutil.copy(made("tql-ucb"), tmp_path / "mine.csv")
    found = validate(path)[0]

    def shown():
        (row,) = make_board([found]).overall
        assert row["verified"] == (row["receipt"] is not None)
        return row["receipt"]

    assert shown() is None
    assert "Not yet: nobody but the author" in render(make_board([found]))
    receipt = tmp_path / "mine.verified.json"
    a_receipt(found).save(receipt)
    assert shown() == a_receipt(found)
    page = render(make_board([found]))
    assert a_receipt(found).summary in html.unescape(page)
    assert "verify mine.csv --nonce n --sample 2 --tasks 1" in page
    assert "mine.verified.json" in page
    build([found], tmp_path / "site")
    assert (tmp_path / "site" / "submissions" / receipt.name).read_bytes() == receipt.read_bytes()
    a_receipt(found, sha256="0" * 64).save(receipt)
    assert shown() is None
    a_receipt(found, p_fresh=0.001).save(receipt)
    assert shown() is None


def test_a_receipt_says_in_words_what_its_numbers_mean(made):
    """Chance in so many of 100 submissions, since "agree (p = 0.009)" reads as its opposite."""
    found = validate(made("random"))[0]
    assert a_receipt(found).summary == (
        "All 2 submitted runs that were played again gave the same rows. On 1 new task the agent's mean"
        " final score was 50.0, where 50.0 was claimed. Chance alone lets claims exceed new runs by as much"
        " in up to 50 of 100 honest submissions; fewer than 5 of 1,000 would refute them."
    )
    few = Environment("AnyMDP-16s5a-v0", 2, 1, (5,), 0.9, 0.25, renumbered=True)
    text = a_receipt(found, environments=(few,), p_fresh=0.009, p_sampled=0.3, episodes=100).summary
    assert (
        "1 of the 2 submitted runs that were played again gave the same rows, in their first 100"
        in text
    )
    assert "up to 30 of 100 honest submissions" in text
    assert "mean score within 100 episodes was 25.0, where 90.0 was claimed" in text
    assert "up to 9 of 1,000 honest submissions; fewer than 5 of 1,000 would refute them." in text
    assert text.endswith("Fixed tasks were renumbered.")
    assert "On 0 new tasks" in a_receipt(found, environments=()).summary
    assert "nearly all honest submissions" in a_receipt(found, p_fresh=1.0).summary


def test_the_same_result_twice_is_refused(made, tmp_path):
    copies = [shutil.copy(made("random"), tmp_path / f"{k}.csv") for k in "ab"]
    with pytest.raises(RecordError, match=r"b.csv: repeats a.csv \(random 1\); keep one"):
        make_board([validate(path)[0] for path in copies])


def test_bad_folders_are_refused_in_one_line(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(["leaderboard", "build", str(tmp_path / "empty")]) == 2
    assert "no submissions found" in capsys.readouterr().err
    assert run(["leaderboard", "build", str(folder), "--out", f"{__file__}/below"]) == 2
    assert "give another --out" in capsys.readouterr().err


def test_our_own_submissions_are_valid_and_make_a_page():
    paths = submission_paths([ROOT / "leaderboard" / "submissions"])
    page = render(make_board([validate(path)[0] for path in paths]))
    assert all(path.name in page for path in paths)


def test_build_leaves_a_file_that_is_its_own_copy_alone(made, tmp_path):
    (tmp_path / "submissions").mkdir()
    path = shutil.copy(made("random"), tmp_path / "submissions" / "smoke-random.csv")
    assert build([validate(path)[0]], tmp_path) == tmp_path / "index.html"
    assert path.exists()


def test_agents_are_ranked_by_their_own_episodes_where_all_have_that_score(made):
    """A learner's online score follows from its regret; without the regret the score decides."""
    found = [validate(made(agent))[0] for agent in ("random", "tql-ucb")]
    online = {each.agent: summarise_overall(each.frame, measure="online") for each in found}
    rows = {row["agent"]: row for row in make_board(found).overall}
    for agent, row in rows.items():
        assert row["online_key"] == pytest.approx(online[agent]["score"].iloc[0])
        assert row["online"] == f"{100 * row['online_key']:.1f}"
    assert rows["random"]["online_key"] == rows["random"]["score_key"]  # in context
    assert rows["tql-ucb"]["online_key"] < rows["tql-ucb"]["score_key"]
    best = max(rows, key=lambda agent: rows[agent]["online_key"])
    assert make_board(found).overall[0]["agent"] == best
    found[1].frame["regret"] = np.nan
    rows = {row["agent"]: row for row in make_board(found).overall}
    assert rows["tql-ucb"]["online_key"] == ""
    assert list(rows) == ["tql-ucb", "random"]


def test_the_best_of_each_block_come_first(made):
    board = make_board([validate(made(agent))[0] for agent in ("random", "tql-ucb")])
    assert [row["agent"] for row in board.overall] == ["tql-ucb", "random"]
    assert [(row["env_id"], row["agent"]) for row in board.rows] == [
        (env_id, agent)
        for env_id in ("AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0")
        for agent in ("tql-ucb", "random")
    ]

"""Validation: an honest file passes, and every way to be wrong is named by row and column."""

import csv
import gzip
import hashlib
import json
import os
import re

import pytest

from anymdp_bench.cli.app import run
from anymdp_bench.leaderboard.check_file import MAX_BYTES, MAX_LINE
from anymdp_bench.leaderboard.receipt import receipt_path
from anymdp_bench.leaderboard.validate import validate
from anymdp_bench.results.schema import RecordError


@pytest.mark.parametrize(("agent", "tasks"), [("tql-ucb", 4), ("random", 4)])
def test_what_run_writes_is_a_submission_as_it_is(made, agent, tasks):
    found, known = validate(made(agent))
    assert (found.agent, found.suite.name, len(known)) == (agent, "smoke", tasks)
    assert found.context == ("none" if agent == "tql-ucb" else "empty")


def test_the_columns_of_the_contract_are_enough(sheet, tmp_path):
    """Files from elsewhere may lack our own columns; in-context ones need no `measure`."""
    short = sheet("random")
    short.names = short.names[:13]
    short.rows = [row[:13] for row in short.rows]
    assert validate(short.write(tmp_path / "short.csv"))[0].agent == "random"


def test_rows_of_runs_may_be_interleaved_and_lines_are_still_right(sheet, tmp_path):
    mixed = sheet()
    mixed.rows.sort(key=lambda row: int(row[mixed.column("episode")]))
    assert validate(mixed.write(tmp_path / "mixed.csv"))[0].agent == "tql-ucb"
    mixed.set(7, "score", "0.123")
    with pytest.raises(RecordError, match=f"line {mixed.line(7)}, column 'score'"):
        validate(mixed.write(tmp_path / "mixed.csv"))


def test_who_made_it_is_read_from_the_comments(sheet, tmp_path):
    signed = sheet()
    signed.comments += ["# author: Ada Lovelace", "# link: https://example.org/a?b=c#d"]
    header = validate(signed.write(tmp_path / "signed.csv"))[0].header
    assert (header["author"], header["link"]) == ("Ada Lovelace", "https://example.org/a?b=c#d")


def _cell(row, name, value, agent="tql-ucb"):
    """(agent, the change, row and column that are named)."""
    return agent, lambda sheet: sheet.set(row, name, value), (row, name)


# Each is one thing wrong with a real file: (agent, change, (row, column) named, words).
CELLS = [
    (*_cell(3, "score", 0.5), "on this task's scale"),
    (*_cell(3, "score", "nan"), "not a finite number"),
    (*_cell(3, "score", "inf"), "is not finite"),
    (*_cell(3, "score", ""), "blank"),
    (*_cell(3, "score", "0,5"), "fields"),
    (*_cell(3, "steps", 1), "steps"),
    (*_cell(3, "steps", "12.5"), "whole number"),
    (*_cell(3, "steps", 2**63), "too large"),
    (*_cell(3, "episode", 3), "repeats"),
    (*_cell(3, "episode", 5), "repeats"),
    (*_cell(3, "return", 1e6), "no noise to correct"),
    (*_cell(0, "gap", 7.0), "changes within its run"),
    (*_cell(0, "suite", "quick"), "is not the file's first"),
    (*_cell(0, "suite", "mine"), "is no published suite; run one of"),
    (*_cell(5, "suite_hash", "0123456789ab"), "is not the file's first"),
    (*_cell(5, "agent", "another"), "is not the file's first"),
    (*_cell(5, "agent_version", "0"), "is not the file's first"),
    (*_cell(5, "context", "empty"), "is not the file's first"),
    (*_cell(5, "env_id", "AnyMDP-64s5a-v0"), "is not in suite smoke"),
    (*_cell(5, "measure", "episode"), "changes within its run"),
    (*_cell(5, "agent", "=cmd()"), "which a spreadsheet would run"),
    (*_cell(5, "agent", "@SUM(A1)"), "which a spreadsheet would run"),
    (*_cell(5, "measure", "+x"), "which a spreadsheet would run"),
    (*_cell(9, "regret", "1e9", "random"), "fell short by"),
    (*_cell(9, "score", "0.5", "random"), "on this task's scale"),
    (*_cell(9, "episode", "11", "random"), "repeats"),
]


@pytest.mark.parametrize(
    ("agent", "change", "place", "words"), CELLS, ids=[f"{c[2]}-{c[3][:20]}" for c in CELLS]
)
def test_a_wrong_cell_is_named_by_row_and_column(
    sheet, tmp_path, capsys, agent, change, place, words
):
    spoilt = sheet(agent)
    change(spoilt)
    path = spoilt.write(tmp_path / "spoilt.csv")
    code = run(["leaderboard", "validate", str(path)])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err
    row, column = place
    line = int(re.search(r"line (\d+)", err).group(1))
    assert abs(line - spoilt.line(row)) <= 1, err  # a fault between two rows may be named at either
    if words not in ("fields", "repeats", "changes within its run"):
        assert f"column '{column}'" in err or column in ("suite", "measure")


def test_an_impossible_score_that_fits_its_return_is_named(sheet, tmp_path):
    """Score, return and corrected return agree with each other, and no policy earns that much."""
    forged = sheet()
    lift = 3.0 - float(forged.get(2, "score"))
    gap = float(forged.get(2, "gap"))
    for name, by in (("score", lift), ("return", lift * gap), ("return_corrected", lift * gap)):
        forged.set(2, name, float(forged.get(2, name)) + by)
    words = rf"line {forged.line(2)}, column 'return_corrected': .* it lies in"
    with pytest.raises(RecordError, match=words):
        validate(forged.write(tmp_path / "forged.csv"))


def test_more_steps_than_an_episode_has_are_refused(sheet, tmp_path):
    for agent, words in (
        ("tql-ucb", "steps by episode 300, where an episode has 1 to"),
        ("random", "steps by episode 300, where an episode has 1 to"),
    ):
        long = sheet(agent)
        long.set(-1, "steps", 10**7)
        with pytest.raises(RecordError, match=words):
            validate(long.write(tmp_path / "long.csv"))


def test_a_file_that_lacks_something_of_its_suite_is_refused(sheet, tmp_path):
    whole = sheet()
    env, task, episode = (whole.column(name) for name in ("env_id", "task_seed", "episode"))
    first, last = whole.rows[0], whole.rows[-1]
    cases = {
        "no row of Garnet-16s5a2b-v0": [r for r in whole.rows if r[env] == first[env]],
        "no row of AnyMDP-16s5a-v0, task": [
            r for r in whole.rows if (r[env], r[task]) != (first[env], first[task])
        ],
        "before its budget": whole.rows[:-1],
        "is due": [r for k, r in enumerate(whole.rows) if k != 4],
    }
    for words, rows in cases.items():
        part = sheet()
        part.rows = rows
        with pytest.raises(RecordError, match=words):
            validate(part.write(tmp_path / "part.csv"))
    more = sheet()
    more.rows.append([*last[:episode], str(int(last[episode]) + 1), *last[episode + 1 :]])
    with pytest.raises(RecordError, match=r"more rows than|the budget is over"):
        validate(more.write(tmp_path / "more.csv"))


def test_tasks_and_runs_of_ones_own_choice_are_refused(sheet, tmp_path):
    for name, words in (("task_seed", "is no task of suite smoke"), ("run_seed", "is no run of")):
        chosen = sheet()
        env = chosen.rows[0][chosen.column("env_id")]
        seed = chosen.rows[0][chosen.column("task_seed")]
        for row in chosen.rows:
            if (row[chosen.column("env_id")], row[chosen.column("task_seed")]) == (env, seed):
                row[chosen.column(name)] = "4000000001"
        with pytest.raises(RecordError, match=f"line {chosen.line(0)}, column '{name}'.*{words}"):
            validate(chosen.write(tmp_path / "chosen.csv"))


def test_agents_that_look_at_the_task_are_barred(made, sheet, tmp_path):
    with pytest.raises(RecordError, match="oracle looks at the task"):
        validate(made("oracle"))
    renamed = sheet("oracle")
    for row in renamed.rows:
        row[renamed.column("agent")] = "honest"
    with pytest.raises(RecordError, match="honest looks at the task"):
        validate(renamed.write(tmp_path / "renamed.csv"))


def test_a_result_of_other_settings_is_no_submission(tmp_path, capsys):
    words = ["run", "--agent", "random", "--suite", "smoke", "--tasks", "1", "--episodes", "2"]
    assert run([*words, "--workers", "1", "--quiet", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert run(["leaderboard", "validate", str(tmp_path)]) == 2
    assert "run the suite as it is, without --tasks" in capsys.readouterr().err


HEADERS = [
    (["# link: javascript:alert(1)"], "is no address; write https://"),
    (['# link: https://x.org/"onclick=alert(1)'], "is no address"),
    (["# author: " + "x" * 101], "longer than 100 characters"),
    (["# description: " + "x" * 501], "longer than 500 characters"),
    (["# a: b"] * 60, "more than 50 comment lines"),
    (["# author: \x1b[31mred"], "a control character"),
    (["# author: evil\u202egnp.exe"], "a control character"),
    (["# author: \x00"], "a control character"),
]


@pytest.mark.parametrize(("comments", "words"), HEADERS, ids=[words for _, words in HEADERS])
def test_a_bad_header_is_refused(sheet, tmp_path, comments, words):
    signed = sheet()
    signed.comments += comments
    with pytest.raises(RecordError, match=re.escape(words)):
        validate(signed.write(tmp_path / "signed.csv"))


def test_another_command_is_refused_and_none_is_guessed(sheet, tmp_path):
    bare = sheet()
    for comments in (["# command: rm -rf /"], ["# command: 'anymdp-bench"]):
        bare.comments = comments
        with pytest.raises(RecordError, match="'command' is not `anymdp-bench run"):
            validate(bare.write(tmp_path / "bare.csv"))
    bare.comments = []
    found = validate(bare.write(tmp_path / "bare.csv"))[0]
    assert found.command == "anymdp-bench run --agent tql-ucb --suite smoke"


HOSTILE = {
    "utf-16": (lambda text: text.encode("utf-16"), "is UTF-16 and not UTF-8 text; save it as UTF-8"),
    "latin-1": (lambda text: "# author: René\n".encode("latin-1") + text.encode(), "line 1: not UTF-8"),
    "nothing": (lambda text: b"", "has no header line"),
    "no rows": (lambda text: text.partition("\nsmoke,")[0].encode(), "holds no rows"),
    "binary": (lambda text: bytes(range(256)), "line 1: "),
    "a long line": (lambda text: b"x" * (MAX_LINE + 1), f"line 1: longer than {MAX_LINE} bytes"),
    "a long row": (lambda text: text.encode() + b"9" * (MAX_LINE + 1), f"longer than {MAX_LINE}"),
    "many rows": (lambda text: text.encode() + (text.splitlines()[-1] + "\n").encode() * 3000,
                  "more rows than the suite has"),
    "open quote": (lambda text: text.encode() + b'"quick', "a quoted field runs over"),
    "semicolons": (lambda text: text.replace(",", ";").encode(), "column "),
    "html": (lambda text: b"<!doctype html>\n<p>404</p>\n", "column 'suite'"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(made, tmp_path, capsys, name):
    spoil, words = HOSTILE[name]
    path = tmp_path / "hostile.csv"
    path.write_bytes(spoil(made("tql-ucb").read_text(encoding="utf-8")))
    assert run(["leaderboard", "validate", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(2**30)  # sparse: nothing is written
    with pytest.raises(RecordError, match=f"is larger than {MAX_BYTES >> 20} MiB"):
        validate(path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(RecordError, match="is not a file"):
            validate(path)
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        validate(tmp_path / "none.csv")
    if os.path.exists("/dev/zero"):
        from pathlib import Path

        with pytest.raises(RecordError, match="is not a file"):
            validate(Path("/dev/zero"))


def test_a_compressed_submission_is_the_same_submission(made, tmp_path, capsys):
    """Its digest is that of the text, so a receipt stays good when the file is compressed."""
    plain = made("tql-ucb")
    packed = tmp_path / "smoke-tql-ucb.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    one, other = validate(plain)[0], validate(packed)[0]
    assert (one.digest, one.header) == (other.digest, other.header)
    assert one.digest == hashlib.sha256(plain.read_bytes()).hexdigest()
    assert one.frame.equals(other.frame)
    assert receipt_path(packed).name == receipt_path(plain).name == "smoke-tql-ucb.verified.json"
    assert run(["leaderboard", "build", str(tmp_path), "--out", str(tmp_path / "site")]) == 0
    assert (tmp_path / "site" / "submissions" / packed.name).exists()


def test_two_submissions_with_one_file_name_are_refused(made, tmp_path, capsys):
    paths = [tmp_path / "a" / "mine.csv", tmp_path / "b" / "mine.csv"]
    for path, agent in zip(paths, ["tql-ucb", "random"], strict=True):
        path.parent.mkdir()
        path.write_bytes(made(agent).read_bytes())
    assert run(["leaderboard", "build", *map(str, paths), "--out", str(tmp_path / "site")]) == 2
    what = f"{paths[1]}: has the name of {paths[0]}; rename one of them"
    assert what in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_the_settings_of_a_run_move_from_the_metadata_to_the_submission(made, tmp_path):
    path = tmp_path / "signed.csv"
    path.write_text("# author: Ada\n# tuned: no\n" + made("tql-ucb").read_text(), newline="\r\n")
    found = validate(path)[0]
    assert (found.header["author"], found.is_tuned) == ("Ada", True)
    assert found.command == "anymdp-bench run --agent tql-ucb --suite smoke"


METADATA = {
    "privileged": ({"privileged": "yes: it looks"}, "tql-ucb looks at the task"),
    "an escape": ({"author": "\x1b[31mred"}, "'author' has control characters"),
    "a line end": ({"command": "anymdp-bench run\n"}, "'command' has control characters"),
    "a command": ({"command": "rm -rf /"}, "'command' is not `anymdp-bench run"),
    "a link": ({"link": "javascript:alert(1)"}, "'link' is no address"),
}


@pytest.mark.parametrize("case", METADATA)
def test_bad_metadata_is_refused(made, tmp_path, case):
    fields, words = METADATA[case]
    names, first, *rows = csv.reader(made("tql-ucb").read_text().splitlines())
    path = tmp_path / "spoilt.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, [*first[:-1], json.dumps(fields)], *rows])
    with pytest.raises(RecordError, match=re.escape(words)):
        validate(path)


@pytest.mark.parametrize("name", ["my agent", "<b>", "агент", "a/b", "../x", "a'b"])
def test_the_name_of_an_agent_is_plain(sheet, tmp_path, name):
    named = sheet()
    for row in range(len(named.rows)):
        named.set(row, "agent", name)
    with pytest.raises(RecordError, match="has other characters than letters, digits and"):
        validate(named.write(tmp_path / "named.csv"))

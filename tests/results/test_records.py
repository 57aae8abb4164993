"""Result files: what is written is read back, and a broken file is refused in one line that says where."""

import csv
import dataclasses
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from first_format import to_first_format
from hypothesis import given, settings
from hypothesis import strategies as st

from anymdp_bench.results import records
from anymdp_bench.results.records import RecordError, RunRecord
from anymdp_bench.results.results import Results


def a_run(n: int = 3, **changes: object) -> RunRecord:
    fields: dict[str, object] = {
        "suite": "quick",
        "suite_hash": "c0ffee",
        "agent": "omnirl",
        "agent_version": "1.0",
        "env_id": "AnyMDP-16s5a-v0",
        "task_seed": 7,
        "run_seed": 0,
        "context": "empty",
        "measure": "episode",
        "gap": 2.0,
        "episode": np.arange(1, n + 1),
        "steps": np.arange(1, n + 1) * 10,
        "return_": np.linspace(0, 1, n),
        "return_corrected": np.linspace(0, 1, n) + 0.1,
        "score": np.linspace(0, 0.5, n),
        "regret": np.linspace(0, 3, n),
    }
    return RunRecord(**(fields | changes))  # type: ignore[arg-type]


EXACT = """\
suite,suite_hash,agent,agent_version,env_id,task_seed,run_seed,context,episode,steps,return,\
return_corrected,score,regret,measure,gap,metadata
quick,c0ffee,omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,1,10,0.0,0.1,0.0,0.0,episode,2.0,\
"{""seed"": ""0"", ""command"": ""run --agent omnirl --quiet""}"
quick,c0ffee,omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,2,20,0.5,0.6,0.25,1.5,episode,2.0,.
quick,c0ffee,omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,3,30,1.0,1.1,0.5,3.0,episode,2.0,.
"""
FIRST = """\
# seed: 0
# command: run --agent omnirl --quiet
suite,suite_hash,agent,agent_version,env_id,task_seed,run_seed,context,episode,steps,return,\
return_corrected,score,regret,measure,gap
quick,c0ffee,omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,1,10,0.0,0.1,0.0,0.0,episode,2.0
quick,c0ffee,omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,2,20,0.5,0.6,0.25,1.5,episode,2.0
quick,c0ffee,omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,3,30,1.0,1.1,0.5,3.0,episode,2.0
"""


def test_a_file_is_exactly_this(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    header = {"seed": "0", "command": "run --agent omnirl\r\n\x1b --quiet "}
    records.write_csv(path, [a_run()], header)
    assert path.read_bytes() == EXACT.encode()
    assert records.read_header(path) == {"seed": "0", "command": "run --agent omnirl --quiet"}
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
    assert to_first_format(path) == FIRST.encode()


def test_a_file_of_the_first_format_reads_as_the_same(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(FIRST)
    new.write_text(EXACT)
    pd.testing.assert_frame_equal(records.read_csv(old), records.read_csv(new))
    assert records.read_header(old) == records.read_header(new)


def test_the_contract_columns_come_first() -> None:
    assert ",".join(records.COLUMNS[:13]) == (
        "suite,suite_hash,agent,agent_version,env_id,task_seed,run_seed,context,"
        "episode,steps,return,return_corrected,score"
    )


letters = st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")
texts = st.text(letters, min_size=1).filter(lambda text: text.strip() != "")
reals = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def runs(draw: st.DrawFn) -> RunRecord:
    n = draw(st.integers(0, 5))

    def many(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=n, max_size=n))

    context = draw(st.sampled_from(["none", "empty"]))
    rise = np.arange(1, n + 1)
    if context == "none":
        rise = np.cumsum(np.array(many(st.integers(1, 2**55)), dtype=np.int64))
    return RunRecord(
        *(draw(texts) for _ in range(5)),
        task_seed=draw(st.integers(0, 2**32 - 1)),
        run_seed=draw(st.integers(0, 2**63 - 1)),
        context=context,
        measure="episode" if context == "empty" else draw(st.sampled_from(["exact", "test"])),
        gap=draw(st.floats(min_value=0, exclude_min=True, allow_infinity=False)),
        episode=rise,
        steps=np.cumsum(np.array(many(st.integers(0, 2**55)), dtype=np.int64)),
        return_=np.array(many(reals)),
        return_corrected=np.array(many(reals)),
        score=np.array(many(reals)),
        regret=np.array(many(reals)),
    )


@settings(deadline=None, max_examples=50)  # files take a while on a busy disk
@given(st.lists(runs(), min_size=1, max_size=4, unique_by=lambda run: run.run_seed))
def test_what_is_written_is_read_back_to_the_bit(written: list[RunRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "1.csv")
        records.write_csv(first, written, {})
        kept = [run for run in written if len(run.episode)]
        if kept:
            frame = records.read_csv(first)
            expected = records.to_frame(kept)
            pd.testing.assert_frame_equal(
                frame, expected, check_exact=True, check_categorical=False
            )


def test_the_frame_has_plain_types(tmp_path: Path) -> None:
    records.write_csv(tmp_path / "a.csv", [a_run()], {})
    frame = records.read_csv(tmp_path / "a.csv")
    assert tuple(frame.columns) == records.COLUMNS
    assert frame["steps"].dtype == np.int64
    assert frame["score"].dtype == np.float64
    assert frame["agent"].dtype == "category"


def test_runs_interleaved_in_a_file_come_out_together(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    records.write_csv(path, [a_run(2), a_run(2, task_seed=8)], {})
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[index] for index in (0, 3, 1, 4, 2)))
    frame = records.read_csv(path)
    assert frame["task_seed"].tolist() == [8, 8, 7, 7]
    assert frame["episode"].tolist() == [1, 2, 1, 2]


def rewrite(path: Path, drop: int = 0, **extra: str) -> None:
    """Rewrite a file without its last `drop` columns and with some more."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    text = io.StringIO()
    writer = csv.writer(text)  # \r\n line ends, as spreadsheets write them
    for index, row in enumerate(rows):
        more = extra.values() if index else extra
        writer.writerow([*row[: len(row) - drop], *more])
    path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())


def test_thirteen_columns_suffice_and_others_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    trained = a_run(context="none", measure="test", run_seed=1)
    records.write_csv(path, [a_run(), trained], {})
    rewrite(path, drop=4, note="hello, world", seconds="0.1")
    frame = records.read_csv(path)
    assert tuple(frame.columns) == records.COLUMNS
    assert frame["measure"].tolist() == ["episode"] * 3 + ["test"] * 3
    assert frame[["gap", "regret"]].isna().all(axis=None)


CORRUPT = [
    (
        ("score,", "Score,"),
        "line 3, column 'score': the header has 'Score' as column 13; the first 13 columns must be "
        "suite,suite_hash,agent,agent_version,env_id,task_seed,run_seed,context,episode,steps,"
        "return,return_corrected,score",
    ),
    (
        ("measure,gap", "measure,measure"),
        "line 3, column 'measure': the header has 'measure' as column 16; "
        "name every column, and each once",
    ),
    (
        ("16s5a-v0,7,0,empty,2", "16s5a-v0,7,0,,2"),
        "line 5, column 'context': the field is blank; write a value",
    ),
    (
        (",0.25,1.5", ",,1.5"),
        "line 5, column 'score': the field is blank; write a value",
    ),
    (
        (",30,1.0", ",thirty,1.0"),
        "line 6, column 'steps': 'thirty' is not a whole number; write digits only",
    ),
    (
        (",30,1.0", ",30.5,1.0"),
        "line 6, column 'steps': '30.5' is not a whole number; write digits only",
    ),
    (
        (",30,1.0", ",1e999,1.0"),
        "line 6, column 'steps': '1e999' is not a whole number; write digits only",
    ),
    (
        (",30,1.0", ",99999999999999999999,1.0"),
        "line 6, column 'steps': 99999999999999999999 is too large; stay below 2**63",
    ),
    (
        ("v0,7,0,empty,1", "v0,-7,0,empty,1"),
        "line 4, column 'task_seed': -7 is negative; counts start at 0",
    ),
    (
        (",0.6,", ",nan,"),
        "line 5, column 'return_corrected': 'nan' is not a finite number; write a decimal number",
    ),
    (
        (",0.6,", ",-inf,"),
        "line 5, column 'return_corrected': -inf is not finite; write a finite number",
    ),
    (
        (",0.6,", ",__import__('os'),"),
        "line 5, column 'return_corrected': \"__import__('os')\" is not a finite number; "
        "write a decimal number",
    ),
    (
        ("episode,2.0\nq", "episode,0.0\nq"),
        "line 4, column 'gap': 0.0 is not positive; drop that task",
    ),
    (
        ("empty,3", "full,3"),
        "line 6, column 'context': 'full' is unknown; known: none, empty, offline, imitation",
    ),
    (
        ("1.5,episode", "1.5,guess"),
        "line 5, column 'measure': 'guess' is unknown; known: exact, test, episode",
    ),
    (
        ("empty,3,30", "empty,2,30"),
        "line 6, column 'episode': 2 repeats or goes back within its run; "
        "list each episode of a run once, in order",
    ),
    (
        ("empty,3,30", "empty,4,30"),
        "line 6, column 'episode': 4 skips episodes; an in-context run scores all, from 1",
    ),
    (
        ("empty,3,30", "empty,3,19"),
        "line 6, column 'steps': 19 is less than the run's steps before; count all its steps",
    ),
    (
        ("1.5,episode", "1.5,exact"),
        "line 5, column 'measure': exact changes within its run; keep one for a run",
    ),
    (
        ("3.0,episode,2.0", "3.0,episode,2.5"),
        "line 6, column 'gap': 2.5 changes within its run; keep one for a run",
    ),
    (
        ("1.5,episode,2.0", "1.5,episode"),
        "line 5, column 'gap': the row has 15 fields and the header 16; write one field per column",
    ),
    (
        ("1.5,episode,2.0", "1.5,episode,2.0,9"),
        "line 5, column 'gap': the row has 17 fields and the header 16; write one field per column",
    ),
    (
        ("omnirl,1.0,AnyMDP-16s5a-v0,7,0,empty,2", '"\x1b[31m",1.0,AnyMDP-16s5a-v0,7,0,empty,2'),
        "line 5, column 'agent': '\\x1b[31m' has control characters; write plain text",
    ),
]


@pytest.mark.parametrize(("change", "message"), CORRUPT, ids=[case[1][:60] for case in CORRUPT])
def test_the_error_of_a_corrupt_file_is_one_line(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "a.csv"
    assert change[0] in FIRST
    path.write_text(FIRST.replace(*change, 1))
    with pytest.raises(RecordError) as raised:
        records.read_csv(path)
    assert str(raised.value) == f"{path}: {message}"


def test_every_row_too_long_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head, *rows = FIRST.splitlines()[2:]
    path.write_text("\n".join([head, *(row + ",1" for row in rows)]))
    with pytest.raises(RecordError, match="line 2, column 'gap': the row has 17 fields"):
        records.read_csv(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no header line"),
        (b"# only: comments\n", "has no header line"),
        (FIRST.split("quick")[0].encode(), "holds no rows; run more episodes or leave"),
        (FIRST.replace("omnirl,", "omn\xefrl,").encode("latin-1"), "is not UTF-8 text; save it"),
        (b"\xff\xfe\x00", "is UTF-16 and not UTF-8 text; save it as UTF-8"),
        (FIRST.replace("quick", '"quick', 1).encode(), "the row has 1 fields and the header 16"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RecordError) as raised:
        records.read_csv(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"b\.csv: cannot be read: No such file or directory"):
        records.read_csv(tmp_path / "b.csv")
    with pytest.raises(RecordError, match="is not a file; name a"):
        records.read_csv(tmp_path)
    with (tmp_path / "c.csv").open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(RecordError, match="is larger than 1,024 MiB, too much"):
        records.read_csv(tmp_path / "c.csv")


def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    records.write_csv(path, [a_run()], {})
    before = path.read_bytes()

    def interrupted():  # type: ignore[no-untyped-def]
        yield a_run(task_seed=9)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write_csv(path, interrupted(), {})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("key", ["a:b", "", "a\nb"])
def test_a_header_key_must_be_plain(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="header key"):
        records.write_csv(tmp_path / "a.csv", [], {key: "1"})
    assert list(tmp_path.iterdir()) == []


def test_read_many_gathers_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    one, two = tmp_path / "1.csv", tmp_path / "deep" / "2.csv"
    records.write_csv(one, [a_run()], {})
    records.write_csv(two, [a_run(agent="ppo", context="none", measure="test")], {})
    (tmp_path / "notes.txt").write_text("not a result")
    frame = records.read_many([tmp_path, one])
    assert frame["agent"].tolist() == ["omnirl"] * 3 + ["ppo"] * 3
    assert frame["agent"].dtype == "category"
    assert frame.index.tolist() == list(range(6))


def test_read_many_tells_whose_settings_were_tuned(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    records.write_csv(one, [a_run()], {})
    records.write_csv(
        two, [a_run(agent="ppo", context="none", measure="test")], {"tuned": "yes: x"}
    )
    assert "tuned" not in records.read_many([one])
    assert records.read_many([one, two])["tuned"].tolist() == [False] * 3 + [True] * 3


def test_read_many_refuses_a_run_twice_and_nothing_at_all(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    records.write_csv(one, [a_run()], {})
    records.write_csv(two, [a_run()], {})
    with pytest.raises(RecordError) as raised:
        records.read_many([tmp_path])
    assert str(raised.value) == (
        f"{two}: repeats a run of {one} (omnirl on AnyMDP-16s5a-v0, task 7); "
        "name only one of the two files"
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match="no result files found"):
        records.read_many([tmp_path / "empty"])


@pytest.mark.parametrize(
    "changes",
    [
        {"suite": ""},
        {"agent": "a\nb"},
        {"context": "full"},
        {"measure": "guess"},
        {"task_seed": -1},
        {"gap": 0.0},
        {"gap": np.nan},
        {"score": np.array([0, np.inf, 0])},
        {"score": np.zeros(2)},
        {"episode": np.array([1, 1, 2])},
        {"episode": np.array([-1, 1, 2])},
        {"steps": np.array([3, 2, 4])},
    ],
)
def test_a_record_that_could_not_be_written_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes)).rstrip("_")):
        a_run(**changes)


def test_a_record_is_frozen() -> None:
    run = a_run()
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.agent = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        run.score[0] = 1


def test_a_path_is_a_string_or_a_path_and_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    records.write_csv("~/a.csv", [a_run()], {"command": "x"})
    expected = records.read_csv(tmp_path / "a.csv")
    for path in (str(tmp_path / "a.csv"), "~/a.csv"):
        pd.testing.assert_frame_equal(records.read_csv(path), expected)
        assert records.read_header(path) == records.read_header(tmp_path / "a.csv")
    for paths in ("~/a.csv", tmp_path, [str(tmp_path)]):
        pd.testing.assert_frame_equal(records.read_many(paths), expected)


def test_tables_of_results_mark_the_tuned_agents(tmp_path: Path) -> None:
    """Read alone, read as one of a folder, and as `evaluate` gives it: the header says so each time."""
    path = tmp_path / "two.csv"
    records.write_csv(
        path, [a_run(agent="ppo", context="none", measure="test")], {"tuned": "yes: x"}
    )
    for results in (Results.read(path), Results.read(tmp_path)):
        assert "ppo †" in results.table("markdown")
        assert "ppo 1.0 †" in results.table("markdown", overall=True)


def test_the_mark_of_tuned_agents_outlives_pandas_concat(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    records.write_csv(one, [a_run()], {})
    records.write_csv(two, [a_run(agent="ppo")], {"tuned": "yes: x"})
    plain, tuned = Results.read(one), Results.read(two)
    both = pd.concat([plain, tuned], ignore_index=True)
    assert both["tuned"].tolist() == [False] * 3 + [True] * 3
    assert both.table() == Results.read([one, two]).table()
    again = pd.concat([both[3:], plain])
    assert again["tuned"].tolist() == [True] * 3 + [False] * 3
    assert "tuned" not in pd.concat([plain, plain])
    assert len(pd.concat([plain, tuned], axis=1)) == 3


def test_the_protocol_outlives_pandas_concat(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    records.write_csv(one, [a_run()], {})
    records.write_csv(two, [a_run(agent="ppo")], {"protocol": "paper"})
    default, paper = Results.read(one), Results.read(two)
    both = pd.concat([default, paper], ignore_index=True)
    assert both["protocol"].tolist() == ["default"] * 3 + ["paper"] * 3
    assert both.table() == Results.read([one, two]).table()
    assert pd.concat([both[3:], default])["protocol"].tolist() == ["paper"] * 3 + ["default"] * 3
    assert "protocol" not in pd.concat([default, default])

"""Result files as editors, spreadsheets and gzip leave them: read for what they are, or refused in a line."""

import gzip
import os
import re
import tracemalloc

import pandas as pd
import pytest
from first_format import to_first_format
from tests.results.test_records import a_run

from anymdp_bench.cli.app import run
from anymdp_bench.results import records
from anymdp_bench.results.records import CONTRACT, RecordError, read_csv, read_file, read_header
from anymdp_bench.results.results import Results

HEADER = {"command": "anymdp-bench run --agent a", "settings": '{"seed": 0, "who": "Ren\\u00e9"}'}


@pytest.fixture
def path(tmp_path):
    """A result file of two runs."""
    records.write_csv(tmp_path / "a.csv", [a_run(), a_run(task_seed=8)], HEADER)
    return tmp_path / "a.csv"


def as_gzip(data):
    return gzip.compress(data[:300]) + gzip.compress(data[300:])


READ_THE_SAME = {
    "blank last line": lambda data: data + b"\n",
    "blank lines": lambda data: b"\n" + data.replace(b"\n", b"\n\n") + b" \n\t\n",
    "CRLF": lambda data: data.replace(b"\n", b"\r\n") + b"\r\n",
    "no last line end": lambda data: data.rstrip(),
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "BOM, blank line, CRLF": lambda data: b"\xef\xbb\xbf\r\n" + data.replace(b"\n", b"\r\n"),
    "all fields quoted": lambda data: re.sub(
        rb"(?m)(?<=^)([^,\n\"]+)(?=,)|(?<=,)([^,\n\"]+)(?=,)", rb'"\g<0>"', data
    ),
    "comment lines above": lambda data: b"# author: Ada\n" + data,
    "gzip of two members": as_gzip,
    "gzip with CRLF": lambda data: gzip.compress(data.replace(b"\n", b"\r\n")),
}


@pytest.mark.parametrize("kind", READ_THE_SAME)
def test_it_reads_as_the_same_rows(path, tmp_path, kind):
    changed = tmp_path / "changed.csv"
    changed.write_bytes(READ_THE_SAME[kind](path.read_bytes()))
    assert changed.read_bytes() != path.read_bytes()
    pd.testing.assert_frame_equal(read_csv(changed), read_csv(path))
    author = {"author": "Ada"} if kind == "comment lines above" else {}
    assert read_header(changed) == read_file(changed)[2] == author | HEADER
    lines = changed.read_bytes()
    lines = (gzip.decompress(lines) if kind.startswith("gzip") else lines).splitlines()
    seeds = [lines[number - 1].split(b",")[5].strip(b'"') for number in read_file(changed)[1]]
    assert seeds == [b"7"] * 3 + [b"8"] * 3


def two_files(data):
    return data + data


REFUSED = {
    "nothing": (lambda data: b"", "has no header line"),
    "blank lines only": (lambda data: b"\n\n", "has no header line"),
    "semicolons, decimal commas": (
        lambda data: data.replace(b",", b";").replace(b".", b","),
        "line 1, column 'suite': columns are separated by ';'; save the file with commas",
    ),
    "tabs": (lambda data: data.replace(b",", b"\t"), "columns are separated by '\\t'"),
    "rounded counts": (
        lambda data: data.replace(b",30,", b",1.234565E+05,", 1),
        "line 4, column 'steps': '1.234565E+05' is not a whole number; write digits only",
    ),
    "empty columns": (lambda data: data.replace(b"\n", b",,\n"), "column 18; name every column"),
    "rows of commas": (
        lambda data: data + b"," * 16 + b"\n",
        "line 8, column 'suite': the field is blank",
    ),
    "two files in one": (
        two_files,
        "line 8, column 'suite': a second file begins here; keep each result in its own file",
    ),
    "two files with BOM": (lambda data: data + b"\xef\xbb\xbf" + data, "a second file begins here"),
    "two results": (
        lambda data: data + data.partition(b"\n")[2].replace(b",omnirl,", b",another,"),
        "is of several results; keep each result in a file of its own",
    ),
    "metadata cut": (
        lambda data: data.replace(b'0, ""who', b'0 ""who'),
        "the column 'metadata' is no JSON object; leave it as it was written",
    ),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "is UTF-16 and not UTF-8 text"),
    "UTF-16, no BOM": (
        lambda data: data.decode().encode("utf-16-le"),
        "column 'suite': the header",
    ),
    "CR alone": (lambda data: data.replace(b"\n", b"\r"), "lines end in CR alone; save it with LF"),
    "gzip cut": (lambda data: gzip.compress(data)[:-20], "ends early; copy or compress it again"),
    "gzip damaged": (
        lambda data: gzip.compress(data)[:-8] + b"\0" * 8,
        "is damaged; copy or compress it again",
    ),
    "gzip and more": (lambda data: gzip.compress(data) + b"more", "is damaged"),
    "gzip of gzip": (lambda data: gzip.compress(gzip.compress(data)), "is not UTF-8 text"),
    "one endless line": (lambda data: gzip.compress(b"0" * 2**22), "line 1 has over 1 MiB"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_in_one_line(path, capsys, kind):
    spoil, words = REFUSED[kind]
    path.write_bytes(spoil(path.read_bytes()))
    for command in (["table", str(path)], ["plot", str(path), "--out", "x.png"]):
        assert run(command) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert words in err
    assert run(["leaderboard", "validate", str(path)]) == 2
    assert capsys.readouterr().err.splitlines()[1:][1:] == []


def test_a_gzip_bomb_is_refused_in_bounded_memory(path):
    """200 MB of rows in 1 MB; the limit here is 8 MiB."""
    row = path.read_bytes().splitlines(keepends=True)[-1]
    path.write_bytes(gzip.compress(row * 2**21, 9))
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    with (
        pytest.raises(RecordError, match="is larger than 8 MiB"),
        records.open_bytes(path, 2**23) as file,
    ):
        for _ in file:
            pass
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_count_in_scientific_notation_is_the_number_that_it_says(path):
    path.write_bytes(path.read_bytes().replace(b",30,", b",1E+05,"))
    assert read_csv(path)["steps"].tolist() == [10, 20, 100_000] * 2


def test_pandas_reads_a_result_without_arguments(path):
    frame = pd.read_csv(path)
    assert tuple(frame.columns[:13]) == CONTRACT
    assert not frame.isna().any(axis=None)
    assert frame["steps"].tolist() == [10, 20, 30] * 2
    assert frame["metadata"].tolist()[1:] == ["."] * 5


def test_what_is_saved_compressed_is_the_same_wherever_it_is_saved(path, tmp_path, monkeypatch):
    results = Results.read(path)
    one = results.save(tmp_path / "one.csv.gz")
    monkeypatch.setattr("time.time", lambda: 4e9)
    other = results.save(tmp_path / "deep" / "other.csv.gz")
    assert one.read_bytes() == other.read_bytes()
    assert gzip.decompress(one.read_bytes()) == path.read_bytes()
    assert pd.read_csv(one).equals(pd.read_csv(path))
    again = Results.read(one)
    assert again.header == results.header == HEADER
    assert again.table() == results.table()
    assert [each.name for each in tmp_path.iterdir() if ".tmp" in each.name] == []


def test_a_folder_holds_plain_and_compressed_files_and_folders_called_like_files(path, tmp_path):
    other = tmp_path / "x.csv"
    other.mkdir()
    records.write_csv(other / "b.csv.gz", [a_run(agent="b")], {"tuned": "yes: x"})
    frame = records.read_many(tmp_path)
    assert frame["agent"].tolist() == ["omnirl"] * 6 + ["b"] * 3
    assert frame["tuned"].tolist() == [False] * 6 + [True] * 3
    Results.read(path).save(tmp_path / "a.csv.gz")
    with pytest.raises(RecordError, match=r"a\.csv\.gz: repeats a run of .*a\.csv "):
        records.read_many(tmp_path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "."):
        with pytest.raises(RecordError, match=r"is not a file; name a \.csv or \.csv\.gz file"):
            read_csv(tmp_path / name)


def test_sorted_rows_keep_what_the_file_says(path):
    names, first, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([names, *rows[2:], first, *rows[:2]]))
    assert read_header(path) == read_file(path)[2] == HEADER
    with pytest.raises(AssertionError):
        to_first_format(path)


@pytest.mark.parametrize(
    "text", ["{", "{}", "[1]", '{"a":1}', '{"a": {"b": [1, "x"]}}', "{'a'}", "."]
)
def test_a_value_is_read_back_as_it_was_written(tmp_path, text):
    records.write_csv(tmp_path / "a.csv", [a_run()], {"x": text})
    assert read_header(tmp_path / "a.csv") == {"x": text}

"""A stranger's file, read once, a line at a time, before anything that needs memory sees it.

What it bounds: the size of the file, the length of a line, the number of lines. What it refuses: other
encodings, control characters, fields over several lines, and text that a spreadsheet would run.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from anymdp_bench.results.csv_bytes import open_bytes
from anymdp_bench.results.schema import CONTRACT, RecordError, make_record_error

MAX_BYTES = 2**29
MAX_LINE = 2**14
"""Bytes in a line; the longest that `run` writes has the settings and the skipped task seeds, about 4,000."""
MAX_COMMENTS = 50

_FORMULA = re.compile(r'(?:^|,)"?\s*(?:[=@]|[+-](?![\d.]))')
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check_file(path: Path, most_rows: Callable[[str, int], int]) -> str:
    """Reads the file once; returns the SHA-256 of its text, 64 hex digits, whether it is compressed or not.

    Args:
        path: the file.
        most_rows: most_rows(suite, line) is the number of rows that a file of that suite may have.

    Raises:
        RecordError: the file is too large, no text, or holds what it must not.
    """
    digest = hashlib.sha256()
    comments, rows, limit = 0, -1, 0
    for number, line in _lines(path, digest.update):
        if rows < 0 and line.startswith("#"):
            comments += 1
            if comments > MAX_COMMENTS:
                raise _fault(path, number, f"more than {MAX_COMMENTS} comment lines", "shorten it")
            continue
        if not line.strip():
            continue
        rows += 1
        if rows == 1:
            limit = most_rows((next(csv.reader([line]), []) or [""])[0], number)
        if rows > max(limit, 1):
            what = f"more rows than the suite has, which is {limit}"
            raise _fault(path, number, what, "submit one run of one suite")
        if line.count('"') % 2:
            raise _fault(path, number, "a quoted field runs over the line's end", "keep it short")
        if _FORMULA.search(line):
            _refuse_formula(path, number, line)
    return digest.hexdigest()


def _lines(path: Path, seen: Callable[[bytes], None]) -> Iterator[tuple[int, str]]:
    """Returns the lines, each with its number from 1, without line ends; every byte is shown to `seen`."""
    try:
        with open_bytes(path, MAX_BYTES) as file:
            for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
                seen(raw)
                if len(raw) > MAX_LINE:
                    raise _fault(path, number, f"longer than {MAX_LINE} bytes", "shorten it")
                yield number, _text(path, number, raw)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None


def _text(path: Path, number: int, raw: bytes) -> str:
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _fault(path, number, "not UTF-8 text", "save the file as UTF-8") from None
    if _CONTROL.search(line):
        raise _fault(path, number, "a control character", "write plain text")
    return line


def _refuse_formula(path: Path, number: int, line: str) -> None:
    names = [*CONTRACT]
    for index, field in enumerate(next(csv.reader([line]), [])):
        text = field.lstrip()
        if text[:1] in ("=", "@", "+", "-") and not text[1:2].isdigit() and text[1:2] != ".":
            column = names[index] if index < len(names) else f"column {index + 1}"
            what = f"{field[:40]!r} starts with {text[0]!r}, which a spreadsheet would run"
            raise make_record_error(path, number, column, what, "write plain text")


def _fault(path: Path, number: int, what: str, fix: str) -> RecordError:
    return RecordError(f"{path}: line {number}: {what}; {fix}")

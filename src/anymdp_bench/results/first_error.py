"""The first error of a result file that the parser has refused: the file is read again, line by line."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from anymdp_bench.results.csv_bytes import open_bytes
from anymdp_bench.results.schema import CONTRACT, REAL, WHOLE, RecordError, make_record_error


def find_first_error(path: Path, line: int, names: Sequence[str]) -> RecordError:
    """Reads a file that the parser has refused line by line, and returns the error of its first bad row.

    Args:
        path: the file.
        line: the line of the header.
        names: the columns of the header.
    """
    try:
        with io.TextIOWrapper(open_bytes(path), "utf-8-sig", newline="") as file:
            for _ in range(line):
                file.readline()
            reader = csv.reader(file)
            for row in reader:
                found = _find_row_error(path, line + reader.line_num, names, row)
                if found is not None:
                    return found
    except UnicodeDecodeError:
        return RecordError(f"{path}: is not UTF-8 text; save it as UTF-8")
    except (OSError, csv.Error) as error:
        return RecordError(f"{path}: cannot be read ({error}); write it again")
    return RecordError(f"{path}: is not a well-formed CSV file; write it again")


def _find_row_error(
    path: Path, line: int, names: Sequence[str], row: Sequence[str]
) -> RecordError | None:
    """Returns the first error in the form of one row, or None."""
    if len(row) < 2 and not "".join(row).strip():
        return None  # a blank line
    first = row[0].lstrip("\ufeff")
    if first.startswith("#") or (first, *row[1:2]) == CONTRACT[:2]:
        what = "a second file begins here"
        return make_record_error(path, line, names[0], what, "keep each result in its own file")
    if len(row) != len(names):
        what = f"the row has {len(row)} fields and the header {len(names)}"
        last = names[min(len(row), len(names) - 1)]
        return make_record_error(path, line, last, what, "write one field per column")
    for column, text in zip(names, row, strict=True):
        if not text.strip():
            return make_record_error(path, line, column, "the field is blank", "write a value")
        if column in WHOLE and not (text.isascii() and text.removeprefix("-").isdigit()):
            what = f"{text[:40]!r} is not a whole number"
            return make_record_error(path, line, column, what, "write digits only")
        if column in WHOLE and abs(int(text[:30])) >= 2**63:
            return make_record_error(
                path, line, column, f"{text[:40]} is too large", "stay below 2**63"
            )
        if column in REAL and not _is_finite_number(text):
            what = f"{text[:40]!r} is not a finite number"
            return make_record_error(path, line, column, what, "write a decimal number")
    return None


def _is_finite_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

"""What a result file says of its runs: the command that made it, its settings, whether its agent is tuned.

These are pairs of a key and a text. They stand in the last column of the file, `metadata`: in the first row
as one JSON object, and `.` in all other rows, since no field may be blank. So one file holds all that a
submission needs, every reader of CSV files reads it as a plain table, and a renamed or compressed file loses
nothing. A text that is itself a JSON object is stored as an object.

Older files have the pairs as lines `# key: value` above the header line. Such lines are still read. They are
also the place for what a person adds: author, link, description.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anymdp_bench.results.schema import RecordError, is_printable

METADATA = "metadata"
"""The name of the column."""

NOTHING = "."
"""What it holds in all rows but one."""


def metadata_text(header: Mapping[str, str]) -> str:
    """Returns the JSON object of the first row.

    Args:
        header: the pairs. Line breaks and other unprintable characters in a value become spaces.

    Raises:
        ValueError: a key has a colon or is unprintable.
    """
    fields: dict[str, Any] = {}
    for key, value in header.items():
        if not is_printable([key]) or ":" in key:
            raise ValueError(f"a header key must be printable and have no colon: {key!r}")
        clean = "".join(char if char.isprintable() else " " for char in value)
        fields[key] = _as_object(" ".join(clean.split()))
    return json.dumps(fields, ensure_ascii=False)


def _as_object(text: str) -> Any:
    """Returns the object that a text stands for, if `load_metadata` gives it back so; else the text."""
    if not text.startswith("{"):
        return text
    try:
        value = json.loads(text)
        return value if json.dumps(value) == text else text
    except (ValueError, RecursionError):
        return text


def load_metadata(path: Path, values: Iterable[str]) -> dict[str, str]:
    """Returns the pairs of a file from the values of its column.

    Values that are no objects count as nothing: a file from elsewhere may use the name for something else.

    Raises:
        RecordError: there is more than one object, or it is damaged.
    """
    found = [value for value in values if value.startswith("{")]
    if not found:
        return {}
    if len(found) > 1:
        what = f"the column {METADATA!r} is of several results"
        raise RecordError(f"{path}: {what}; keep each result in a file of its own")
    try:
        fields = json.loads(found[0])
    except (ValueError, RecursionError):
        what = f"the column {METADATA!r} is no JSON object"
        raise RecordError(f"{path}: {what}; leave it as it was written") from None
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}

"""Parts: the rows of one finished unit, kept until the result is complete.

The first line names the format and the SHA-256 of the unit and its rows, so that a part which is torn, of
another unit, or of another version is known without being parsed. Nothing is forced to the disk: what a
power cut damages is played again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from anymdp_bench.results.records import RunRecord, row_lines
from anymdp_bench.runner.plan import Unit

FORMAT = 2
"""Version 1 were CSV files without a digest."""


def save_part(path: Path, unit: Unit, records: Sequence[RunRecord]) -> None:
    """Stores the records of a unit, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    rows = "".join(line for record in records for line in row_lines(record)).encode()
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        fresh.write_bytes(_first(unit, rows) + rows)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def load_part(path: Path, unit: Unit) -> str | None:
    """The rows of a unit as text of the result file; None where they are not there, or damaged.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    first, _, rows = content.partition(b"\n")
    return rows.decode() if first + b"\n" == _first(unit, rows) else None


def _first(unit: Unit, rows: bytes) -> bytes:
    digest = hashlib.sha256(repr(unit).encode() + b"\n" + rows).hexdigest()
    return f"anymdp-bench part {FORMAT} {digest}\n".encode()

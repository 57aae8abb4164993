"""Parts: files that keep the rows of one finished unit until the result is complete.

The first line of a part names the format and the SHA-256 of the unit and its rows. So a part that is torn,
that belongs to another unit, or that another version wrote is recognised without parsing it. Parts are not
forced to the disk: a part that a power cut damages is played again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from anymdp_bench.results.records import RunRecord, row_lines
from anymdp_bench.runner.plan import Unit

FORMAT = 2
"""Version of the format. Version 1 was CSV files without a digest."""


def save_part(path: Path, unit: Unit, records: Sequence[RunRecord]) -> None:
    """Stores the records of a unit, completely or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    rows = "".join(line for record in records for line in row_lines(record)).encode()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(_first_line(unit, rows) + rows)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load_part(path: Path, unit: Unit) -> str | None:
    """Returns the rows of a unit as text of the result file, or None if the part is missing or damaged.

    Raises:
        OSError: the file exists and cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    first, _, rows = content.partition(b"\n")
    return rows.decode() if first + b"\n" == _first_line(unit, rows) else None


def _first_line(unit: Unit, rows: bytes) -> bytes:
    digest = hashlib.sha256(repr(unit).encode() + b"\n" + rows).hexdigest()
    return f"anymdp-bench part {FORMAT} {digest}\n".encode()

"""The bytes of a result file: plain, or compressed with gzip, which its first bytes tell and not its name.

What cannot be a result file is refused before anything reads it: a folder, a device, another encoding, more
bytes than `most`. Compressed bytes are counted as they are unpacked, so a small file cannot fill the memory.
"""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from anymdp_bench.results.schema import RecordError

MAX_BYTES = 2**30
"""Larger files are refused: a full-budget file of all environments is a fifth of this."""

SUFFIXES = (".csv", ".csv.gz")
"""How the names of result files end."""

_MAX_LINE = 2**20  # bytes of a line above the rows
_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def find_files(folder: Path, deep: bool = True) -> list[Path]:
    """Returns the result files in a folder, if `deep` in those below it too, sorted.

    Hidden files and files in hidden folders are left out: they are copies and notes of other programs. A
    folder `x.csv` is no file.
    """
    search = folder.rglob if deep else folder.glob
    found = {path for suffix in SUFFIXES for path in search(f"*{suffix}")}
    return sorted(path for path in found if not path.is_dir() and not _is_hidden(path, folder))


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def remove_suffix(name: str) -> str:
    """Returns the name of a result file without `.csv` or `.csv.gz`."""
    return name.removesuffix(".gz").removesuffix(".csv")


def open_bytes(path: Path, most: int = MAX_BYTES) -> BinaryIO:
    """Opens a result file and unpacks it as it is read.

    Args:
        path: the file.
        most: how many bytes it may have when it is unpacked.

    Raises:
        RecordError: it cannot be read, is larger, or is no text in UTF-8. Reading raises it too, where the
            compressed data ends early, is damaged, or is larger than `most`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RecordError(f"{path}: is not a file; name a .csv or .csv.gz file")
        if status.st_size > most:
            raise _too_large(path, most)
        file = path.open("rb")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    first = file.peek(2)[:2]
    if first in _UTF_16:
        file.close()
        raise RecordError(f"{path}: is UTF-16 and not UTF-8 text; save it as UTF-8")
    return io.BufferedReader(_Unpacked(path, file, most), 2**17) if first == _GZIP else file


def _too_large(path: Path, most: int) -> RecordError:
    return RecordError(
        f"{path}: is larger than {most >> 20:,} MiB, too much for one result; split it"
    )


class _Unpacked(io.RawIOBase):
    """The content of a gzip file, of one member or more, up to `most` bytes."""

    def __init__(self, path: Path, file: IO[bytes], most: int) -> None:
        self._path, self._file, self._most = path, file, most
        self._unpacked = gzip.GzipFile(fileobj=file)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            count = self._unpacked.readinto(buffer)
        except EOFError:
            raise RecordError(f"{self._path}: ends early; copy or compress it again") from None
        except (OSError, zlib.error):
            raise RecordError(f"{self._path}: is damaged; copy or compress it again") from None
        self._count += count
        if self._count > self._most:
            raise _too_large(self._path, self._most)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def read_lines_above(path: Path) -> tuple[dict[str, str], int, str]:
    """Returns what stands above the rows: the `# key: value` lines, the header line and its number, from 1.

    Blank lines count, and say nothing.

    Raises:
        RecordError: the file cannot be read, or has no header line.
    """
    comments: dict[str, str] = {}
    with open_bytes(path) as file:
        for number, raw in enumerate(iter(lambda: file.readline(_MAX_LINE), b""), start=1):
            if len(raw) == _MAX_LINE:
                raise RecordError(f"{path}: line {number} has over 1 MiB; this is no result file")
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise RecordError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
            if "\r" in line:
                raise RecordError(f"{path}: its lines end in CR alone; save it with LF line ends")
            if line.startswith("#"):
                key, _, value = line[1:].partition(":")
                comments[key.strip()] = value.strip()
            elif line.strip():
                return comments, number, line
    raise RecordError(f"{path}: has no header line, and is no result file; `run` writes them")


def row_numbers(path: Path, above: int) -> Iterator[int]:
    """Returns the number, from 1, of each line that is not blank, after the first `above` lines."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if number > above and not line.isspace():
                yield number

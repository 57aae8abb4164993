"""The same content, the same bytes: safetensors by itself shuffles a file's metadata, from call to call."""

from __future__ import annotations

import json


def sort_metadata(blob: bytes) -> bytes:
    """A safetensors file with its metadata in order of their names, and otherwise as it was.

    Layout: the header's length (8 bytes, little-endian), the header (JSON, padded with spaces), the arrays,
    which begin at a multiple of 8.
    """
    size = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + blob[8 + size :]

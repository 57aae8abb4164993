"""Safetensors files with the same bytes for the same content.

The library safetensors writes the metadata of a file in another order at each call.
"""

from __future__ import annotations

import json


def sort_metadata(blob: bytes) -> bytes:
    """Sorts the metadata of a safetensors file by name, and changes nothing else.

    The file holds the length of the header (8 bytes, little-endian), the header (JSON, padded with spaces)
    and the arrays, which begin at a multiple of 8.

    Args:
        blob: the bytes of the file.
    """
    size = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + blob[8 + size :]

"""The inputs of targets: valid samples with a few errors, or random bytes."""

import json
from copy import deepcopy

from hypothesis import strategies as st

NUMBERS = [
    b"-1", b"0", b"1e999", b"nan", b"inf", b"-inf", b"9" * 30, b"1" * 5000, b"1.5", b"", b"0x10", b"1_0",
    b"10737418240", b"9223372036854775808", b"4294967296", b"18446744073709551616", b"true", b"null",
]  # fmt: skip
WORDS = [
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b",", b'"', b"'", b"#", b"=cmd()", b"\x1b[2J",
    b"../../etc/passwd", b"[" * 3000, b"{" * 3000, b"A" * 70000, "\u202e\u2028".encode(), b"-" * 40, b";",
]  # fmt: skip
CLAIMS = [
    -1, 0, 1, 2, 3, 1.5, 2**31, 2**63, 10 * 2**30, 10**30, 1e308, float("nan"), float("inf"), True, None,
    "", "x", "1", "nan", "F64", "I64", "\x00", "a" * 5000, [], {}, [0], [-1], [1, 2], [2**40], [2**62, 2],
    [10 * 2**30], [0, 10 * 2**30], [8, 0], [[]], {"a": 1},
    {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
]  # fmt: skip

_place = st.integers(0, 2**16)
_edits = st.lists(
    st.tuples(st.sampled_from("fidtnwc"), _place, st.integers(0, 255), _place),
    min_size=1,
    max_size=4,
)


_claim_edits = st.lists(
    st.tuples(_place, st.integers(0, len(CLAIMS) - 1), st.booleans()), min_size=1, max_size=3
)


def _edit(content, edits):
    """Applies edits (kind, position, value, other position) to bytes."""
    for kind, at, value, to in edits:
        data = bytearray(content)
        i, j = at * len(data) // 2**16, to * len(data) // 2**16
        low, high = min(i, j), max(i, j)
        if kind == "f" and data:
            data[min(i, len(data) - 1)] = value
        elif kind == "i":
            data[i:i] = bytes([value]) * (1 + to % 9)
        elif kind == "d":
            del data[low : low + 1 + (high - low) % 64]
        elif kind == "t":
            del data[i:]
        elif kind == "n":
            _swap_number(data, i, NUMBERS[value % len(NUMBERS)])
        elif kind == "w":
            data[i:i] = WORDS[value % len(WORDS)]
        else:
            data[i:i] = data[low : low + 200]
        content = bytes(data)
    return content


def _swap_number(data, start, new):
    """Writes `new` over the first run of digits from `start` on."""
    digits = b"0123456789.-"
    begin = next((k for k in range(start, len(data)) if data[k] in digits), len(data))
    end = next((k for k in range(begin, len(data)) if data[k] not in digits), len(data))
    data[begin:end] = new


def mutated(samples):
    """Strategy of bytes: one of `samples` with up to four edits, and sometimes random bytes."""
    edited = st.builds(_edit, st.sampled_from(samples), _edits)
    return st.one_of(edited, edited, edited, st.binary(max_size=200))


def claims(samples):
    """Strategy of bytes: safetensors of `samples` with other values in the header, or in its JSON texts."""
    header = st.sampled_from([0, 0, 0, 1, 2])
    return st.builds(_edit_header, st.sampled_from(samples), _claim_edits, header)


def _edit_header(content, edits, header):
    """Edits the header of a safetensors file.

    `header` picks its stated length: the true one or a huge one.
    """
    size = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + size])
    for name, text in about.get("__metadata__", {}).items():
        if text.startswith("{"):
            about["__metadata__"][name] = json.loads(text)
    _replace_leaves(about, edits, rename=True)
    meta = about.get("__metadata__")
    if isinstance(meta, dict):
        for name, value in meta.items():
            meta[name] = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    text = json.dumps(about).encode()
    length = [len(text), 10 * 2**30, 2**64 - 1][header]
    return length.to_bytes(8, "little") + text + content[8 + size :]


def _replace_leaves(tree, edits, rename):
    """Edits a tree of JSON in place.

    An edit is (which value, which claim, whether the claim replaces the value). Else the value is deleted;
    with `rename`, the claim then gets the name "x" beside it.
    """
    for at, claim, replaces in edits:
        places = list(_leaves(tree))
        if not places:
            break
        owner, key = places[at % len(places)]
        if replaces or isinstance(owner, list):
            owner[key] = deepcopy(CLAIMS[claim])
        else:
            del owner[key]
            if rename:
                owner["x"] = deepcopy(CLAIMS[claim])


def _leaves(tree):
    """Yields (owner, key) of every value in a tree of JSON."""
    for key, value in list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _leaves(value)


def json_claims(samples):
    """Strategy of bytes: JSON objects of `samples` with other values in them."""
    return st.builds(_edit_json, st.sampled_from(samples), _claim_edits)


def _edit_json(content, edits):
    about = json.loads(content)
    _replace_leaves(about, edits, rename=False)
    return json.dumps(about).encode()

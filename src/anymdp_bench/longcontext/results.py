"""Result files of the long-context streams: a model's losses on a published stream, as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from anymdp_bench.longcontext.losses import Losses, edges
from anymdp_bench.longcontext.streams import STREAMS, stream
from anymdp_bench.paths import AnyPath, expand_home, make_parent
from anymdp_bench.results.schema import RecordError

_MOST_BYTES = 64 * 1024
_FIELDS = ("start", "stop", "following", "policy", "floor")
_DECIMALS = 5


@dataclass(frozen=True)
class Result:
    """The losses of a model on a published stream.

    Attributes:
        model: the name of the model.
        version: the version of the model.
        stream: the name of the stream.
        digest: the `Stream.digest` of the stream.
        buckets: the losses by position, see `Losses.buckets`.
        parameters: the number of parameters, or None.
        trained_steps: the number of environment steps that the model was trained on, or None.
        author: the author, or "".
        link: a web address, or "".
        description: one line about the model, or "".
    """

    model: str
    version: str
    stream: str
    digest: str
    buckets: tuple[dict[str, float | int | None], ...]
    parameters: int | None = None
    trained_steps: int | None = None
    author: str = ""
    link: str = ""
    description: str = ""


def save_result(path: AnyPath, found: Losses, *, model: str, version: str, **more: Any) -> Result:
    """Writes a result file and returns the result.

    Args:
        path: the file; `~` is the home directory, and a missing folder is made.
        found: the losses of a whole published stream.
        model: the name of the model.
        version: the version of the model.
        **more: further fields of `Result`.

    Raises:
        ValueError: the losses are not those of a whole published stream.
    """
    if found.stream.name not in STREAMS:
        raise ValueError(
            "a result needs a whole published stream: stream(name), without n and length"
        )
    buckets = tuple(
        {k: round(v, _DECIMALS) if isinstance(v, float) else v for k, v in row.items()}
        for row in found.buckets()
    )
    result = Result(model, version, found.stream.name, found.stream.digest(), buckets, **more)
    text = json.dumps(asdict(result), indent=1, allow_nan=False)
    make_parent(path).write_text(text + "\n", encoding="utf-8")
    return result


def load_result(path: AnyPath) -> Result:
    """Reads a result file and checks it against the stream, which is generated again.

    Raises:
        RecordError: the file is no result file, or not of this stream; the message names the wrong field.
    """
    path = expand_home(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RecordError(
                f"{path}: over {_MOST_BYTES} bytes, no result of the long-context stream"
            )
        given = json.loads(path.read_text(encoding="utf-8"))
        result = Result(**given | {"buckets": tuple(given["buckets"])})
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RecordError(
            f"{path}: no result file; anymdp_bench.longcontext.save_result writes them"
        ) from None
    problem = _find_error(result)
    if problem:
        raise RecordError(f"{path}: {problem}")
    return result


def _find_error(result: Result) -> str:
    """Describes the first error of a result; "" where there is none."""
    for name in ("model", "version", "stream", "digest", "author", "link", "description"):
        value = getattr(result, name)
        if not isinstance(value, str) or len(value) > 500 or not value.isprintable():
            return f"field {name!r}: expected a line of text"
    if not result.model or not result.version:
        return "fields 'model' and 'version' must say something"
    if result.link and not result.link.startswith(("http://", "https://")):
        return "field 'link': expected an http address"
    for name in ("parameters", "trained_steps"):
        value = getattr(result, name)
        if value is not None and (type(value) is not int or value < 0):
            return f"field {name!r}: expected a number, 0 or more, or null"
    if result.stream not in STREAMS:
        return f"field 'stream': no stream {result.stream!r}; there are {', '.join(STREAMS)}"
    digest, floors = _find_expected(result.stream)
    if result.digest != digest:
        return f"field 'digest': not that of {result.stream}, which is {digest[:12]}..."
    return _find_bucket_error(result, floors)


def _find_bucket_error(result: Result, floors: tuple[float, ...]) -> str:
    expected = edges(STREAMS[result.stream].length)
    if len(result.buckets) != len(expected):
        return f"field 'buckets': {len(result.buckets)} of them, expected {len(expected)}"
    for k, (row, (start, stop), floor) in enumerate(
        zip(result.buckets, expected, floors, strict=True)
    ):
        if not isinstance(row, dict) or tuple(row) != _FIELDS:
            return f"bucket {k}: expected the fields {', '.join(_FIELDS)}"
        if (row["start"], row["stop"]) != (start, stop):
            return f"bucket {k}: expected steps {start} to {stop}"
        numbers: list[Any] = [row["floor"], row["following"]]
        numbers += [] if row["policy"] is None else [row["policy"]]
        if any(type(x) not in (int, float) or not math.isfinite(x) or x < 0 for x in numbers):
            return f"bucket {k}: losses are numbers, 0 or more"
        if abs(numbers[0] - floor) > 10.0**-_DECIMALS:
            return f"bucket {k}: floor {row['floor']}, but the stream's is {floor:.5f}"
    return ""


@cache
def _find_expected(name: str) -> tuple[str, tuple[float, ...]]:
    """Computes (digest, floor of every bucket) of a published stream."""
    data = stream(name)
    floors = (float(data.floor[:, a:b].mean()) for a, b in edges(data.length))
    return data.digest(), tuple(floors)

"""The board of long contexts: result files of `anymdp_bench.longcontext`, as they were handed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from anymdp_bench.longcontext import Result, load_result
from anymdp_bench.results.schema import RecordError

BUCKETS = (1, 4, 7, 9)
"""Which buckets of a stream the page shows: steps 64 to 127, 512 to 1,023, 4K to 8K, 16K to 32K."""


def load_board(folder: Path) -> list[tuple[Path, Result]]:
    """Returns all results of a folder, by file name; none if there is no such folder.

    Raises:
        RecordError: a file is no result, or repeats another's model, version and stream.
    """
    found: dict[tuple[str, ...], tuple[Path, Result]] = {}
    for path in sorted(folder.glob("*.json")):
        result = load_result(path)
        key = (result.stream, result.model, result.version)
        if key in found:
            what = f"{found[key][0].name} ({result.model} {result.version})"
            raise RecordError(f"{path}: repeats {what}; keep one of them")
        found[key] = (path, result)
    return list(found.values())


def board_rows(results: Sequence[tuple[Path, Result]]) -> list[dict[str, Any]]:
    """Lines of the page, stream by stream, the lowest mean loss first; `*_key` are numbers to sort by."""
    rows = [_row(path, result) for path, result in results]
    return sorted(rows, key=lambda row: (row["stream"], row["loss_key"]))


def _row(path: Path, result: Result) -> dict[str, Any]:
    loss, floor = _mean(result, "following"), _mean(result, "floor")
    told = all(row["policy"] is not None for row in result.buckets)
    policy = _mean(result, "policy") if told else None
    return {
        "stream": result.stream,
        "label": f"{result.model} {result.version}",
        "loss": f"{loss:.3f}",
        "loss_key": loss,
        "floor": f"{floor:.3f}",
        "by_position": [_cell(result.buckets[k]) for k in BUCKETS],
        "policy": "\N{EM DASH}" if policy is None else f"{policy:.3f}",
        "policy_key": "" if policy is None else policy,
        "parameters": _count(result.parameters),
        "parameters_key": "" if result.parameters is None else result.parameters,
        "trained": _count(result.trained_steps),
        "trained_key": "" if result.trained_steps is None else result.trained_steps,
        "author": result.author,
        "link": result.link,
        "description": result.description,
        "file": path.name,
    }


def _mean(result: Result, field: str) -> float:
    """Returns the mean over all steps of the stream: buckets count by their length."""
    steps = [float(row["stop"] or 0) - float(row["start"] or 0) for row in result.buckets]
    losses = [float(row[field] or 0.0) for row in result.buckets]
    return sum(n * x for n, x in zip(steps, losses, strict=True)) / sum(steps)


def _cell(row: dict[str, float | int | None]) -> dict[str, Any]:
    start, stop = int(row["start"] or 0), int(row["stop"] or 0)
    loss = float(row["following"] or 0.0)
    return {"title": f"{start:,}\N{EN DASH}{stop:,}", "loss": f"{loss:.3f}", "key": loss}


def titles(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Headings of the columns by position."""
    first = next(iter(rows), None)
    return [] if first is None else [cell["title"] for cell in first["by_position"]]


def _count(n: int | None) -> str:
    return "\N{EM DASH}" if n is None else f"{n:,}"

"""From submissions to what the page shows; all numbers come from `metrics` and `curves`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from anymdp_bench.leaderboard.receipt import Receipt, load_receipt, receipt_path
from anymdp_bench.leaderboard.submission import Submission
from anymdp_bench.results.curves import learning_curve
from anymdp_bench.results.metrics import summarise, summarise_overall
from anymdp_bench.results.published import find_published
from anymdp_bench.results.schema import RecordError
from anymdp_bench.results.table_formats import NONE
from anymdp_bench.results.tables import best_rows, human, percent
from anymdp_bench.tasks.family import task_source

TARGET = 0.9


@dataclass(frozen=True)
class Board:
    """Everything on the page: `overall` and `rows` of cells, `curves` by the name that a row bears."""

    overall: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]


def make_board(submissions: Sequence[Submission]) -> Board:
    """Returns the page's content.

    Raises:
        RecordError: two submissions are of the same agent, version, suite and context, or a
            receipt is damaged.
    """
    sources: dict[tuple[str, ...], tuple[Submission, Receipt | None]] = {}
    for each in submissions:
        key = _identity(each)
        if key in sources:
            what = f"repeats {sources[key][0].path.name} ({each.agent} {each.version})"
            raise RecordError(f"{each.path}: {what}; keep one of them")
        sources[key] = (each, receipt_of(each))
    frame = pd.concat([_plain(each.frame) for each in submissions], ignore_index=True)
    summary = summarise(frame, TARGET)
    best = best_rows(summary)
    rows = [
        _row(row, bool(best[k]), *sources[_identity_of(row)])
        for k, row in enumerate(summary.to_dict("records"))
    ]
    curves: dict[str, list[dict[str, Any]]] = {}
    groups = frame.groupby(["suite", "env_id", "agent", "agent_version", "context"], sort=False)
    for (suite, env_id, agent, version, context), part in groups:
        label = _label(str(agent), str(version), str(context))
        curves.setdefault(f"{suite} {env_id}", []).append(_curve(label, part))
    online = _find_online(frame)
    totals = [
        _total(row, *sources[_identity_of(row)], online[_identity_of(row)])
        for row in summarise_overall(frame).to_dict("records")
    ]
    return Board(_rank(totals, ["suite"]), _rank(rows, ["suite", "env_id"]), curves)


def _find_online(frame: pd.DataFrame) -> dict[tuple[str, ...], float]:
    """Returns the score of each submission by its agent's own episodes, over all environments.

    It is NaN where the submission records no regret.
    """
    found = {}
    for _, part in frame.groupby(["suite", "agent", "agent_version", "context"], sort=False):
        try:
            row = summarise_overall(part, measure="online").iloc[0].to_dict()
        except RecordError:
            row = part.iloc[0].to_dict() | {"score": math.nan}
        found[_identity_of(row)] = float(row["score"])
    return found


def _rank(rows: list[dict[str, Any]], blocks: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in blocks of equal `blocks`, in the order first seen, the best of each block first.

    The best is the one with the highest online score, if all rows of the block have one. Else it is the one
    with the highest score.
    """
    order: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        order.setdefault(tuple(row[k] for k in blocks), []).append(row)
    out = []
    for own in order.values():
        key = "online_key" if all(row.get("online_key", "") != "" for row in own) else "score_key"
        out += sorted(own, key=itemgetter(key), reverse=True)
    return out


def receipt_of(found: Submission) -> Receipt | None:
    """Returns the receipt beside a submission, if it is about these very bytes and holds."""
    path = receipt_path(found.path)
    if not path.exists():
        return None
    receipt = load_receipt(path)
    return receipt if receipt.sha256 == found.digest and receipt.holds else None


def _identity(found: Submission) -> tuple[str, ...]:
    return (found.suite.name, found.agent, found.version, found.context)


def _identity_of(row: dict[Any, Any]) -> tuple[str, ...]:
    return tuple(str(row[k]) for k in ("suite", "agent", "agent_version", "context"))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the frame with text columns as plain strings, so that several can be stacked."""
    return frame.astype(
        {k: "str" for k in frame if isinstance(frame[k].dtype, pd.CategoricalDtype)}
    )


def _label(agent: str, version: str, context: str) -> str:
    return f"{agent} {version}" + ("" if context in ("none", "empty") else f" ({context})")


def _row(
    row: dict[Any, Any], best: bool, found: Submission, receipt: Receipt | None
) -> dict[str, Any]:
    """Returns one line of the main table; `*_key` are numbers to sort by, infinity last."""
    known = (
        find_published(row["env_id"], row["agent"]) if row["context"] in ("none", "empty") else None
    )
    cells = _common(row, found, receipt) | {
        "env_id": row["env_id"],
        "family": task_source(row["env_id"]).family.name,
        "curves": f"{row['suite']} {row['env_id']}",
        "best": best,
        "budget": f"{human(row['budget_steps'])} / {human(row['budget_episodes'])}",
        "reached": f"{row['reached']}/{row['n_runs']}",
        "reached_key": row["reached"] / row["n_runs"],
        "published": NONE if known is None else f"{known.percent:.1f}",
        "published_key": "" if known is None else known.percent,
        "regret": _figure(row["regret"]),
    }
    for unit in ("steps", "episodes"):
        median = row[f"{unit}_median"]
        reached = math.isfinite(median)
        cells[unit] = human(median) if reached else f"> {human(row[f'{unit}_limit'])}"
        cells[f"{unit}_key"] = median if reached else ""
    return cells


def _figure(value: float) -> str:
    """Returns three digits, thousands as the tables print them."""
    return human(value) if math.isnan(value) or abs(value) >= 1000 else f"{value:.3g}"


def _total(
    row: dict[Any, Any], found: Submission, receipt: Receipt | None, online: float
) -> dict[str, Any]:
    """Returns one line of the table of submissions, and all that its details say."""
    parameters, steps = found.parameters, found.limits.steps
    return _common(row, found, receipt) | {
        "n_envs": row["n_envs"],
        "n_runs": row["n_runs"],
        "iqm": percent(row["iqm"]),
        "online": percent(online),
        "online_key": "" if math.isnan(online) else online,
        "gap": percent(row["optimality_gap"]),
        "budget": _say_limits(found),
        "budget_key": steps if found.limits.episodes is None else "",
        "parameters": "not given" if parameters is None else human(parameters),
        "parameters_key": "" if parameters is None else parameters,
        "parameters_exact": "" if parameters is None else f"{parameters:,}",
        "training": found.header.get("training cost") or _say_no_cost(found),
        "environments": list(dict.fromkeys(found.frame["env_id"].astype(str))),
        "digest": found.digest,
        "author": found.header.get("author", ""),
        "link": found.header.get("link", ""),
        "description": found.header.get("description", ""),
        "settings": {name.replace("_", " "): value for name, value in found.settings.items()},
        "suite_hash": found.suite.hash,
        "command": found.command,
        "receipt": receipt,
        "receipt_file": receipt_path(found.path).name if receipt else "",
        "repeat": _repeat(found, receipt) if receipt else "",
    }


def _say_no_cost(found: Submission) -> str:
    """Returns what stands for a training cost where the submission gives none."""
    return "learns in the run" if found.context == "none" else "not given"


def _say_limits(found: Submission) -> str:
    """Returns the budget of a run, in words."""
    limits = found.limits
    parts = [(limits.episodes, "episodes"), (limits.steps, "steps")]
    return " or ".join(f"{human(most)} {unit}" for most, unit in parts if most is not None)


def _repeat(found: Submission, receipt: Receipt) -> str:
    """Returns the command that repeats a verification."""
    words = ["anymdp-bench", "leaderboard", "verify", found.path.name, "--nonce", receipt.nonce]
    for option, counts in (
        ("--sample", {each.sampled for each in receipt.environments}),
        ("--tasks", {len(each.fresh_seeds) for each in receipt.environments}),
    ):
        words += [option, str(max(counts, default=1))]
    return shlex.join(
        [*words, *(["--episodes", str(receipt.episodes)] if receipt.episodes else [])]
    )


def _common(row: dict[Any, Any], found: Submission, receipt: Receipt | None) -> dict[str, Any]:
    """Returns the cells that both tables have."""
    low, high = row["score_low"], row["score_high"]
    marks = np.clip(np.nan_to_num((low, row["score"], high), nan=row["score"]), 0.0, 1.1) * 100
    return {
        "suite": row["suite"],
        "agent": row["agent"],
        "label": _label(*(str(row[k]) for k in ("agent", "agent_version", "context"))),
        "context": row["context"],
        "measure": row["measure"],
        "tuned": found.is_tuned,
        "score": percent(row["score"]),
        "score_key": row["score"],
        "interval": "" if math.isnan(low) else f"{percent(low)} to {percent(high)}",
        "bar": [round(float(mark)) for mark in marks],
        "file": found.path.name,
        "verified": receipt is not None,
    }


def _curve(label: str, part: pd.DataFrame) -> dict[str, Any]:
    """Returns a learning curve against steps; scores in thousandths, which is more than the eye sees."""
    band = learning_curve(part, "steps", points=48)
    scores = {
        name: [None if math.isnan(v) else round(1000 * float(v)) for v in values]
        for name, values in band._asdict().items()
    }
    return {"label": label} | scores | {"at": [round(float(v)) for v in band.at]}

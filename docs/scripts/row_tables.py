"""Tables of the in-context agents on the rows of the paper's table, from `docs/results/AGENT.csv`.

`agent_rows.py` writes these files. A table prints their figures as they stand in the file.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from anymdp_bench.results.published import find_published, paper_environment

RESULTS = Path(__file__).parents[1] / "results"
KEY = ["env_id", "context", "steps"]
PAPERS = {"omnirl": "paper's OmniRL", "omnirl-garnet": "paper's OmniRL (Garnet)"}


def read_rows(name: str) -> pd.DataFrame:
    """The rows of the file `NAME.csv`, every figure as text."""
    return pd.read_csv(RESULTS / f"{name}.csv", dtype=str, keep_default_na=False)


def rows_table(agent: str) -> str:
    """All rows of an agent beside the paper's, with its scores on held-out tasks where there are some."""
    frame = read_rows(agent)
    theirs = agent if agent in PAPERS else "omnirl"
    held_out = {}
    if (RESULTS / f"{agent}-held-out.csv").exists():
        held_out = _intervals(f"{agent}-held-out")
    heads = ["task", "steps", "tasks x runs", "score [95% CI]", "median"]
    heads += ["held-out tasks"] if held_out else []
    heads += ["paper's measure", PAPERS[theirs]]
    lines = []
    for row in frame.to_dict("records"):
        key = tuple(row[name] for name in KEY)
        cells = [*_first_cells(row), _count_runs(row), _interval(row)]
        cells += [row["median"], *([held_out.get(key, "—")] if held_out else [])]
        cells += [row["paper"] or "—", _published(row, theirs)]
        lines.append(cells)
    return format_table(heads, lines)


def compare_table(agents: str) -> str:
    """The rows of the first agent, beside those of the others at the same steps."""
    names = agents.split()
    scores = [_intervals(name) for name in names]
    theirs = [name for name in PAPERS if name == "omnirl" or name in names]
    heads = ["task", "steps", *(f"`{name}`" for name in names), *(PAPERS[name] for name in theirs)]
    lines = []
    for row in read_rows(names[0]).to_dict("records"):
        key = tuple(row[name] for name in KEY)
        cells = [found.get(key, "—") for found in scores]
        lines.append([*_first_cells(row), *cells, *(_published(row, name) for name in theirs)])
    return format_table(heads, lines)


def format_table(heads: list[str], lines: list[list[str]], left: int = 1) -> str:
    """A Markdown table, its first `left` columns to the left and the others to the right."""
    rule = [":--"] * left + ["--:"] * (len(heads) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rule, *lines])


def _first_cells(row: dict[str, str]) -> list[str]:
    title = paper_environment(row["env_id"]) or row["env_id"]
    title += "" if row["context"] == "empty" else f", {row['context']}"
    return [title, f"{int(row['steps']):,}"]


def _count_runs(row: dict[str, str]) -> str:
    """The tasks and runs, and how many of the runs the scores are over, if not all have an episode there."""
    text = f"{row['tasks']} x {row['runs']}"
    scored = int(row.get("scored") or 0)
    is_all = not scored or scored == int(row["tasks"]) * int(row["runs"])
    return text if is_all else f"{text}, {scored} scored"


def _interval(row: dict[str, str]) -> str:
    return f"{row['score']} [{row['low']}, {row['high']}]"


def _intervals(name: str) -> dict[tuple[str, ...], str]:
    rows = read_rows(name).to_dict("records")
    return {tuple(row[name] for name in KEY): _interval(row) for row in rows}


def _published(row: dict[str, str], name: str) -> str:
    found = find_published(row["env_id"], name) if row["context"] == "empty" else None
    return f"{found.percent / 100:.3f} at {found.steps:,}" if found and found.steps else "—"

"""The paper's Table 1, ours beside the published figures: `docs/results/*` by the paper's measure.

A column is by the paper's protocol where that was played: in-context agents from `AGENT-paper-protocol.csv`
(`agent_rows.py AGENT --by-paper`), learners from `table1-paper.AGENT.csv`, which is `anymdp-bench table FILE
--format csv` of runs by `--protocol paper`. What that file lacks is from `table1.AGENT.csv`, so by the
default protocol, and other in-context agents have their scores at the paper's steps from `AGENT.csv`.

`below.csv` says why a figure of ours is below the published one, a line for each.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd
from row_tables import RESULTS, format_table
from score_tables import read

from anymdp_bench.agents import AgentSpec
from anymdp_bench.results.published import PublishedResult, find_published, paper_environment
from anymdp_bench.results.tables import TUNED, human
from anymdp_bench.suites import load_suite

AGENTS = ("tql-ucb", "ppo", "omnirl", "omnirl-garnet", "psrl", "ucbvi", "neural-planner")
PUBLISHED = AGENTS[:4]
DEFAULT = "\N{SECTION SIGN}"
"""The mark of a column by the default protocol."""
BY_PAPER = "\N{LOZENGE}"
"""The mark of a figure by the paper's protocol in a column by the default one."""
FINAL = "\N{DOUBLE VERTICAL LINE}"
"""The mark of a column with final scores, by the default protocol."""
AT_STEPS = "\N{PILCROW SIGN}"
"""The mark of a column with scores at a number of steps, by the default protocol."""
NONE = "—"


class Figure(NamedTuple):
    """The best of a mean curve and its interval in percent, and the cost to 99% of it; NaN if not known.

    `mark` is the mark of a figure that was made in another way than the rest of its column.
    """

    best: float
    low: float
    high: float
    steps: float
    episodes: float
    mark: str = ""


class Column(NamedTuple):
    """The figures of an agent by the paper's name of the environment, and how they were made."""

    title: str
    figures: dict[str, Figure]


def read_column(agent: str) -> Column:
    """Reads the figures of an agent."""
    by_paper, partly, usual = (
        RESULTS / name
        for name in (
            f"{agent}-paper-protocol.csv",
            f"table1-paper.{agent}.csv",
            f"table1.{agent}.csv",
        )
    )
    if by_paper.exists():
        frame, mark = pd.read_csv(by_paper, dtype={"agent_version": str}), ""
        figures = _figures(frame, ["best", "low", "high", "best_steps", "best_episodes"])
    elif usual.exists():
        frame, mark = read(usual), f" {DEFAULT}"
        names = [f"paper_{name}" for name in ("score", "low", "high", "steps", "episodes")]
        is_old = frame["paper_score"].isna().all()  # from before the paper's measure
        mark = f" {FINAL}" if is_old else mark
        finals = ["score", "score_low", "score_high", "none", "none"]
        figures = _figures(frame, finals if is_old else names)
        found = _figures(read(partly), names) if partly.exists() else {}
        if found.keys() >= figures.keys():
            figures, mark = found, ""
        else:
            figures |= {name: figure._replace(mark=BY_PAPER) for name, figure in found.items()}
    else:
        frame, mark = _read_at_steps(agent), f" {AT_STEPS}"
        figures = _figures(frame, ["score", "low", "high", "none", "none"])
    title = f"`{agent}` {frame['agent_version'].iloc[0]}"
    is_tuned = "tuned" in frame and bool(frame["tuned"].any())
    return Column(title + (f" {TUNED}" if is_tuned else "") + mark, figures)


def _figures(frame: pd.DataFrame, names: list[str]) -> dict[str, Figure]:
    """The figures of the rows by the paper's name of the environment; `names` are the columns of `Figure`."""
    figures = {}
    for row in frame.to_dict("records"):
        name = paper_environment(row["env_id"])
        assert name is not None, row["env_id"]
        numbers = [float(row.get(key, math.nan)) for key in names]  # an older file has no interval
        figures[name] = Figure(*(100 * each for each in numbers[:3]), *numbers[3:])
    return figures


def _read_at_steps(agent: str) -> pd.DataFrame:
    """The scores of an in-context agent at the steps that are nearest to those of the paper's OmniRL."""
    frame = pd.read_csv(RESULTS / f"{agent}.csv")
    frame = frame[frame["context"] == "empty"]
    theirs = [find_published(env_id, "omnirl") for env_id in frame["env_id"]]
    away = [
        abs(n - (p.steps or 0)) if p else 0 for n, p in zip(frame["steps"], theirs, strict=True)
    ]
    nearest = frame.assign(away=away).sort_values("away", kind="stable").drop_duplicates("env_id")
    return nearest.assign(agent_version=AgentSpec(agent).make().version)


def whole_table(_: str) -> str:
    """All rows of Table 1, ours and the paper's."""
    columns = {agent: read_column(agent) for agent in AGENTS}
    heads = ["environment"]
    for agent, column in columns.items():
        heads += [column.title, *(["paper's"] if agent in PUBLISHED else [])]
    lines = []
    for row in load_suite("table1").rows:
        name = paper_environment(row.env_id) or row.env_id
        cells = [name]
        for agent, column in columns.items():
            cells.append(_ours(column.figures.get(name), find_published(row.env_id, agent)))
            if agent in PUBLISHED:
                cells.append(_theirs(find_published(row.env_id, agent)))
        lines.append(cells)
    marks = {
        DEFAULT: f"By the default protocol, but for {BY_PAPER}.",
        FINAL: "Mean final score, by the default protocol.",
        AT_STEPS: "Mean score near the steps of the paper's OmniRL, by the default protocol.",
        TUNED: "Tuned per environment.",
    }
    used = [
        f"{mark} {words}" for mark, words in marks.items() if any(mark in head for head in heads)
    ]
    caption = f"*{' '.join(used)} Bold: at or above the published figure.*"
    return format_table(heads, lines) + "\n\n" + caption


def below_table(_: str) -> str:
    """Where a figure of ours is below the published one, and why."""
    reasons = read_reasons()
    lines = []
    for agent, env_id in find_below():
        name = paper_environment(env_id) or env_id
        ours, published = read_column(agent).figures[name], find_published(env_id, agent)
        assert published is not None
        inside = "yes" if ours.high >= published.percent else "no"
        inside = NONE if math.isnan(ours.high) else inside
        cells = [f"`{agent}`", name, _ours(ours, None), f"{published.percent:.1f}", inside]
        lines.append([*cells, reasons.get((agent, env_id), NONE)])
    heads = ["agent", "environment", "ours", "paper's", "in our interval", "why"]
    return format_table(heads, lines, left=2)


def find_below() -> list[tuple[str, str]]:
    """Returns the (agent, environment) where our figure, as it is printed, is below the published one."""
    found = []
    for agent in PUBLISHED:
        figures = read_column(agent).figures
        for row in load_suite("table1").rows:
            published = find_published(row.env_id, agent)
            ours = figures.get(paper_environment(row.env_id) or "")
            if published and ours and round(ours.best, 1) < published.percent:
                found.append((agent, row.env_id))
    return found


def read_reasons() -> dict[tuple[str, str], str]:
    """Reads why a figure is below the published one, by (agent, environment)."""
    frame = pd.read_csv(RESULTS / "below.csv", dtype=str)
    return {(row.agent, row.env_id): row.reason for row in frame.itertuples()}


def by_paper_table(agent: str) -> str:
    """The rows of an in-context agent by the paper's protocol, beside the published figures."""
    frame = pd.read_csv(RESULTS / f"{agent}-paper-protocol.csv")
    figures, lines = read_column(agent).figures, []
    for row in frame.to_dict("records"):
        name = paper_environment(row["env_id"]) or row["env_id"]
        published = find_published(row["env_id"], agent)
        kept = f"{row['tasks']} x {row['runs']}"
        kept += f", {row['skipped']} left out" if row["skipped"] else ""
        cells = [name, f"{row['steps']:,}", kept, _ours(figures[name], published)]
        lines.append([*cells, _theirs(published)])
    theirs = "paper's OmniRL (Garnet)" if agent == "omnirl-garnet" else "paper's OmniRL"
    return format_table(["task", "steps", "tasks x runs", "best % [95% CI]", theirs], lines)


def _ours(found: Figure | None, published: PublishedResult | None) -> str:
    """The figure with its interval and cost; bold if it reaches the published one."""
    if found is None or math.isnan(found.best):
        return NONE
    best = f"{found.best:.1f}"
    best = f"**{best}**" if published and round(found.best, 1) >= published.percent else best
    interval = "" if math.isnan(found.low) else f" [{found.low:.1f}, {found.high:.1f}]"
    cost = "" if math.isnan(found.steps) else f"<br>{human(found.steps)} / {human(found.episodes)}"
    return best + (f" {found.mark}" if found.mark else "") + interval + cost


def _theirs(published: PublishedResult | None) -> str:
    if published is None:
        return NONE
    return f"{published.percent:.1f}<br>{human(published.steps)} / {human(published.episodes)}"

"""A summary (`metrics.summarise`) as text for a terminal, Markdown, CSV, LaTeX or HTML.

Pure functions from a frame to a string. All formats but CSV show the same cells: figures as the
paper prints them (2.0K, 1.1M), the best scores in bold, and a caption that says what was measured.
CSV has the summary's own columns in full, for programs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from anymdp_bench.results import table_formats
from anymdp_bench.results.published import PublishedResult, find_published
from anymdp_bench.results.schema import DEFAULT_PROTOCOL, PROTOCOL
from anymdp_bench.results.statistics import Array
from anymdp_bench.results.table_formats import NONE, Sheet
from anymdp_bench.spelling import offer

Format = Literal["text", "markdown", "csv", "latex", "html"]

PRIVILEGED = frozenset({"oracle"})
"""Agents that see the answer, shown but left out when the best is marked."""

TUNED = "\N{DAGGER}"
"""The mark beside an agent whose settings were chosen for each environment."""

TUNED_CAPTION = f"{TUNED} Settings tuned per environment."

OTHER_BUDGET = "\N{DOUBLE DAGGER}"
"""The mark beside a budget that is not the one of most rows of the environment."""

_PAPER_PROTOCOL = (
    "Protocol paper: tasks count if their gap is at least 1.83 standard deviations of an oracle episode, the"
    " FrozenLakes allow 200 steps, the Pendulum has one start, and tests are played episodes."
)

_OTHER_RULES = (
    ", which are for other tasks, horizons and starts: `run --protocol paper` plays by those rules."
)

_SAME_STEPS = 0.1  # runs cut at the same step end with episodes up to so far apart, as a share


def check_format(format: str) -> None:
    """Raises a ValueError unless there is a table format of this name."""
    if format not in get_args(Format):
        raise ValueError(f"unknown format {format!r}; {offer(format, get_args(Format))}")


def render(
    summary: pd.DataFrame,
    format: Format = "text",
    *,
    reference: bool = False,
    width: int | None = None,
    color: bool = False,
    privileged: Collection[str] = PRIVILEGED,
) -> str:
    """The table of a summary, ending in a newline.

    `reference` adds the paper's measure and its published figures; rows of the protocol `paper` have them
    always. `width` (columns) and `color` are for text only:
    by default it is plain and never wrapped. `privileged` agents are not marked as best. Raises
    ValueError for an unknown format or an empty summary.
    """
    check_format(format)
    if summary.empty:
        raise ValueError("nothing to tabulate: the summary has no rows")
    best = best_rows(summary, privileged)
    published = _is_paper_protocol(summary) | reference
    if format == "csv":
        return _csv(summary, best, published)
    sheet = _sheet(summary, best, published)
    if format == "text":
        return table_formats.text(sheet, width, color)
    writers: dict[str, Callable[[Sheet], str]] = {
        "markdown": table_formats.markdown,
        "latex": table_formats.latex,
        "html": table_formats.html,
    }
    return writers[format](sheet)


def best_rows(
    summary: pd.DataFrame, privileged: Collection[str] = PRIVILEGED
) -> npt.NDArray[np.bool_]:
    """Which rows [rows] are best: those whose 95% interval holds the environment's highest mean.

    The row with the highest mean is among them. Rows compete only with rows of the same measure and budget,
    and rows that start from demonstrations only with rows of the same starting context.
    """
    best = np.zeros(len(summary), dtype=bool)
    demonstrated = summary["context"].where(summary["context"].isin(["offline", "imitation"]), "")
    contest = [summary[name] for name in ("suite", "suite_hash", "env_id")] + [demonstrated]
    contest += [_measures(summary), pd.Series(budget_classes(summary), summary.index)]
    entered = ~summary["agent"].isin(list(privileged)).to_numpy()
    code = summary.groupby(contest, sort=False).ngroup().to_numpy()
    score = summary["score"].to_numpy()
    high = np.fmax(score, summary["score_high"].to_numpy())  # fmax: a single run has no interval
    for each in np.unique(code[entered]):
        rows = entered & (code == each)
        best |= rows & (high >= score[rows].max())
    return best


def budget_classes(summary: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Numbers the budgets of each environment, [rows]; 0 is the one that most rows have, the first of equals.

    Two rows have the same budget where their longest runs have as many episodes, or steps that differ by at
    most 10%: runs that are cut at the same step end with episodes of different lengths. A summary from before
    budgets were kept has 0 everywhere.
    """
    found = np.zeros(len(summary), np.int64)
    if "budget_steps" not in summary:
        return found
    limits = summary[["budget_steps", "budget_episodes"]].to_numpy(dtype=float)
    groups = summary.groupby(["suite", "suite_hash", "env_id"], sort=False).indices
    for rows in groups.values():
        classes: list[Array] = []
        numbers = []
        for limit in limits[rows]:
            same = [k for k, each in enumerate(classes) if _is_same_budget(each, limit)]
            if not same:
                classes.append(limit)
            numbers.append(same[0] if same else len(classes) - 1)
        rank = sorted(range(len(classes)), key=lambda k: (-numbers.count(k), k))
        found[rows] = [rank.index(number) for number in numbers]
    return found


def _is_same_budget(one: Array, other: Array) -> bool:
    """Whether two (steps, episodes) are the same budget; a number that is not known is NaN."""
    close = abs(one[0] - other[0]) <= _SAME_STEPS * max(one[0], other[0])
    return bool(close or one[1] == other[1])


def _measures(summary: pd.DataFrame) -> pd.Series[str]:
    """How each row was measured, [rows]; a summary that lacks the column holds scores as recorded."""
    if "measure" in summary:
        return summary["measure"].astype(str)
    return summary["context"].map(lambda context: "test" if context == "none" else "online")


def human(value: float | None) -> str:
    """A count as the paper prints it: 29, 2.0K, 36.3K, 297K, 1.1M; a dash for none."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 999.5:
        return f"{value:.0f}"
    scaled, unit = (value / 1e3, "K") if value < 999_500 else (value / 1e6, "M")
    return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"


def percent(fraction: float) -> str:
    """A fraction in percent with one decimal; a dash for NaN."""
    return NONE if math.isnan(fraction) else f"{round(100 * fraction, 1) + 0.0:.1f}"


def _sheet(
    summary: pd.DataFrame, best: npt.NDArray[np.bool_], published: npt.NDArray[np.bool_]
) -> Sheet:
    """The cells. The rows of `published` [rows] have the paper's figures beside them."""
    reference = bool(published.any())
    headings = ["environment", "agent", "score % [95% CI]"]
    headings += ["% of optimum"] if "of_optimum" in summary else []
    headings += ["measure", "budget"]
    headings += ["steps", "episodes", "reached"]
    headings += ["paper's measure [95% CI]", "published"] if reference else []
    environments, agents = _labels(summary)
    measures, classes = _measures(summary), budget_classes(summary)
    rows = []
    for index, row in enumerate(summary.to_dict("records")):
        budget = f"{human(row.get('budget_steps'))} / {human(row.get('budget_episodes'))}"
        budget += f" {OTHER_BUDGET}" if classes[index] else ""
        score = percent(row["score"]) + _interval(row, "score_")
        cells = [environments[index], agents[index], score]
        cells += [percent(row["of_optimum"])] if "of_optimum" in row else []
        cells += [measures.iloc[index], budget]
        cells += [_to_target(row, unit) for unit in ("steps", "episodes")]
        cells += [f"{row['reached']}/{row['n_runs']}"]
        if reference:
            best_score = percent(row["paper_score"]) + _interval(row, "paper_")
            found = _published(row) if published[index] else None
            figures = (f"{found.percent:.1f}", found.steps, found.episodes) if found else None
            cells += [_cost(best_score, row["paper_steps"], row["paper_episodes"])]
            cells += [_cost(*figures) if figures else NONE]
        rows.append(cells)
    return Sheet(_caption(summary, reference), headings, rows, best.tolist())


def _labels(summary: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What the first two columns say: suite and version only where there are several."""
    protocols = _protocols(summary)
    suites = summary[["suite", "suite_hash"]].assign(rules=protocols).drop_duplicates()
    versions = summary[["agent", "agent_version"]].drop_duplicates()["agent"].value_counts()
    environments, agents = [], []
    for row, protocol in zip(summary.to_dict("records"), protocols, strict=True):
        alike = (suites["suite"] == row["suite"]) & (suites["rules"] == protocol)
        hashed = alike.sum() > 1
        suite = row["suite"] + (f" {row['suite_hash'][:8]}" if hashed else "")
        suite += "" if protocol == DEFAULT_PROTOCOL else f", protocol {protocol}"
        environments.append(row["env_id"] + (f" [{suite}]" if len(suites) > 1 else ""))
        version = f" {row['agent_version']}" if versions[row["agent"]] > 1 else ""
        context = "" if row["context"] in ("none", "empty") else f" ({row['context']})"
        agents.append(row["agent"] + version + context + tuned_mark(row))
    return environments, agents


def tuned_mark(row: dict[Any, Any]) -> str:
    """The mark of a tuned agent, after a blank; nothing for others."""
    return f" {TUNED}" if row.get("tuned", False) else ""


def _interval(row: dict[Any, Any], name: str) -> str:
    """The interval whose ends are NAMElow and NAMEhigh, after a blank; nothing where there is none."""
    low, high = row.get(f"{name}low", math.nan), row.get(f"{name}high", math.nan)
    return "" if math.isnan(low) else f" [{percent(low)}, {percent(high)}]"


def _is_paper_protocol(summary: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows are of the protocol `paper`, [rows]."""
    return (_protocols(summary) == "paper").to_numpy()


def _protocols(summary: pd.DataFrame) -> pd.Series[str]:
    """By which rules the tasks of each row were chosen and played, [rows]."""
    if PROTOCOL in summary:
        return summary[PROTOCOL].astype(str)
    return pd.Series(DEFAULT_PROTOCOL, summary.index)


def _to_target(row: dict[Any, Any], unit: str) -> str:
    """The median, or the longest run seen where half of them never got there."""
    median = row[f"{unit}_median"]
    return human(median) if math.isfinite(median) else f"> {human(row[f'{unit}_limit'])}"


def _cost(best: str, steps: float | None, episodes: float | None) -> str:
    if best == NONE:
        return NONE
    return f"{best} / {human(steps)} / {human(episodes)}"


def _published(row: dict[Any, Any]) -> PublishedResult | None:
    """The paper's figures, which are for learners that start from nothing."""
    fresh = row["context"] in ("none", "empty")
    return find_published(row["env_id"], row["agent"]) if fresh else None


def _caption(summary: pd.DataFrame, reference: bool) -> str:
    few, many = summary["n_tasks"].min(), summary["n_tasks"].max()
    tasks = f"{few} task{'s' if few > 1 else ''}" if few == many else f"{few} to {many} tasks"
    modes = {
        "corrected": "variance-free",
        "raw": "raw",
        "paper": "raw, clipped to 0-100",
    }
    parts = [
        f"Score: mean final score ({modes[summary['score_mode'].iloc[0]]}; 0 = random policy, 100 ="
        f" oracle) with its 95% bootstrap interval over tasks x runs, {tasks} per environment.",
        "Measure: test = the policy tested apart, online = the agent's own episodes.",
        "Budget: steps / episodes of the longest run.",
        "Best in bold or starred: of the rows of one measure and budget, the highest mean and all whose"
        " interval holds it.",
        f"Steps, episodes: Kaplan-Meier median to a smoothed score of"
        f" {100 * summary['target'].iloc[0]:g}%; > the longest run where there is no median, since fewer than"
        " half of the runs got there. Reached: the runs that did, of all that were scored.",
    ]
    if budget_classes(summary).any():
        parts.append(f"{OTHER_BUDGET} Another budget than that of most rows of the environment.")
    if reference:
        parts.append(
            "Paper's measure: best % of the mean curve / steps / episodes to within 99% of that best, by the"
            " paper's scale (its oracle returns, cut at 0 and 100). Published: the paper's figures"
            + ("." if _is_paper_protocol(summary).all() else _OTHER_RULES)
        )
    if _is_paper_protocol(summary).any():
        parts.append(_PAPER_PROTOCOL)
    if "of_optimum" in summary:
        parts.append(
            "The oracle is the best policy that does not count the steps left, so scores can pass 100."
            " % of optimum: the score in units of the highest that any policy has on the task, which may use"
            f" the steps left; {NONE} where that is not known, or where no score passes 100."
        )
    elif summary["score"].max() > 1:
        parts.append(
            "The oracle is the best policy that does not count the steps left, so scores can pass 100;"
            " --of-optimum shows them in units of the best policy of all."
        )
    parts += [TUNED_CAPTION] if "tuned" in summary and summary["tuned"].any() else []
    return " ".join(parts)


def _csv(
    summary: pd.DataFrame, best: npt.NDArray[np.bool_], published: npt.NDArray[np.bool_]
) -> str:
    """The summary in full, with `best` and the published figures; blank where undefined."""
    frame = summary.assign(best=best)
    if published.any():
        rows = zip(summary.to_dict("records"), published, strict=True)
        found = [_published(row) if is_shown else None for row, is_shown in rows]
        for name in ("percent", "steps", "episodes"):
            frame[f"published_{name}"] = pd.Series(
                [getattr(each, name, None) for each in found], index=frame.index, dtype=float
            )
    return frame.to_csv(index=False, lineterminator="\n")

"""The numbers of a table, computed from result rows: final scores, times to target, and aggregates.

All functions take the frame of `records.read_csv`, in which the rows of a run are in order. No function reads
or writes a file. A score is a fraction: 0 is the uniform random policy and 1 is the oracle.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from anymdp_bench.results import statistics
from anymdp_bench.results.measures import Measure, name_measure, with_measure
from anymdp_bench.results.optimum import compute_shares
from anymdp_bench.results.paper_cost import compute_paper_cost, estimate_best
from anymdp_bench.results.published import find_paper_oracle
from anymdp_bench.results.runs import split_runs
from anymdp_bench.results.schema import PROTOCOL, RUN_KEY, RecordError
from anymdp_bench.results.statistics import Array
from anymdp_bench.results.windows import smooth_scores, window
from anymdp_bench.spelling import offer

ScoreMode = Literal["corrected", "raw", "paper"]

TARGETS = (0.5, 0.8, 0.9, 0.95)
"""The targets that the docs name; any other target works too."""

ROW_KEY = ("suite", "suite_hash", "env_id", "agent", "agent_version", "context")
"""The columns that name one row of a summary."""

_ROUNDING = 1e-9
_PASSES = 1.0005
"""A score that is printed as more than 100%."""


def with_scores(frame: pd.DataFrame, mode: ScoreMode = "corrected") -> pd.DataFrame:
    """Returns the frame with the column `score` in the given mode.

    Args:
        frame: result rows.
        mode: `corrected` is the variance-free score as it was recorded. `raw` is the plain score
            (return - random) / (oracle - random). `paper` is the raw score with the paper's own oracle, where
            it states one (`published.PAPER_ORACLES`), clipped to [0, 1].

    Raises:
        RecordError: the mode needs the column `gap`, and a file has none.
        ValueError: the mode is unknown.
    """
    if mode not in get_args(ScoreMode):
        raise ValueError(f"unknown score {mode!r}; {offer(mode, get_args(ScoreMode))}")
    if mode == "corrected":
        return frame
    if frame["gap"].isna().any():
        raise RecordError(
            "raw scores need the column 'gap', which a file lacks; use corrected scores"
        )
    raw = frame["score"] + (frame["return"] - frame["return_corrected"]) / frame["gap"]
    if mode == "raw":
        return frame.assign(score=raw)
    theirs = {env_id: find_paper_oracle(str(env_id)) for env_id in frame["env_id"].unique()}
    oracle = frame["env_id"].map(theirs).astype(float)
    random = frame["return_corrected"] - frame["score"] * frame["gap"]
    by_theirs = (frame["return"] - random) / (oracle - random)
    return frame.assign(score=by_theirs.where(oracle.notna(), raw).clip(0, 1))


def find_times_to_target(frame: pd.DataFrame, target: float) -> pd.DataFrame:
    """Finds where each run first reaches a target.

    Args:
        frame: result rows.
        target: a score. A run reaches it where its smoothed score is at least `target` - 1e-9; the difference
            allows for rounding.

    Returns:
        One row per run, with the columns RUN_KEY, `reached`, `steps` and `episodes`. Where a run does not
        reach the target, these are its last steps and episode: the time is censored.
    """
    rows, reached = [], []
    for run in split_runs(frame):
        enough = smooth_scores(run.score, run.measure, run.env_id) >= target - _ROUNDING
        reached.append(bool(enough.any()))
        rows.append(run.rows[int(enough.argmax()) if reached[-1] else -1])
    result = frame.iloc[rows][[*RUN_KEY, "steps", "episode"]].reset_index(drop=True)
    result = result.rename(columns={"episode": "episodes"})
    return result.assign(reached=np.array(reached, dtype=bool))


def compute_final_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Computes the final score of each run.

    It is the mean over the last `window` rows, or over all rows where there are fewer, so no run is dropped.
    Of exact tests it is the last one.

    Returns:
        One row per run, with the columns RUN_KEY, `regret` (the final cumulative regret) and `score`.
    """
    last, scores = [], []
    for run in split_runs(frame):
        last.append(run.rows[-1])
        scores.append(float(run.score[-window(run.measure, run.env_id) :].mean()))
    result = frame.iloc[last][[*RUN_KEY, "regret"]].reset_index(drop=True)
    return result.assign(score=np.array(scores, dtype=float))


def choose_scores(
    frame: pd.DataFrame, mode: ScoreMode = "corrected", measure: Measure = "test"
) -> pd.DataFrame:
    """Returns the frame with the scores of a mode (`with_scores`) and a measure (`with_measure`).

    Raises:
        RecordError: a file lacks a column that they need, or the online scores of learners are wanted in
            another mode than `corrected`: the returns of their own episodes are not recorded.
        ValueError: the mode or the measure is unknown.
    """
    scored = with_scores(frame, mode)
    found = with_measure(scored, measure)
    if found is not scored and mode != "corrected":
        raise RecordError(
            f"the online scores of learners are corrected scores, not {mode} ones; leave --score out"
        )
    return found


def summarise(
    frame: pd.DataFrame,
    target: float = 0.9,
    score_mode: ScoreMode = "corrected",
    measure: Measure = "test",
    of_optimum: bool | None = False,
) -> pd.DataFrame:
    """Computes all numbers that a table shows: one row per environment, agent and starting context.

    The rows are sorted by environment and then by agent, each in the order of first appearance. The columns:

        ROW_KEY, target, score_mode
        measure                              `test` or `online`, see `measures`
        n_tasks, n_runs
        score, score_low, score_high         mean over the runs, with its 95% interval
        median, iqm, iqm_low, iqm_high, optimality_gap
        reached                              the number of runs that reached the target
        steps_median, episodes_median        Kaplan-Meier; inf where fewer than half of the runs reached it
        steps_mean, episodes_mean            the restricted mean
        steps_limit, episodes_limit          the longest of the times that these are computed from
        budget_steps, budget_episodes        the longest run
        paper_score, paper_steps, paper_episodes     `paper_cost`, of the paper's scores (mode `paper`)
        regret                               mean over the runs; NaN where none is recorded
        tuned                                whether the agent's settings were chosen for each environment;
                                             only where the frame has this column
        protocol                             by which rules the tasks were chosen and played, likewise
        paper_low, paper_high                the 95% interval of `paper_score`
        of_optimum                           mean over the runs of the final score in units of the highest
                                             that any policy has on the task (`optimum`); NaN where that is
                                             not known; with the argument `of_optimum`: True everywhere,
                                             None in the environments where a row's score passes 1
    """
    groups = frame.groupby(list(ROW_KEY), sort=False, observed=True)
    rows = []
    for key, part in groups:
        row: dict[str, Any] = dict(zip(ROW_KEY, key, strict=True))
        row |= {"target": target, "score_mode": score_mode}
        row |= _summarise_row(choose_scores(part, score_mode, measure), target)
        row |= _find_paper_cost(part)
        row |= _find_tuned(part) | find_protocol(part)
        row |= dict(
            zip(("paper_low", "paper_high"), estimate_best(_with_paper_scores(part)), strict=True)
        )
        rows.append(row)
    passed = {row["env_id"] for row in rows if of_optimum or row["score"] >= _PASSES}
    if passed and of_optimum is not False:
        for row, (_, part) in zip(rows, groups, strict=True):
            is_in = row["env_id"] in passed
            row["of_optimum"] = _find_share(part, score_mode, measure) if is_in else np.nan
    return pd.DataFrame(_sort_by_first_appearance(rows, ROW_KEY))


def summarise_overall(
    frame: pd.DataFrame, score_mode: ScoreMode = "corrected", measure: Measure = "test"
) -> pd.DataFrame:
    """Computes one row per suite, agent and starting context: its scores over all its environments.

    Every environment has the same weight, and the 95% intervals resample the runs within each environment.
    `score` and `optimality_gap` are means over the environments. `median` is the median of the environments'
    means. `iqm` is the interquartile mean of all runs together (Agarwal et al. 2021).

    Returns:
        The columns suite, suite_hash, agent, agent_version and context; `measure`; `n_envs` and `n_runs`;
        `score`, `median`, `iqm` and `optimality_gap`, each with `_low` and `_high`; `tuned` and `protocol`
        where the frame has them; `budget_steps` and `budget_episodes`, of the longest run.
    """
    key = [name for name in ROW_KEY if name != "env_id"]
    scored = choose_scores(frame, score_mode, measure)
    finals = compute_final_scores(scored)
    parts = dict(list(scored.groupby(key, sort=False, observed=True)))
    rows = []
    for values, part in finals.groupby(key, sort=False, observed=True):
        by_env = part.groupby("env_id", sort=False, observed=True)["score"]
        strata = [scores.to_numpy() for _, scores in by_env]
        scored_part = parts[values]
        row: dict[str, Any] = dict(zip(key, values, strict=True))
        row |= {"measure": _find_measure(scored_part)}
        row |= {"n_envs": len(strata), "n_runs": len(part)}
        row |= _estimate("score", strata)
        row |= _as_columns("median", statistics.estimate_pooled(strata, statistics.median_of_means))
        row |= _as_columns("iqm", statistics.estimate_pooled(strata, statistics.pooled_iqm))
        row |= _estimate("optimality_gap", strata)
        row |= _find_tuned(scored_part) | find_protocol(scored_part) | _find_budget(scored_part)
        rows.append(row)
    return pd.DataFrame(_sort_by_first_appearance(rows, key))


def compare_agents(
    frame: pd.DataFrame, score_mode: ScoreMode = "corrected", measure: Measure = "test"
) -> pd.DataFrame:
    """Estimates for each suite and ordered pair of agents how likely a run of x scores more than one of y.

    Only the environments of both agents are compared, and each has the same weight. A pair without a shared
    environment has no row.

    Returns:
        The columns `suite`; `x` and `y` (agent, version and context in one text); `n_envs`; `probability`,
        `probability_low` and `probability_high` (its 95% interval).
    """
    finals = compute_final_scores(choose_scores(frame, score_mode, measure))
    name = ["agent", "agent_version", "context"]
    rows = []
    for (suite, _), part in finals.groupby(["suite", "suite_hash"], sort=False, observed=True):
        scores = {
            " ".join(map(str, key)): {
                env: runs["score"].to_numpy()
                for env, runs in own.groupby("env_id", sort=False, observed=True)
            }
            for key, own in part.groupby(name, sort=False, observed=True)
        }
        for x, y in itertools.permutations(scores, 2):
            shared = [env for env in scores[x] if env in scores[y]]
            if shared:
                found = statistics.estimate_improvement(
                    [scores[x][env] for env in shared], [scores[y][env] for env in shared]
                )
                names = ("probability", "probability_low", "probability_high")
                row = {"suite": suite, "x": x, "y": y, "n_envs": len(shared)}
                rows.append(row | dict(zip(names, found, strict=True)))
    columns = ["suite", "x", "y", "n_envs", "probability", "probability_low", "probability_high"]
    return pd.DataFrame(rows, columns=columns)


STATISTICS = {
    "score": statistics.mean,
    "median": statistics.median,
    "iqm": statistics.iqm,
    "optimality_gap": statistics.optimality_gap,
}
"""The statistics that have a bootstrap interval, by column name."""


def _estimate(name: str, strata: Sequence[Array]) -> dict[str, float]:
    """Estimates one statistic, and returns it with its interval under their column names."""
    return _as_columns(name, statistics.estimate(strata, STATISTICS[name]))


def _as_columns(name: str, found: statistics.Estimate) -> dict[str, float]:
    value, low, high = found
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _summarise_row(frame: pd.DataFrame, target: float) -> dict[str, Any]:
    """Computes the numbers of one summary row; the scores of `frame` are in the wanted mode already."""
    finals, times = compute_final_scores(frame), find_times_to_target(frame, target)
    scores, reached = finals["score"].to_numpy(), times["reached"].to_numpy()
    numbers: dict[str, Any] = {
        "measure": _find_measure(frame),
        "n_tasks": finals["task_seed"].nunique(),
        "n_runs": len(finals),
        **_estimate("score", [scores]),
        "median": float(np.median(scores)),
        **_estimate("iqm", [scores]),
        "optimality_gap": float(statistics.optimality_gap(scores)),
        "reached": int(reached.sum()),
    }
    for unit in ("steps", "episodes"):
        spent = times[unit].to_numpy(dtype=float)
        numbers[f"{unit}_median"] = statistics.median_time(spent, reached)
        numbers[f"{unit}_mean"] = statistics.restricted_mean_time(spent, reached)
        numbers[f"{unit}_limit"] = float(spent.max())
    numbers |= _find_budget(frame)
    return numbers | {"regret": float(finals["regret"].to_numpy().mean())}


def _find_budget(part: pd.DataFrame) -> dict[str, float]:
    """Finds the steps and the episodes of the longest run."""
    names = {"budget_steps": "steps", "budget_episodes": "episode"}
    return {name: float(part[column].max()) for name, column in names.items()}


def _find_paper_cost(part: pd.DataFrame) -> dict[str, float]:
    """Computes the paper's cost by the paper's scores."""
    cost = compute_paper_cost(_with_paper_scores(part), part)
    return {f"paper_{name}": value for name, value in cost._asdict().items()}


def _with_paper_scores(part: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows with the paper's scores; where gaps are unknown, with the corrected ones."""
    return part if part["gap"].isna().any() else with_scores(part, "paper")


def _find_share(part: pd.DataFrame, mode: ScoreMode, measure: Measure) -> float:
    """Computes the mean of the final scores of runs in units of the highest score of each task."""
    finals = compute_final_scores(choose_scores(part, mode, measure))
    gaps = part.groupby("task_seed")["gap"].first()
    return float(compute_shares(finals.assign(gap=finals["task_seed"].map(gaps))).mean())


def _find_measure(part: pd.DataFrame) -> Measure:
    """Says how the rows of one agent were measured."""
    return name_measure(str(part["measure"].iloc[0]))


def _find_tuned(part: pd.DataFrame) -> dict[str, bool]:
    """Tells whether the agent of these rows is tuned, where the frame says so of any agent."""
    return {"tuned": bool(part["tuned"].any())} if "tuned" in part else {}


def find_protocol(part: pd.DataFrame) -> dict[str, str]:
    """By which rules the tasks of these rows of one agent were played, where the frame says so of any."""
    return {PROTOCOL: str(part[PROTOCOL].iloc[0])} if PROTOCOL in part else {}


def _sort_by_first_appearance(
    rows: list[dict[str, Any]], key: Sequence[str]
) -> list[dict[str, Any]]:
    """Sorts rows by the columns of `key`; the values of a column rank in the order of first appearance."""
    ranks: dict[str, dict[str, int]] = {name: {} for name in key}
    for row in rows:
        for name in key:
            ranks[name].setdefault(row[name], len(ranks[name]))
    return sorted(rows, key=lambda row: [ranks[name][row[name]] for name in key])

"""The numbers of a table, computed from result rows: final scores, times to target, and the paper's cost.

All functions take the frame of `records.read_csv`, in which the rows of a run are in order. No function reads
or writes a file. A score is a fraction: 0 is the uniform random policy and 1 is the oracle.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from anymdp_bench.results import statistics
from anymdp_bench.results.published import PAPER_ORACLES
from anymdp_bench.results.schema import RUN_KEY, RecordError, group_runs
from anymdp_bench.spelling import offer

Array = npt.NDArray[np.float64]
ScoreMode = Literal["corrected", "raw", "paper"]

TARGETS = (0.5, 0.8, 0.9, 0.95)
"""The targets that the docs name; any other target works too."""

ROW_KEY = ("suite", "suite_hash", "env_id", "agent", "agent_version", "context")
"""The columns that name one row of a summary."""

TEST_EVERY = 100
"""A learner that trains is tested at multiples of this number of episodes, as in the paper."""

TEST_EPISODES = 5
"""The number of episodes in a sampled test (measure `test`)."""

_BANDIT = re.compile(r"AnyMDP-1s\d+a-")
_ROUNDING = 1e-9


def with_scores(frame: pd.DataFrame, mode: ScoreMode = "corrected") -> pd.DataFrame:
    """Returns the frame with the column `score` in the given mode.

    Args:
        frame: result rows.
        mode: `corrected` is the variance-free score as it was recorded. `raw` is the plain score
            (return - random) / (oracle - random). `paper` is the raw score with the paper's own oracle, where
            it states one (`PAPER_ORACLES`), clipped to [0, 1].

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
    oracle = frame["env_id"].map(PAPER_ORACLES).astype(float)
    random = frame["return_corrected"] - frame["score"] * frame["gap"]
    theirs = (frame["return"] - random) / (oracle - random)
    return frame.assign(score=theirs.where(oracle.notna(), raw).clip(0, 1))


def window(measure: str, env_id: str) -> int:
    """Returns the number of rows that a score is averaged over.

    They hold 10 episodes, or 100 on a bandit. A row is one episode, or one test of five episodes. An exact
    test has no noise, so it is not averaged.
    """
    if measure == "exact":
        return 1
    episodes = 100 if _BANDIT.match(env_id) else 10
    return episodes // TEST_EPISODES if measure == "test" else episodes


def smooth_scores(scores: Array, measure: str, env_id: str) -> Array:
    """Computes the trailing mean of one run's scores [n] over `window` rows.

    It is NaN before row `window`.
    """
    width = window(measure, env_id)
    result = np.full(len(scores), np.nan)
    if len(scores) >= width:
        result[width - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, width).mean(axis=-1)
    return result


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


class PaperCost(NamedTuple):
    """The best score of a mean curve and the steps and episodes until 99% of it; NaN where undefined."""

    score: float
    steps: float
    episodes: float


def compute_paper_cost(frame: pd.DataFrame) -> PaperCost:
    """Computes the paper's performance and cost of one agent on one environment (its Table 1).

    The scores are averaged over all runs at each episode index, without smoothing. `score` is the best
    value of this curve. `episodes` is the first index where the curve is within 99% of the best, and
    `steps` is the mean of the runs' steps there. Only the indices that all runs reach count, since a budget
    in steps gives runs of unequal length. Of a learner that trains, only the tests at multiples of 100
    episodes count.

    All three are NaN where no index is left. `steps` and `episodes` are NaN where the best is not positive,
    since 99% of it has no meaning.
    """
    is_test = (frame["measure"] != "episode").to_numpy()
    rows = frame[~is_test | (frame["episode"] % TEST_EVERY == 0).to_numpy()]
    n_runs = len(group_runs(frame)[1])
    curve = rows.groupby("episode").agg(
        score=("score", "mean"), steps=("steps", "mean"), runs=("score", "size")
    )
    curve = curve[curve["runs"] == n_runs]
    if curve.empty:
        return PaperCost(np.nan, np.nan, np.nan)
    score = curve["score"].to_numpy()
    best = float(score.max())
    if best <= 0:
        return PaperCost(best, np.nan, np.nan)
    first = int(np.argmax(score >= 0.99 * best))
    return PaperCost(best, float(curve["steps"].iloc[first]), float(curve.index[first]))


def summarise(
    frame: pd.DataFrame, target: float = 0.9, score_mode: ScoreMode = "corrected"
) -> pd.DataFrame:
    """Computes all numbers that a table shows: one row per environment, agent and starting context.

    The rows are sorted by environment and then by agent, each in the order of first appearance. The columns:

        ROW_KEY, target, score_mode
        n_tasks, n_runs
        score, score_low, score_high         mean over the runs, with its 95% interval
        median, iqm, iqm_low, iqm_high, optimality_gap
        reached                              the number of runs that reached the target
        steps_median, episodes_median        Kaplan-Meier; inf where fewer than half of the runs reached it
        steps_mean, episodes_mean            the restricted mean
        steps_limit, episodes_limit          the longest run
        paper_score, paper_steps, paper_episodes
        regret                               mean over the runs; NaN where none is recorded
        tuned                                whether the agent's settings were chosen for each environment;
                                             only where the frame has this column
    """
    scored = with_scores(frame, score_mode)
    groups = scored.groupby(list(ROW_KEY), sort=False, observed=True)
    rows = [
        {
            **dict(zip(ROW_KEY, key if isinstance(key, tuple) else (key,), strict=True)),
            "target": target,
            "score_mode": score_mode,
            **_summarise_row(part, target),
            **_find_tuned(part),
        }
        for key, part in groups
    ]
    return pd.DataFrame(_sort_by_first_appearance(rows, ROW_KEY))


def summarise_overall(frame: pd.DataFrame, score_mode: ScoreMode = "corrected") -> pd.DataFrame:
    """Computes one row per suite, agent and starting context: its scores over all its environments.

    Every environment has the same weight, and the 95% intervals resample the runs within each environment.
    `score` and `optimality_gap` are means over the environments. `median` is the median of the environments'
    means. `iqm` is the interquartile mean of all runs together (Agarwal et al. 2021).

    Returns:
        The columns suite, suite_hash, agent, agent_version and context; `n_envs` and `n_runs`; `score`,
        `median`, `iqm` and `optimality_gap`, each with `_low` and `_high`; `tuned` where the frame has it.
    """
    key = [name for name in ROW_KEY if name != "env_id"]
    finals = compute_final_scores(with_scores(frame, score_mode))
    parts = dict(list(frame.groupby(key, sort=False, observed=True))) if "tuned" in frame else {}
    rows = []
    for values, part in finals.groupby(key, sort=False, observed=True):
        by_env = part.groupby("env_id", sort=False, observed=True)["score"]
        strata = [scores.to_numpy() for _, scores in by_env]
        row: dict[str, Any] = dict(zip(key, values, strict=True))
        row |= {"n_envs": len(strata), "n_runs": len(part)}
        row |= _estimate("score", strata)
        row |= _as_columns("median", statistics.estimate_pooled(strata, statistics.median_of_means))
        row |= _as_columns("iqm", statistics.estimate_pooled(strata, statistics.pooled_iqm))
        row |= _estimate("optimality_gap", strata)
        if parts:
            row |= _find_tuned(parts[values])
        rows.append(row)
    return pd.DataFrame(_sort_by_first_appearance(rows, key))


def compare_agents(frame: pd.DataFrame, score_mode: ScoreMode = "corrected") -> pd.DataFrame:
    """Estimates for each suite and ordered pair of agents how likely a run of x scores more than one of y.

    Only the environments of both agents are compared, and each has the same weight. A pair without a shared
    environment has no row.

    Returns:
        The columns `suite`; `x` and `y` (agent, version and context in one text); `n_envs`; `probability`,
        `probability_low` and `probability_high` (its 95% interval).
    """
    finals = compute_final_scores(with_scores(frame, score_mode))
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
    cost = compute_paper_cost(frame)
    numbers |= {f"paper_{name}": value for name, value in cost._asdict().items()}
    return numbers | {"regret": float(finals["regret"].to_numpy().mean())}


def _find_tuned(part: pd.DataFrame) -> dict[str, bool]:
    """Whether the agent of these rows is tuned, where the frame says so of any agent."""
    return {"tuned": bool(part["tuned"].any())} if "tuned" in part else {}


def _sort_by_first_appearance(
    rows: list[dict[str, Any]], key: Sequence[str]
) -> list[dict[str, Any]]:
    """Sorts rows by the columns of `key`; the values of a column rank in the order of first appearance."""
    ranks: dict[str, dict[str, int]] = {name: {} for name in key}
    for row in rows:
        for name in key:
            ranks[name].setdefault(row[name], len(ranks[name]))
    return sorted(rows, key=lambda row: [ranks[name][row[name]] for name in key])


class RunRows(NamedTuple):
    """One run of a frame: the positions of its rows, int [n], and their scores, float64 [n]."""

    env_id: str
    measure: str
    rows: npt.NDArray[np.intp]
    score: Array


def split_runs(frame: pd.DataFrame) -> list[RunRows]:
    """Splits a frame into its runs, in the order of first appearance."""
    order, starts = group_runs(frame)
    if len(order) == 0:
        return []
    scores = frame["score"].to_numpy()
    first = frame.iloc[order[starts]]
    return [
        RunRows(str(env_id), str(measure), rows, scores[rows])
        for env_id, measure, rows in zip(
            first["env_id"], first["measure"], np.split(order, starts[1:]), strict=True
        )
    ]

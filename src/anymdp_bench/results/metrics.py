"""From result rows to the numbers of a table: final score, steps and episodes to target, paper's cost.

All functions take the frame of `records.read_csv`, where the rows of a run are in order, and touch
no files. Scores are fractions: 0 is the uniform random policy, 1 the oracle.
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

Array = npt.NDArray[np.float64]
ScoreMode = Literal["corrected", "raw", "paper"]

TARGETS = (0.5, 0.8, 0.9, 0.95)
"""The targets that the protocol names; any other q works too."""

ROW_KEY = ("suite", "suite_hash", "env_id", "agent", "agent_version", "context")
"""What one row of a summary stands for."""

TEST_EVERY = 100
"""Learners that train are tested at multiples of this episode count; the paper's curves are too."""

TEST_EPISODES = 5
"""Episodes of a sampled test (measure `test`)."""

_BANDIT = re.compile(r"AnyMDP-1s\d+a-")
_ROUNDING = 1e-9


def with_scores(frame: pd.DataFrame, mode: ScoreMode = "corrected") -> pd.DataFrame:
    """The frame with `score` in the given mode.

    `corrected` is the variance-free score as recorded; `raw` the plain (return - random) / (oracle -
    random); `paper` that one with the paper's own oracle where it states one (`PAPER_ORACLES`),
    clipped to [0, 1]. Raises RecordError where raw scores are asked of a file without the column
    gap, ValueError for an unknown mode.
    """
    if mode not in get_args(ScoreMode):
        raise ValueError(
            f"unknown score mode {mode!r}: use one of {', '.join(get_args(ScoreMode))}"
        )
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
    """How many rows a score is averaged over: as many as hold 10 episodes, or 100 for bandits.

    A row is an episode, or a test of five; an exact test has no scatter and stands alone.
    """
    if measure == "exact":
        return 1
    episodes = 100 if _BANDIT.match(env_id) else 10
    return episodes // TEST_EPISODES if measure == "test" else episodes


def smoothed(scores: Array, measure: str, env_id: str) -> Array:
    """Trailing mean of one run's scores [n] over `window` episodes; NaN before there are as many."""
    width = window(measure, env_id)
    result = np.full(len(scores), np.nan)
    if len(scores) >= width:
        result[width - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, width).mean(axis=-1)
    return result


def to_target(frame: pd.DataFrame, target: float) -> pd.DataFrame:
    """One row per run: RUN_KEY, `reached`, and the `steps` and `episodes` it took.

    These are where the smoothed score first reaches `target` (less 1e-9, for rounding), or, where it
    never does, where the run was cut short: its last recorded steps and episode.
    """
    rows, reached = [], []
    for run in runs_of(frame):
        enough = smoothed(run.score, run.measure, run.env_id) >= target - _ROUNDING
        reached.append(bool(enough.any()))
        rows.append(run.rows[int(enough.argmax()) if reached[-1] else -1])
    result = frame.iloc[rows][[*RUN_KEY, "steps", "episode"]].reset_index(drop=True)
    result = result.rename(columns={"episode": "episodes"})
    return result.assign(reached=np.array(reached, dtype=bool))


def final_score(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per run: RUN_KEY, the final `score` and the final cumulative `regret`.

    The final score is the mean of the last `window` episodes, or of all where there are fewer, so
    that no run is dropped; at exact tests it is the last one's.
    """
    last, scores = [], []
    for run in runs_of(frame):
        last.append(run.rows[-1])
        scores.append(float(run.score[-window(run.measure, run.env_id) :].mean()))
    result = frame.iloc[last][[*RUN_KEY, "regret"]].reset_index(drop=True)
    return result.assign(score=np.array(scores, dtype=float))


class PaperCost(NamedTuple):
    """The paper's measure; NaN where undefined."""

    score: float
    steps: float
    episodes: float


def paper_cost(frame: pd.DataFrame) -> PaperCost:
    """The paper's performance and cost of one agent on one environment (its Table 1).

    Scores are averaged over all runs at equal episode index, unsmoothed; `score` is the best of that
    curve, `episodes` the first index within 99% of the best, `steps` the runs' mean steps there.
    Only indices that all runs reach count (budgets in steps give runs of unequal length), and of
    learners that train only test points at multiples of 100 episodes. All NaN where none is left;
    steps and episodes NaN where the best is not positive, since 99% of it means nothing.
    """
    tested = (frame["measure"] != "episode").to_numpy()
    rows = frame[~tested | (frame["episode"] % TEST_EVERY == 0).to_numpy()]
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
    """One row per environment, agent and starting context: all numbers that a table shows.

    Rows are in the order first seen, environments before agents. Columns: ROW_KEY; `target`,
    `score_mode`; `n_tasks`, `n_runs`; `score`, `score_low`, `score_high` (mean over runs and 95%
    interval), `median`, `iqm`, `iqm_low`, `iqm_high`, `optimality_gap`; `reached` (runs);
    `steps_median`, `episodes_median` (Kaplan-Meier; inf where half the runs never got there),
    `steps_mean`, `episodes_mean` (restricted), `steps_limit`, `episodes_limit` (the longest run seen);
    `paper_score`, `paper_steps`, `paper_episodes`; `regret` (mean over runs, NaN if unrecorded);
    `tuned` (whether the agent's settings were chosen for each environment) where the frame has it.
    """
    scored = with_scores(frame, score_mode)
    groups = scored.groupby(list(ROW_KEY), sort=False, observed=True)
    rows = [
        {
            **dict(zip(ROW_KEY, key if isinstance(key, tuple) else (key,), strict=True)),
            "target": target,
            "score_mode": score_mode,
            **_row(part, target),
            **_tuned(part),
        }
        for key, part in groups
    ]
    return pd.DataFrame(_in_order(rows, ROW_KEY))


def overall(frame: pd.DataFrame, score_mode: ScoreMode = "corrected") -> pd.DataFrame:
    """One row per suite, agent and starting context: its score over all environments it was run on.

    Every environment counts the same, and the 95% intervals resample within each. `score` and
    `optimality_gap` are averages over environments, `median` is the median of their means, `iqm` the
    interquartile mean of all runs together (Agarwal et al. 2021). Columns: suite, suite_hash, agent,
    agent_version, context; `n_envs`, `n_runs`; `score`, `median`, `iqm`, `optimality_gap`, each with
    `_low` and `_high`; `tuned` where the frame has it.
    """
    key = [name for name in ROW_KEY if name != "env_id"]
    finals = final_score(with_scores(frame, score_mode))
    parts = dict(list(frame.groupby(key, sort=False, observed=True))) if "tuned" in frame else {}
    rows = []
    for values, part in finals.groupby(key, sort=False, observed=True):
        by_env = part.groupby("env_id", sort=False, observed=True)["score"]
        strata = [scores.to_numpy() for _, scores in by_env]
        row: dict[str, Any] = dict(zip(key, values, strict=True))
        row |= {"n_envs": len(strata), "n_runs": len(part)}
        row |= _estimate("score", strata)
        row |= _named("median", statistics.estimate_pooled(strata, statistics.median_of_means))
        row |= _named("iqm", statistics.estimate_pooled(strata, statistics.pooled_iqm))
        row |= _estimate("optimality_gap", strata)
        if parts:
            row |= _tuned(parts[values])
        rows.append(row)
    return pd.DataFrame(_in_order(rows, key))


def improvements(frame: pd.DataFrame, score_mode: ScoreMode = "corrected") -> pd.DataFrame:
    """One row per suite and ordered pair of agents: how likely a run of the one scores more.

    Over the environments that both were run on, each counting the same. Columns: `suite`; `x`, `y` (agent,
    version and context as one name); `n_envs`; `probability`, `_low`, `_high`. Pairs without a shared
    environment are left out.
    """
    finals = final_score(with_scores(frame, score_mode))
    name = ["agent", "agent_version", "context"]
    rows = []
    for (suite, _), part in finals.groupby(["suite", "suite_hash"], sort=False, observed=True):
        players = {
            " ".join(map(str, key)): {
                env: runs["score"].to_numpy()
                for env, runs in own.groupby("env_id", sort=False, observed=True)
            }
            for key, own in part.groupby(name, sort=False, observed=True)
        }
        for x, y in itertools.permutations(players, 2):
            shared = [env for env in players[x] if env in players[y]]
            if shared:
                found = statistics.estimate_improvement(
                    [players[x][env] for env in shared], [players[y][env] for env in shared]
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
"""The statistics that get a bootstrap interval, by column name."""


def _estimate(name: str, strata: Sequence[Array]) -> dict[str, float]:
    """One statistic and the ends of its interval, under their column names."""
    return _named(name, statistics.estimate(strata, STATISTICS[name]))


def _named(name: str, found: statistics.Estimate) -> dict[str, float]:
    value, low, high = found
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _row(frame: pd.DataFrame, target: float) -> dict[str, Any]:
    """The numbers of one summary row from its rows, already in the wanted score mode."""
    finals, times = final_score(frame), to_target(frame, target)
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
    cost = paper_cost(frame)
    numbers |= {f"paper_{name}": value for name, value in cost._asdict().items()}
    return numbers | {"regret": float(finals["regret"].to_numpy().mean())}


def _tuned(part: pd.DataFrame) -> dict[str, bool]:
    """Whether the agent of these rows is tuned, where the frame says it of any agent."""
    return {"tuned": bool(part["tuned"].any())} if "tuned" in part else {}


def _in_order(rows: list[dict[str, Any]], key: Sequence[str]) -> list[dict[str, Any]]:
    """Rows sorted by the columns of `key`, the values of each ranked as first seen."""
    ranks: dict[str, dict[str, int]] = {name: {} for name in key}
    for row in rows:
        for name in key:
            ranks[name].setdefault(row[name], len(ranks[name]))
    return sorted(rows, key=lambda row: [ranks[name][row[name]] for name in key])


class RunRows(NamedTuple):
    """One run: where its rows are in the frame, [n], and their scores [n]."""

    env_id: str
    measure: str
    rows: npt.NDArray[np.intp]
    score: Array


def runs_of(frame: pd.DataFrame) -> list[RunRows]:
    """The runs of a frame, in the order first seen."""
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

"""How scores were measured: `test`, a policy tested apart, or `online`, the agent's own episodes.

In-context agents are scored online, exploration counted. Learners that train are tested at test points. Their
rows hold the cumulative regret of their own episodes too, so their online score follows from it: the mean
score of the episodes between two rows is 1 - (regret gained between them) / (gap * number of episodes).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from anymdp_bench.results.schema import RecordError, group_runs
from anymdp_bench.results.statistics import Array
from anymdp_bench.results.windows import smoothing_episodes
from anymdp_bench.spelling import offer

Measure = Literal["test", "online"]


def name_measure(recorded: str) -> Measure:
    """Returns how rows were measured, from the column `measure` of a result file (`schema.MEASURES`)."""
    return "test" if recorded in ("exact", "test") else "online"


def with_measure(frame: pd.DataFrame, measure: Measure = "test") -> pd.DataFrame:
    """Returns the frame with the scores of the given measure.

    Args:
        frame: result rows with corrected scores.
        measure: `test` leaves all rows as they were recorded: tests of learners that train, and episodes of
            in-context agents, which are never tested. `online` gives learners their online score.

    Returns:
        The frame. Of a learner's online score, a row holds the mean over the trailing 10 episodes or more
        (100 on a bandit): those since the latest row that is so far back. Rows before the first such mean are
        left out, but for the last row of a shorter run, which holds the mean of all its episodes. Their
        `measure` is `online`. `return` and `return_corrected` stay those of the tests.

    Raises:
        RecordError: a learner's rows lack the column `gap` or `regret`.
        ValueError: there is no such measure.
    """
    if measure not in get_args(Measure):
        raise ValueError(f"unknown measure {measure!r}; {offer(measure, get_args(Measure))}")
    tested = (frame["measure"] != "episode").to_numpy()
    if measure == "test" or not tested.any():
        return frame
    learners = frame[tested]
    if learners[["gap", "regret"]].isna().to_numpy().any():
        raise RecordError(
            "online scores of learners need the columns 'gap' and 'regret', which a file lacks;"
            " leave --measure out"
        )
    order, starts = group_runs(learners)
    episode, regret, gap = (
        learners[name].to_numpy(dtype=float) for name in ("episode", "regret", "gap")
    )
    score, kept = np.zeros(len(learners)), np.zeros(len(learners), np.bool_)
    for rows in np.split(order, starts[1:]):
        width = smoothing_episodes(str(learners["env_id"].iloc[rows[0]]))
        means = trailing_means(episode[rows], regret[rows], float(gap[rows[0]]), width)
        known = ~np.isnan(means)
        if not known.any():
            known[-1] = True
            means[-1] = 1.0 - regret[rows[-1]] / (gap[rows[0]] * episode[rows[-1]])
        score[rows], kept[rows] = means, known
    names = learners["measure"].astype(object).where(~kept, "online")
    found = learners.assign(score=score, measure=names)[kept]
    if tested.all():
        return found.reset_index(drop=True)
    others = frame[~tested].assign(measure=frame["measure"].astype(object)[~tested])
    joined = pd.concat([others, found]).sort_index(kind="stable").reset_index(drop=True)
    for name in joined.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype) and name != "measure":
            joined[name] = joined[name].astype(frame[name].dtype)
    return joined


def trailing_means(episode: Array, regret: Array, gap: float, width: int) -> Array:
    """Computes the mean score of one run's trailing `width` episodes or more, at each of its rows.

    Args:
        episode: the episode of each row [n], rising.
        regret: the cumulative regret there [n].
        gap: the task's gap.
        width: the least number of episodes to average over.

    Returns:
        The means [n]; NaN before episode `width`.
    """
    before = np.concatenate([[0.0], episode])
    spent = np.concatenate([[0.0], regret])
    since = np.searchsorted(before, episode - width, side="right") - 1
    means = np.full(len(episode), np.nan)
    known, since = since >= 0, since[since >= 0]
    means[known] = 1.0 - (regret[known] - spent[since]) / (gap * (episode[known] - before[since]))
    return means

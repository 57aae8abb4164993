"""Scores in units of the best policy of all: exact ceilings, and the column of a table."""

import math

import numpy as np
import pandas as pd
import pytest

import anymdp_bench
from anymdp_bench import Results
from anymdp_bench.results.optimum import compute_shares, highest_score
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks


def test_where_the_last_steps_do_not_matter_the_highest_score_is_1():
    """A bandit's episode has one step, and each Darkroom's best policy is stationary."""
    assert highest_score("AnyMDP-1s5a-v0", 3) == pytest.approx(1.0)
    assert highest_score("Darkroom-6x6-v0", 0) == pytest.approx(1.0)


def test_counting_the_steps_left_is_worth_something_on_anymdp():
    """On the 64 tasks of suite `table1`: never below 1, most hardly above it, 1.051 on average."""
    tasks, _ = select_tasks(task_source("AnyMDP-16s5a-v0"), 64)
    found = [highest_score("AnyMDP-16s5a-v0", task.seed) for task in tasks]
    assert min(found) >= 1.0 - 1e-9
    assert np.median(found) < 1.001
    assert np.mean(found) == pytest.approx(1.051, abs=5e-4)


def test_it_is_the_score_of_backward_induction():
    """A naive twin on one task, by the public functions alone."""
    mdp = anymdp_bench.sample_task("AnyMDP-16s5a-v0", 5)
    value = np.zeros(mdp.n_states)
    for _ in range(mdp.max_steps):
        q = (mdp.transition * (mdp.reward + value)).sum(2)
        value = np.where(mdp.terminal, 0.0, q.max(1))
    want = compute_references(mdp).score(float(mdp.start @ value))
    assert highest_score("AnyMDP-16s5a-v0", 5) == pytest.approx(want, abs=1e-9)


def test_a_task_that_is_no_table_has_none():
    assert math.isnan(highest_score("DiscretePendulum-g1-v0", 0))
    finals = pd.DataFrame(
        {"env_id": ["Switch2-v0"], "task_seed": [0], "score": [1.0], "gap": [np.nan]}
    )
    assert np.isnan(compute_shares(finals)).all()


def test_tables_show_it_where_it_is_asked_for():
    """The oracle has a score of 1, so its share is 1 over the highest score."""
    frame = anymdp_bench.evaluate("oracle", "AnyMDP-16s5a-v0", tasks=3, steps=200, workers=1)
    assert isinstance(frame, Results)
    assert "of_optimum" not in frame.summary()
    row = frame.summary(of_optimum=True).iloc[0]
    seeds = frame["task_seed"].unique().tolist()
    want = np.mean([1.0 / highest_score("AnyMDP-16s5a-v0", seed) for seed in seeds])
    assert row["score"] == pytest.approx(1.0)
    assert row["of_optimum"] == pytest.approx(want)
    text = frame.table(of_optimum=True)
    assert f"{100 * want:.1f}" in text
    assert "% of optimum" in text
    assert "% of optimum" not in frame.table()


def test_tables_show_it_by_themselves_where_a_score_passes_1():
    """The steps left are worth 5% on these tasks; the scores are the highest there are."""
    frame = anymdp_bench.evaluate("oracle", "AnyMDP-16s5a-v0", tasks=3, steps=200, workers=1)
    highest = frame["task_seed"].map(lambda seed: highest_score("AnyMDP-16s5a-v0", seed))
    above = frame.assign(score=1.01 * highest)
    row = above.summary().iloc[0]
    assert row["of_optimum"] == pytest.approx(1.01)
    assert "101.0" in above.table()
    assert "of_optimum" not in above.summary(of_optimum=False)
    assert "% of optimum" not in above.table(of_optimum=False)


def test_an_environment_where_no_score_passes_1_has_none():
    """The column is there for the other one."""
    frames = [
        anymdp_bench.evaluate("oracle", env_id, tasks=1, steps=200, workers=1)
        for env_id in ("AnyMDP-16s5a-v0", "Darkroom-6x6-v0")
    ]
    both = pd.concat([frames[0].assign(score=1.2), frames[1]])
    summary = both.summary().set_index("env_id")
    assert summary.loc["AnyMDP-16s5a-v0", "of_optimum"] > 1.0
    assert np.isnan(summary.loc["Darkroom-6x6-v0", "of_optimum"])


def test_tasks_of_other_rules_have_none():
    """A gap that is not the task's says that the episodes were others; unknown environments have none."""
    gap = anymdp_bench.evaluate("random", "FrozenLake4x4-v0", steps=200, workers=1)["gap"].iloc[0]
    finals = pd.DataFrame(
        {
            "env_id": ["FrozenLake4x4-v0", "FrozenLake4x4-v0", "FrozenLake4x4-v0", "Elsewhere-v0"],
            "task_seed": [0, 0, 0, 0],
            "score": [1.0, 1.0, 1.0, 1.0],
            "gap": [gap, 1.1 * gap, np.nan, gap],
        }
    )
    known = ~np.isnan(compute_shares(finals))
    assert known.tolist() == [True, False, True, False]

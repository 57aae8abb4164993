"""The probability of improvement: worked by hand, against a slow twin, and in the tables."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anymdp_bench.results import statistics
from anymdp_bench.results.metrics import compare_agents, summarise_overall
from anymdp_bench.results.overall_table import render_overall
from anymdp_bench.results.records import RunRecord, to_frame

SCORES = arrays(np.float64, st.integers(1, 6), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def naive(x, y):
    """Every pair, one by one."""
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(x, y)]
    return sum(wins) / len(wins)


def test_by_hand():
    """3 beats both of 1 and 2; 2 beats 1 and ties 2; so 3.5 of 4."""
    x, y = np.array([3.0, 2.0]), np.array([1.0, 2.0])
    assert statistics.probability_of_improvement(x, y) == pytest.approx(3.5 / 4)


@given(SCORES, SCORES)
def test_is_that_of_all_pairs_and_adds_up_to_one(x, y):
    forth = float(statistics.probability_of_improvement(x, y))
    assert forth == pytest.approx(naive(x, y))
    assert forth + statistics.probability_of_improvement(y, x) == pytest.approx(1.0)


def test_the_interval_averages_environments():
    xs, ys = (
        [np.array([1.0, 1.0]), np.array([0.0, 1.0])],
        [np.array([0.0, 0.0]), np.array([0.5, 0.5])],
    )
    found = statistics.estimate_improvement(xs, ys)
    assert found.value == pytest.approx((1.0 + 0.5) / 2)
    assert (found.low, found.high) == (0.5, 1.0)  # the second environment alone varies: 0, 1/2, 1
    assert np.isnan(statistics.estimate_improvement([xs[0][:1]], [ys[0]]).low)


def a_run(agent, score, seed, env_id="AnyMDP-16s5a-v0"):
    return RunRecord(
        "quick", "c0ffee", agent, "1", env_id, seed, 0, "none", "exact", 1.0, np.array([100]),
        np.array([100]), *(np.array([score]) for _ in range(4)),
    )  # fmt: skip


@pytest.fixture
def frame():
    """a: 1, 0.9; b: 0.5, 0.9 on one environment, and b alone on another."""
    runs = [a_run("a", 1.0, 0), a_run("a", 0.9, 1), a_run("b", 0.5, 0), a_run("b", 0.9, 1)]
    return to_frame([*runs, a_run("b", 0.1, 0, "Garnet-16s5a2b-v0")])


def test_only_shared_environments_are_compared(frame):
    found = compare_agents(frame).set_index(["x", "y"])
    assert found.loc[("a 1 none", "b 1 none"), "probability"] == pytest.approx(3.5 / 4)
    assert found.loc[("b 1 none", "a 1 none"), "probability"] == pytest.approx(0.5 / 4)
    assert found["n_envs"].tolist() == [1, 1]


def test_the_median_is_among_the_overall_statistics(frame):
    row = summarise_overall(frame).set_index("agent").loc["a"]
    assert (row["median"], row["score"], row["iqm"]) == pytest.approx((0.95, 0.95, 0.95))
    assert row["optimality_gap"] == pytest.approx(0.05)


@pytest.mark.parametrize("style", ["text", "markdown", "latex", "html", "csv"])
def test_the_tables_are_written_in_every_format(frame, style):
    text = render_overall(frame, style)
    assert text.endswith("\n")
    assert "95.0" in text or "0.95" in text
    assert ("P(X" in text) == (style != "csv")

"""The numbers of a table: smoothing, times to target, aggregates and the paper's cost, worked by hand."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anymdp_bench.results import metrics, statistics
from anymdp_bench.results.paper_cost import compute_paper_cost, estimate_best
from anymdp_bench.results.records import RecordError, RunRecord, to_frame
from anymdp_bench.results.windows import smooth_scores, window

Array = npt.NDArray[np.float64]


def a_run(
    scores: list[float],
    measure: str = "episode",
    episodes: list[int] | None = None,
    **changes: object,
) -> RunRecord:
    """A run whose episodes take 10 steps each, on a task with oracle return 3 and random return -1."""
    score = np.array(scores, dtype=float)
    episode = np.array(episodes or np.arange(1, len(scores) + 1))
    fields: dict[str, object] = {
        "suite": "quick",
        "suite_hash": "c0ffee",
        "agent": "omnirl",
        "agent_version": "1.0",
        "env_id": "AnyMDP-16s5a-v0",
        "task_seed": 0,
        "run_seed": 0,
        "context": "empty" if measure == "episode" else "none",
        "measure": measure,
        "gap": 4.0,
        "episode": episode,
        "steps": episode * 10,
        "return_": 3 + 4 * (score - 1),
        "return_corrected": 3 + 4 * (score - 1),
        "score": score,
        "regret": 4 * np.cumsum(1 - score),
    }
    return RunRecord(**(fields | changes))  # type: ignore[arg-type]


class TestSmoothing:
    def test_is_undefined_before_ten_episodes(self) -> None:
        smooth = smooth_scores(np.arange(12.0), "episode", "AnyMDP-16s5a-v0")
        assert np.isnan(smooth[:9]).all()
        assert smooth[9:].tolist() == [4.5, 5.5, 6.5]
        assert np.isnan(smooth_scores(np.ones(9), "episode", "Switch2-v0")).all()
        assert smooth_scores(np.ones(0), "episode", "Switch2-v0").tolist() == []

    def test_takes_a_hundred_episodes_on_bandits(self) -> None:
        scores = np.append(np.zeros(50), np.ones(51))
        smooth = smooth_scores(scores, "episode", "AnyMDP-1s5a-v0")
        assert np.isnan(smooth[:99]).all()
        assert smooth[99:].tolist() == [0.5, 0.51]
        assert window("episode", "AnyMDP-1s5a-v0") == 100
        assert window("episode", "AnyMDP-16s5a-v0") == 10

    def test_leaves_exact_tests_alone(self) -> None:
        scores = np.array([0.1, 0.7])
        assert smooth_scores(scores, "exact", "AnyMDP-1s5a-v0").tolist() == [0.1, 0.7]

    def test_counts_a_sampled_test_as_its_five_episodes(self) -> None:
        """The trailing 10 episodes are two test points, the 100 of a bandit twenty."""
        smooth = smooth_scores(np.array([0.1, 0.7, 0.3]), "test", "Switch2-v0")
        assert np.isnan(smooth[0])
        np.testing.assert_allclose(smooth[1:], [0.4, 0.5])
        assert window("test", "AnyMDP-1s5a-v0") == 20


class TestToTarget:
    def test_counts_to_the_first_crossing(self) -> None:
        frame = to_frame(
            [
                a_run([0.0] * 5 + [1.0] * 15, task_seed=1),  # the mean of 10 is 0.9 after 5 + 9
                a_run([0.0] * 12, task_seed=2),
                a_run([0.2, 0.9, 0.1, 1.0], "exact", [1, 2, 5, 100], task_seed=3),
                a_run([1.0] * 9, task_seed=4),  # never ten episodes
            ]
        )
        times = metrics.find_times_to_target(frame, 0.9)
        assert times["task_seed"].tolist() == [1, 2, 3, 4]
        assert times["reached"].tolist() == [True, False, True, False]
        assert times["episodes"].tolist() == [14, 12, 2, 9]
        assert times["steps"].tolist() == [140, 120, 20, 90]

    def test_rounding_does_not_delay_it(self) -> None:
        times = metrics.find_times_to_target(to_frame([a_run([0.9] * 10)]), 0.9)
        assert times["reached"].tolist() == [True]


class TestKaplanMeier:
    # Five runs; those at 5 (one of two) and 10 are cut short. The share not there yet falls
    # at 3 to 4/5, at 5 by 3/4 to 0.6, at 8 (two runs left) by 1/2 to 0.3.
    times = np.array([8.0, 5.0, 3.0, 10.0, 5.0])
    reached = np.array([True, False, True, False, True])

    def test_survival_by_hand(self) -> None:
        at, share = statistics.survival(self.times, self.reached)
        assert at.tolist() == [3, 5, 8, 10]
        np.testing.assert_allclose(share, [0.8, 0.6, 0.3, 0.3])

    def test_median_by_hand(self) -> None:
        assert statistics.median_time(self.times, self.reached) == 8

    def test_restricted_mean_by_hand(self) -> None:
        # 3 x 1 + 2 x 0.8 + 3 x 0.6 + 2 x 0.3, and up to 6 only: 3 + 1.6 + 0.6
        mean = statistics.restricted_mean_time
        assert mean(self.times, self.reached) == pytest.approx(7.0)
        assert mean(self.times, self.reached, horizon=6) == pytest.approx(5.2)
        assert mean(self.times, self.reached, horizon=12) == pytest.approx(7.6)

    def test_without_censoring_it_is_the_lower_median_and_the_mean(self) -> None:
        times, all_of_them = np.array([4.0, 1.0, 3.0, 2.0]), np.ones(4, dtype=bool)
        assert statistics.median_time(times, all_of_them) == 2
        assert statistics.restricted_mean_time(times, all_of_them) == pytest.approx(2.5)

    def test_never_reached(self) -> None:
        times, none = np.array([10.0, 10.0]), np.zeros(2, dtype=bool)
        assert statistics.median_time(times, none) == np.inf
        assert statistics.restricted_mean_time(times, none) == 10

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=12))
    def test_agrees_with_its_slow_twin(self, runs: list[tuple[int, bool]]) -> None:
        share, median = 1.0, np.inf
        for time in sorted({time for time, _ in runs}):
            left = sum(other >= time for other, _ in runs)
            share *= 1 - sum(there for other, there in runs if other == time) / left
            if share <= 0.5 + 1e-12 and median == np.inf:
                median = time
        times, reached = np.array(runs).T
        assert statistics.median_time(times.astype(float), reached.astype(bool)) == median


class TestAggregates:
    def test_iqm_by_hand(self) -> None:
        assert statistics.iqm(np.array([100.0, 0, 6, 1, 5, 2, 4, 3])) == 3.5
        assert statistics.iqm(np.array([0.0, 1, 2, 3, 100])) == 2
        assert statistics.iqm(np.array([[1.0, 3.0], [5.0, 7.0]])).tolist() == [2, 6]

    def test_optimality_gap_by_hand(self) -> None:
        assert statistics.optimality_gap(np.array([0.5, 1.5])) == 0.25

    # rliable 1.2.0 (arch 7.2.0): library.get_interval_estimates(..., reps=50000) on these arrays,
    # their columns as tasks; two of its runs differ by up to 0.001.
    ONE = (0.804, 0.699, 0.612, 0.773, 0.946, 0.564, 0.954, 0.889, 0.492, 0.736, 0.958, 0.441)
    THREE = (
        [0.983, 0.695, 0.972, 0.186, 0.858, 0.908, 0.6, 0.463, 0.585, 0.902],
        [0.318, 0.409, 0.47, 0.355, 0.709, 0.472, 0.532, 0.365, 0.368, 0.392],
        [0.978, 0.996, 0.864, 0.93, 0.945, 0.902, 0.889, 0.999, 0.877, 0.824],
    )
    RLIABLE = (
        ((ONE,), "score", 0.739, 0.6393, 0.8360),
        ((ONE,), "iqm", 0.75217, 0.6112, 0.8826),
        ((ONE,), "optimality_gap", 0.261, 0.1640, 0.3607),
        (THREE, "score", 0.69153, 0.6329, 0.7460),
        (THREE, "optimality_gap", 0.30847, 0.2540, 0.3671),
    )

    @pytest.mark.parametrize(("strata", "name", "value", "low", "high"), RLIABLE)
    def test_intervals_agree_with_rliable(
        self, strata: list[list[float]], name: str, value: float, low: float, high: float
    ) -> None:
        arrays = [np.array(stratum) for stratum in strata]
        statistic = metrics.STATISTICS[name]
        found = statistics.estimate(arrays, statistic, resamples=20_000)
        assert found == pytest.approx((value, low, high), abs=0.004)
        assert statistics.estimate(arrays, statistic) == pytest.approx(found, abs=0.01)

    def test_intervals_repeat_and_need_two_runs(self) -> None:
        scores = [np.array([0.1, 0.5, 0.6])]
        once, twice = (statistics.estimate(scores, statistics.mean) for _ in range(2))
        assert once == twice
        alone = statistics.estimate([*scores, np.array([1.0])], statistics.mean)
        assert alone.value == pytest.approx(0.7)
        assert np.isnan([alone.low, alone.high]).all()


class TestFinalScore:
    def test_is_the_last_ten_episodes_or_all(self) -> None:
        frame = to_frame(
            [
                a_run([5.0, *np.arange(10.0)], task_seed=1),
                a_run([0.5, 1.0], task_seed=2),
                a_run([0.5, 1.0], "exact", task_seed=3),
                a_run([0.1, 0.5, 1.0], "test", task_seed=4),  # the last two tests are ten episodes
            ]
        )
        finals = metrics.compute_final_scores(frame)
        assert finals["score"].tolist() == [4.5, 0.75, 1.0, 0.75]
        assert finals["regret"][:3].tolist() == [4 * (-4 + 10 - 45), 2.0, 2.0]


class TestPaperCost:
    def test_is_the_first_point_within_99_percent_of_the_best(self) -> None:
        frame = to_frame([a_run([0.5, 0.989, 0.991, 1.0, 0.7], "exact", [100, 200, 300, 400, 500])])
        assert compute_paper_cost(frame) == (1.0, 3000.0, 300.0)

    def test_averages_episodes_over_the_trailing_ten(self) -> None:
        frame = to_frame([a_run([0.0] * 10 + [1.0] * 12)])  # 0 at episode 10, 1 from episode 20 on
        assert compute_paper_cost(frame) == (1.0, 200.0, 20.0)

    def test_a_run_that_ended_keeps_its_last_score_and_its_steps(self) -> None:
        short = a_run([0.6] * 10, task_seed=1)
        long = a_run([0.0] * 10 + [1.0] * 10, task_seed=2)
        cost = compute_paper_cost(to_frame([short, long]))
        assert cost == pytest.approx((0.8, (100 + 200) / 2, 20))

    def test_a_run_too_short_to_smooth_counts_with_its_mean(self) -> None:
        """One run of two episodes does not end the curve of all, as it once did."""
        frame = to_frame([a_run([0.2, 0.6], task_seed=1), a_run([1.0] * 30, task_seed=2)])
        assert compute_paper_cost(frame) == pytest.approx((0.7, (20 + 100) / 2, 10))

    def test_takes_multiples_of_100_of_learners_that_train(self) -> None:
        frame = to_frame([a_run([2.0, 0.5, 3.0, 0.9], "exact", [1, 100, 105, 200])])
        assert compute_paper_cost(frame) == (0.9, 2000.0, 200.0)

    def test_is_undefined_where_nothing_is_left(self) -> None:
        frame = to_frame([a_run([0.3, 0.4], "exact", [1, 99])])
        assert np.isnan(compute_paper_cost(frame)).all()

    def test_has_no_cost_where_the_best_is_not_positive(self) -> None:
        score, steps, episodes = compute_paper_cost(to_frame([a_run([-0.5] * 9 + [-0.2])]))
        assert score == pytest.approx(-0.47)
        assert np.isnan([steps, episodes]).all()

    def test_an_agent_that_never_learns_has_no_cost(self) -> None:
        """Raw returns of a random agent that are cut at 0 have a mean well above it."""
        luck = np.where(np.arange(200) % 2, 7.0, -9.0)  # raw scores 2 and -2, cut to 1 and 0
        frame = to_frame([a_run([0.0] * 200, return_=luck)])
        score, steps, episodes = compute_paper_cost(metrics.with_scores(frame, "paper"), frame)
        assert score == 0.5
        assert np.isnan([steps, episodes]).all()


class TestIntervalOfThePapersScore:
    def test_of_two_flat_curves_by_hand(self) -> None:
        """A sample has both runs, or one of them twice, with probability 1/4 each."""
        runs = [a_run([score] * 12, task_seed=k) for k, score in enumerate((0.2, 0.8))]
        assert estimate_best(to_frame(runs)) == pytest.approx((0.2, 0.8))

    def test_takes_the_best_of_each_mean_curve(self) -> None:
        """One run is best at 100, the other at 200 episodes: both once give a flat curve of 0.5."""
        first = a_run([1.0, 0.0], "exact", [100, 200], task_seed=0)
        second = a_run([0.0, 1.0], "exact", [100, 200], task_seed=1)
        frame = to_frame([first, second])
        assert compute_paper_cost(frame).score == 0.5
        assert estimate_best(frame) == (0.5, 1.0)  # the best of a noisy curve is biased upward

    def test_a_single_run_and_a_curve_without_points_have_none(self) -> None:
        assert np.isnan(estimate_best(to_frame([a_run([0.3] * 20)]))).all()
        untested = [a_run([0.3], "exact", [99], task_seed=k) for k in range(3)]
        assert np.isnan(estimate_best(to_frame(untested))).all()

    @given(st.lists(st.lists(st.floats(0, 1), min_size=12, max_size=12), min_size=2, max_size=5))
    def test_it_lies_between_the_lowest_and_the_highest_curve(self, scores) -> None:
        frame = to_frame([a_run(each, task_seed=k) for k, each in enumerate(scores)])
        low, high = estimate_best(frame)
        smooth = [np.convolve(each, np.full(10, 0.1), "valid") for each in scores]
        assert np.min(smooth) - 1e-9 <= low <= high <= np.max(smooth) + 1e-9
        assert estimate_best(frame) == (low, high)

    def test_a_summary_has_it(self) -> None:
        runs = [a_run([score] * 12, task_seed=k) for k, score in enumerate((0.2, 0.8))]
        row = metrics.summarise(to_frame(runs)).iloc[0]
        assert (row["paper_low"], row["paper_high"]) == pytest.approx((0.2, 0.8))
        assert list(row.index)[-2:] == ["paper_low", "paper_high"]
        assert "protocol" not in row


class TestScoreModes:
    frame = to_frame([a_run([0.5, 0.5, 0.5], return_=np.array([-3.0, 1.0, 5.0]))])

    def test_raw_is_return_between_random_and_oracle(self) -> None:
        scores = metrics.with_scores(self.frame, "raw")["score"]
        np.testing.assert_allclose(scores, (np.array([-3.0, 1, 5]) - -1) / (3 - -1))

    def test_paper_is_raw_clipped(self) -> None:
        assert metrics.with_scores(self.frame, "paper")["score"].tolist() == [0, 0.5, 1]

    def test_paper_uses_the_papers_own_oracle_where_it_states_one(self) -> None:
        """Random return -1: at g = 5 the paper's oracle returns -200, so -100.5 is half way."""
        run = a_run(
            [0.5] * 3, env_id="DiscretePendulum-g5-v0", return_=np.array([-1, -100.5, -9e9])
        )
        scores = metrics.with_scores(to_frame([run]), "paper")["score"]
        assert scores.tolist() == [
            0,
            0.5,
            1,
        ]  # below random is above an oracle that is worse than random

    def test_corrected_is_as_recorded(self) -> None:
        assert metrics.with_scores(self.frame, "corrected")["score"].tolist() == [0.5, 0.5, 0.5]

    def test_an_unknown_mode_and_a_missing_gap_are_refused(self) -> None:
        with pytest.raises(ValueError, match="unknown score 'cooked'"):
            metrics.with_scores(self.frame, "cooked")  # type: ignore[arg-type]
        with pytest.raises(RecordError, match="need the column 'gap'"):
            metrics.with_scores(self.frame.assign(gap=np.nan), "raw")


@pytest.fixture(scope="module")
def three_agents() -> pd.DataFrame:
    """Two tasks each; omnirl reaches 0.9 at 10 and never, tql-ucb at 100 on both, ppo never."""
    recs = [
        a_run([1.0] * 20, task_seed=1),
        a_run([0.5] * 20, task_seed=2),
        a_run([0.0] * 10, env_id="Switch2-v0"),
    ]
    for agent, level in (("tql-ucb", 0.95), ("ppo", 0.2)):
        changes = {"agent": agent}
        recs += [
            a_run([0.1, level, level], "exact", [1, 100, 200], task_seed=seed, **changes)
            for seed in (1, 2)
        ]
    return to_frame(recs)


class TestSummarise:
    def test_rows_come_by_environment_then_agent_as_first_seen(
        self, three_agents: pd.DataFrame
    ) -> None:
        summary = metrics.summarise(three_agents)
        assert summary[["env_id", "agent"]].to_numpy().tolist() == [
            ["AnyMDP-16s5a-v0", "omnirl"],
            ["AnyMDP-16s5a-v0", "tql-ucb"],
            ["AnyMDP-16s5a-v0", "ppo"],
            ["Switch2-v0", "omnirl"],
        ]

    def test_numbers_by_hand(self, three_agents: pd.DataFrame) -> None:
        summary = metrics.summarise(three_agents, 0.9)
        omnirl, tql, ppo, _ = summary.to_dict("records")
        assert (omnirl["n_tasks"], omnirl["n_runs"], omnirl["reached"]) == (2, 2, 1)
        assert (omnirl["score"], omnirl["score_low"], omnirl["score_high"]) == (0.75, 0.5, 1.0)
        assert (omnirl["median"], omnirl["iqm"], omnirl["optimality_gap"]) == (0.75, 0.75, 0.25)
        assert (omnirl["episodes_median"], omnirl["steps_median"]) == (10, 100)
        assert (omnirl["episodes_mean"], omnirl["episodes_limit"]) == (15, 20)
        cost = [omnirl[f"paper_{name}"] for name in ("score", "steps", "episodes")]
        assert cost == [0.75, 100, 10]
        assert [row["measure"] for row in (omnirl, tql, ppo)] == ["online", "test", "test"]
        assert (omnirl["budget_steps"], omnirl["budget_episodes"]) == (200, 20)
        assert omnirl["regret"] == (0 + 20 * 0.5 * 4) / 2
        assert (tql["reached"], tql["episodes_median"], tql["steps_median"]) == (2, 100, 1000)
        assert (ppo["reached"], ppo["episodes_median"]) == (0, np.inf)
        assert (ppo["target"], ppo["score_mode"]) == (0.9, "corrected")

    def test_versions_and_suites_are_kept_apart(self) -> None:
        frame = to_frame([a_run([0.1] * 3), a_run([0.9] * 3, agent_version="1.1")])
        assert metrics.summarise(frame)["score"].tolist() == pytest.approx([0.1, 0.9])
        frame = to_frame([a_run([0.1] * 3), a_run([0.9] * 3, suite="smoke")])
        assert metrics.summarise(frame)["suite"].tolist() == ["quick", "smoke"]

    def test_a_file_without_regret_has_none(self, three_agents: pd.DataFrame) -> None:
        summary = metrics.summarise(three_agents.assign(regret=np.nan))
        assert summary["regret"].isna().all()

    def test_rows_need_not_be_sorted_by_run(self, three_agents: pd.DataFrame) -> None:
        order = np.argsort(three_agents["episode"].to_numpy(), kind="stable")
        mixed = metrics.summarise(three_agents.iloc[order])
        plain = metrics.summarise(three_agents)
        key = ["env_id", "agent"]
        pd.testing.assert_frame_equal(
            mixed.sort_values(key, ignore_index=True), plain.sort_values(key, ignore_index=True)
        )


def test_overall_counts_every_environment_the_same(three_agents: pd.DataFrame) -> None:
    table = metrics.summarise_overall(three_agents).set_index("agent")
    assert table.loc["omnirl", ["n_envs", "n_runs"]].tolist() == [2, 3]
    assert table.loc["omnirl", "score"] == pytest.approx((0.75 + 0.0) / 2)
    assert table.loc["omnirl", "optimality_gap"] == pytest.approx((0.25 + 1) / 2)
    assert np.isnan(table.loc["omnirl", "score_low"])
    assert table.loc["ppo", ["score", "iqm", "score_low"]].tolist() == pytest.approx([0.2] * 3)

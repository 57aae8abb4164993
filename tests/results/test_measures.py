"""Online scores of learners, which follow from their cumulative regret; worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymdp_bench.results import metrics
from anymdp_bench.results.measures import trailing_means, with_measure
from anymdp_bench.results.records import RecordError, RunRecord, to_frame
from anymdp_bench.results.windows import smooth_scores

GAP = 4.0


def a_learner(online: list[float], episodes: list[int], **changes: object) -> RunRecord:
    """A learner whose own episodes score `online`, with rows at `episodes`; every test scores 0.5."""
    at = np.array(episodes)
    regret = GAP * np.cumsum(1 - np.array(online))[at - 1]
    half = np.full(len(at), 0.5)
    fields: dict[str, object] = {
        "suite": "quick", "suite_hash": "c0ffee", "agent": "tql-ucb", "agent_version": "1",
        "env_id": "AnyMDP-16s5a-v0", "task_seed": 0, "run_seed": 0, "context": "none",
        "measure": "exact", "gap": GAP, "episode": at, "steps": at * 10,
        "return_": half, "return_corrected": half, "score": half, "regret": regret,
    }  # fmt: skip
    return RunRecord(**(fields | changes))  # type: ignore[arg-type]


def test_a_row_holds_the_mean_of_the_learners_own_trailing_episodes() -> None:
    online = [0.0] * 10 + [1.0] * 10 + [0.5] * 100
    frame = to_frame([a_learner(online, [1, 10, 15, 20, 120])])
    found = with_measure(frame, "online")
    assert found["episode"].tolist() == [10, 15, 20, 120]
    # at 15 the latest row that is ten episodes back is 1: mean of episodes 2 to 15
    assert found["score"].tolist() == pytest.approx([0.0, 5 / 14, 1.0, 0.5])
    assert set(found["measure"]) == {"online"}
    assert metrics.compute_final_scores(found)["score"].tolist() == pytest.approx([0.5])
    assert metrics.find_times_to_target(found, 0.9)["episodes"].tolist() == [20]


def test_a_bandit_is_averaged_over_100_episodes_and_a_short_run_over_all() -> None:
    bandit = a_learner([0.0] * 50 + [1.0] * 50, [20, 100], env_id="AnyMDP-1s5a-v0")
    short = a_learner([0.0, 1.0, 1.0, 1.0], [1, 2, 4], task_seed=1)
    found = with_measure(to_frame([bandit, short]), "online")
    assert found[["episode", "score"]].to_numpy().tolist() == [[100, 0.5], [4, 0.75]]


def test_in_context_rows_stay_as_they_are_and_in_place() -> None:
    own = RunRecord(
        **(vars(a_learner([1.0] * 12, list(range(1, 13)))) | {
            "agent": "omnirl", "context": "empty", "measure": "episode", "score": np.arange(12.0),
        })
    )  # fmt: skip
    frame = to_frame([own, a_learner([1.0] * 12, [12])])
    assert with_measure(frame, "test") is frame
    found = with_measure(frame, "online")
    assert found["agent"].tolist() == ["omnirl"] * 12 + ["tql-ucb"]
    assert found["score"].tolist() == [*np.arange(12.0), 1.0]
    summary = metrics.summarise(frame, measure="online")
    assert summary["measure"].tolist() == ["online", "online"]
    alone = frame[frame["agent"] == "omnirl"]
    assert with_measure(alone, "online") is alone


@given(st.lists(st.floats(-5, 2), min_size=10, max_size=60))
def test_with_a_row_an_episode_it_is_the_smoothed_score_of_in_context_agents(
    scores: list[float],
) -> None:
    own = np.array(scores)
    found = trailing_means(np.arange(1.0, len(own) + 1), GAP * np.cumsum(1 - own), GAP, 10)
    expected = smooth_scores(own, "episode", "AnyMDP-16s5a-v0")
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_cannot_be_told_is_refused() -> None:
    frame = to_frame([a_learner([1.0] * 12, [12])])
    with pytest.raises(ValueError, match="unknown measure 'offline'; did you mean 'online'"):
        with_measure(frame, "offline")  # type: ignore[arg-type]
    for name in ("gap", "regret"):
        with pytest.raises(RecordError, match="need the columns 'gap' and 'regret'"):
            with_measure(frame.assign(**{name: np.nan}), "online")
    with pytest.raises(RecordError, match="are corrected scores, not raw ones"):
        metrics.summarise(frame, score_mode="raw", measure="online")

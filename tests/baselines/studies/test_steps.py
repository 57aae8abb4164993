"""The study of scores at fixed steps: its scores are those of the evaluation's curves."""

import numpy as np
import pandas as pd
import pytest

from anymdp_baselines.planner.agent import NeuralPlanner
from anymdp_baselines.studies.steps import run as study
from anymdp_baselines.studies.steps import score_along_run, score_at_step, score_in_context
from anymdp_baselines.tabular.psrl import PSRL
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.evaluation import Budget, Run, play_compiled, play_in_context
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import sample_task
from anymdp_bench.tasks.tabular import TabularTask


@pytest.fixture(scope="module")
def run():
    mdp = sample_task("AnyMDP-16s5a-v0", 2)
    return Run("AnyMDP-16s5a-v0", TabularTask(2, mdp, compute_references(mdp)), 0)


def test_at_an_episodes_end_it_is_the_curves_score(run):
    curve = play_compiled(TQLUCB(), run, Budget(episodes=20))
    exact, _ = score_at_step(TQLUCB(), run, int(curve.steps[14]))
    assert exact == curve.score[14]


def test_online_is_the_mean_of_the_episodes_ending_in_the_last_tenth(run):
    """Episodes 1 to 20 are all on the curve, whose regret sums what they lost."""
    curve = play_compiled(TQLUCB(), run, Budget(episodes=20))
    steps = int(curve.steps[19])
    lost = np.diff(curve.regret, prepend=0.0)
    late = curve.steps > 0.9 * steps
    _, online = score_at_step(TQLUCB(), run, steps)
    assert online == pytest.approx(np.mean(1 - lost[late] / run.task.references.gap))


def test_no_episode_no_online_score(run):
    assert np.isnan(score_at_step(TQLUCB(), run, 1)[1])


@pytest.mark.parametrize("make", [TQLUCB, PSRL])
def test_a_run_that_goes_on_is_the_run_that_ended_there(run, make):
    """Marks within an episode, at its end and at once after another: each as a run of its own."""
    end = int(play_compiled(make(), run, Budget(episodes=3)).steps[2])
    marks = [50, end, end + 1, end + 40, 900]
    along = score_along_run(make(), run, marks)
    assert along.shape == (5, 2)
    for (exact, online), steps in zip(along, marks, strict=True):
        assert (exact, online) == pytest.approx(score_at_step(make(), run, steps), nan_ok=True)


def test_in_context_it_is_the_evaluations_play_and_calls_of_policy_change_nothing(run):
    """The online score is that of the curve, though `policy` was called on the way; the exact one rises."""
    scores = score_in_context(NeuralPlanner(), [run], [150, 400, 1200])[0]
    [curve] = play_in_context(NeuralPlanner(), [run], Budget(steps=1200))
    late = (curve.steps > 0.9 * 1200) & (curve.steps <= 1200)
    assert scores[2, 1] == pytest.approx(curve.score[late].mean(), abs=1e-12)
    assert scores[0, 0] < scores[2, 0] <= 1.0 + 1e-9


def test_the_study_plays_nothing_twice(tmp_path, capsys):
    paths = study("tiny", tmp_path)
    assert [path.name for path in paths] == ["steps.csv", "steps.md"]
    rows = pd.read_csv(paths[0])
    assert set(rows["agent"]) == {
        "neural-planner",
        "psrl",
        "psrl-episodic",
        "ucbvi",
        "tql-ucb-fast",
    }
    assert len(rows) == 5 * 4 * 2 * 2  # agents, marks, both kinds of tasks, both measures
    first, said = paths[1].read_text(), capsys.readouterr().out
    assert first in said
    assert "| AnyMDP-16s5a-v0 | 1,000 | 2 |" in first
    before = paths[0].stat().st_mtime_ns
    study("tiny", tmp_path)  # nothing is played again
    assert paths[0].stat().st_mtime_ns == before
    assert paths[1].read_text() == first

"""Scores at fixed steps against the protocol's own curves."""

import numpy as np
import pytest

from anymdp_baselines.tql_ucb import TQLUCB
from anymdp_bench.protocol import Budget, Run, play_fused
from anymdp_bench.scoring import ScoredTask, references
from anymdp_bench.studies.steps import scores_at
from anymdp_bench.tasks.family import sample_task


@pytest.fixture(scope="module")
def run():
    mdp = sample_task("AnyMDP-16s5a-v0", 2)
    return Run("AnyMDP-16s5a-v0", ScoredTask(2, mdp, references(mdp)), 0)


def test_at_an_episodes_end_it_is_the_curves_score(run):
    curve = play_fused(TQLUCB(), run, Budget(episodes=20))
    exact, _ = scores_at(TQLUCB(), run, int(curve.steps[14]))
    assert exact == curve.score[14]


def test_online_is_the_mean_of_the_episodes_ending_in_the_last_tenth(run):
    """Episodes 1 to 20 are all on the curve, whose regret sums what they lost."""
    curve = play_fused(TQLUCB(), run, Budget(episodes=20))
    steps = int(curve.steps[19])
    lost = np.diff(curve.regret, prepend=0.0)
    late = curve.steps > 0.9 * steps
    _, online = scores_at(TQLUCB(), run, steps)
    assert online == pytest.approx(np.mean(1 - lost[late] / run.task.references.gap))


def test_no_episode_no_online_score(run):
    assert np.isnan(scores_at(TQLUCB(), run, 1)[1])

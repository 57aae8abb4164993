"""Demonstrations: what they are, who sees them, and that they are not counted."""

import numpy as np
import pytest

from anymdp_baselines.tabular.random import Random
from anymdp_bench.agents import AgentSpec
from anymdp_bench.evaluation import CONTEXTS, Budget, Demonstrations, Run, play_in_context
from anymdp_bench.runner.plan import Unit
from anymdp_bench.runner.unit import play_unit
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.tabular import TabularTask

ID = "AnyMDP-16s5a-v0"
FEW = Demonstrations(episodes=6, noise=0.0)


@pytest.fixture(scope="module")
def runs():
    mdps = [(seed, task_source(ID).sample(seed)) for seed in range(4)]
    return [Run(ID, TabularTask(seed, mdp, compute_references(mdp)), 0) for seed, mdp in mdps]


class Notes(Random):
    """A random agent that notes every step that it learns from."""

    def start(self, batch):
        super().start(batch)
        self.steps, self.shown = [], []

    def learn(self, step):
        self.steps.append([array.copy() for array in step])
        self.shown.append(np.zeros(len(step[0]), np.bool_))


class Knows(Notes):
    """The same, with the knowledge of which steps are demonstrations."""

    def demonstrate(self, step, demonstrated):
        self.learn(step)
        self.shown[-1] = demonstrated.copy()


class Clone(Random):
    """Repeats what was last done in a state: enough for a deterministic demonstrator."""

    def start(self, batch):
        super().start(batch)
        self.known = np.full((batch.n, batch.n_observations), -1)

    def act(self, observation, test=False):
        known = self.known[np.arange(len(observation)), observation]
        return np.where(known >= 0, known, super().act(observation))

    def learn(self, step):
        self.known[np.arange(len(step.action)), step.observation] = step.action


def optimal(runs, observation):
    """The oracle's actions, [n]."""
    out = []
    for run, seen in zip(runs, observation, strict=True):
        mdp = run.task.mdp
        live = np.flatnonzero(~mdp.terminal)
        inner = live[mdp.observation[live] == seen][0]
        out.append(run.task.references.policy[inner])
    return np.array(out)


def test_a_run_sees_just_so_many_episodes_and_then_acts(runs):
    agent = Knows()
    play_in_context(agent, runs, Budget(episodes=3), demonstrations=FEW)
    shown = np.array(agent.shown)
    ended = np.array([step[4] | step[5] for step in agent.steps])
    assert ((ended & shown).sum(axis=0) == FEW.episodes).all()
    for column in range(len(runs)):
        last = int(np.flatnonzero(shown[:, column])[-1])
        assert shown[: last + 1, column].all()  # first the demonstrations, without a gap
        assert ended[last, column]
    assert len(set(shown.sum(axis=0))) > 1  # and no run waits for another


def test_imitation_shows_the_oracle(runs):
    agent = Knows()
    play_in_context(agent, runs, Budget(episodes=1), demonstrations=FEW)
    for step, shown in zip(agent.steps, agent.shown, strict=True):
        np.testing.assert_array_equal(step[1][shown], optimal(runs, step[0])[shown])


def test_offline_shows_it_with_random_actions_for_30_in_100(runs):
    agent = Knows()
    play_in_context(agent, runs, Budget(episodes=1), demonstrations=CONTEXTS["offline"])
    shown = np.array(agent.shown)
    right = np.array([step[1] == optimal(runs, step[0]) for step in agent.steps])[shown]
    n = len(right)
    expected = 0.7 + 0.3 / 5  # a random action is the oracle's one time in five
    assert abs(right.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / n)
    assert CONTEXTS["empty"] is None
    assert CONTEXTS["imitation"] == Demonstrations(100, 0.0)


def test_an_agent_without_demonstrate_learns_from_them_all_the_same(runs):
    plain, informed = Notes(), Knows()
    curves = [
        play_in_context(agent, runs, Budget(episodes=2), demonstrations=FEW)
        for agent in (plain, informed)
    ]
    assert len(plain.steps) == len(informed.steps)
    for mine, theirs in zip(plain.steps, informed.steps, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(*curves, strict=True):
        np.testing.assert_array_equal(a.score, b.score)


@pytest.mark.parametrize("budget", [Budget(episodes=3), Budget(steps=300)])
def test_demonstrations_are_not_counted(runs, budget):
    curves = play_in_context(Random(), runs, budget, demonstrations=FEW)
    for run, curve in zip(runs, curves, strict=True):
        assert curve.episode.tolist() == list(range(1, len(curve.episode) + 1))
        assert (np.diff(curve.steps) > 0).all()
        assert curve.steps[0] <= 128  # its own first episode, at most the longest horizon
        assert curve.steps[-1] <= (budget.steps or np.inf)
        if budget.episodes:
            assert len(curve.episode) == budget.episodes
        assert curve.regret[0] == pytest.approx(
            run.task.references.oracle - curve.return_corrected[0]
        )


def test_the_demonstrators_policy_can_be_cloned(runs):
    shown = play_in_context(Clone(), runs, Budget(episodes=5), demonstrations=CONTEXTS["imitation"])
    assert np.mean([curve.score for curve in shown]) > 0.98


def test_the_demonstrations_of_a_run_do_not_depend_on_other_runs(runs):
    together = play_in_context(Random(), runs, Budget(episodes=3), demonstrations=FEW)
    for run, curve in zip(runs, together, strict=True):
        (alone,) = play_in_context(Random(), [run], Budget(episodes=3), demonstrations=FEW)
        np.testing.assert_array_equal(alone.return_, curve.return_)
        np.testing.assert_array_equal(alone.steps, curve.steps)


def test_a_unit_carries_its_context():
    empty, shown = (
        play_unit(AgentSpec("random"), Budget(episodes=2), Unit(ID, ((0, 0),), context))
        for context in ("empty", "imitation")
    )
    assert empty.curves[0].return_.tolist() != shown.curves[0].return_.tolist()
    assert shown.curves[0].episode.tolist() == [1, 2]

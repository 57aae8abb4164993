"""A learner and its task in one compiled loop: the same play as step by step, and correct counts."""

import numpy as np
import pytest
from numba import njit

from anymdp_bench.engine import step
from anymdp_bench.engine.rng import integer, stream
from anymdp_bench.engine.rollout import ACT, EPISODES, LEARN, STEPS, learn_episodes
from anymdp_bench.scoring import compute_references, oracle_advantages
from naive.random_tasks import random_task


@njit(ACT)
def random_act(observation, n_actions, memory, settings, rng):
    return integer(rng, 0, n_actions) + np.int64(settings[0])


@njit(LEARN)
def record(observation, action, reward, following, terminated, truncated, n, memory, settings, rng):
    """Writes its arguments to the next seven places of memory; memory[0] counts the calls."""
    k = 1 + 7 * np.int64(memory[0])
    memory[k] = observation
    memory[k + 1] = action
    memory[k + 2] = reward
    memory[k + 3] = following
    memory[k + 4] = terminated
    memory[k + 5] = truncated
    memory[k + 6] = n
    memory[0] += 1


class Play:
    """One run of the recording learner."""

    def __init__(self, mdp, offset=0.0):
        self.mdp = mdp
        self.policy = compute_references(mdp).policy
        self.advantage = oracle_advantages(mdp, self.policy)
        self.memory, self.settings = np.zeros(50_000), np.array([offset])
        self.agent_rng, self.env_rng = stream("agent"), stream("env")
        self.counts = np.zeros(2, np.int64)

    def until(self, episodes, max_steps=10**9):
        return learn_episodes(
            random_act, record, *self.mdp.step_tables, self.advantage, self.memory, self.settings,
            self.agent_rng, self.env_rng, self.counts, episodes, max_steps,
        )  # fmt: skip

    def steps_learned(self):
        n = int(self.memory[0])
        return self.memory[1 : 1 + 7 * n].reshape(n, 7)


@pytest.fixture
def mdp():
    return random_task(np.random.default_rng(3), S=6, A=3, terminals=1, horizon=8).mdp()


def step_by_step(mdp, actions, advantage):
    """(the arguments of `learn`, the regret of finished episodes) under the given actions, by `step_one`."""
    steps_learned, regret, lost = [], 0.0, 0.0
    record, rng = np.zeros(4, np.int64), stream("env")
    seen = step.reset_one(record, rng, *mdp.step_tables[:2])
    left = mdp.max_steps
    for action in actions:
        state = record[step.STATE]
        answer = step.step_one(record, rng, *mdp.step_tables, mdp.n_actions, action)
        following, reward, terminated, truncated = answer
        steps_learned.append(
            (seen, action, reward, following, terminated, truncated, mdp.n_actions)
        )
        lost -= advantage[left, state, action]
        left -= 1
        seen = following
        if terminated or truncated:
            regret += lost
            lost, left = 0.0, mdp.max_steps
            seen = step.reset_one(record, rng, *mdp.step_tables[:2])
    return np.array(steps_learned, float), regret


def test_the_loop_plays_what_single_steps_play(mdp):
    play = Play(mdp)
    regret = play.until(60)
    steps_learned, expected = step_by_step(
        mdp, play.steps_learned()[:, 1].astype(int), play.advantage
    )
    assert np.array_equal(play.steps_learned(), steps_learned)
    assert regret == pytest.approx(expected, rel=1e-12)
    ends = steps_learned[:, 4:6].sum()
    assert (play.counts[EPISODES], ends) == (60, 60)
    assert play.counts[STEPS] == len(steps_learned)
    assert steps_learned[:, 4].any()
    assert steps_learned[:, 5].any(), "no truncation: this test says less than it should"


def test_regret_is_oracle_minus_expected_return(mdp):
    """Mean regret of random play is the gap, within four standard errors (of 2,000 episodes)."""
    play = Play(mdp)
    each = []
    for episode in range(2_000):
        play.memory[0] = 0
        each.append(play.until(episode + 1))
    error = np.std(each) / np.sqrt(len(each))
    assert abs(np.mean(each) - compute_references(mdp).gap) < 4 * error


def test_pausing_between_episodes_changes_nothing(mdp):
    whole, parts = Play(mdp), Play(mdp)
    total = whole.until(30)
    paused = sum(parts.until(n) for n in (1, 2, 17, 17, 30))
    assert paused == pytest.approx(total, rel=1e-12)
    assert np.array_equal(whole.steps_learned(), parts.steps_learned())
    assert np.array_equal(whole.counts, parts.counts)


def test_an_episode_that_the_budget_cuts_is_not_counted(mdp):
    play, whole = Play(mdp), Play(mdp)
    whole.until(60)
    budget = (
        int(np.flatnonzero(whole.steps_learned()[:, 4:6].any(1))[9]) + 2
    )  # one step into the eleventh
    regret = play.until(60, budget)
    assert play.counts.tolist() == [budget, 10]
    assert len(play.steps_learned()) == budget
    assert np.array_equal(play.steps_learned(), whole.steps_learned()[:budget])
    assert regret == pytest.approx(Play(mdp).until(10), rel=1e-12)
    assert play.until(60, budget) == 0.0  # nothing left
    assert play.counts[STEPS] == budget


@pytest.mark.parametrize("offset", [3.0, -5.0])
def test_an_action_out_of_range_is_refused(mdp, offset):
    with pytest.raises(ValueError, match="a learner's action is out of range"):
        Play(mdp, offset).until(1)

"""TQL-UCB against a plain twin of its formulas, and against numbers worked by hand."""

import json
import math
from importlib.resources import files

import numpy as np
import pytest

from anymdp_baselines import tuning
from anymdp_baselines.tabular.tql_ucb import (
    BOLTZMANN,
    BONUS,
    TQLUCB,
    FastTQLUCB,
    TQLSettings,
    act,
    learn,
    policy,
)
from anymdp_bench.agents import AgentSpec, RunBatch, is_tuned
from anymdp_bench.engine.rng import normal, stream, uniform

N_IDS, A = 6, 4
SEARCHES = files(tuning)


class Twin:
    """Both variants in plain Python: dictionaries of numbers, formulas as they are written."""

    def __init__(self, s, n_observations, n_actions, rng):
        self.s, self.rng = s, rng
        start = 1 / (1 - s.gamma) if s.variant == BOLTZMANN else 0.0
        self.Q = {(o, a): start for o in range(n_observations) for a in range(n_actions)}
        self.N = dict.fromkeys(self.Q, 0)
        self.actions = range(n_actions)

    def act(self, o):
        return self.boltzmann(o) if self.s.variant == BOLTZMANN else self.bonus(o)

    def bonus(self, o):
        s = self.s
        value = []
        for a in self.actions:
            spread = math.sqrt(math.log(s.m + 1) / max(self.N[o, a], 1))
            value.append(
                self.Q[o, a] + s.c / (1 - s.gamma) * spread * max(normal(self.rng, 0), 0.0)
            )
        return value.index(max(value))

    def boltzmann(self, o):
        q = np.array([self.Q[o, a] for a in self.actions])
        visits = sum(self.N[o, a] for a in self.actions)
        stiffness = min((self.s.m + visits) / (self.s.m + 1), 10)
        z = (q - q.mean()) / max(q.std(), 0.01)
        weight = np.exp(stiffness * z)
        chance = np.cumsum(weight / weight.sum())
        return int(np.searchsorted(chance, uniform(self.rng, 0), side="right"))

    def learn(self, o, a, reward, after, terminated):
        s = self.s
        self.N[o, a] += 1
        following = 0.0 if terminated else max(self.Q[after, b] for b in self.actions)
        rate = s.alpha * ((s.m + 1) / (s.m + self.N[o, a])) ** s.power
        self.Q[o, a] += rate * (reward + s.gamma * following - self.Q[o, a])


def streams(n_observations=N_IDS, n_actions=A):
    return RunBatch(n_observations, n_actions, stream("test"))


def started(settings, **sizes):
    """(settings array, memory) of a fresh run."""
    agent = TQLUCB(settings)
    return agent.settings(streams(**sizes)), agent.memory(streams(**sizes))


def q_table(memory):
    return memory.reshape(N_IDS, 3 * A + 1)[:, :A]


@pytest.mark.parametrize(
    "settings",
    [
        TQLSettings(),
        TQLSettings(variant=BONUS, gamma=0.9, c=0.3, alpha=1.0, m=20.0, power=1.0),
        TQLSettings(variant=BOLTZMANN, gamma=0.9, alpha=0.3, m=20.0),
        TQLSettings(variant=BOLTZMANN, gamma=0.99, alpha=0.5, m=4000.0, power=1.0),
        TQLSettings(variant=BONUS, gamma=0.9, alpha=0.3, m=20.0, power=0.0),
        TQLSettings(variant=BOLTZMANN, gamma=0.9, alpha=1.0, m=0.0, power=0.8),
    ],
    ids=["bonus", "bonus fast", "boltzmann fast", "boltzmann", "constant steps", "slow decay"],
)
def test_it_acts_and_learns_as_the_plain_twin_does(settings):
    given, memory = started(settings)
    rng = stream("a run")
    twin = Twin(settings, N_IDS, A, rng.copy())
    world = np.random.default_rng(5)
    seen = 0
    chosen = []
    for _ in range(3000):
        action = act(seen, A, memory, given, rng)
        assert action == twin.act(seen)
        chosen.append(action)
        after = int(world.integers(N_IDS))
        reward = float(seen == 2) * action + 0.1 * world.standard_normal()
        terminated = bool(world.random() < 0.05)
        learn(seen, action, reward, after, terminated, False, A, memory, given, rng)
        twin.learn(seen, action, reward, after, terminated)
        seen = after
    assert rng == twin.rng  # not a draw more or less
    expected = [[twin.Q[o, a] for a in range(A)] for o in range(N_IDS)]
    assert np.allclose(q_table(memory), expected, rtol=1e-9, atol=1e-9)
    assert len(set(chosen)) == A


def test_an_update_worked_by_hand():
    """Step sizes 0.5 and 0.5 sqrt(4001/4002); targets 1 + 0.99 * 0 and 2 + 0.99 * 0.5."""
    given, memory = started(TQLSettings(gamma=0.99, c=0.01, alpha=0.5, m=4000.0, power=0.5))
    rng = stream("unused")
    learn(1, 2, 1.0, 3, False, False, A, memory, given, rng)
    assert q_table(memory)[1, 2] == 0.5
    learn(0, 2, 2.0, 1, False, False, A, memory, given, rng)
    assert q_table(memory)[0, 2] == pytest.approx(0.5 * 2.495, abs=1e-15)
    learn(1, 2, 2.0, 1, False, False, A, memory, given, rng)
    assert q_table(memory)[1, 2] == pytest.approx(0.5 + 0.49993752733 * 1.995, abs=1e-10)
    learn(5, 0, -4.0, 1, True, False, A, memory, given, rng)
    assert q_table(memory)[5, 0] == -2.0  # the value of a terminal state is 0
    learn(4, 0, -4.0, 1, False, True, A, memory, given, rng)
    assert q_table(memory)[4, 0] > -2.0  # a cut episode's last state keeps its value
    assert (q_table(memory) != 0).sum() == 4


def test_the_bonus_starts_as_the_paper_has_it():
    """c / (1 - gamma) * sqrt(ln(M + 1)) = 0.01 / 0.01 * sqrt(ln 4001) = 2.8799..."""
    settings = TQLSettings(gamma=0.99, c=0.01, m=4000.0)
    assert settings.bound == pytest.approx(math.sqrt(math.log(4001)), rel=1e-12)
    given, memory = started(settings)
    assert given.tolist() == [0.0, 0.99, 0.01, 0.5, 4000.0, 0.5, settings.bound]
    table = memory.reshape(N_IDS, 3 * A + 1)
    assert (table[:, : 2 * A] == 0).all()
    assert (table[:, 2 * A : 3 * A] == settings.bound).all()
    learn(0, 1, 0.0, 0, True, False, A, memory, given, stream("unused"))
    assert table[0, 2 * A + 1] == settings.bound  # max(N, 1)
    learn(0, 1, 0.0, 0, True, False, A, memory, given, stream("unused"))
    assert table[0, 2 * A + 1] == pytest.approx(settings.bound / math.sqrt(2))


def test_boltzmann_starts_optimistic_and_even():
    given, memory = started(TQLSettings(variant=BOLTZMANN, gamma=0.99))
    assert np.allclose(q_table(memory), 100.0)
    rng = stream("draws")
    counts = np.bincount([act(0, A, memory, given, rng) for _ in range(4000)], minlength=A)
    assert abs(counts / 4000 - 1 / A).max() < 4 * math.sqrt(0.25 * 0.75 / 4000)


def test_the_policy_is_the_first_best_action():
    given, memory = started(TQLSettings())
    q_table(memory)[:] = [
        [1, 3, 3, 2],
        [0, 0, 0, 0],
        [-1, -2, -1, -5],
        [0, 0, 0, 9],
        [4, 3, 2, 1],
        [0, 1, 0, 1],
    ]
    out = np.full((N_IDS, A), 7.0)
    policy(N_IDS, A, memory, given, out)
    assert np.array_equal(out, np.eye(A)[[1, 0, 0, 3, 0, 1]])


@pytest.mark.parametrize(
    ("name", "agent", "search"),
    [("tql-ucb", TQLUCB, "tql_ucb"), ("tql-ucb-fast", FastTQLUCB, "tql_ucb_fast")],
)
def test_settings_go_by_family(name, agent, search):
    found = json.loads((SEARCHES / f"{search}.json").read_text(encoding="utf-8"))
    for env_id, family in [
        ("AnyMDP-16s5a-v0", "AnyMDP"),
        ("Garnet-16s5a2b-v0", "Garnet"),
        ("AnyMDP-1s5a-v0", "bandit"),
        ("Nowhere-v0", None),
    ]:
        expected = TQLSettings(**found["chosen"].get(family, {}))
        assert agent.settings_for(env_id) == expected
        made = AgentSpec(name).make(env_id)
        assert (type(made), is_tuned(made)) == (agent, True)
        assert made.settings(streams()).tolist() == agent(expected).settings(streams()).tolist()
    assert agent().settings(streams()).tolist() == agent(TQLSettings()).settings(streams()).tolist()
    own = TQLSettings(alpha=0.25)
    assert agent(own).settings(streams())[3] == 0.25


def test_the_authors_settings_are_the_same_everywhere_and_not_tuned():
    """Boltzmann, gamma 0.99, no c, alpha 0.2, M = 4,000, power 1/2: no bound, so 0."""
    for env_id in ("AnyMDP-16s5a-v0", "DiscretePendulum-g5-v0", None):
        made = AgentSpec("tql-ucb-authors").make(env_id)
        assert not is_tuned(made)
        assert made.settings(streams()).tolist() == [1.0, 0.99, 0.0, 0.2, 4000.0, 0.5, 0.0]


def test_it_learns_a_bandit():
    given, memory = started(TQLSettings(alpha=0.2), n_observations=1, n_actions=3)
    rng, world = stream("a run"), np.random.default_rng(0)
    mean = [0.0, 1.0, 0.5]
    played = []
    for _ in range(3000):
        action = act(0, 3, memory, given, rng)
        learn(
            0,
            action,
            mean[action] + 0.1 * world.standard_normal(),
            0,
            True,
            False,
            3,
            memory,
            given,
            rng,
        )
        played.append(action)
    assert np.mean(np.array(played[-500:]) == 1) > 0.9

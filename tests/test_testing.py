"""The conformance kit: built-in agents pass it, and a broken agent gets the message of its rule."""

import numpy as np
import pytest
from numba import njit

from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, TQLUCB, TQLSettings
from anymdp_bench.engine.rng import integer
from anymdp_bench.engine.rollout import ACT, LEARN, POLICY
from anymdp_bench.testing import AgentConformance


class TestRandom(AgentConformance):
    def make_agent(self):
        return Random()


class TestOracle(AgentConformance):
    def make_agent(self):
        return Oracle()


class TestTQLUCB(AgentConformance):
    def make_agent(self):
        return TQLUCB()


class TestTQLBoltzmann(AgentConformance):
    def make_agent(self):
        return TQLUCB(TQLSettings(variant=BOLTZMANN))


class Counting:
    """A correct in-context agent. At every visit of an observation it takes the next action."""

    version = "1"
    trains = False
    privileged = False

    def start(self, batch):
        self.n_actions = batch.n_actions
        self.visits = np.zeros((batch.n, batch.n_observations), np.int64)
        self.visits += (batch.seeds % np.uint64(batch.n_actions)).astype(np.int64)[:, None]

    def act(self, observation, test=False):
        return self.visits[np.arange(len(observation)), observation] % self.n_actions

    def learn(self, step):
        self.visits[np.arange(len(step.observation)), step.observation] += 1

    def policy(self):
        return None


class Training(Counting):
    """A correct learner in plain Python, with its policy as actions."""

    trains = True

    def policy(self):
        return self.visits % self.n_actions


class TestCounting(AgentConformance):
    def make_agent(self):
        return Counting()


class TestTraining(AgentConformance):
    def make_agent(self):
        return Training()


class TestTrainingWithoutTable(AgentConformance):
    def make_agent(self):
        agent = Training()
        agent.policy = lambda: None
        return agent


class TestProbabilities(AgentConformance):
    def make_agent(self):
        agent = Training()
        agent.policy = lambda: np.eye(agent.n_actions)[agent.visits % agent.n_actions]
        return agent


class NoPolicy:
    version, trains, privileged = "1", False, False
    start = act = learn = None


class BlankVersion(Counting):
    version = " "


class NumberVersion(Counting):
    version = 2


class OneAction(Counting):
    def act(self, observation, test=False):
        return super().act(observation)[:1]


class FloatAction(Counting):
    def act(self, observation, test=False):
        return super().act(observation) / 1.0


class FiveActions(Counting):
    """In range where there are five actions, out of it where there are two."""

    def act(self, observation, test=False):
        return self.visits[np.arange(len(observation)), observation] % 5


class Negative(Counting):
    def act(self, observation, test=False):
        return super().act(observation) - 1


class OwnEntropy(Counting):
    def start(self, batch):
        super().start(batch)
        self.visits += np.random.default_rng().integers(100, size=self.visits.shape)


class Remembers(Counting):
    def start(self, batch):
        old = self.visits.sum() if hasattr(self, "visits") else 0
        super().start(batch)
        self.visits += old


class SharesVisits(Counting):
    """Wrong: the visits of one run count for all runs."""

    def learn(self, step):
        np.add.at(self.visits, (slice(None), step.observation), 1)


class UsesRunNumber(Counting):
    """Wrong: the choices depend on the number of the run, and not on its seed."""

    def start(self, batch):
        super().start(batch)
        self.visits += np.arange(batch.n)[:, None]


class ChangesRewards(Counting):
    def learn(self, step):
        step.reward[:] -= 1.0


class ChangesObservations(Counting):
    def act(self, observation, test=False):
        action = super().act(observation)
        observation[:] = 0
        return action


class NeedlesslyPrivileged(Counting):
    """Wrong: it declares itself privileged, and does not look at the tasks."""

    privileged = True


class TableOfOneRun(Training):
    def policy(self):
        return super().policy()[0]


class TableOutOfRange(Training):
    def policy(self):
        return super().policy() + self.n_actions


class TableOfWeights(Training):
    def policy(self):
        return np.ones((*self.visits.shape, self.n_actions))


class TableLater(Training):
    def policy(self):
        return super().policy() if self.visits.max() > self.n_actions + 3 else None


class TestedOutOfRange(Training):
    def act(self, observation, test=False):
        return super().act(observation) + (self.n_actions if test else 0)

    def policy(self):
        return None


RULES = [
    (NoPolicy, "is_an_agent", "lacks policy"),
    (BlankVersion, "version_is_printable", "version must be a printable string, not blank"),
    (NumberVersion, "version_is_printable", "it is 2"),
    (OneAction, "plays_every_size", r"one integer a run, shape \[3\]; it returned shape \[1\]"),
    (FloatAction, "plays_every_size", "and dtype float64"),
    (FiveActions, "plays_every_size", r"must lie in 0\.\.1; act\(\) returned .*\(AnyMDP-v0\)"),
    (Negative, "plays_every_size", r"must lie in 0\.\.4; act\(\) returned .*-1"),
    (ChangesRewards, "plays_every_size", r"learn\(\) must leave the arrays"),
    (ChangesObservations, "plays_every_size", r"act\(\) must leave the observations"),
    (TableOfOneRun, "plays_every_size", r"integers \[1, 1\] or probabilities \[1, 1, 5\]"),
    (TableOutOfRange, "plays_every_size", r"a policy's actions must lie in 0\.\.4"),
    (TableOfWeights, "plays_every_size", "probabilities that sum to 1"),
    (TableLater, "plays_every_size", "a table always or never"),
    (TestedOutOfRange, "plays_every_size", r"must lie in 0\.\.4"),
    (OwnEntropy, "same_seeds_same_actions", "draw all random numbers from RunBatch.seeds"),
    (Remembers, "start_forgets_everything", r"start\(\) must forget everything"),
    (SharesVisits, "runs_are_independent", "its own seed and history alone: run 0 of 3"),
    (UsesRunNumber, "runs_are_independent", "its own seed and history alone: run 1 of 3"),
    (NeedlesslyPrivileged, "privileged_where_it_looks", "set it to False"),
]


def check_rule(make, rule):
    kit = AgentConformance()
    kit.make_agent = make
    getattr(kit, f"test_{rule}")()


@pytest.mark.parametrize(
    ("agent", "rule", "message"), RULES, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_broken_agent_gets_the_message_of_its_rule(agent, rule, message):
    with pytest.raises(AssertionError, match=message):
        check_rule(agent, rule)


def test_the_factory_is_asked_for():
    with pytest.raises(NotImplementedError, match="define make_agent"):
        AgentConformance().test_is_an_agent()


@njit(ACT, cache=True)
def act_too_far(observation, n_actions, memory, settings, rng):
    return integer(rng, 0, n_actions + 1)


@njit(POLICY, cache=True)
def half_a_policy(n_observations, n_actions, memory, settings, out):
    out[0, 0] = 1.0


@njit(POLICY, cache=True)
def policy_that_trains(n_observations, n_actions, memory, settings, out):
    out[:] = 1.0 / n_actions
    memory[0] += 1.0


@njit(cache=True)
def undeclared(observation, n_actions, memory, settings, rng):
    return 0


@njit(LEARN, cache=True)
def learn_at_random(
    observation, action, reward, after, ended, cut, n_actions, memory, settings, rng
):
    memory[observation * (3 * n_actions + 1) + action] = np.random.rand()  # noqa: NPY002


def broken_tql(**parts):
    return lambda: type("Broken", (TQLUCB,), {k: staticmethod(v) for k, v in parts.items()})()


class OneMemory(TQLUCB):
    def memory(self, batch):
        if getattr(self, "kept", None) is None or self.size != batch.n_observations:
            self.kept, self.size = super().memory(batch), batch.n_observations
        return self.kept


COMPILED_RULES = [
    (broken_tql(compiled_act=act_too_far), "plays_every_size", r"actions must lie in 0\.\.4"),
    (broken_tql(compiled_act=undeclared), "plays_every_size", r"under @njit\(ACT\)"),
    (broken_tql(compiled_policy=half_a_policy), "plays_every_size", "all of which it must write"),
    (broken_tql(compiled_policy=policy_that_trains), "plays_every_size", "tests never train"),
    (broken_tql(memory=lambda _: np.zeros(99, np.float32)), "plays_every_size", r"memory\(\) must"),
    (broken_tql(compiled_learn=learn_at_random), "same_seeds_same_actions", "RunBatch.seeds"),
    (OneMemory, "start_forgets_everything", r"memory\(\) must return a new array"),
    (
        type("Sees", (TQLUCB,), {"privileged": True}),
        "privileged_where_it_looks",
        "leave `privileged`",
    ),
]


@pytest.mark.parametrize(
    ("make", "rule", "message"), COMPILED_RULES, ids=range(len(COMPILED_RULES))
)
def test_a_broken_compiled_agent_gets_the_message_of_its_rule(make, rule, message):
    with pytest.raises(AssertionError, match=message):
        check_rule(make, rule)

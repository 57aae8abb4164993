"""The evaluation on the Pendulum and on Switch2: scores, shaped rewards, and the compiled loops."""

import numpy as np
import pytest
from numba import njit

from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.psrl import PSRL
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, TQLUCB, TQLSettings
from anymdp_bench.engine.rollout import POLICY
from anymdp_bench.evaluation import (
    CONTEXTS,
    Budget,
    IndependentLearners,
    Interaction,
    Run,
    expected_return,
    make_simulator,
    play_compiled,
    play_in_context,
    play_training,
)
from anymdp_bench.evaluation import SteppedAgent as StepByStep
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.switch2.game import CELLS, make_switch2
from naive.agents import SteppedAgent

PENDULUM, SWITCH = "DiscretePendulum-g5-v0", "Switch2-v0"
STATIC = ("CliffWalkingTerminal-v0", "FrozenLake4x4-v0", "FrozenLake4x4Slippery-v0")


def run_of(env_id, run_seed=0):
    return Run(env_id, task_source(env_id).task(0), run_seed)


class Diary:
    """Plays at random and keeps the steps that it learns from; it is in-context unless `trains`."""

    version, privileged = "1", False

    def __init__(self, trains=False):
        self.trains, self.rewards, self.steps = trains, [], []

    def start(self, batch):
        self.rng = np.random.default_rng(int(batch.seeds[0]))
        self.batch = batch

    def act(self, observation, test=False):
        return self.rng.integers(self.batch.n_actions, size=len(observation))

    def learn(self, step):
        self.steps.append(tuple(array.copy() for array in step))
        self.rewards.append(step[2].copy())

    def policy(self):
        return None


# Shaping


@pytest.mark.parametrize(
    ("env_id", "reward", "terminated", "given"),
    [
        ("FrozenLake4x4Slippery-v0", [1, 0, 0], [1, 1, 0], [1, -1, 0]),
        ("FrozenLake4x4-v0", [1, 0, 0], [1, 1, 0], [1, -1, -0.05]),
        ("CliffWalkingTerminal-v0", [-1, -100, -1], [1, 1, 0], [1, -1, -0.03]),
        (PENDULUM, [0, -3, -6, -16], [0, 0, 0, 0], [0.1, 0, -0.1, -0.1]),
    ],
)
def test_shaping_by_hand(env_id, reward, terminated, given):
    shape = task_source(env_id).shaping()
    assert shape(np.array(reward, float), np.array(terminated, bool)) == pytest.approx(given)


@pytest.mark.parametrize("env_id", ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0", "Darkroom-6x6-v0"])
def test_other_families_are_not_shaped(env_id):
    assert task_source(env_id).shaping() is None


@pytest.mark.parametrize("env_id", [*STATIC, PENDULUM, SWITCH])
def test_only_in_context_agents_are_given_shaped_rewards(env_id):
    """The same actions and random numbers: an in-context agent gets the shaped reward, a learner the plain
    one, and both have the same returns in the records."""
    run, budget = run_of(env_id), Budget(episodes=3)
    context, learner = Diary(), Diary(trains=True)
    players = run.task.players
    [curve] = play_in_context(context, [run], budget)
    play = Interaction(learner, make_simulator([run]))
    learner.start(context.batch)
    plain = []
    while play.episodes[0] < 3:
        plain += play.step()
    assert curve.return_.tolist() == [episode.return_ for episode in plain]
    shaped, unshaped = np.concatenate(context.rewards), np.concatenate(learner.rewards)
    assert len(shaped) == len(unshaped) == players * curve.steps[-1]
    assert (shaped != unshaped).any()
    assert unshaped.sum() == pytest.approx(curve.return_.sum())
    assert abs(shaped).max() <= 2


def test_both_switch_agents_are_given_the_sum():
    diary = Diary()
    play_in_context(diary, [run_of(SWITCH)], Budget(episodes=2))
    rewards = np.array(diary.rewards)
    assert (rewards[:, 0] == rewards[:, 1]).all()
    assert {-0.08, 0.16} & set(rewards[:, 0].round(9))


# Scores


@pytest.mark.parametrize("env_id", [PENDULUM, SWITCH])
def test_the_oracle_scores_1_and_random_0(env_id):
    runs = [run_of(env_id, k) for k in range(40)]
    for curve in play_in_context(Oracle(), runs[:3], Budget(episodes=3)):
        assert curve.score == pytest.approx(1, abs=1e-12)
        assert curve.regret == pytest.approx(0, abs=1e-9)
    scores = np.array([c.score for c in play_in_context(Random(), runs, Budget(episodes=10))])
    error = scores.std() / np.sqrt(scores.size)
    assert abs(scores.mean()) < 4 * error < 0.3


def test_the_pendulums_oracle_pays_what_is_recorded():
    """Its mean return over fresh starts is the stored one, to four standard errors."""
    runs = [run_of(PENDULUM, k) for k in range(50)]
    curves = play_in_context(Oracle(), runs, Budget(episodes=4))
    returns = np.concatenate([curve.return_ for curve in curves])
    ends = runs[0].task.references
    assert abs(returns.mean() - ends.oracle) < 4 * ends.oracle_sd / np.sqrt(len(returns))
    assert returns.std() == pytest.approx(ends.oracle_sd, rel=0.3)


def test_the_pendulums_correction_has_the_raw_mean_and_less_scatter():
    """A player that is nearly the oracle: the same mean score, corrected or not, and far less scatter."""
    run = run_of(PENDULUM)

    class Nearly(Oracle):
        def act(self, observation, test=False):
            best = super().act(observation)
            self.rng = getattr(self, "rng", np.random.default_rng(0))
            return np.where(self.rng.random(len(best)) < 0.1, 2, best)

    runs = [run_of(PENDULUM, k) for k in range(100)]
    curves = play_in_context(Nearly(), runs, Budget(episodes=3))
    scores = np.concatenate([c.score for c in curves])
    raw = np.concatenate([run.task.references.score(c.return_) for c in curves])
    off = (raw - scores).mean()
    assert abs(off) < 4 * (raw - scores).std() / np.sqrt(len(raw))
    assert scores.std() < 0.5 * raw.std()


def test_switch2_tables_are_scored_by_playing_them():
    """Both agents uniform: the exact return is the random reference; one greedy table a player: played."""
    run = run_of(SWITCH)
    uniform = np.full((2, 105, 5), 0.2)
    assert expected_return(run.task, uniform) == pytest.approx(run.task.references.random)
    rng = np.random.default_rng(3)
    for _ in range(20):
        tables = rng.integers(5, size=(2, 105))
        simulator = make_simulator([run])
        play, finished = Interaction(Random(), simulator), []
        while not finished:
            seen = simulator.observation
            finished = play.play(np.array([tables[0, seen[0]], tables[1, seen[1]]]))
        [(_, return_, advantage_sum)] = finished
        assert expected_return(run.task, tables) == pytest.approx(return_)
        assert run.task.references.oracle + advantage_sum == pytest.approx(return_)


# Compiled loops against their plain twins


@pytest.mark.parametrize("compiled", [TQLUCB(TQLSettings(variant=v)) for v in (0.0, BOLTZMANN)])
def test_the_compiled_switch_equals_two_plain_copies(compiled):
    run, budget = run_of(SWITCH, 3), Budget(episodes=30)
    ours = play_compiled(compiled, run, budget)
    plain = play_training(
        IndependentLearners([SteppedAgent(compiled), SteppedAgent(compiled)]), run, budget
    )
    assert ours.measure == plain.measure == "exact"
    assert ours.episode.tolist() == plain.episode.tolist()
    assert ours.steps.tolist() == plain.steps.tolist()
    for name in ("return_", "return_corrected", "score", "regret"):
        assert getattr(ours, name) == pytest.approx(getattr(plain, name), abs=1e-9)


@pytest.mark.parametrize("budget", [Budget(episodes=6), Budget(steps=1100)])
def test_the_compiled_pendulum_equals_its_plain_twin(budget):
    """No multiple of 100 is reached: one test, at the end."""
    compiled, run = TQLUCB(TQLSettings(variant=BOLTZMANN)), run_of(PENDULUM, 3)
    ours, plain = (
        play_compiled(compiled, run, budget),
        play_training(SteppedAgent(compiled), run, budget),
    )
    assert ours.measure == plain.measure == "test"
    assert ours.episode.tolist() == plain.episode.tolist() == [6 if budget.episodes else 5]
    assert ours.steps.tolist() == plain.steps.tolist()
    assert ours.regret == pytest.approx(plain.regret, rel=1e-9)


@njit(POLICY, cache=True)
def undecided(n_observations, n_actions, memory, settings, out):
    """A uniform random policy to test."""
    for o in range(n_observations):
        for a in range(n_actions):
            out[o, a] = (1.0 + a) / 15.0


class Undecided(TQLUCB):
    compiled_policy = staticmethod(undecided)


@pytest.mark.parametrize("compiled", [TQLUCB(), PSRL(), Undecided()])
def test_a_compiled_learner_played_step_by_step_has_the_same_tests(compiled):
    """As `verify` plays it again, tests of a random policy included: three tests of the Pendulum."""
    run, budget = run_of(PENDULUM, 3), Budget(episodes=300)
    ours, plain = (
        play_compiled(compiled, run, budget),
        play_training(StepByStep(compiled), run, budget),
    )
    assert ours.measure == plain.measure == "test"
    assert ours.episode.tolist() == plain.episode.tolist() == [100, 200, 300]
    for name in ("return_", "return_corrected", "score", "regret"):
        assert getattr(ours, name) == pytest.approx(getattr(plain, name), abs=1e-9)


def test_pendulum_learners_are_tested_at_multiples_of_100():
    curve = play_compiled(TQLUCB(), run_of("DiscretePendulum-g1-v0"), Budget(episodes=250))
    assert curve.episode.tolist() == [100, 200]
    assert curve.steps.tolist() == [20_000, 40_000]


def test_tabular_learners_learn_both_games():
    switch = play_compiled(TQLUCB(), run_of(SWITCH), Budget(episodes=500))
    assert switch.score[-1] > 0.9
    pendulum = play_compiled(PSRL(), run_of("DiscretePendulum-g1-v0"), Budget(episodes=100))
    assert pendulum.score[-1] > 0.5


class Twins(Diary):
    """A learner of three streams at once."""

    parallel = 3

    def __init__(self):
        super().__init__(trains=True)


def test_learners_of_several_streams_play_games_of_several_players():
    """Each copy gets its own player's observation and rewards of every game; all games' steps count."""
    one, two = Twins(), Twins()
    curve = play_training(IndependentLearners([one, two]), run_of(SWITCH), Budget(episodes=100))
    assert curve.episode.tolist() == [100]
    assert curve.steps[0] == 3 * len(one.steps) == 3 * len(two.steps)
    start = make_switch2().observation[int(make_switch2().mdp.start.argmax())]
    assert one.batch.n == two.batch.n == 3
    assert len({*one.batch.seeds.tolist(), *two.batch.seeds.tolist()}) == 6
    assert one.steps[0][0].tolist() == [start[0]] * 3
    assert two.steps[0][0].tolist() == [start[1]] * 3
    column = np.array([c for _, c in CELLS])
    for (mine, *_), (theirs, *_) in zip(one.steps, two.steps, strict=True):
        assert (mine // 15 == column[theirs % 15]).all()
        assert (theirs // 15 == column[mine % 15]).all()


# Contexts


@pytest.mark.parametrize("env_id", [PENDULUM, SWITCH])
def test_demonstrations_are_the_oracles(env_id):
    diary, run = Diary(), run_of(env_id)
    play_in_context(diary, [run], Budget(episodes=1), None, CONTEXTS["imitation"])
    shown = len(diary.steps) - (200 if env_id == PENDULUM else 50)
    players = run.task.players
    if env_id == SWITCH:
        assert shown >= 100 * 12 - 50
        first = np.array([step[1] for step in diary.steps[:12]])
        again = np.array([step[1] for step in diary.steps[12:24]])
        assert first.shape == (12, players)
        assert (first == again).all()
    else:
        assert shown == 100 * 200

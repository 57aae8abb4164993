"""The evaluation: what is scored, when, and that the counts and scores are right."""

import itertools
import math

import numpy as np
import pytest

from anymdp_baselines.tabular.oracle import Oracle
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, TQLUCB, TQLSettings
from anymdp_bench.agents import AgentError
from anymdp_bench.evaluation import (
    Budget,
    Run,
    play_compiled,
    play_in_context,
    play_training,
    test_points,
)
from anymdp_bench.evaluation import expected_return as expected_policy_return
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import expected_return
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.tabular import TabularTask
from naive.agents import SteppedAgent

test_points.__test__ = False  # pytest takes it for a test by its name

ID = "AnyMDP-16s5a-v0"


def scored(mdp, seed=0):
    return TabularTask(seed, mdp, compute_references(mdp))


@pytest.fixture(scope="module")
def tasks():
    return [scored(task_source(ID).sample(seed), seed) for seed in range(4)]


def corridor(horizon=10):
    """0 -> 1 -> 2 (the goal, 1 point) by action 1; action 0 goes nowhere and costs 0.25. Not random."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 0] = P[1, 0, 1] = P[0, 1, 1] = P[1, 1, 2] = 1
    reward = np.zeros((3, 2, 3))
    reward[:, 0] = -0.25
    reward[1, 1, 2] = 1
    return TabularMDP(
        P, reward, start=[1, 0, 0], terminal=[False, False, True], max_steps=horizon,
        observation=[2, 0, 1],
    )  # fmt: skip


def corridor_run(horizon=10):
    return Run("Corridor-v0", scored(corridor(horizon)), 0)


class Scripted:
    """Plays the given actions in turn, training or not, and notes all its arguments."""

    version, privileged = "1", False

    def __init__(self, script, trains=False, table=None):
        self.script, self.trains, self.table = script, trains, table
        self.tests, self.lessons, self.starts = [], [], 0

    def start(self, batch):
        self.n, self.batch, self.starts = batch.n, batch, self.starts + 1

    def act(self, observation, test=False):
        assert observation.shape == (self.n,)
        if test:
            self.tests.append((len(self.lessons), int(observation[0])))
            return np.ones(self.n, np.int64)
        return np.full(self.n, self.script[len(self.lessons) % len(self.script)])

    def learn(self, step):
        self.lessons.append(tuple(array[0].item() for array in step))

    def policy(self):
        return self.table


# Test points


def test_the_first_test_points_are_these():
    """1 to 20, then 20 * 1.05^k: 21, 22.05, 23.15, 24.31, 25.53, 26.80, 28.14, 29.55, 31.03, 32.58, ..."""
    geometric = [
        21,
        22,
        23,
        24,
        25,
        26,
        28,
        29,
        31,
        32,
        34,
        35,
        37,
        39,
        41,
        43,
        45,
        48,
        50,
        53,
        55,
        58,
    ]
    assert test_points(60).tolist() == [*range(1, 21), *geometric]


def test_test_points_hold_all_multiples_of_100_and_rise_geometrically():
    points = test_points(10_000)
    assert set(range(100, 10_001, 100)) <= set(points.tolist())
    between = [p for p in points if p >= 20 and p % 100]
    assert len(between) < math.log(10_000 / 20, 1.05) + 1
    assert all((b - 1) / a <= 1.1 for a, b in itertools.pairwise(points[20:]))
    assert (np.diff(points) > 0).all()


@pytest.mark.parametrize("episodes", [1, 7, 20, 24, 25, 26, 27, 99, 100, 250])
def test_test_points_stop_at_the_budget(episodes):
    points = test_points(episodes)
    assert points[-1] <= episodes
    assert np.array_equal(points, [p for p in test_points(None) if p <= episodes])
    assert test_points(None)[-1] == 10_000


# In context: every episode counts


def test_the_oracle_scores_exactly_1(tasks):
    runs = [Run(ID, task, seed) for task in tasks for seed in range(2)]
    for curve in play_in_context(Oracle(), runs, Budget(episodes=5)):
        assert curve.episode.tolist() == [1, 2, 3, 4, 5]
        assert (curve.score == 1.0).all()
        assert (curve.regret == 0.0).all()
        assert len(set(curve.return_corrected)) == 1
        assert len(set(curve.return_)) == 5  # its luck is not corrected away in the plain return


def test_random_averages_0(tasks):
    """300 episodes a task: the mean is within 4 standard errors of 0, and they are small enough to tell."""
    runs = [Run(ID, task, seed) for task in tasks for seed in range(10)]
    curves = play_in_context(Random(), runs, Budget(episodes=30))
    for k in range(len(tasks)):
        scores = np.concatenate([c.score for c in curves[10 * k : 10 * k + 10]])
        error = scores.std(ddof=1) / math.sqrt(len(scores))
        assert error < 0.1
        assert abs(scores.mean()) < 4 * error


def test_the_corrected_return_has_the_mean_of_the_plain_one(tasks):
    """For random play and for an agent whose actions depend on all it has seen."""

    class Moody(Scripted):
        """Plays the last observation's number plus a count of good surprises."""

        def start(self, batch):
            self.state = np.zeros(batch.n, np.int64)

        def act(self, observation, test=False):
            return (self.state + observation) % 5

        def learn(self, step):
            self.state = np.where(step.reward > 0, step.action, self.state + 1)

    for agent in (Random(), Moody([0])):
        runs = [Run(ID, task, seed) for task in tasks for seed in range(10)]
        curves = play_in_context(agent, runs, Budget(episodes=30))
        for k in range(len(tasks)):
            part = curves[10 * k : 10 * k + 10]
            luck = np.concatenate([c.return_ - c.return_corrected for c in part])
            error = luck.std(ddof=1) / math.sqrt(len(luck))
            assert 0 < error < 0.2 * tasks[k].references.gap
            assert abs(luck.mean()) < 4 * error


def test_scores_returns_and_regret_worked_by_hand():
    """Corridor, H = 10. The oracle earns 1. Action 0 costs 0.25 and a step, of which there are plenty."""
    script = [1, 1, *(0, 1, 1), *(0, 1, 0, 1)]
    (curve,) = play_in_context(Scripted(script), [corridor_run()], Budget(episodes=3))
    gap = 1 - expected_return(corridor(), np.full((3, 2), 0.5))
    assert curve.measure == "episode"
    assert curve.steps.tolist() == [2, 5, 9]
    assert curve.return_.tolist() == [1.0, 0.75, 0.5]
    assert curve.return_corrected == pytest.approx([1.0, 0.75, 0.5])
    assert curve.score == pytest.approx([1.0, 1 - 0.25 / gap, 1 - 0.5 / gap])
    assert curve.regret == pytest.approx([0.0, 0.25, 0.75])


def test_regret_knows_how_many_steps_are_left():
    """Corridor, H = 2: the first wait costs 0.25 and the goal; after that only waiting itself costs."""
    (curve,) = play_in_context(Scripted([0, 0, 0, 1]), [corridor_run(2)], Budget(episodes=2))
    assert curve.return_.tolist() == [-0.5, -0.25]
    assert curve.return_corrected == pytest.approx([-0.5, -0.25])
    assert curve.regret == pytest.approx([1.5, 2.75])


def test_an_agent_sees_steps_as_they_are():
    """Observations are ids (2, 0, 1 for the three states); the last one of an episode is its own."""
    agent = Scripted([1, 1, 0, 0])
    play_in_context(agent, [corridor_run(2)], Budget(episodes=2))
    assert agent.lessons == [
        (2, 1, 0.0, 0, False, False),
        (0, 1, 1.0, 1, True, False),
        (2, 0, -0.25, 2, False, False),
        (2, 0, -0.25, 2, False, True),
    ]
    assert agent.batch.tasks is None
    assert (agent.batch.n_observations, agent.batch.n_actions) == (3, 2)


def test_steps_end_an_in_context_run_and_a_cut_episode_is_not_scored():
    for steps, episodes in [(1, []), (2, [1]), (5, [1, 2]), (6, [1, 2, 3]), (7, [1, 2, 3])]:
        agent = Scripted([1])
        (curve,) = play_in_context(agent, [corridor_run()], Budget(steps=steps))
        assert curve.episode.tolist() == episodes
        assert len(agent.lessons) == steps


def test_whichever_budget_is_used_up_first_ends_the_run():
    run = corridor_run()
    (curve,) = play_in_context(Scripted([1]), [run], Budget(episodes=3, steps=100))
    assert curve.steps.tolist() == [2, 4, 6]
    (curve,) = play_in_context(Scripted([1]), [run], Budget(episodes=30, steps=7))
    assert curve.steps.tolist() == [2, 4, 6]
    with pytest.raises(ValueError, match="needs episodes or steps"):
        play_in_context(Scripted([1]), [run], Budget())


def test_runs_of_unequal_length_get_their_episodes_and_no_more(tasks):
    runs = [Run(ID, task, 0) for task in tasks]
    curves = play_in_context(Random(), runs, Budget(episodes=4))
    assert [c.episode.tolist() for c in curves] == [[1, 2, 3, 4]] * 4
    assert len({int(c.steps[-1]) for c in curves}) > 1
    alone = play_in_context(Random(), runs[2:3], Budget(episodes=4))[0]
    assert alone.return_.tolist() == curves[2].return_.tolist()


def test_a_run_seed_changes_the_random_numbers_and_not_the_task(tasks):
    first, second = play_in_context(
        Random(), [Run(ID, tasks[0], s) for s in (0, 1)], Budget(episodes=3)
    )
    assert first.return_.tolist() != second.return_.tolist()


# Learners that train


def test_a_policy_table_is_tested_exactly_and_free_of_charge():
    agent = Scripted([0], trains=True, table=[[0, 1, 1]])  # by id: waits in state 1, whose id is 0
    curve = play_training(agent, corridor_run(), Budget(episodes=25))
    assert curve.measure == "exact"
    assert curve.episode.tolist() == list(range(1, 26))
    assert curve.steps.tolist() == [10 * k for k in range(1, 26)]
    assert np.allclose(curve.return_, -0.25 * 9)
    assert np.array_equal(curve.return_, curve.return_corrected)
    assert agent.tests == []
    assert len(agent.lessons) == 250
    lost = 1 + 0.25 * 10
    assert curve.regret == pytest.approx(lost * np.arange(1, 26))
    gap = corridor_run().task.references.gap
    assert curve.score == pytest.approx(np.full(25, 1 - 3.25 / gap))


def test_without_a_table_five_episodes_are_played_at_multiples_of_100():
    agent = Scripted([0, 1, 1], trains=True)
    curve = play_training(agent, corridor_run(), Budget(episodes=250))
    assert curve.measure == "test"
    assert curve.episode.tolist() == [100, 200]
    assert curve.steps.tolist() == [300, 600]  # tests are not counted
    assert (curve.return_ == 1.0).all()  # of the test policy, not of what was played
    assert (curve.score == 1.0).all()
    assert curve.regret == pytest.approx([25.0, 50.0])  # of what was played
    assert [k for k, _ in agent.tests] == [300] * 10 + [600] * 10  # 5 episodes of 2 steps each
    assert [seen for _, seen in agent.tests] == [2, 0] * 10
    assert len(agent.lessons) == 600  # nothing is learned from tests
    assert agent.starts == 1


def test_tests_do_not_touch_the_run(tasks):
    """With and without tests between, the learner's steps are the same to the last number."""
    run = Run(ID, tasks[0], 0)
    tested = Scripted([3, 1, 0, 2, 2, 4, 1], trains=True)
    play_training(tested, run, Budget(episodes=101))
    exact = Scripted([3, 1, 0, 2, 2, 4, 1], trains=True, table=np.zeros((1, 16), np.int64))
    play_training(exact, run, Budget(episodes=101))
    assert len(tested.tests) > 0
    n = min(len(tested.lessons), len(exact.lessons))
    assert n > 5000
    assert tested.lessons[:n] == exact.lessons[:n]


def test_steps_end_a_training_run_and_a_cut_episode_is_not_scored():
    for steps, episodes in [(9, []), (10, [1]), (19, [1]), (35, [1, 2, 3])]:
        agent = Scripted([0], trains=True, table=[[1, 1, 1]])
        curve = play_training(agent, corridor_run(), Budget(steps=steps))
        assert curve.episode.tolist() == episodes
        assert len(agent.lessons) == steps


def test_a_table_may_hold_probabilities(tasks):
    mdp = tasks[0].mdp
    rng = np.random.default_rng(0)
    by_state = rng.dirichlet(np.ones(5), 16)
    by_id = np.zeros((16, 5))
    by_id[mdp.observation] = by_state
    assert expected_policy_return(tasks[0], by_id[None]) == pytest.approx(
        expected_return(mdp, by_state), rel=1e-12
    )
    actions = rng.integers(5, size=16)
    expected = expected_return(mdp, actions[mdp.observation])
    assert expected_policy_return(tasks[0], actions[None]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros(15, int), r"shape \[15\]; give actions \[16\] or probabilities \[16, 5\]"),
        (np.full(16, 5), r"must lie in 0\.\.4"),
        (np.full(16, -1), r"must lie in 0\.\.4"),
        (np.zeros(16), r"shape \[16\]"),
        (np.ones((16, 5)), "sum to 1"),
        (np.tile([2.0, -1, 0, 0, 0], (16, 1)), "sum to 1"),
        (np.full((16, 5), np.nan), "sum to 1"),
    ],
)
def test_what_is_no_policy_is_refused(tasks, table, message):
    with pytest.raises(AgentError, match=message):
        expected_policy_return(tasks[0], table[None])


@pytest.mark.parametrize(
    ("action", "message"),
    [(2, r"outside 0\.\.1"), (-1, r"outside 0\.\.1"), (1.0, "dtype float64; give 1 integers")],
)
def test_what_is_no_action_is_refused(action, message):
    for play, trains in [
        (lambda a, r, b: play_in_context(a, [r], b), False),
        (play_training, True),
    ]:
        with pytest.raises(AgentError, match=message):
            play(Scripted([1, action], trains=trains), corridor_run(), Budget(episodes=100))


# Compiled learners


@pytest.mark.parametrize("variant", [0.0, BOLTZMANN])
@pytest.mark.parametrize(
    "budget", [Budget(episodes=30), Budget(steps=2500)], ids=["episodes", "steps"]
)
def test_the_compiled_loop_equals_its_plain_twin(tasks, variant, budget):
    compiled = TQLUCB(TQLSettings(variant=variant))
    run = Run(ID, tasks[1], 3)
    ours, plain = (
        play_compiled(compiled, run, budget),
        play_training(SteppedAgent(compiled), run, budget),
    )
    assert ours.measure == plain.measure == "exact"
    assert ours.episode.tolist() == plain.episode.tolist()
    assert ours.steps.tolist() == plain.steps.tolist()
    assert len(ours.episode) > 10
    for name in ("return_", "return_corrected", "score", "regret"):
        assert getattr(ours, name) == pytest.approx(getattr(plain, name), rel=1e-9, abs=1e-9)
    assert len(set(ours.score)) > 5


def test_a_compiled_learner_is_cut_by_steps_too(tasks):
    run = Run(ID, tasks[0], 0)
    whole = play_compiled(TQLUCB(), run, Budget(episodes=20))
    for cut in (0, 1):
        part = play_compiled(TQLUCB(), run, Budget(steps=int(whole.steps[7]) - cut))
        assert part.episode.tolist() == list(range(1, 9 - cut))
        assert part.score.tolist() == whole.score[: 8 - cut].tolist()


def test_reports_tell_the_share_done_and_the_score(tasks):
    reports = []
    run = Run(ID, tasks[0], 0)
    curve = play_compiled(
        TQLUCB(), run, Budget(episodes=20), lambda share, score: reports.append((share, score))
    )
    assert reports == [(k / 20, s) for k, s in zip(range(1, 21), curve.score, strict=True)]
    reports.clear()
    play_in_context(Random(), [run], Budget(steps=640), lambda *report: reports.append(report[0]))
    assert reports == pytest.approx([k / 10 for k in range(1, 11)])

"""PPO: the contract, its returns by hand, that it learns."""

import numpy as np
import pytest

from anymdp_baselines.ppo import agent as module
from anymdp_baselines.ppo.agent import PPO, PPOSettings, RewardScaler
from anymdp_bench.agents import AgentSpec, RunBatch, Transition
from anymdp_bench.evaluation import Budget, Run, play_training, test_points
from anymdp_bench.runner.plan import Unit
from anymdp_bench.runner.unit import play_unit
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import sample_task
from anymdp_bench.tasks.tabular import TabularTask
from anymdp_bench.testing import AgentConformance

test_points.__test__ = False  # pytest takes it for a test by its name


class TestPPO(AgentConformance):
    def make_agent(self):
        return PPO(PPOSettings(n_steps=4, n_epochs=1))


def started(n_steps=3, gamma=0.9):
    settings = PPOSettings(
        n_steps=n_steps, n_epochs=1, gamma=gamma, gae_lambda=1.0, norm_reward=False
    )
    agent = PPO(settings)
    agent.start(RunBatch(4, 2, np.arange(2, dtype=np.uint64)))
    return agent


def test_returns_by_hand(monkeypatch):
    """With gae_lambda 1 a return is a discounted sum up to a termination, or to a value at a truncation."""
    goals = []

    def record(theta, moments, count, sizes, steps, *rest):
        goals.append(steps.goal.copy())
        return count

    monkeypatch.setattr(module, "update", record)
    agent = started()
    value = agent._values.copy()
    seen, action = np.array([0, 0]), np.array([1, 1])
    no = np.array([False, False])
    agent.learn(Transition(seen, action, np.array([1.0, 1.0]), np.array([1, 1]), no, no))
    ends = np.array([True, False])  # the first stream terminates, the second is truncated
    second_step = (np.array([1, 1]), action, np.array([2.0, 2.0]), np.array([3, 2]), ends, ~ends)
    agent.learn(Transition(*second_step))
    agent.learn(Transition(seen, action, np.array([4.0, 4.0]), np.array([1, 1]), no, no))
    by_stream = goals[0].reshape(3, 2).T
    second = 2.0 + 0.9 * value[2]
    third = 4.0 + 0.9 * value[1]
    assert by_stream[0] == pytest.approx([1 + 0.9 * 2, 2.0, third], abs=1e-5)
    assert by_stream[1] == pytest.approx([1 + 0.9 * second, second, third], abs=1e-5)


def test_the_learning_rate_falls_with_the_episodes():
    """In a line, to a twentieth; or it stays."""
    falling = PPOSettings(learning_rate=0.01, annealed_over=100)
    assert [falling.rate(n) for n in (0, 50, 100, 1000)] == pytest.approx([0.01, 0.005, 5e-4, 5e-4])
    assert PPOSettings(learning_rate=0.01).rate(10**6) == 0.01


def test_rewards_are_scaled_as_sb3_does():
    """`VecNormalize` over the same environment, step by step."""
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.vec_env import VecNormalize

    from anymdp_baselines.ppo.vector_env import SB3VecEnv

    ours, theirs = (SB3VecEnv("AnyMDP-16s5a-v0", 4, task_seeds=1) for _ in range(2))
    theirs = VecNormalize(theirs, norm_obs=False, gamma=0.9)
    scale = RewardScaler(4, 0.9)
    for envs in (ours, theirs):
        envs.seed(5)
        envs.reset()
    rng = np.random.default_rng(0)
    for _ in range(300):
        action = rng.integers(5, size=4)
        _, reward, done, _ = ours.step(action)
        assert scale.scale(reward, done) == pytest.approx(theirs.step(action)[1], rel=1e-5)


def test_actions_are_drawn_from_the_table():
    agent = started()
    agent._table = np.array([[0.2, 0.8]] * 4)
    agent._summed = agent._table.cumsum(axis=1)
    actions = np.concatenate([agent.act(np.zeros(2, np.int64)) for _ in range(5000)])
    assert abs(actions.mean() - 0.8) < 5 * 0.4 / 100
    assert agent.act(np.zeros(2, np.int64), test=True).tolist() == [1, 1]


def test_all_streams_count():
    """A bandit: every step of the 16 streams ends 16 episodes."""
    mdp = sample_task("AnyMDP-1s5a-v0", 3)
    run = Run("AnyMDP-1s5a-v0", TabularTask(3, mdp, compute_references(mdp)), 0)
    curve = play_training(PPO(), run, Budget(episodes=160))
    points = test_points(160)
    assert curve.episode.tolist() == points.tolist()
    assert curve.steps.tolist() == (-(-points // 16) * 16).tolist()
    assert curve.measure == "exact"


def test_it_plays_switch2_with_a_copy_for_each_agent():
    """Through the command's own worker: both tables are scored exactly, all 16 games' steps count."""
    unit = Unit("Switch2-v0", ((0, 0),))
    [curve] = play_unit(AgentSpec("ppo"), Budget(episodes=64), unit).curves
    assert curve.measure == "exact"
    assert curve.episode[-1] <= 64
    assert (curve.steps % 16 == 0).all()
    assert curve.steps[-1] <= 64 * 50


@pytest.mark.slow
def test_it_learns_a_bandit():
    mdp = sample_task("AnyMDP-1s5a-v0", 3)
    run = Run("AnyMDP-1s5a-v0", TabularTask(3, mdp, compute_references(mdp)), 0)
    curve = play_training(PPO(PPOSettings(n_steps=16)), run, Budget(episodes=10_000))
    assert curve.score[-1] == pytest.approx(1.0)

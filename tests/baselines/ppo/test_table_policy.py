"""The table policy and its buffer learn what SB3's own do from the same seeds and steps."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import gymnasium as gym
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.logger import Logger

from anymdp_baselines.ppo.agent import PPO, PPOSettings
from anymdp_baselines.ppo.table_policy import TableBuffer, TablePolicy
from anymdp_bench.agents import RunBatch

IDS, ACTIONS, STREAMS, STEPS = 7, 3, 4, 16


def learner(policy, buffer, **optimizer):
    model = sb3.PPO(
        policy, None, n_steps=STEPS, batch_size=24, n_epochs=3, ent_coef=0.02, learning_rate=3e-3,
        rollout_buffer_class=buffer, seed=5, device="cpu", _init_setup_model=False,
        policy_kwargs={"optimizer_kwargs": optimizer} if optimizer else None,
    )  # fmt: skip
    model.observation_space = gym.spaces.Discrete(IDS)
    model.action_space = gym.spaces.Discrete(ACTIONS)
    model.n_envs = STREAMS
    model._setup_model()
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model


@pytest.fixture
def both():
    """(SB3's own, ours): one seed, so the same initial networks."""
    return learner("MlpPolicy", None), learner(TablePolicy, TableBuffer, eps=1e-5, fused=True)


def outputs(model):
    """(log-probabilities [O, A], values [O]) by SB3's own methods."""
    ids = torch.arange(IDS)[:, None]
    with torch.no_grad():
        return (
            model.policy.get_distribution(ids).distribution.logits,
            model.policy.predict_values(ids)[:, 0],
        )


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.policy.parameters()])


def test_the_table_is_the_network(both):
    ours = both[1]
    with torch.no_grad():
        table = ours.policy.table()
    for got, want, sb3s in zip(table, outputs(ours), outputs(both[0]), strict=True):
        torch.testing.assert_close(got, want)
        torch.testing.assert_close(got, sb3s)


def test_a_batch_is_evaluated_as_by_sb3(both):
    ids = torch.tensor([[3], [0], [3], [6]])
    action = torch.tensor([2, 0, 1, 1])
    theirs, ours = (model.policy.evaluate_actions(ids, action) for model in both)
    for want, got in zip(theirs, ours, strict=True):
        torch.testing.assert_close(got.flatten(), want.flatten())


def test_updates_are_those_of_sb3(both):
    """Ten updates on the same steps: parameters equal but for the rounding of float32."""
    theirs, ours = both
    before = parameters(ours)
    rng = np.random.default_rng(1)
    for update in range(10):
        log_table, values = (part.numpy().astype(np.float64) for part in outputs(ours))
        fresh = np.ones(STREAMS, bool)
        for _ in range(STEPS):
            seen, action = rng.integers(IDS, size=STREAMS), rng.integers(ACTIONS, size=STREAMS)
            reward, over = rng.normal(size=STREAMS) + seen, rng.random(STREAMS) < 0.1
            ours.rollout_buffer.add_step(seen, action, reward, fresh)
            value, log_prob = (
                torch.from_numpy(x).float() for x in (values[seen], log_table[seen, action])
            )
            theirs.rollout_buffer.add(seen, action, reward, fresh, value, log_prob)
            fresh = over
        following = rng.integers(IDS, size=STREAMS)
        ours.rollout_buffer.finish(log_table, values, following, fresh)
        last = torch.from_numpy(values[following]).float()
        theirs.rollout_buffer.compute_returns_and_advantage(last, fresh)
        for model in both:
            np.random.seed(update)  # noqa: NPY002  # SB3 shuffles with the global generator
            model.train()
            model.rollout_buffer.reset()
    torch.testing.assert_close(parameters(ours), parameters(theirs), atol=1e-4, rtol=1e-3)
    assert (parameters(ours) - before).abs().max() > 0.02


def test_the_agent_uses_them():
    agent = PPO(PPOSettings())
    agent.start(RunBatch(IDS, ACTIONS, np.arange(16, dtype=np.uint64)))
    assert isinstance(agent._model.policy, TablePolicy)
    assert isinstance(agent._model.rollout_buffer, TableBuffer)
    assert isinstance(agent._model, sb3.PPO)

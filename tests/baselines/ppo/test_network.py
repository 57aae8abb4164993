"""The compiled networks and update: by central differences, and equal to those of Stable-Baselines3."""

import numpy as np
import pytest

from anymdp_baselines.ppo.network import (
    HIDDEN,
    compute_tables,
    initial_parameters,
    network_parts,
    parameter_count,
)
from anymdp_baselines.ppo.update import (
    CLIP,
    VALUE_SHARE,
    RolloutData,
    compute_advantages,
    compute_gradient,
    empty_moments,
    update,
)

IDS, ACTIONS, STREAMS, LENGTH = 7, 3, 4, 16


def tables(theta):
    log_policy, value = np.empty((IDS, ACTIONS), np.float32), np.empty(IDS, np.float32)
    compute_tables(theta, IDS, ACTIONS, log_policy, value)
    return log_policy.astype(np.float64), value.astype(np.float64)


def weights(seed=0):
    """Weights whose policy is not nearly uniform, as SB3's first one is."""
    rng = np.random.default_rng(seed)
    theta = initial_parameters(IDS, ACTIONS, rng)
    network_parts(theta, IDS, ACTIONS, True)[4][:] *= 100
    return theta


def some_steps(seed=0, n=STREAMS * LENGTH):
    rng = np.random.default_rng(seed)
    log_policy, value = tables(weights(seed + 1))
    seen, action = rng.integers(IDS, size=n), rng.integers(ACTIONS, size=n)
    advantage = rng.normal(size=n)
    return RolloutData(seen, action, log_policy[seen, action], advantage, value[seen] + advantage)


def naive_tables(theta):
    """The networks in NumPy, one matrix after another."""
    out = []
    for is_actor in (True, False):
        w1, b1, w2, b2, w3, b3 = (
            x.astype(np.float64) for x in network_parts(theta, IDS, ACTIONS, is_actor)
        )
        out.append(np.tanh(np.tanh(np.eye(IDS) @ w1 + b1) @ w2 + b2) @ w3 + b3)
    logits, value = out
    return logits - np.log(np.exp(logits).sum(1, keepdims=True)), value[:, 0]


def naive_loss(tables, steps, entropy_share):
    """The loss of all steps as one minibatch, from the outputs of all ids."""
    log_policy, value = tables
    a = (steps.advantage - steps.advantage.mean()) / (steps.advantage.std(ddof=1) + 1e-8)
    ratio = np.exp(log_policy[steps.observation, steps.action] - steps.log_probability)
    policy = -np.minimum(a * ratio, a * ratio.clip(1 - CLIP, 1 + CLIP)).mean()
    entropy = -(np.exp(log_policy) * log_policy).sum(1)[steps.observation].mean()
    error = ((value[steps.observation] - steps.goal) ** 2).mean()
    return policy - entropy_share * entropy + VALUE_SHARE * error


def test_the_tables_are_those_of_the_networks():
    theta = weights()
    assert parameter_count(IDS, ACTIONS) == len(theta)
    for got, want in zip(tables(theta), naive_tables(theta), strict=True):
        np.testing.assert_allclose(got, want, atol=2e-6)


def test_first_weights_are_orthogonal():
    theta = initial_parameters(IDS, ACTIONS, np.random.default_rng(0))
    for is_actor, gain in ((True, 0.01), (False, 1.0)):
        w1, b1, w2, b2, w3, b3 = network_parts(theta, IDS, ACTIONS, is_actor)
        np.testing.assert_allclose(w1 @ w1.T, 2 * np.eye(IDS), atol=1e-5)
        np.testing.assert_allclose(w2 @ w2.T, 2 * np.eye(HIDDEN), atol=1e-5)
        np.testing.assert_allclose(w3.T @ w3, gain**2 * np.eye(w3.shape[1]), atol=1e-5)
        assert not np.concatenate([b1, b2, b3]).any()


def test_the_gradient_is_the_slope_of_the_loss():
    """Central differences of a naive float64 loss, along 60 random directions."""
    theta, steps = weights(), some_steps()
    gradient = np.empty_like(theta)
    compute_gradient(theta, IDS, ACTIONS, steps, np.arange(len(steps.action)), 0.3, gradient)
    rng = np.random.default_rng(2)
    for _ in range(60):
        chosen = rng.integers(len(theta), size=40)
        direction = np.zeros(len(theta))
        direction[chosen] = rng.normal(size=40)
        up, down = (theta.astype(np.float64) + x * direction for x in (1e-5, -1e-5))
        slope = (
            naive_loss(naive_tables(up), steps, 0.3) - naive_loss(naive_tables(down), steps, 0.3)
        ) / 2e-5
        assert gradient @ direction == pytest.approx(slope, abs=2e-4)


def naive_advantages(value, reward, is_first, last_value, is_over, gamma, lam):
    """The definition: a sum of (gamma lambda)^k times the error k steps ahead, up to the episode's end."""
    length, n = reward.shape
    ends = np.vstack([is_first[1:], is_over])
    following = np.vstack([value[1:], last_value])
    error = reward + gamma * following * ~ends - value
    out = np.zeros((length, n))
    for i in range(n):
        for t in range(length):
            for k in range(t, length):
                out[t, i] += (gamma * lam) ** (k - t) * error[k, i]
                if ends[k, i]:
                    break
    return out


def test_advantages_are_sums_of_errors():
    rng = np.random.default_rng(0)
    shape = (LENGTH, STREAMS)
    value, reward, is_first = (
        rng.normal(size=shape),
        rng.normal(size=shape),
        rng.random(shape) < 0.2,
    )
    last, over = rng.normal(size=STREAMS), np.array([True, False, False, True])
    got = np.empty(shape)
    compute_advantages(value, reward, is_first, last, over, 0.9, 0.8, got)
    want = naive_advantages(value, reward, is_first, last, over, 0.9, 0.8)
    np.testing.assert_allclose(got, want, atol=1e-12)


def sb3_learner(seed=5):
    import gymnasium as gym
    import stable_baselines3 as sb3
    from stable_baselines3.common.logger import Logger

    model = sb3.PPO(
        "MlpPolicy", None, n_steps=LENGTH, batch_size=24, n_epochs=3, ent_coef=0.02,
        learning_rate=3e-3, gae_lambda=0.8, gamma=0.9, seed=seed, device="cpu", _init_setup_model=False,
    )  # fmt: skip
    model.observation_space = gym.spaces.Discrete(IDS)
    model.action_space = gym.spaces.Discrete(ACTIONS)
    model.n_envs = STREAMS
    model._setup_model()
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model


def parameters(model):
    """SB3's weights in the order of ours."""
    policy = model.policy
    bodies = (policy.mlp_extractor.policy_net, policy.mlp_extractor.value_net)
    out = []
    for body, head in zip(bodies, (policy.action_net, policy.value_net), strict=True):
        for layer in (body[0], body[2], head):
            out += [layer.weight.detach().numpy().T.ravel(), layer.bias.detach().numpy()]
    return np.concatenate(out)


def test_updates_are_those_of_sb3():
    """Ten updates on the same steps in the same order: weights equal but for the rounding of float32."""
    pytest.importorskip("stable_baselines3")
    import torch

    model = sb3_learner()
    theta = parameters(model).astype(np.float32)
    before, moments, count = theta.copy(), empty_moments(theta), 0
    rng = np.random.default_rng(1)
    for k in range(10):
        log_policy, value = tables(theta)
        shape = (LENGTH, STREAMS)
        seen, action = rng.integers(IDS, size=shape), rng.integers(ACTIONS, size=shape)
        reward, over = rng.normal(size=shape) + seen, rng.random(shape) < 0.1
        fresh = np.vstack([np.ones(STREAMS, bool), over[:-1]])
        following = rng.integers(IDS, size=STREAMS)
        for t in range(LENGTH):
            model.rollout_buffer.add(
                seen[t], action[t], reward[t], fresh[t],
                torch.from_numpy(value[seen[t]]).float(),
                torch.from_numpy(log_policy[seen[t], action[t]]).float(),
            )  # fmt: skip
        last = torch.from_numpy(value[following]).float()
        model.rollout_buffer.compute_returns_and_advantage(last, over[-1])
        advantage = np.empty(shape)
        compute_advantages(
            value[seen], reward, fresh, value[following], over[-1], 0.9, 0.8, advantage
        )
        np.testing.assert_allclose(advantage, model.rollout_buffer.advantages, atol=1e-4)
        np.random.seed(k)  # noqa: NPY002  # SB3 shuffles with the global generator
        model.train()
        model.rollout_buffer.reset()
        np.random.seed(k)  # noqa: NPY002
        order = np.stack([np.random.permutation(seen.size) for _ in range(3)])  # noqa: NPY002
        columns = (seen, action, log_policy[seen, action], advantage, value[seen] + advantage)
        steps = RolloutData(
            *(x.T.ravel() for x in columns)
        )  # SB3 numbers the steps stream by stream
        count = update(theta, moments, count, (IDS, ACTIONS), steps, order, 24, 3e-3, 0.02)
    np.testing.assert_allclose(theta, parameters(model), atol=2e-3)
    assert np.abs(theta - before).max() > 0.05

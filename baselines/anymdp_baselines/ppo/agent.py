"""PPO (Schulman et al. 2017) with the networks, buffer and update of Stable-Baselines3 (SB3).

The evaluation steps `parallel` streams of one task in one compiled call, and this class replaces SB3's loop
that collects steps. Observations are ids, so the network is a table of its outputs for all ids
(`anymdp_baselines.ppo.table_policy`). Between updates both the actions and the tested policy are look-ups
in this table. As in SB3, where an episode is truncated, the discounted value of the state reached is added
to its last reward. Rewards may be divided by the running deviation of discounted returns, as in SB3's
`VecNormalize`.

Needs `pip install 'anymdp-bench[sb3]'`. A search chose the settings of each task family:
`anymdp_baselines/tuning/ppo.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from numba import njit

try:
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.logger import Logger
except ModuleNotFoundError as error:
    what = "it needs Stable-Baselines3: pip install 'anymdp-bench[sb3]'"
    raise ModuleNotFoundError(what, name=error.name) from None

from anymdp_baselines.ppo.table_policy import TableBuffer, TablePolicy
from anymdp_baselines.tuned_settings import chosen_settings
from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


@dataclass(frozen=True)
class PPOSettings:
    """Hyper-parameters, by SB3's names.

    Attributes:
        learning_rate: the step size of Adam.
        n_steps: the steps of each of the `parallel` streams in one update.
        ent_coef: the weight of the entropy bonus.
        gamma: the discount.
        gae_lambda: the lambda of generalised advantage estimation.
        batch_size: the steps of one gradient step.
        n_epochs: how often an update goes through its steps.
        norm_reward: whether rewards are divided by the running deviation of returns.
    """

    learning_rate: float = 1e-3
    n_steps: int = 128
    ent_coef: float = 0.01
    gamma: float = 0.99
    gae_lambda: float = 0.95
    batch_size: int = 512
    n_epochs: int = 4
    norm_reward: bool = True


@njit(cache=True)
def _scale_rewards(reward, ended, gamma, so_far, seen, out):
    """Writes a step's scaled rewards to `out` [n], and updates the running moments of returns.

    `so_far` [n] are the streams' discounted returns, and `seen` is [mean, variance, count] of all returns.
    """
    n = len(reward)
    for i in range(n):
        so_far[i] = gamma * so_far[i] + reward[i]
    mean = so_far.mean()
    squares = ((so_far - mean) ** 2).sum()
    total = seen[2] + n
    off = mean - seen[0]
    seen[1] = (seen[1] * seen[2] + squares + off * off * seen[2] * n / total) / total
    seen[0] += off * n / total
    seen[2] = total
    spread = np.sqrt(seen[1] + 1e-8)
    for i in range(n):
        out[i] = min(max(reward[i] / spread, -10.0), 10.0)
        if ended[i]:
            so_far[i] = 0.0


class RewardScaler:
    """Divides the rewards of `n` streams by the running standard deviation of their discounted returns."""

    def __init__(self, n: int, gamma: float) -> None:
        self._gamma, self._so_far = gamma, np.zeros(n)
        self._seen = np.array([0.0, 1.0, 1e-4])  # SB3's first values

    def scale(self, reward: Float64s, ended: Bools) -> Float64s:
        """Returns the scaled rewards of a step, float64 [n], clipped to [-10, 10]."""
        out = np.empty(len(reward))
        _scale_rewards(reward, ended, self._gamma, self._so_far, self._seen, out)
        return out


class PPO(Agent):
    """Proximal policy optimisation.

    Args:
        settings: the hyper-parameters; by default those of `PPOSettings`.
    """

    version: ClassVar[str] = "3"
    trains: ClassVar[bool] = True
    parallel: ClassVar[int] = 16
    tuned: ClassVar[bool] = True

    def __init__(self, settings: PPOSettings | None = None) -> None:
        self._settings = settings or PPOSettings()

    @staticmethod
    def settings_for(env_id: str) -> PPOSettings:
        """Returns the settings that the search chose for the family of an environment."""
        return PPOSettings(**(chosen_settings("ppo", env_id) or {}))

    def start(self, batch: RunBatch) -> None:
        """Makes a new network and an empty buffer; all random numbers come from the first stream's seed."""
        torch.set_num_threads(1)  # the networks are tiny, and the runner plays runs in parallel
        chosen = self._settings
        seed = int(batch.seeds[0] % np.uint64(2**31))
        self._rng = np.random.default_rng(seed)
        self._n = batch.n
        self._model = _model(chosen, batch.n_observations, batch.n_actions, batch.n, seed)
        self._gamma = chosen.gamma
        self._scaler = RewardScaler(batch.n, chosen.gamma) if chosen.norm_reward else None
        self._fresh: Bools = np.ones(batch.n, np.bool_)
        self._update_table()

    def _update_table(self) -> None:
        """Computes the network's action probabilities [O, A] and values [O] of every id."""
        policy = self._model.policy
        assert isinstance(policy, TablePolicy)
        with torch.no_grad():
            log_table, values = policy.table()
        self._log_table = log_table.numpy().astype(np.float64)
        table = np.exp(self._log_table)
        self._table: Float64s = table / table.sum(axis=1, keepdims=True)
        self._summed = self._table.cumsum(axis=1)
        self._values: Float64s = values.numpy().astype(np.float64)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns actions drawn from the policy, int64 [n]; in a test it returns the likeliest actions."""
        if test:
            likeliest: Int64s = self._table[observation].argmax(axis=1)
            return likeliest
        draw = self._rng.random((len(observation), 1))
        action: Int64s = (self._summed[observation] <= draw).sum(axis=1)
        within: Int64s = np.minimum(action, self._table.shape[1] - 1)
        return within

    def learn(self, transition: Transition) -> None:
        """Adds one step of every stream to the buffer, and updates the network when the buffer is full."""
        observation, action, reward, next_observation, terminated, truncated = transition
        buffer = self._model.rollout_buffer
        assert isinstance(buffer, TableBuffer)
        if self._scaler is not None:
            reward = self._scaler.scale(reward, terminated | truncated)
        credit = reward + self._gamma * self._values[next_observation] * truncated
        buffer.add_step(observation, action, credit, self._fresh)
        self._fresh = terminated | truncated
        if buffer.full:
            buffer.finish(self._log_table, self._values, next_observation, self._fresh)
            self._model.train()
            buffer.reset()
            self._update_table()

    def policy(self) -> npt.NDArray[Any]:
        """Returns the likeliest action of each id, int64 [1, O]."""
        likeliest: Int64s = self._table.argmax(axis=1)[None]
        return likeliest


def _model(
    settings: PPOSettings, n_observations: int, n_actions: int, n_envs: int, seed: int
) -> sb3.PPO:
    """Makes SB3's learner without an environment."""
    size = settings.n_steps * n_envs
    model = sb3.PPO(
        TablePolicy,
        None,  # type: ignore[arg-type]  # its spaces are set below
        learning_rate=settings.learning_rate,
        n_steps=settings.n_steps,
        batch_size=min(settings.batch_size, size),
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        ent_coef=settings.ent_coef,
        rollout_buffer_class=TableBuffer,
        policy_kwargs={"optimizer_kwargs": {"eps": 1e-5, "fused": True}},  # SB3's Adam, one kernel
        seed=seed,
        device="cpu",
        _init_setup_model=False,
    )
    model.observation_space = gym.spaces.Discrete(n_observations)
    model.action_space = gym.spaces.Discrete(n_actions)
    model.n_envs = n_envs
    model._setup_model()
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model

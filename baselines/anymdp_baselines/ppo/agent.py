"""PPO (Schulman et al. 2017), compiled, for observations that are ids.

The networks, the buffer and the update are those of Stable-Baselines3 (SB3) 2.9, and tests hold them equal to
it; SB3 itself is not needed. The evaluation steps `n_envs` streams of one task in one compiled call. Between
updates both the actions and the tested policy are look-ups in a table of the networks' outputs for all ids.
As in SB3, where an episode is truncated, the discounted value of the state reached is added to its last
reward. Rewards may be divided by the running deviation of discounted returns, as in SB3's `VecNormalize`.

A search chose the settings of each task family: `anymdp_baselines/tuning/ppo.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_baselines.ppo.network import compute_tables, initial_parameters
from anymdp_baselines.ppo.update import RolloutData, compute_advantages, empty_moments, update
from anymdp_baselines.tuned_settings import chosen_settings
from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


@dataclass(frozen=True)
class PPOSettings:
    """Hyper-parameters, by SB3's names.

    Attributes:
        learning_rate: the step size of Adam.
        n_envs: the copies of the task that are stepped at once.
        n_steps: the steps of each copy in one update.
        ent_coef: the weight of the entropy bonus.
        gamma: the discount.
        gae_lambda: the lambda of generalised advantage estimation.
        batch_size: the steps of one gradient step.
        n_epochs: how often an update goes through its steps.
        norm_reward: whether rewards are divided by the running deviation of returns.
        annealed_over: the episodes over which the learning rate falls to a twentieth, in a line; 0 for none.
    """

    learning_rate: float = 1e-3
    n_envs: int = 16
    n_steps: int = 128
    ent_coef: float = 0.01
    gamma: float = 0.99
    gae_lambda: float = 0.95
    batch_size: int = 512
    n_epochs: int = 4
    norm_reward: bool = True
    annealed_over: int = 0

    def rate(self, episodes: int) -> float:
        """Returns the learning rate after so many episodes."""
        if not self.annealed_over:
            return self.learning_rate
        return self.learning_rate * max(0.05, 1.0 - episodes / self.annealed_over)


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

    version: ClassVar[str] = "4"
    trains: ClassVar[bool] = True
    tuned: ClassVar[bool] = True

    def __init__(self, settings: PPOSettings | None = None) -> None:
        self._settings = settings or PPOSettings()
        self.parallel = self._settings.n_envs  # type: ignore[misc]  # of this one

    @staticmethod
    def settings_for(env_id: str) -> PPOSettings:
        """Returns the settings that the search chose for the family of an environment."""
        return PPOSettings(**(chosen_settings("ppo", env_id) or {}))

    def start(self, batch: RunBatch) -> None:
        """Makes new networks and an empty buffer; all random numbers come from the first stream's seed."""
        chosen = self._settings
        self._rng = np.random.default_rng(int(batch.seeds[0]))
        self._sizes = batch.n_observations, batch.n_actions
        self._theta = initial_parameters(*self._sizes, self._rng)
        self._moments, self._updates = empty_moments(self._theta), 0
        shape = (chosen.n_steps, batch.n)
        self._seen, self._action = np.empty((2, *shape), np.int64)
        self._reward, self._fresh = np.empty(shape), np.empty(shape, np.bool_)
        self._row, self._episodes = 0, 0
        self._starts: Bools = np.ones(batch.n, np.bool_)
        self._scaler = RewardScaler(batch.n, chosen.gamma) if chosen.norm_reward else None
        self._update_table()

    def _update_table(self) -> None:
        """Computes the action probabilities [O, A] and the values [O] of every id."""
        log_table = np.empty(self._sizes, np.float32)
        values = np.empty(self._sizes[0], np.float32)
        compute_tables(self._theta, *self._sizes, log_table, values)
        self._log_table, self._values = log_table.astype(np.float64), values.astype(np.float64)
        table = np.exp(self._log_table)
        self._table: Float64s = table / table.sum(axis=1, keepdims=True)
        self._summed = self._table.cumsum(axis=1)

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
        """Adds one step of every stream to the buffer, and updates the networks when the buffer is full."""
        observation, action, reward, next_observation, terminated, truncated = transition
        over = terminated | truncated
        if self._scaler is not None:
            reward = self._scaler.scale(reward, over)
        ahead = self._settings.gamma * self._values[next_observation]
        row = self._row
        self._seen[row], self._action[row], self._fresh[row] = observation, action, self._starts
        self._reward[row] = reward + ahead * truncated
        self._starts, self._row = over, row + 1
        self._episodes += int(np.count_nonzero(over))
        if self._row == len(self._seen):
            self._update(next_observation)
            self._row = 0

    def _update(self, following: Int64s) -> None:
        """Updates the networks by the steps of the buffer, after which the ids `following` [n] came."""
        chosen, values = self._settings, self._values[self._seen]
        advantage = np.empty(values.shape)
        compute_advantages(
            values, self._reward, self._fresh, self._values[following], self._starts,
            chosen.gamma, chosen.gae_lambda, advantage,
        )  # fmt: skip
        taken = self._log_table[self._seen, self._action]
        goal = (values + advantage).ravel()
        steps = RolloutData(
            self._seen.ravel(), self._action.ravel(), taken.ravel(), advantage.ravel(), goal
        )
        numbers = np.tile(np.arange(advantage.size), (chosen.n_epochs, 1))
        order = self._rng.permuted(numbers, axis=1)
        self._updates = update(
            self._theta, self._moments, self._updates, self._sizes, steps, order,
            chosen.batch_size, chosen.rate(self._episodes), chosen.ent_coef,
        )  # fmt: skip
        self._update_table()

    def policy(self) -> npt.NDArray[Any]:
        """Returns the likeliest action of each id, int64 [1, O]."""
        likeliest: Int64s = self._table.argmax(axis=1)[None]
        return likeliest

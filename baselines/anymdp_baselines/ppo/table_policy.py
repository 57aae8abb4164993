"""Stable-Baselines3's PPO where observations are ids: the same arithmetic with less of it done twice.

A network that reads ids one-hot has as many different inputs as there are ids. `TablePolicy` is SB3's
"MlpPolicy" with the same initial parameters, run on every id once, whereupon a batch is a look-up in its
outputs: values and gradients are SB3's but for the order of float32 sums. `TableBuffer` is SB3's rollout
buffer, filled by plain writes; what the outputs were is looked up for all steps at once, before the update.
Both are given to `stable_baselines3.PPO` as its arguments; its update is untouched.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import ActorCriticPolicy

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


class TablePolicy(ActorCriticPolicy):
    """SB3's "MlpPolicy" for Discrete observations and actions, as a table of its outputs."""

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        assert isinstance(self.observation_space, gym.spaces.Discrete)
        self._everything = torch.eye(int(self.observation_space.n), device=self.device)

    def table(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Every id's log-probabilities [O, A] and value [O], float32."""
        actor, critic = self.mlp_extractor(self._everything)
        return self.action_net(actor).log_softmax(1), self.value_net(critic)[:, 0]

    def evaluate_actions(
        self, obs: Any, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Value, log-probability of the action and entropy, float32 [B], of a batch of ids [B] or [B, 1]."""
        log_table, values = self.table()
        ids = obs.flatten()
        entropy = -(log_table.exp() * log_table).sum(1)
        pair = ids * log_table.shape[1] + actions  # a gradient by rows would be added up row by row
        taken = log_table.flatten().index_select(0, pair)
        return values.index_select(0, ids), taken, entropy.index_select(0, ids)


class TableBuffer(RolloutBuffer):
    """SB3's rollout buffer for ids, filled a step of all streams at a time."""

    def add_step(self, observation: Int64s, action: Int64s, reward: Float64s, fresh: Bools) -> None:
        """Keeps a step of every stream, all [n]; `fresh` where it was an episode's first."""
        self.observations[self.pos, :, 0] = observation
        self.actions[self.pos, :, 0] = action
        self.rewards[self.pos] = reward
        self.episode_starts[self.pos] = fresh
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def finish(self, log_table: Float64s, values: Float64s, following: Int64s, over: Bools) -> None:
        """Computes advantages from the table [O, A] and the values [O] that were acted on.

        `following` are the ids after the last step [n]; `over` says where it ended an episode.
        """
        seen, action = self.observations[:, :, 0], self.actions[:, :, 0]
        self.values[:] = values[seen]
        self.log_probs[:] = log_table[seen, action]
        self.compute_returns_and_advantage(torch.from_numpy(values[following]), over)

    def to_torch(self, array: npt.NDArray[Any], copy: bool = True) -> torch.Tensor:
        """The array as a tensor, never copied: batches are copies already."""
        return torch.from_numpy(np.ascontiguousarray(array))

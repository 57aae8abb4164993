"""A faster policy and buffer for Stable-Baselines3's PPO where observations are ids.

A network that reads one-hot ids has only as many different inputs as there are ids. `TablePolicy` is SB3's
"MlpPolicy" with the same initial parameters. It runs the network once on every id, and then a batch is a
look-up in the outputs. Values and gradients equal SB3's, except for the order of float32 sums. `TableBuffer`
is SB3's rollout buffer, filled by plain writes; the outputs of all steps are looked up at once, before the
update. Both are arguments of `stable_baselines3.PPO`, and its update stays the same.
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
        """Returns the log-probabilities [O, A] and the values [O] of all ids, float32."""
        actor, critic = self.mlp_extractor(self._everything)
        return self.action_net(actor).log_softmax(1), self.value_net(critic)[:, 0]

    def evaluate_actions(
        self, obs: Any, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns the values, log-probabilities of the actions, and entropies of a batch, float32 [B].

        `obs` are ids [B] or [B, 1].
        """
        log_table, values = self.table()
        ids = obs.flatten()
        entropy = -(log_table.exp() * log_table).sum(1)
        pair = ids * log_table.shape[1] + actions  # indexing by rows would make a slow gradient
        taken = log_table.flatten().index_select(0, pair)
        return values.index_select(0, ids), taken, entropy.index_select(0, ids)


class TableBuffer(RolloutBuffer):
    """SB3's rollout buffer for ids; one call adds a step of all streams."""

    def add_step(self, observation: Int64s, action: Int64s, reward: Float64s, fresh: Bools) -> None:
        """Adds a step of every stream, arrays [n]; `fresh` says where it is the first of an episode."""
        self.observations[self.pos, :, 0] = observation
        self.actions[self.pos, :, 0] = action
        self.rewards[self.pos] = reward
        self.episode_starts[self.pos] = fresh
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def finish(self, log_table: Float64s, values: Float64s, following: Int64s, over: Bools) -> None:
        """Computes the advantages of all steps.

        Args:
            log_table: the log-probabilities that the agent acted on, [O, A].
            values: the values at that time, [O].
            following: the ids after the last step, [n].
            over: whether the last step ended an episode, [n].
        """
        seen, action = self.observations[:, :, 0], self.actions[:, :, 0]
        self.values[:] = values[seen]
        self.log_probs[:] = log_table[seen, action]
        self.compute_returns_and_advantage(torch.from_numpy(values[following]), over)

    def to_torch(self, array: npt.NDArray[Any], copy: bool = True) -> torch.Tensor:
        """Returns the array as a tensor without a copy, since batches are copies already."""
        return torch.from_numpy(np.ascontiguousarray(array))

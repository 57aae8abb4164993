"""Runs that a sequence model plays side by side, one recurrent step at a time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from anymdp_baselines.omnirl.value_iteration import read_visits
from anymdp_bench.datasets.codes import NOTHING, TAG_UNKNOWN
from anymdp_bench.engine.arrays import AnyArray, Float32s, Float64s, Int64s


def root_mean_square(power: Float64s) -> Float32s:
    """Returns root mean squares of rewards, from (sum of squares, number) [..., 2]; 0 for none."""
    return np.sqrt(power[..., 0] / np.maximum(power[..., 1], 1.0)).astype(np.float32)


class SequenceNetwork(Protocol):
    """A model in the form that is played with."""

    @property
    def size(self) -> Any:
        """Its `ModelSize`."""

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Any:
        """Returns the memories of `n` runs that have seen nothing: a sequence of arrays, one a block."""

    def logits(
        self, steps: tuple[AnyArray, ...], state: Any, n_observations: int, n_actions: int
    ) -> Float64s:
        """Writes steps (`tokens.StepInputs`, [n] each) to `state`; returns preferences, [n, A]."""


class Player:
    """Runs side by side: their memories and the last step of each.

    Args:
        network: what plays.
        n: number of runs.
        n_observations: O of their tasks.
        n_actions: A of their tasks.

    Attributes:
        state: the memories, one array (or tensor) for each block.
        last: the step before, int64 [n, 5]: the state left, action, ending, arrival, tag.
        reward: the reward of that step, float32 [n].
        power: sum of squared rewards and number of steps so far, float64 [n, 2].
    """

    def __init__(
        self, network: SequenceNetwork, n: int, n_observations: int, n_actions: int
    ) -> None:
        self.network, self._shape = network, (n_observations, n_actions)
        self.state = network.initial_state(n, n_observations, n_actions)
        self.last = np.zeros((n, 5), np.int64)
        self.reward = np.zeros(n, np.float32)
        self.power = np.zeros((n, 2))
        self.forget(np.arange(n))

    def forget(self, runs: Int64s) -> None:
        """Empties the memories of `runs` (int64 [k]), which begin anew."""
        self.last[runs] = (0, 0, NOTHING, 0, TAG_UNKNOWN)
        self.reward[runs] = 0.0
        self.power[runs] = 0.0
        for memory in self.state:
            memory[runs] = 0.0

    def logits(self, seen: Int64s, bonus: Float64s | float = 0.0) -> Float64s:
        """Writes the step before to memory; returns preferences of actions in the states `seen`, [n, A].

        Args:
            seen: the current states, int64 [n].
            bonus: what is added for an action that was never tried there, in nats, [n] or one number; after
                n tries it is 1 / (1 + n)^2 of that. Only a network with a planning memory adds it.
        """
        left, action, ending, arrival, tag = self.last.T.copy()
        arrival = np.where(ending == NOTHING, seen, arrival)
        scale = root_mean_square(self.power)
        steps = (seen, left, action, self.reward, scale, ending, arrival, tag)
        out = self.network.logits(steps, self.state, *self._shape)
        if self.network.size.plan_columns and np.any(bonus):
            tries = read_visits(self.state[-1], seen, self._shape[1])
            out += np.broadcast_to(bonus, seen.shape)[:, None] / (1.0 + tries) ** 2
        return out

    def note(
        self,
        seen: Int64s,
        action: Int64s,
        reward: Float64s,
        ending: Int64s,
        arrival: Int64s,
        tag: Int64s | int,
    ) -> None:
        """Notes the step that the runs took in the states `seen`, [n] each, for the next call of `logits`."""
        self.last = np.stack([seen, action, ending, arrival, np.broadcast_to(tag, seen.shape)], 1)
        self.reward = reward.astype(np.float32)
        self.power += np.stack([self.reward.astype(np.float64) ** 2, np.ones(len(seen))], 1)

    def context(self) -> dict[str, AnyArray]:
        """Returns all that the runs remember, by name."""
        out = {f"memory.{k}": np.array(memory) for k, memory in enumerate(self.state)}
        return out | {"last": self.last, "reward": self.reward, "power": self.power}

    def resume(self, context: dict[str, AnyArray]) -> None:
        """Continues from a `context` of as many runs of the same model and size."""
        for k in range(len(self.state)):
            self.state[k] = context[f"memory.{k}"].copy()
        self.last, self.reward, self.power = (
            context[name].copy() for name in ("last", "reward", "power")
        )

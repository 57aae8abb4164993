"""One recurrent forward a step: how a model plays many runs side by side."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.sequence.model import SequenceModel
from anymdp_baselines.sequence.recurrent import CompiledStep
from anymdp_baselines.sequence.tokens import NOTHING, Steps
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s

COOLING = 2.5  # visits per slot after which the temperature has fallen by sqrt(2)
COLDEST = 0.1
UNKNOWN = 7  # the tag of own actions


def temperature(first: Float64s, age: Int64s, n_slots: int) -> Float64s:
    """The softmax temperature after `age` steps on `n_slots` = S * A: explore at first, settle later."""
    out: Float64s = np.maximum(first / np.sqrt(1.0 + age / (COOLING * n_slots)), COLDEST)
    return out


def root_mean_square(power: Float64s) -> AnyArray:
    """Of rewards, from (sum of squares, number), [..., 2]; float32, 0 where there is none."""
    return np.sqrt(power[..., 0] / np.maximum(power[..., 1], 1.0)).astype(np.float32)


class Player:
    """`n` runs of a model, on its device: their memories and the last step of each.

    Args:
        model: it.
        n: number of runs.
        n_observations: of their tasks.
        n_actions: of them.
        half: matrix products in bfloat16; memories stay float32.

    Attributes:
        state: the memories, a list of tensors.
        last: the step before, int64 [n, 5]: left, action, ending, arrival, tag.
        reward: its reward, float32 [n].
        power: sum of squared rewards and number of steps so far, float64 [n, 2].
    """

    def __init__(
        self,
        model: SequenceModel,
        n: int,
        n_observations: int,
        n_actions: int,
        half: bool = False,
    ) -> None:
        self.model, self.n_actions, self._half = model, n_actions, half
        compiled = CompiledStep.has(model) and not half
        self._compiled = CompiledStep(model) if compiled else None
        self._codes = model.codes(n_observations)
        self._shape = (n_observations, n_actions)
        self.state = model.fresh(n, n_observations, n_actions)
        self.last = np.zeros((n, 5), np.int64)
        self.reward = np.zeros(n, np.float32)
        self.power = np.zeros((n, 2))
        self.forget(np.arange(n))

    def forget(self, runs: Int64s) -> None:
        """Starts `runs` afresh."""
        self.last[runs] = (0, 0, NOTHING, 0, UNKNOWN)
        self.reward[runs] = 0.0
        self.power[runs] = 0.0
        for memory in self.state:
            memory[torch.from_numpy(runs)] = 0.0

    def logits(self, seen: Int64s) -> Float64s:
        """Preferences of actions in the states `seen`, [n, A]; takes the step before into memory."""
        left, action, ending, arrival, tag = self.last.T
        arrival = np.where(ending == NOTHING, seen, arrival)
        scale = root_mean_square(self.power)
        columns = (seen, left, action, self.reward, scale, ending, arrival, tag)
        device = self._codes.device
        steps = Steps(*(torch.from_numpy(x[:, None].copy()).to(device) for x in columns))
        if self._compiled is not None:
            return self._compiled(steps, self.state, self._codes, self.n_actions).astype(np.float64)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._half):
            outlook, self.state = self.model(
                steps, self.state, self._codes, self.n_actions, one_step=True
            )
        out: Float64s = outlook.logit[:, 0].double().cpu().numpy()
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
        """What was done in `seen`, and what came of it, [n] each."""
        self.last = np.stack([seen, action, ending, arrival, np.broadcast_to(tag, seen.shape)], 1)
        self.reward = reward.astype(np.float32)
        self.power += np.stack([self.reward.astype(np.float64) ** 2, np.ones(len(seen))], 1)

    def context(self) -> dict[str, Tensor]:
        """All that the runs remember, by name."""
        out = {f"memory.{k}": memory.cpu() for k, memory in enumerate(self.state)}
        arrays = {"last": self.last, "reward": self.reward, "power": self.power}
        return out | {name: torch.from_numpy(array) for name, array in arrays.items()}

    def resume(self, context: dict[str, Tensor]) -> None:
        """Goes on from a `context` of as many runs of the same model and size."""
        device = self._codes.device
        self.state = [context[f"memory.{k}"].clone().to(device) for k in range(len(self.state))]
        self.last, self.reward, self.power = (
            context[name].numpy().copy() for name in ("last", "reward", "power")
        )

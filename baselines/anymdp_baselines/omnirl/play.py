"""One recurrent forward a step: how a model plays many runs side by side."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.inference import CompiledStep
from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_bench.datasets.codes import NOTHING, TAG_UNKNOWN
from anymdp_bench.engine.arrays import Float64s, Int64s


def root_mean_square(power: Tensor) -> Tensor:
    """Returns root mean squares of rewards, float32, from (sum of squares, number) [..., 2]; 0 for none."""
    return (power[..., 0] / power[..., 1].clamp(min=1.0)).sqrt().float()


class Player:
    """Runs that a model plays side by side, on its device: their memories and the last step of each.

    Args:
        model: the model.
        n: number of runs.
        n_observations: O of their tasks.
        n_actions: A of their tasks.
        is_half: whether matrix products are in bfloat16; memories stay float32.

    Attributes:
        state: the memories, a list of tensors.
        last: the step before, int64 [n, 5]: the state left, action, ending, arrival, tag.
        reward: the reward of that step, float32 [n].
        power: sum of squared rewards and number of steps so far, float64 [n, 2].
    """

    def __init__(
        self,
        model: SequenceModel,
        n: int,
        n_observations: int,
        n_actions: int,
        is_half: bool = False,
    ) -> None:
        self.model, self.n_actions, self._is_half = model, n_actions, is_half
        is_compiled = CompiledStep.supports(model) and not is_half
        self._compiled = CompiledStep(model) if is_compiled else None
        self._codes = model.codes(n_observations)
        self._shape = (n_observations, n_actions)
        self.state = model.initial_state(n, n_observations, n_actions)
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
            memory[torch.from_numpy(runs)] = 0.0

    def logits(self, seen: Int64s) -> Float64s:
        """Writes the step before to memory; returns preferences of actions in the states `seen`, [n, A]."""
        left, action, ending, arrival, tag = self.last.T
        arrival = np.where(ending == NOTHING, seen, arrival)
        scale = root_mean_square(torch.from_numpy(self.power)).numpy()
        columns = (seen, left, action, self.reward, scale, ending, arrival, tag)
        device = self._codes.device
        steps = StepInputs(*(torch.from_numpy(x[:, None].copy()).to(device) for x in columns))
        if self._compiled is not None:
            return self._compiled(steps, self.state, self._codes, self.n_actions).astype(np.float64)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._is_half):
            output, self.state = self.model(
                steps, self.state, self._codes, self.n_actions, one_step=True
            )
        out: Float64s = output.logit[:, 0].double().cpu().numpy()
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

    def context(self) -> dict[str, Tensor]:
        """Returns all that the runs remember, by name."""
        out = {f"memory.{k}": memory.cpu() for k, memory in enumerate(self.state)}
        arrays = {"last": self.last, "reward": self.reward, "power": self.power}
        return out | {name: torch.from_numpy(array) for name, array in arrays.items()}

    def resume(self, context: dict[str, Tensor]) -> None:
        """Continues from a `context` of as many runs of the same model and size."""
        device = self._codes.device
        self.state = [context[f"memory.{k}"].clone().to(device) for k in range(len(self.state))]
        self.last, self.reward, self.power = (
            context[name].numpy().copy() for name in ("last", "reward", "power")
        )

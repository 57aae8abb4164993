"""One recurrent forward a step: how a model plays many runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.inference import CompiledStep
from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.tokens import NOTHING, Steps
from anymdp_bench.engine.arrays import Float64s, Int64s

COOLING = 2.5  # visits per slot after which the temperature has fallen by sqrt(2)
SETTLING = 4  # power of its fall once a run has settled
COLDEST = 0.1
UNKNOWN = 7  # the tag of own actions


class Warmth(NamedTuple):
    """How warm a run plays.

    Attributes:
        first: the softmax temperature at the first step.
        settled: visits per slot for which it stays so and then falls fast; 0: it cools slowly from the start.
    """

    first: float
    settled: float = 0.0

    @property
    def words(self) -> str:
        """To be read."""
        until = f" for {self.settled:g} visits a slot" if self.settled else ""
        return f"{self.first:g}{until}"


COOLING_DOWN = (Warmth(0.5), Warmth(0.8), Warmth(1.2))
SCHEDULES = (*COOLING_DOWN, Warmth(1.0, 9.0))


def temperature(how: Warmth, age: Int64s | int, n_slots: int) -> Float64s:
    """The softmax temperature after `age` steps on `n_slots` = S * A: explore at first, settle later."""
    visits = np.asarray(age) / n_slots
    if how.settled:
        fallen = (how.settled / np.maximum(visits, how.settled)) ** SETTLING
    else:
        fallen = 1.0 / np.sqrt(1.0 + visits / COOLING)
    out: Float64s = np.maximum(how.first * fallen, COLDEST)
    return out


def temperatures(schedules: Sequence[Warmth], group: Int64s, age: Int64s, n_slots: int) -> Float64s:
    """Those of runs that play by the schedule of their `group`, in the shape of `age`."""
    each = [temperature(how, age, n_slots) for how in schedules]
    out: Float64s = np.choose(group, each)
    return out


def root_mean_square(power: Tensor) -> Tensor:
    """Of rewards, from (sum of squares, number), [..., 2]; float32, 0 where there is none."""
    return (power[..., 0] / power[..., 1].clamp(min=1.0)).sqrt().float()


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
        scale = root_mean_square(torch.from_numpy(self.power)).numpy()
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

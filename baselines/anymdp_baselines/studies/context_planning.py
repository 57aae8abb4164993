"""The network of `omnirl` as a model of recorded runs, for the studies of contexts.

It reads one token a step and has the planning memory (`omnirl.mixers.planning_memory`). What it predicts is
what every model of these studies predicts: the next observation and the oracle's action.
"""

from __future__ import annotations

import torch
from torch import Tensor

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_baselines.studies.context_network import ContextNetwork, ContextSize
from anymdp_bench.datasets.codes import NOTHING
from anymdp_bench.longcontext.streams import Steps

PLANNING = "planning"
_PLAN_COLUMNS = 32


class PlanningNetwork(ContextNetwork):
    """The network; see the module. Its state is that of the sequence model, and the power of the rewards.

    Args:
        size: the size, of mixer `PLANNING`; `hidden` is not used.
    """

    def __init__(self, size: ContextSize) -> None:
        super().__init__(size)
        self.network = SequenceModel(
            ModelSize(
                "delta", size.width, size.blocks, size.heads, max(16, size.width * 3 // 8),
                size.width // 2, averages=True, plan_columns=min(_PLAN_COLUMNS, size.width // 2),
            )
        )  # fmt: skip

    def initial_state(self, n: int) -> list[Tensor]:
        """Returns the state of `n` runs that have seen nothing."""
        size = self.size
        state = self.network.initial_state(n, size.n_states, size.n_actions)
        return [*state, torch.zeros(n, 2, dtype=torch.float64)]

    def forward(self, steps: Steps, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Returns (logits of the next observation [B, T, S], of the oracle's action [B, T, A], new state)."""
        seen, action, left, did, reward, ending, arrival, tag = map(torch.as_tensor, steps)
        scale, power = scales(reward, ending != NOTHING, state[-1])
        inputs = StepInputs(seen, left, did, reward, scale, ending, arrival, tag)
        codes = self.network.codes(self.size.n_states)
        output, after = self.network(inputs, state[:-1], codes, self.size.n_actions)
        following = self.network.predict(output, action, codes).following
        return following, output.logit, [*after, power]


def scales(reward: Tensor, is_known: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the root mean square of the rewards so far, float32 [B, T], and the power after them.

    Args:
        reward: the reward of the step before, [B, T].
        is_known: whether there is a step before, [B, T].
        power: the sum of the squares and the number of rewards before, float64 [B, 2].
    """
    known = is_known.double()
    both = torch.stack([known * reward.double() ** 2, known], -1).cumsum(1) + power[:, None]
    scale = (both[..., 0] / both[..., 1].clamp(min=1.0)).sqrt().float()
    return scale, both[:, -1]

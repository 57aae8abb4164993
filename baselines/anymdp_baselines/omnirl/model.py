"""The sequence model: tokens, blocks of mixers, heads.

There are three kinds. `delta` knows no ids: it addresses its memory by slot, carries a stream for every
action of the current state, and plays any numbers of states and actions. `linear` is the same, but the keys
of its memory are learned, one for each of the ids that it can take. `gated` is the paper's: learned ids,
gated DeltaNet, one or four tokens a step, one output for each of its actions. Any other mixer can take its
place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from anymdp_baselines.omnirl.codes import CODE, state_codes
from anymdp_baselines.omnirl.fused import RMSNorm, linear_gelu
from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, mixers
from anymdp_baselines.omnirl.mixers.delta_memory import DeltaMemory
from anymdp_baselines.omnirl.mixers.learned_memory import LearnedMemory
from anymdp_baselines.omnirl.mixers.planning_memory import PlanningMemory
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.tokens import (
    FourTokens,
    NamelessTokens,
    OneToken,
    StepInputs,
)
from anymdp_bench.datasets.codes import NOTHING, WENT_ON


class PolicyOutput(NamedTuple):
    """The outputs of a model at every step."""

    logit: Tensor  # [B, T, A]  preferences of actions
    value: Tensor  # [B, T, A]  log(1 - advantage), advantage in units of gap / H
    main: Tensor  # [B, T, width]
    actions: Tensor  # [B, T, A, per_action]


class Prediction(NamedTuple):
    """What a model predicts of the step in which an action is taken."""

    following: Tensor  # [B, T, O]  logits of the next observation
    reward: Tensor  # [B, T]  asinh of the reward
    ends: Tensor  # [B, T]  logit of termination


class FeedForward(nn.Module):
    """A residual two-layer network on the main stream, by default twice as wide inside."""

    def __init__(self, width: int, hidden: int = 0) -> None:
        super().__init__()
        hidden = hidden or 2 * width
        self.norm = RMSNorm(width)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, stream: HiddenStreams) -> HiddenStreams:
        """Returns the stream with the output of the network added."""
        hidden = linear_gelu(self.widen, self.norm(stream.main))
        return HiddenStreams(stream.main + self.narrow(hidden), stream.actions)


class SequenceModel(nn.Module):
    """The model of a size (see the module).

    Its state is a list of tensors, one for each block, and last that of the planning memory if there is one.
    """

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        self.size = size
        width, self.nameless = size.width, size.kind in ("delta", "linear")
        d = size.per_action if self.nameless else 0
        self.tokens: NamelessTokens | OneToken | FourTokens
        found: list[nn.Module]
        if self.nameless:
            self.tokens = NamelessTokens(width)
            found = [_memory(size) for _ in range(size.blocks)]
        else:
            layout = OneToken if size.tokens == 1 else FourTokens
            self.tokens = layout(width, size.n_observations, size.n_actions)
            found = [mixers()[size.kind](width, size.heads) for _ in range(size.blocks)]
        self.plan: PlanningMemory | None = None
        if size.plan_columns and d:
            self.plan = PlanningMemory(width, d, size.plan_columns, size.plan_turns)
        self.mixers = nn.ModuleList(found)
        self.feeds = nn.ModuleList(FeedForward(width) for _ in range(size.blocks))
        self.norm = RMSNorm(width)
        if self.nameless:
            self.norm_actions = RMSNorm(d)
            self.from_main = nn.Linear(width, 2 * d)
            self.from_actions, self.to_action = nn.Linear(d, 2 * d), nn.Linear(2 * d, 2)
        else:
            self.to_action = nn.Linear(width, 2 * size.n_actions)
            self.taken = nn.Embedding(size.n_actions, width)
        self.ahead = nn.Linear(width + d, width)
        self.to_code = nn.Linear(width, CODE if self.nameless else size.n_observations)
        self.to_reward, self.to_end = nn.Linear(width, 1), nn.Linear(width, 1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> list[Tensor]:
        """Returns the state of `n` runs that have seen nothing."""
        size = (n, n_observations, n_actions)
        layers: list[Any] = [*self.mixers, *([] if self.plan is None else [self.plan])]
        return [layer.initial_state(*size) for layer in layers]

    def forward(
        self,
        steps: StepInputs,
        state: list[Tensor],
        codes: Tensor,
        n_actions: int,
        one_step: bool = False,
    ) -> tuple[PolicyOutput, list[Tensor]]:
        """Reads a segment, or with `one_step` one step without gradients; returns (output, state after)."""
        addresses = find_addresses(steps, n_actions)
        main = self.tokens(steps, codes).float()  # the residual stream, autocast or not
        n, length = steps.seen.shape
        d = self.size.per_action if self.nameless else 0
        stream = HiddenStreams(main, main.new_zeros(n, length, n_actions, d))
        after, planned = [], []
        if self.plan is not None:
            stream, memory = self.plan(main, steps, state[-1], len(codes), n_actions)
            state, planned = state[:-1], [memory]
        for mixer, feed, memory in zip(self.mixers, self.feeds, state, strict=True):
            stream, memory = _mix(mixer, stream, addresses, memory, one_step)
            stream = feed(stream)
            after.append(memory)
        main = self.norm(stream.main[:, self.tokens.readout :: self.tokens.per_step])
        return self._read_out(main, stream.actions, n_actions), after + planned

    def _read_out(self, main: Tensor, actions: Tensor, n_actions: int) -> PolicyOutput:
        if self.nameless:
            actions = self.norm_actions(actions)
            hidden = linear_gelu(self.from_actions, actions, self.from_main(main))
            both = self.to_action(hidden).float()
            return PolicyOutput(both[..., 0], both[..., 1], main, actions)
        both = self.to_action(main).float().unflatten(-1, (2, self.size.n_actions))
        both = both[..., :n_actions]
        return PolicyOutput(both[:, :, 0], both[:, :, 1], main, actions)

    def predict(self, output: PolicyOutput, action: Tensor, codes: Tensor) -> Prediction:
        """Returns what the model predicts of `action` (int64 [B, T])."""
        if self.nameless:
            index = action[..., None, None].expand(-1, -1, 1, output.actions.shape[-1])
            taken = output.actions.gather(2, index)[:, :, 0]
            main = torch.cat([output.main, taken.to(output.main.dtype)], -1)
        else:
            main = output.main + self.taken(action)
        hidden = linear_gelu(self.ahead, main)
        following = self.to_code(hidden).float()
        if self.nameless:
            following = self.sharpness.exp() * (following @ codes.T)
        return Prediction(
            following, self.to_reward(hidden).float()[..., 0], self.to_end(hidden).float()[..., 0]
        )

    def codes(self, n_observations: int) -> Tensor:
        """Returns the codes of the ids, float32 [O, CODE]."""
        return torch.from_numpy(state_codes(n_observations)).to(self.sharpness.device)


def _memory(size: ModelSize) -> DeltaMemory:
    given = (size.width, size.per_action, size.slot_size, size.heads, size.bootstrap)
    if size.kind == "delta":
        return DeltaMemory(*given, size.averages)
    return LearnedMemory(*given, size.key_size, size.n_observations, size.n_actions)


def _mix(mixer, stream: HiddenStreams, addresses: Addresses, memory: Tensor, one_step: bool):
    if not one_step:
        return mixer(stream, addresses, memory)
    if stream.main.shape[1] == 1:
        return mixer.step(stream, addresses, memory)
    mains = []
    for main in stream.main.split(1, dim=1):  # several tokens a step
        part, memory = mixer.step(HiddenStreams(main, stream.actions), addresses, memory)
        mains.append(part.main)
    return HiddenStreams(torch.cat(mains, 1), stream.actions), memory


def find_addresses(steps: StepInputs, n_actions: int) -> Addresses:
    """Returns the addresses of the steps."""
    nothing = steps.ending == NOTHING
    slot = torch.where(nothing, -1, steps.left * n_actions + steps.action)
    return Addresses(slot, steps.seen, (steps.ending == WENT_ON).float())

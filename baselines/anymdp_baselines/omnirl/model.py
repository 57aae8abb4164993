"""The sequence model: tokens, blocks of mixers, heads.

Three kinds. `delta` knows no ids: it addresses its memory by slot, carries a stream for every action of
the current state, and plays any numbers of states and actions. `linear` is the same, but the keys of its
memory are learned, one for each of the ids it can take. `gated` is the paper's: learned ids, gated
DeltaNet, one or four tokens a step, one output for each of its actions. Any other mixer can take its place.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from anymdp_baselines.omnirl.mixers import Stream, Where, mixers
from anymdp_baselines.omnirl.mixers.delta_memory import DeltaMemory
from anymdp_baselines.omnirl.mixers.learned_memory import LearnedMemory
from anymdp_baselines.omnirl.tokens import (
    CODE,
    NOTHING,
    WENT_ON,
    FourTokens,
    NamelessTokens,
    OneToken,
    Steps,
    state_codes,
)


@dataclass(frozen=True)
class ModelSize:
    """What a model is made of.

    Attributes:
        kind: "delta", "linear", or a mixer: "gated", "gsa", "mamba2", "rwkv7", "window", "lstm".
        width: of the main stream.
        blocks: number of blocks.
        heads: of each mixer.
        per_action: width of the streams of actions (`delta`, `linear`).
        slot_size: columns of the memory (`delta`, `linear`).
        bootstrap: whether its heads may bootstrap (`delta`, `linear`).
        tokens: a step's tokens, 1 or 4 (of a mixer).
        n_observations: number of ids known (but `delta`).
        n_actions: number of actions known (but `delta`).
        key_size: of the learned keys (`linear`).
    """

    kind: str = "delta"
    width: int = 128
    blocks: int = 4
    heads: int = 4
    per_action: int = 32
    slot_size: int = 32
    bootstrap: bool = True
    tokens: int = 1
    n_observations: int = 128
    n_actions: int = 5
    key_size: int = 96

    def takes(self, n_observations: int, n_actions: int) -> bool:
        """Whether a model of this size can play a task of so many observations and actions."""
        return self.kind == "delta" or (
            n_observations <= self.n_observations and n_actions <= self.n_actions
        )

    def record(self) -> dict[str, int | str | bool]:
        """As plain values, for a checkpoint."""
        return asdict(self)


class Outlook(NamedTuple):
    """What the model says at every step."""

    logit: Tensor  # [B, T, A]  preference of actions
    value: Tensor  # [B, T, A]  log(1 - advantage), advantage in units of gap / H
    main: Tensor  # [B, T, width]
    actions: Tensor  # [B, T, A, per_action]


class Forecast(NamedTuple):
    """What it says will come of the action taken."""

    following: Tensor  # [B, T, O]  logits of the next observation
    reward: Tensor  # [B, T]  asinh of the reward
    ends: Tensor  # [B, T]  logit of termination


class FeedForward(nn.Module):
    """A residual two-layer network on the main stream, by default twice as wide inside."""

    def __init__(self, width: int, hidden: int = 0) -> None:
        super().__init__()
        hidden = hidden or 2 * width
        self.norm = nn.RMSNorm(width)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, stream: Stream) -> Stream:
        """The stream with the network's output added."""
        hidden = gelu(self.widen(self.norm(stream.main)), approximate="tanh")
        return Stream(stream.main + self.narrow(hidden), stream.actions)


class SequenceModel(nn.Module):
    """See the module; its state is a list of tensors, one a block."""

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
        self.mixers = nn.ModuleList(found)
        self.feeds = nn.ModuleList(FeedForward(width) for _ in range(size.blocks))
        self.norm = nn.RMSNorm(width)
        if self.nameless:
            self.norm_actions = nn.RMSNorm(d)
            self.from_main = nn.Linear(width, 2 * d)
            self.from_actions, self.to_action = nn.Linear(d, 2 * d), nn.Linear(2 * d, 2)
        else:
            self.to_action = nn.Linear(width, 2 * size.n_actions)
            self.taken = nn.Embedding(size.n_actions, width)
        self.ahead = nn.Linear(width + d, width)
        self.to_code = nn.Linear(width, CODE if self.nameless else size.n_observations)
        self.to_reward, self.to_end = nn.Linear(width, 1), nn.Linear(width, 1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def fresh(self, n: int, n_observations: int, n_actions: int) -> list[Tensor]:
        """The state of `n` runs that have seen nothing."""
        size = (n, n_observations, n_actions)
        return [mixer.fresh(*size) for mixer in self.mixers]  # type: ignore[operator]

    def forward(
        self,
        steps: Steps,
        state: list[Tensor],
        codes: Tensor,
        n_actions: int,
        one_step: bool = False,
    ) -> tuple[Outlook, list[Tensor]]:
        """A segment (or, `one_step`, one recurrent step without gradients): (outlook, state after)."""
        where = addresses(steps, n_actions)
        main = self.tokens(steps, codes).float()  # the residual stream, autocast or not
        n, length = steps.seen.shape
        d = self.size.per_action if self.nameless else 0
        stream = Stream(main, main.new_zeros(n, length, n_actions, d))
        after = []
        for mixer, feed, memory in zip(self.mixers, self.feeds, state, strict=True):
            stream, memory = _mix(mixer, stream, where, memory, one_step)
            stream = feed(stream)
            after.append(memory)
        main = self.norm(stream.main[:, self.tokens.readout :: self.tokens.per_step])
        return self._outlook(main, stream.actions, n_actions), after

    def _outlook(self, main: Tensor, actions: Tensor, n_actions: int) -> Outlook:
        if self.nameless:
            actions = self.norm_actions(actions)
            hidden = self.from_actions(actions) + self.from_main(main)[:, :, None]
            both = self.to_action(gelu(hidden, approximate="tanh")).float()
            return Outlook(both[..., 0], both[..., 1], main, actions)
        both = self.to_action(main).float().unflatten(-1, (2, self.size.n_actions))
        both = both[..., :n_actions]
        return Outlook(both[:, :, 0], both[:, :, 1], main, actions)

    def forecast(self, outlook: Outlook, action: Tensor, codes: Tensor) -> Forecast:
        """What comes of `action` (int64 [B, T])."""
        if self.nameless:
            index = action[..., None, None].expand(-1, -1, 1, outlook.actions.shape[-1])
            taken = outlook.actions.gather(2, index)[:, :, 0]
            main = torch.cat([outlook.main, taken.to(outlook.main.dtype)], -1)
        else:
            main = outlook.main + self.taken(action)
        hidden = gelu(self.ahead(main), approximate="tanh")
        following = self.to_code(hidden).float()
        if self.nameless:
            following = self.sharpness.exp() * (following @ codes.T)
        return Forecast(
            following, self.to_reward(hidden).float()[..., 0], self.to_end(hidden).float()[..., 0]
        )

    def codes(self, n_observations: int) -> Tensor:
        """Codes of the ids, float32 [O, CODE]."""
        return state_codes(n_observations).to(self.sharpness.device)


def _memory(size: ModelSize) -> DeltaMemory:
    given = (size.width, size.per_action, size.slot_size, size.heads, size.bootstrap)
    if size.kind == "delta":
        return DeltaMemory(*given)
    return LearnedMemory(*given, size.key_size, size.n_observations, size.n_actions)


def _mix(mixer, stream: Stream, where: Where, memory: Tensor, one_step: bool):
    if not one_step:
        return mixer(stream, where, memory)
    if stream.main.shape[1] == 1:
        return mixer.step(stream, where, memory)
    mains = []
    for main in stream.main.split(1, dim=1):  # several tokens a step
        part, memory = mixer.step(Stream(main, stream.actions), where, memory)
        mains.append(part.main)
    return Stream(torch.cat(mains, 1), stream.actions), memory


def addresses(steps: Steps, n_actions: int) -> Where:
    """Where the steps are."""
    nothing = steps.ending == NOTHING
    slot = torch.where(nothing, -1, steps.left * n_actions + steps.action)
    return Where(slot, steps.seen, (steps.ending == WENT_ON).float())

"""The hard-addressed delta memory: a row for every slot (observation, action), and no keys to learn.

Every step writes to the slot just left a learned projection of the stream, behind a learned gate, and
reads the slots of the current state, one for each action, and the slot it wrote. Heads may bootstrap:
what they write adds a learned discount times the current state's rows, averaged over actions by a
learned policy (see `slots`). Nothing depends on the numbers of observations and actions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anymdp_baselines.omnirl.fused import RMSNorm, linear_gelu
from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams
from anymdp_baselines.omnirl.mixers.slots import at_once, chunkwise, scan, scan_

_GATES = (-2.0, -1.0, -2.0, -1.0)  # logits of the write gate at first, by head (repeated)
_DISCOUNTS = (-4.0, -4.0, 1.5, 3.0)  # of the discount: two heads recall, two bootstrap


class DeltaMemory(nn.Module):
    """The mixer; see the module.

    Args:
        width: of the main stream.
        per_action: of the stream of each action.
        size: columns of the memory, `heads` equal shares.
        heads: number of gates and discounts.
        bootstrap: whether heads may bootstrap; else it is the plain delta rule.
    """

    def __init__(
        self, width: int, per_action: int, size: int = 32, heads: int = 4, bootstrap: bool = True
    ) -> None:
        super().__init__()
        self.size, self.heads, self.bootstrap = size, heads, bootstrap
        self.norm_main, self.norm_actions = RMSNorm(width), RMSNorm(per_action)
        self.to_write = nn.Linear(width, size + 2 * heads)
        with torch.no_grad():
            repeat = (heads + 3) // 4
            self.to_write.bias[size : size + heads] = torch.tensor(_GATES * repeat)[:heads]
            self.to_write.bias[size + heads :] = torch.tensor(_DISCOUNTS * repeat)[:heads]
        self.policy = nn.Linear(per_action, heads, bias=False)
        hidden = 2 * per_action
        self.from_slots = nn.Linear(size + per_action, hidden)
        self.from_main = nn.Linear(width, hidden, bias=False)
        self.to_actions = nn.Linear(hidden, per_action)
        self.to_main = nn.Linear(size + 2 * per_action, width)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, O, A, size]."""
        return torch.zeros(
            n, n_observations, n_actions, self.size, device=self.to_main.weight.device
        )

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment: step by step in compiled code on the CPU, in chunks on an accelerator."""
        main, given = self._project(stream, addresses)
        with torch.autocast(state.device.type, enabled=False):
            read, wrote, after = self._scan(addresses, given, state)
        return self._mix(stream, main, read, wrote), after

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step; changes `state`."""
        main, given = self._project(stream, addresses)
        with torch.autocast(state.device.type, enabled=False):
            read, wrote, state = self._scan_at_once(addresses, given, state)
        return self._mix(stream, main, read, wrote), state

    def _scan(
        self, addresses: Addresses, given: tuple[Tensor, Tensor, Tensor], state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        form = scan if state.device.type == "cpu" else chunkwise
        return form(addresses.slot, addresses.seen, *given, state)

    def _scan_at_once(
        self, addresses: Addresses, given: tuple[Tensor, Tensor, Tensor], state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Does what `_scan` does, without gradients; it writes to `state`."""
        form = scan_ if state.device.type == "cpu" else at_once
        read, wrote = form(addresses.slot, addresses.seen, *given, state)[:2]
        return read, wrote, state

    def _project(
        self, stream: HiddenStreams, addresses: Addresses
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Returns (normalised main stream, (value, gate, bootstrap weights) of `slots`)."""
        main = self.norm_main(stream.main)
        value, gate, discount = (
            self.to_write(main).float().split([self.size, self.heads, self.heads], -1)
        )
        n, length, _ = value.shape
        n_actions = stream.actions.shape[2]
        if not self.bootstrap:
            return main, (value, gate.sigmoid(), value.new_zeros(n, length, self.heads, n_actions))
        discount = discount.sigmoid()
        each = value.view(n, length, self.heads, -1) * (1.0 - discount)[..., None]
        policy = self.policy(self.norm_actions(stream.actions)).float().softmax(2)
        g = policy.transpose(2, 3) * (discount * addresses.going[..., None])[..., None]
        return main, (each.flatten(2), gate.sigmoid(), g)

    def _mix(
        self, stream: HiddenStreams, main: Tensor, read: Tensor, wrote: Tensor
    ) -> HiddenStreams:
        rows = torch.cat([read, self.norm_actions(stream.actions).to(read.dtype)], -1)
        hidden = linear_gelu(self.from_slots, rows, self.from_main(main))
        actions = stream.actions + self.to_actions(hidden)
        pooled = torch.cat([wrote.to(actions.dtype), actions.mean(2), actions.amax(2)], -1)
        return HiddenStreams(stream.main + self.to_main(pooled), actions)

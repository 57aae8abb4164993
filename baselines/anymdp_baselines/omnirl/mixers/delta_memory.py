"""The hard-addressed delta memory: a row for every slot (observation, action), and no keys to learn.

Every step writes to the slot just left a learned projection of the stream, behind a learned gate, and
reads the slots of the current state, one for each action, and the slot it wrote. Heads may bootstrap:
what they write adds a learned discount times the current state's rows, averaged over actions by a
learned policy (see `slot_scans`). Nothing depends on the numbers of observations and actions.

With a constant gate a slot forgets what it saw 1 / gate visits ago, and stays as noisy as so few visits are.
Where the memory `averages`, a gate is divided by a power of the sum of the gates that the slot has seen, its
own included: by the sum itself it is the normaliser of linear attention (Katharopoulos et al. 2020), and the
row a weighted mean. A power below 1, learned for each head, forgets slowly, as temporal-difference learning
with polynomial rates does (Even-Dar and Mansour 2003). The first write to a slot is then almost in full. The
sums lie in the last rows of memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anymdp_baselines.omnirl.fused import RMSNorm, linear_gelu
from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams
from anymdp_baselines.omnirl.mixers.slot_scans import at_once, chunkwise, scan, scan_
from anymdp_baselines.omnirl.recurrence import POWER_STEEPNESS, slot_rows, sum_gates, sum_rows

_GATES = (-2.0, -1.0, -2.0, -1.0)  # logits of the write gate at first, by head (repeated)
_POWER = 0.85  # logit of the power at first, 0.7
_DISCOUNTS = (-4.0, -4.0, 1.5, 3.0)  # of the discount: two heads recall, two bootstrap


class DeltaMemory(nn.Module):
    """The mixer; see the module.

    Args:
        width: of the main stream.
        per_action: of the stream of each action.
        size: columns of the memory, `heads` equal shares.
        heads: number of gates and discounts.
        bootstrap: whether heads may bootstrap; else it is the plain delta rule.
        averages: whether gates are divided by a power of their sum.
    """

    def __init__(
        self,
        width: int,
        per_action: int,
        size: int = 32,
        heads: int = 4,
        bootstrap: bool = True,
        averages: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.heads, self.bootstrap, self.averages = size, heads, bootstrap, averages
        if averages:
            self.power = nn.Parameter(torch.full((heads,), _POWER / float(POWER_STEEPNESS)))
        self.norm_main, self.norm_actions = RMSNorm(width), RMSNorm(per_action)
        self.to_write = nn.Linear(width, size + 2 * heads)
        with torch.no_grad():
            repeat = (heads + 3) // 4
            gates = torch.tensor(_GATES * repeat)[:heads]
            self.to_write.bias[size : size + heads] = 0.0 if averages else gates
            self.to_write.bias[size + heads :] = torch.tensor(_DISCOUNTS * repeat)[:heads]
        self.policy = nn.Linear(per_action, heads, bias=False)
        hidden = 2 * per_action
        self.from_slots = nn.Linear(size + per_action, hidden)
        self.from_main = nn.Linear(width, hidden, bias=False)
        self.to_actions = nn.Linear(hidden, per_action)
        self.to_main = nn.Linear(size + 2 * per_action, width)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, O, A, size], where it averages with rows for the sums below."""
        rows = n_observations
        rows += sum_rows(rows, self.heads, self.size) if self.averages else 0
        return torch.zeros(n, rows, n_actions, self.size, device=self.to_main.weight.device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment: step by step in compiled code on the CPU, in chunks on an accelerator."""
        main, given = self._project(stream, addresses)
        with torch.autocast(state.device.type, enabled=False):
            given, state, sums = self._average(addresses, given, state)
            read, wrote, after = self._scan(addresses, given, state)
            after = torch.cat([after, sums], 1) if self.averages else after
        return self._mix(stream, main, read, wrote), after

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step; changes `state`."""
        main, given = self._project(stream, addresses)
        with torch.autocast(state.device.type, enabled=False):
            given, memory, sums = self._average(addresses, given, state)
            read, wrote, memory = self._scan_at_once(addresses, given, memory)
            if self.averages:
                state.copy_(torch.cat([memory, sums], 1))
        return self._mix(stream, main, read, wrote), state

    def _average(
        self, addresses: Addresses, given: tuple[Tensor, Tensor, Tensor], state: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor, Tensor]:
        """Returns (what is given, with smaller gates; the rows of slots; the rows of sums after)."""
        if not self.averages:
            return given, state, state[:, :0]
        value, gate, g = given
        rows = slot_rows(state.shape[1], self.heads, self.size)
        after = state[:, rows:].detach().clone()
        flat = after.flatten(1)  # a view
        seen = _sum_gates(addresses.slot, gate.detach(), flat)
        power = (float(POWER_STEEPNESS) * self.power).sigmoid()
        given = value, gate * torch.exp(-power * seen.log()), g
        return given, state[:, :rows].contiguous(), after

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
        """Returns (normalised main stream, (value, gate, bootstrap weights) of `slot_scans`)."""
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


def _sum_gates(slot: Tensor, gate: Tensor, sums: Tensor) -> Tensor:
    """Returns the sums of `recurrence.sum_gates`, [B, T, H]; changes `sums` [B, F]."""
    if gate.device.type != "cpu":
        return _sum_gates_at_once(slot, gate, sums)
    out = torch.empty_like(gate)
    arrays = [x.contiguous().numpy() for x in (slot, gate)]
    sum_gates(arrays[0], arrays[1], sums.numpy(), out.numpy())
    return out


def _sum_gates_at_once(slot: Tensor, gate: Tensor, sums: Tensor) -> Tensor:
    """Computes `_sum_gates` for accelerators, all steps in parallel."""
    heads, writes = gate.shape[2], slot >= 0
    place = slot.clamp(min=0)[..., None] * heads + torch.arange(heads, device=slot.device)
    gate = gate * writes[..., None]
    same = ((slot[:, :, None] == slot[:, None]) & writes[:, None]).to(gate.dtype).tril()
    before = sums.gather(1, place.flatten(1)).view_as(gate)
    sums.scatter_add_(1, place.flatten(1), gate.flatten(1))
    return torch.where(writes[..., None], before + same @ gate, 1.0)

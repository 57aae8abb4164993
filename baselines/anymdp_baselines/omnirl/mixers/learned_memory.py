"""The delta memory of learned keys: `delta_memory` without its hard addresses.

The key of a slot (observation, action) is learned: the product of an embedding of each, scaled to
length 1. Keys of different slots start nearly orthogonal and share one matrix of constant size, whatever
the numbers of observations and actions; what the memory can tell apart is for training to find out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from anymdp_baselines.omnirl.mixers import Addresses
from anymdp_baselines.omnirl.mixers.delta_memory import DeltaMemory
from anymdp_baselines.omnirl.mixers.key_scans import at_once, chunkwise, scan, scan_


class LearnedMemory(DeltaMemory):
    """The mixer; see the module.

    Args:
        width, per_action, size, heads, bootstrap: as `DeltaMemory`.
        key_size: K, of the keys.
        n_observations: number of ids it can learn.
        n_actions: number of actions.
    """

    def __init__(
        self,
        width: int,
        per_action: int,
        size: int,
        heads: int,
        bootstrap: bool,
        key_size: int,
        n_observations: int,
        n_actions: int,
    ) -> None:
        super().__init__(width, per_action, size, heads, bootstrap)
        self.of_state, self.of_action = (
            nn.Parameter(torch.randn(n, key_size).sign()) for n in (n_observations, n_actions)
        )

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, size, K]."""
        return self.of_state.new_zeros(n, self.size, self.of_state.shape[1]).detach()

    def _table(self, n_actions: int) -> Tensor:
        """Returns the keys of slots (o, a), a below `n_actions`, [O * n_actions, K]."""
        both = self.of_state[:, None] * self.of_action[None, :n_actions]
        return normalize(both.flatten(0, 1), dim=-1)

    def _scan(
        self, addresses: Addresses, given: tuple[Tensor, Tensor, Tensor], state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        form = scan if state.device.type == "cpu" else chunkwise
        return form(addresses.slot, addresses.seen, *given, self._table(given[2].shape[3]), state)

    def _scan_at_once(
        self, addresses: Addresses, given: tuple[Tensor, Tensor, Tensor], state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        form = scan_ if state.device.type == "cpu" else at_once
        table = self._table(given[2].shape[3])
        read, wrote = form(addresses.slot, addresses.seen, *given, table, state)[:2]
        return read, wrote, state

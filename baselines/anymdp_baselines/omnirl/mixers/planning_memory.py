"""The planning memory as a layer: it counts a run's transitions and keeps values over them up to date.

`omnirl.value_iteration` has the equations. Learned are: what a column accumulates, its discount, its prior,
the policy of its head, and how the values of the current state are read. The layer comes before the first
block, whose streams of actions begin with what it read of each action.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from anymdp_baselines.omnirl.codes import READ_EXTRA
from anymdp_baselines.omnirl.fused import RMSNorm, linear_gelu
from anymdp_baselines.omnirl.mixers import HiddenStreams
from anymdp_baselines.omnirl.mixers.slot_scans import as_array
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_baselines.omnirl.value_iteration import (
    PLAN_HEADS,
    STEEPNESS,
    PlanWeights,
    backups,
    is_linear,
    plan_scan,
    plan_scan_back,
    plan_size,
)
from anymdp_bench.datasets.codes import NOTHING, TERMINATED

_DISCOUNTS = (0.9, 0.97, 0.99, 0.997), (0.5, 0.9, 0.97, 0.99)  # at first, of rewards and of others
_SHARPNESS, _PRIORS, _PSEUDO = (1.0, 3.0, 10.0, 10.0), (0.0, 0.3, 0.6, 1.0), (1.0, 0.5, 1.0, 0.5)
_CURIOSITY = 3.0
"""At first every second learned column tells how much of the way ahead is new, and the last head seeks it."""


class _Plan(torch.autograd.Function):
    """`value_iteration.plan_scan`, with its adjoint."""

    @staticmethod
    def forward(ctx: Any, slot, arrival, seen, given, scale, weights, flat, sizes, in_turn):
        n, length = slot.shape
        n_observations, n_actions = sizes
        columns, after = given.shape[2], flat.clone()
        order = torch.empty(n, length, backups(in_turn), dtype=torch.int64)
        log = torch.empty(*order.shape, n_actions, columns)
        visits = torch.empty(n, length, n_actions)
        read, value = torch.empty(n, length, n_actions, columns), torch.empty(n, length, columns)
        steps = (slot, arrival, seen, given, scale)
        made = map(as_array, (order, log, visits, read, value))
        plan_scan(
            *(as_array(after), n_observations, *map(as_array, steps), _weights(weights), *made)
        )
        ctx.save_for_backward(*steps, weights, after, order, log)
        ctx.n_observations = n_observations
        ctx.mark_non_differentiable(visits, after)
        return read, value, visits, after

    @staticmethod
    def backward(ctx: Any, d_read, d_value, *_):
        *steps, weights, after, order, log = ctx.saved_tensors
        d_given, d_weights = torch.zeros(d_value.shape), torch.zeros(len(after), *weights.shape)
        rest = map(as_array, (order, log, d_read, d_value, d_given, d_weights))
        flat = as_array(after.clone())
        plan_scan_back(*(flat, ctx.n_observations, *map(as_array, steps), _weights(weights), *rest))
        return None, None, None, d_given, None, d_weights.sum(0), None, None, None


def plan(
    slot: Tensor, arrival: Tensor, seen: Tensor, given: Tensor, scale: Tensor, weights: Tensor, flat: Tensor,
    sizes: tuple[int, int], in_turn: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Computes all steps, with the gradients of `given` and `weights`.

    Args:
        slot: left * A + action of the step that led here, -1 for none, int64 [B, T].
        arrival: the observation that it led to, -1 where the episode terminated, int64 [B, T].
        seen: the current observation, int64 [B, T].
        given: what is written, [B, T, P].
        scale: root mean square of the run's rewards, [B, T].
        weights: the fields of `value_iteration.PlanWeights`, [5, P].
        flat: the memory, [B, F].
        sizes: the numbers of observations and actions.
        in_turn: states backed up in turn at each step.

    Returns:
        (M [B, T, A, P], U [B, T, P], visits [B, T, A]) of the current states, and the memory after.
    """
    out: tuple[Tensor, Tensor, Tensor, Tensor] = _Plan.apply(
        slot, arrival, seen, given, scale, weights, flat, sizes, in_turn
    )
    return out


def _weights(weights: Tensor) -> PlanWeights:
    return PlanWeights(*as_array(weights))


def squash(x: Tensor) -> Tensor:
    """Returns x / sqrt(1 + |x|): near 0 the number itself, far from it as a square root."""
    return x * torch.rsqrt(1.0 + x.abs())


class PlanningMemory(nn.Module):
    """The layer; see the module. It is computed on the CPU.

    Args:
        width: of the main stream.
        per_action: of the stream of each action.
        columns: of the memory, equal shares of the heads, each half of rewards and half of learned cumulants.
        in_turn: states backed up in turn at each step.
    """

    def __init__(self, width: int, per_action: int, columns: int, in_turn: int) -> None:
        super().__init__()
        self.columns, self._in_turn, heads = columns, in_turn, PLAN_HEADS
        each = columns // heads
        half = each // 2
        discounts = [_DISCOUNTS[0][j % 4] for j in range(half)]
        discounts += [_DISCOUNTS[1][j % 4] for j in range(each - half)]
        self.to_write = nn.Linear(width, columns)
        self.discount = nn.Parameter(torch.tensor(discounts * heads).logit() / STEEPNESS)
        sharpness, prior, pseudo = (torch.zeros(columns) for _ in range(3))
        for h in range(heads):
            own = slice(h * each, h * each + half)
            sharpness[h * each + min(2, half - 1)] = _SHARPNESS[h] / STEEPNESS
            prior[own] = _PRIORS[h]
            new = slice(h * each + half + 1, (h + 1) * each, 2)
            prior[new] = 1.0
            with torch.no_grad():
                self.to_write.weight[new], self.to_write.bias[new] = 0.0, 0.0
            pseudo[h * each : (h + 1) * each] = math.log(_PSEUDO[h])
        sharpness[-1] = _CURIOSITY / STEEPNESS
        self.sharpness, self.prior = nn.Parameter(sharpness), nn.Parameter(prior)
        self.pseudo = nn.Parameter(pseudo)
        hidden = 2 * per_action
        self.from_rows = nn.Linear(2 * columns + READ_EXTRA, hidden)
        self.from_main = nn.Linear(width, hidden, bias=False)
        self.to_actions = nn.Linear(hidden, per_action)
        self.to_main = nn.Linear(columns + 2 * per_action, width)
        self.norm_main = RMSNorm(width)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, F]."""
        size = plan_size(n_observations, n_actions, self.columns)
        return torch.zeros(n, size, device=self.to_main.weight.device)

    def _linear_columns(self, device: torch.device) -> Tensor:
        """Returns which columns take the reward itself, bool [P]."""
        columns = [is_linear.py_func(c, self.columns) for c in range(self.columns)]
        return torch.tensor(columns, device=device)

    def weights(self) -> Tensor:
        """Returns the fields of `value_iteration.PlanWeights`, [5, P]."""
        discount = (STEEPNESS * self.discount).sigmoid()
        share = 1.0 - discount
        sharpness = STEEPNESS * self.sharpness / share
        return torch.stack([share, discount, self.prior, self.pseudo.exp(), sharpness])

    def forward(
        self, main: Tensor, steps: StepInputs, state: Tensor, n_observations: int, n_actions: int
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment, or one step; returns (streams, state after).

        Args:
            main: the tokens, [B, T, width].
            steps: what they were made of.
            state: the memory, [B, F].
            n_observations: O of the tasks.
            n_actions: A of them.
        """
        with torch.autocast(main.device.type, enabled=False):
            slot = torch.where(steps.ending == NOTHING, -1, steps.left * n_actions + steps.action)
            is_over = (steps.ending == NOTHING) | (steps.ending == TERMINATED)
            arrival = torch.where(is_over, -1, steps.arrival)
            learned = self.to_write(main.float())
            linear = self._linear_columns(learned.device)
            given = torch.where(linear, steps.reward[..., None], learned)
            weights = self.weights()
            read, value, visits, after = plan(
                slot, arrival, steps.seen, given, steps.scale, weights, state,
                (n_observations, n_actions), self._in_turn,
            )  # fmt: skip
            unit = torch.where(linear, 1.0 / steps.scale.clamp(min=1e-6)[..., None], 1.0)
            better = (read - value[:, :, None]) * (unit / weights[0])[:, :, None]
            seen = torch.stack([torch.log1p(visits) / 4.0, 1.0 / (1.0 + visits)], -1)
            rows = torch.cat([read * unit[:, :, None], squash(better), seen], -1)
        main_ = self.norm_main(main)
        actions = self.to_actions(linear_gelu(self.from_rows, rows, self.from_main(main_)))
        pooled = torch.cat([value * unit, actions.mean(2), actions.amax(2)], -1)
        return HiddenStreams(main + self.to_main(pooled), actions), after

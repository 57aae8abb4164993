"""Softmax attention (Vaswani et al. 2017), to all of the past or to a window of it.

Queries and keys are normed (QK-norm), and positions are not encoded: a token says what it follows, and
order comes from causality (Haviv et al. 2022, arXiv 2203.16634). The state is the keys and values to be
seen: constant in size with a window, growing by every token without, which the trainer of runs that begin
anew cannot carry: there, take the window.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams

WINDOW = 128


class Attention(nn.Module):
    """The mixer; see the module. State: [B, tokens, 2 * width + 1], keys, values, and 1.0 where there is one.

    Args:
        width: of the main stream.
        heads: of the attention.
        window: tokens seen, the current one included; 0: all.
    """

    def __init__(self, width: int, heads: int, window: int = 0) -> None:
        super().__init__()
        self.heads, self.size, self.window = heads, width // heads, window
        self.norm = nn.RMSNorm(width)
        self.norm_q, self.norm_k = nn.RMSNorm(self.size), nn.RMSNorm(self.size)
        self.to_all = nn.Linear(width, 3 * width, bias=False)
        self.to_main = nn.Linear(width, width, bias=False)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, window, 2 * width + 1]."""
        width = self.heads * self.size
        return torch.zeros(n, self.window, 2 * width + 1, device=self.to_main.weight.device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment."""
        q, seen = self._project(stream.main, state)
        out = self._attend_window(q, seen) if self.window else self._attend_all(q, seen)
        main = stream.main + self.to_main(out.transpose(1, 2).flatten(2))
        kept = seen[:, -self.window :] if self.window else seen
        return HiddenStreams(main, stream.actions), kept

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step, as a segment of one."""
        q, seen = self._project(stream.main, state)
        seen = seen[:, -self.window :] if self.window else seen
        k, v, there = self._keys(seen)
        out = scaled_dot_product_attention(q, k, v, there[:, None, None] > 0.0)
        main = stream.main + self.to_main(out.transpose(1, 2).flatten(2))
        return HiddenStreams(main, stream.actions), seen

    def _project(self, main: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (queries [B, H, T, size], state with the keys and values of the segment added)."""
        q, k, v = self.to_all(self.norm(main)).unflatten(-1, (3, self.heads, self.size)).unbind(2)
        there = state.new_ones(*main.shape[:2], 1)
        new = torch.cat([self.norm_k(k).flatten(2), v.flatten(2), there.to(v.dtype)], -1)
        seen = torch.cat([state, new.to(state.dtype)], 1)
        return self.norm_q(q).transpose(1, 2).to(state.dtype), seen

    def _keys(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (keys and values [B, H, tokens, size], 1.0 where there is one [B, tokens])."""
        both = seen[..., :-1].unflatten(-1, (2, self.heads, self.size))
        k, v = both.permute(2, 0, 3, 1, 4)
        return k, v, seen[..., -1]

    def _attend_all(self, q: Tensor, seen: Tensor) -> Tensor:
        k, v, _ = self._keys(seen)
        if k.shape[2] == q.shape[2]:
            return scaled_dot_product_attention(q, k, v, is_causal=True)
        past = k.shape[2] - q.shape[2]
        order = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril(past)
        return scaled_dot_product_attention(q, k, v, order)

    def _attend_window(self, q: Tensor, seen: Tensor) -> Tensor:
        """Attends in blocks of `window` queries; each sees its own block and the one before."""
        n, length = len(q), q.shape[2]
        w = self.window
        missing = -length % w
        k, v, there = self._keys(pad(seen, (0, 0, 0, missing)))
        q = pad(q, (0, 0, 0, missing)).unflatten(2, (-1, w))
        k, v = (x.unfold(2, 2 * w, w).transpose(-1, -2) for x in (k, v))
        there = there.unfold(1, 2 * w, w)[:, None, :, None] > 0.0
        i, j = torch.arange(w, device=q.device)[:, None], torch.arange(2 * w, device=q.device)
        near = ((j > i) & (j <= i + w)) & there
        near = near | (j == i + w)  # the padding's own
        near = near.expand(n, 1, -1, -1, -1)
        q, k, v, near = (x.transpose(1, 2).flatten(0, 1) for x in (q, k, v, near))
        out = scaled_dot_product_attention(q, k, v, near)
        whole: Tensor = out.unflatten(0, (n, -1)).transpose(1, 2).flatten(2, 3)
        return whole[:, :, :length]


MIXERS = {"attention": Attention, "window": partial(Attention, window=WINDOW)}

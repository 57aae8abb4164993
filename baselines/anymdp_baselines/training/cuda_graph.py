"""Work on a CUDA device captured as a graph of kernels, so that launching them costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_WARM_UP = 2  # calls before the capture, for what libraries set up at first


class Captured:
    """A function of tensors of fixed shapes, captured at its first call and replayed from then on.

    The function must not look at values (no `item`, no branch on them). What it returns is overwritten by
    the next call. Gradients that it accumulates are those of the replays alone.

    Args:
        function: of a list of tensors, to be captured.
        parameters: that it accumulates gradients of.
    """

    def __init__(
        self, function: Callable[[list[Tensor]], list[Tensor]], parameters: Sequence[Tensor]
    ) -> None:
        self._function, self._parameters = function, parameters
        self._graph: torch.cuda.CUDAGraph | None = None
        self._given: list[Tensor] = []
        self._out: list[Tensor] = []

    def __call__(self, given: list[Tensor]) -> list[Tensor]:
        """What the function returns for tensors of the same shapes as at the first call."""
        if self._graph is None:
            self._capture(given)
        for held, new in zip(self._given, given, strict=True):
            held.copy_(new)
        assert self._graph is not None
        self._graph.replay()
        return self._out

    def _capture(self, given: list[Tensor]) -> None:
        self._given = [x.clone() for x in given]
        kept = [None if p.grad is None else p.grad.clone() for p in self._parameters]
        for p in self._parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._function(self._given)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._out = self._function(self._given)
        self._graph = graph
        for p, grad in zip(self._parameters, kept, strict=True):
            assert p.grad is not None
            p.grad.copy_(torch.zeros_like(p) if grad is None else grad)

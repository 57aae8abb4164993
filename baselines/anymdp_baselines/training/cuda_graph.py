"""Work on a CUDA device captured as a graph of kernels, so that launching them costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

_WARM_UP = 2  # calls before the capture, for what libraries set up at first

Result = TypeVar("Result")


def capture_graph(
    function: Callable[[], Result], warm_up: int
) -> tuple[torch.cuda.CUDAGraph, Result]:
    """Calls `function` `warm_up` times, captures another call; returns (graph, what that call returned)."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(warm_up):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = function()
    return graph, out


class CapturedFunction:
    """A function of tensors of fixed shapes, captured at its first call and replayed from then on.

    The function must not look at values (no `item`, no branch on them). What it returns is overwritten by
    the next call. The gradients that it accumulates are those of the replays alone.

    Args:
        function: a function of a list of tensors.
        parameters: the parameters whose gradients it accumulates.
    """

    def __init__(
        self, function: Callable[[list[Tensor]], list[Tensor]], parameters: Sequence[Tensor]
    ) -> None:
        self._function, self._parameters = function, parameters
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._outputs: list[Tensor] = []

    def __call__(self, inputs: list[Tensor]) -> list[Tensor]:
        """Returns what the function returns for tensors of the same shapes as at the first call."""
        if self._graph is None:
            self._capture(inputs)
        for own, new in zip(self._inputs, inputs, strict=True):
            own.copy_(new)
        assert self._graph is not None
        self._graph.replay()
        return self._outputs

    def _capture(self, inputs: list[Tensor]) -> None:
        self._inputs = [x.clone() for x in inputs]
        before = [None if p.grad is None else p.grad.clone() for p in self._parameters]
        for p in self._parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        self._graph, self._outputs = capture_graph(lambda: self._function(self._inputs), _WARM_UP)
        for p, grad in zip(self._parameters, before, strict=True):
            assert p.grad is not None
            p.grad.copy_(torch.zeros_like(p) if grad is None else grad)

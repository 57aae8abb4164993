"""Long short-term memory (Hochreiter and Schmidhuber 1997), as in PyTorch: one step after another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams


class LSTM(nn.Module):
    """The mixer. State: [B, 2, width], output and cell; `heads` has no effect."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.cells = nn.LSTM(width, width, batch_first=True)
        with torch.no_grad():
            dict(self.cells.named_parameters())["bias_ih_l0"][width : 2 * width] = (
                2.0  # remember, at first
            )
        self.to_main = nn.Linear(width, width, bias=False)

    def initial_state(self, n: int, n_observations: int, n_actions: int) -> Tensor:
        """Returns zeros [n, 2, width]."""
        weight = self.to_main.weight
        return torch.zeros(n, 2, weight.shape[0], device=weight.device)

    def forward(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads a segment."""
        hidden, cell = state.transpose(0, 1).contiguous()
        out, (hidden, cell) = self.cells(self.norm(stream.main), (hidden[None], cell[None]))
        main = stream.main + self.to_main(out)
        return HiddenStreams(main, stream.actions), torch.stack([hidden[0], cell[0]], 1)

    def step(
        self, stream: HiddenStreams, addresses: Addresses, state: Tensor
    ) -> tuple[HiddenStreams, Tensor]:
        """Reads one step."""
        return self.forward(stream, addresses, state)


MIXERS = {"lstm": LSTM}

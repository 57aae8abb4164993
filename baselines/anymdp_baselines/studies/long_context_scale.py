"""The scales of the study `long-context`: its models, their trainings, and what they are scored on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anymdp_baselines.studies.context_config import ContextConfig

MIXERS = {
    "gated": "gated DeltaNet",
    "gsa": "GSA",
    "mamba2": "Mamba-2",
    "rwkv7": "RWKV-7",
    "window": "softmax attention, window of 128 tokens",
    "lstm": "LSTM",
    "attention": "softmax attention",
}
COUNTS = "counts"


@dataclass(frozen=True)
class Scale:
    """How much work: the model before parameters are made equal, its trainings, and what it is scored on.

    Attributes:
        width: of the model.
        blocks: of it.
        heads: of its mixer.
        config: a training; its length of a run and its learning rate are set by the two that follow.
        lengths: steps of the training runs; the second is that of the search of the learning rate.
        rates: the learning rates of the search.
        search: updates of a training of the search.
        held_out: runs on which the search compares.
        stream: the published stream.
        runs: of it.
        length: steps of each.
    """

    width: int
    blocks: int
    heads: int
    config: ContextConfig
    lengths: tuple[int, ...]
    rates: tuple[float, ...]
    search: int
    held_out: int
    stream: str
    runs: int
    length: int

    @property
    def main_length(self) -> int:
        """The length of runs of the search and of the main table."""
        return self.lengths[1]

    def config_of(self, length: int, rate: float, updates: int = 0) -> ContextConfig:
        """Returns a training on runs of a length at a rate; by default with all updates."""
        return replace(
            self.config, context_length=length, rate=rate, updates=updates or self.config.updates
        )


SCALES = {
    "tiny": Scale(
        16, 1, 1, ContextConfig(8, 3, 4, 64, 128, 8, 3e-3), (64, 128), (3e-3, 1e-2), 4, 2,
        "tau8-v1", 2, 2048,
    ),
    "small": Scale(
        64, 1, 1, ContextConfig(8, 3, 8, 128, 2048, 4096, 3e-3), (512, 2048, 8192),
        (1e-3, 2.5e-3, 6e-3), 1536, 32, "tau8-v1", 16, 32768,
    ),
    "paper": Scale(
        512, 18, 4, ContextConfig(64, 5, 40, 2048, 8192, 98_304, 2e-4), (2048, 8192, 32768),
        (1e-4, 2e-4, 4e-4), 24_576, 32, "tau64-v1", 16, 32768,
    ),
}  # fmt: skip

"""Protocols: the rules by which tasks are chosen and played, beside a suite's environments and budgets.

`default` is this project's. `paper` follows the evaluation code that the paper's authors released
(https://github.com/airs-cuhk/airsoul, projects/OmniRL), as far as it is known:

- A sampled task counts only if the variance of the oracle's normalised episode return is below 0.3, so if
  the gap is at least 1.83 standard deviations of it. `default` asks for 0.5 of them.
- An episode of the FrozenLakes may take 200 steps (`max_steps` of its config.yaml; the environment itself
  would allow 1,000). `default` has Gymnasium's 100.
- Every episode of the Pendulum starts from the state of Gymnasium's Pendulum-v1 after `reset(seed=123)`.
- Learners that train are tested by episodes that are played, and no test is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """A protocol.

    Attributes:
        least_gap: a sampled task counts if its gap is at least so many standard deviations of the return of
            one oracle episode.
        exact_tests: whether learners are tested exactly where that is possible.
        keywords: by the name of a task family, keywords that its tasks are made with.
    """

    least_gap: float = (
        0.5  # scoring.references.LEAST_GAP_IN_SD, whose import would compile the engine
    )
    exact_tests: bool = True
    keywords: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


DEFAULT_PROTOCOL = "default"
PROTOCOLS = {
    DEFAULT_PROTOCOL: Protocol(),
    "paper": Protocol(
        least_gap=0.3**-0.5,
        exact_tests=False,
        keywords={"FrozenLake": {"max_steps": 200}, "DiscretePendulum": {"start": "fixed"}},
    ),
}
"""The protocols by name."""

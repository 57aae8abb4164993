"""`Mixture`: which behaviour policies play the recorded runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from anymdp_bench.datasets.codes import ORACLE_GAMMAS, SHARES
from anymdp_bench.spelling import offer

BEHAVIOURS = (
    "random",
    "model-based",
    "q-learning",
    *(f"mixed-{gamma:g}" for gamma in ORACLE_GAMMAS),
    *(f"noisy-oracle-{gamma:g}" for gamma in ORACLE_GAMMAS[2:]),
    *(f"oracle-{gamma:g}" for gamma in ORACLE_GAMMAS[1:]),
)
"""The names of the behaviours.

`random` is a random policy that prefers some actions. `model-based` and `q-learning` are learners, which
explore and improve within a run. `mixed-G` starts as the model-based learner with random actions, and follows
the oracle of discount G in a growing share of its steps. `noisy-oracle-G` is that oracle with random actions,
whose share falls from 1. `oracle-G` is the oracle alone.
"""


class Mixture(NamedTuple):
    """A mixture of behaviours. `Mixture()` is that of the OmniRL paper, and has all of them.

    Attributes:
        shares: how often each behaviour of `BEHAVIOURS` is drawn, in their order; they sum to 1.
        redrawn: the share of the runs whose behaviour is drawn again now and then; in the others it stays.
        pace: how many times longer than S * A steps the schedules of its noise last.
    """

    shares: tuple[float, ...] = SHARES
    redrawn: float = 0.85
    pace: float = 1.0

    @classmethod
    def of(
        cls, weights: Mapping[str, float], *, redrawn: float = 0.85, pace: float = 1.0
    ) -> Mixture:
        """Makes a mixture of some behaviours, for example `Mixture.of({"random": 1, "oracle-0.994": 3})`.

        Args:
            weights: a weight for each name of `BEHAVIOURS` that takes part. They need not sum to 1.
            redrawn: the share of the runs whose behaviour is drawn again now and then.
            pace: how many times longer than S * A steps the schedules of its noise last.

        Raises:
            ValueError: a name is unknown, or the numbers make no mixture.
        """
        for name in weights:
            if name not in BEHAVIOURS:
                raise ValueError(f"no behaviour {name!r:.40}; {offer(name, BEHAVIOURS)}")
        total = float(sum(weights.values()))
        if not (0.0 < total < float("inf") and min(weights.values()) >= 0.0):
            raise ValueError(f"weights are {dict(weights)!r:.80}; give numbers from 0, not all 0")
        shares = tuple(float(weights.get(name, 0.0)) / total for name in BEHAVIOURS)
        return cls(shares, redrawn, pace).checked()

    def checked(self) -> Mixture:
        """Returns the mixture itself.

        Raises:
            ValueError: its numbers make no mixture.
        """
        if len(self.shares) != len(BEHAVIOURS):
            raise ValueError(f"mixture: {len(self.shares)} shares; give {len(BEHAVIOURS)}")
        if not (min(self.shares) >= 0.0 and abs(sum(self.shares) - 1.0) < 1e-6):
            raise ValueError(f"mixture: shares {self.shares!r:.80}; give numbers that sum to 1")
        if not 0.0 <= self.redrawn <= 1.0:
            raise ValueError(f"mixture: redrawn is {self.redrawn!r:.40}; give a share from 0 to 1")
        if not 0.0 < self.pace < float("inf"):
            raise ValueError(f"mixture: pace is {self.pace!r:.40}; give a number above 0")
        return self

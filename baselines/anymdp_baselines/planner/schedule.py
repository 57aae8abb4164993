"""When a run scouts, explores and settles: by visits per slot, and by the number of outcomes of a slot."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from anymdp_baselines.training.temperature import COLDEST, settled_share
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import uniform

FIRST_TEMPERATURE = 1.0
RENEWALS = ((9.0, 17.7, 1.52), (17.7, 40.0, 1.12), (40.0, 101.0, 1.125), (101.0, 253.0, 1.0625))
"""When a settled run explores anew: the earliest and the latest begin in visits per slot, and end / begin."""
LIKELY = (
    0.03  # exploring anew leaves out actions below this share of the likeliest one's probability
)
LEAST_CHANCE = 0.002  # the least probability of being the best with which an action is scouted


@njit(cache=True)
def _draw_uniform(rng, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = uniform(rng, i)


def draw_renewals(rng: UInt64s) -> Float64s:
    """Draws when each run explores anew, in visits a slot, float64 [n, len(RENEWALS)].

    Each begin is uniform on a log scale between its bounds, and the bounds of one end where those of the next
    begin: so no number of steps is special, and none of those at which scores are reported.

    Args:
        rng: the state of one random stream a run, uint64 [n]; the streams advance.
    """
    share = np.empty((len(rng), len(RENEWALS)))
    _draw_uniform(rng, share)
    earliest, latest, _ = np.array(RENEWALS).T
    out: Float64s = earliest * (latest / earliest) ** share
    return out


@dataclass(frozen=True)
class Schedule:
    """How a run goes from exploring to exploiting.

    At temperature 1 the softmax is posterior sampling, and a run keeps to it for as long as that pays;
    sampling at a temperature that falls from the start learns less in the end.

    Attributes:
        settled: visits per slot before the temperature falls.
        scouting: visits per slot for which a run scouts (see `posterior_sampling.scout`).
        familiar: whether the task is known to be AnyMDP's. Elsewhere a slot with b outcomes (see
            `memory.branching`) calls for b times the scouting and b^3 times the exploring.
        first: temperature while the run explores.
        least: probability of being the best that the network must give to an action that is scouted.
        known: once a run has settled, weight of the advantage in the model of what is known, in nats a unit.
        renews: whether a settled run explores anew from time to time (`RENEWALS`).
        ending: temperature below which a run plays by the steps that are left (see `finite_horizon`); 0
            means never.
    """

    settled: float
    scouting: float
    familiar: bool
    first: float = FIRST_TEMPERATURE
    least: float = LEAST_CHANCE
    known: float = 0.0
    renews: bool = False
    ending: float = 0.0

    def temperature(
        self, visits: Float64s, branching: Float64s, renewal_begin: Float64s
    ) -> Float64s:
        """Returns the temperatures [k] of runs after so many visits per slot [k]; see `is_renewed`."""
        until = self.settled * (np.ones_like(branching) if self.familiar else branching**3)
        fallen = np.maximum(self.first * settled_share(visits, until), COLDEST)
        return np.where(self.is_renewed(visits, renewal_begin), self.first, fallen)

    def is_renewed(self, visits: Float64s, renewal_begin: Float64s) -> Bools:
        """Returns which runs [k] explore anew.

        A run that has settled knows the way that it goes, and little of what it has ruled out too soon.
        Sampling again from there finds it.

        Args:
            visits: visits per slot, [k].
            renewal_begin: when each run explores anew, [k, len(RENEWALS)]; see `draw_renewals`.
        """
        if not self.renews:
            return np.zeros(np.shape(visits), np.bool_)
        ratio = np.array([ratio for *_, ratio in RENEWALS])
        now = np.asarray(visits)[..., None]
        is_inside: Bools = (now >= renewal_begin) & (now < ratio * renewal_begin)
        out: Bools = np.any(is_inside, axis=-1)
        return out

    def scouting_visits(self, branching: Float64s) -> Float64s:
        """Returns the visits per slot [k] for which runs scout."""
        out: Float64s = (
            self.scouting * (1.0 if self.familiar else branching) * np.ones_like(branching)
        )
        return out


FAMILIAR = Schedule(9.0, 0.0, True, known=10.0, renews=True, ending=0.6)
"""On tasks known to be AnyMDP's."""
ELSEWHERE = Schedule(3.0, 3.0, False, ending=0.3)
"""On other tasks."""
HIDDEN = Schedule(0.35, 0.0, False, known=1000.0)
"""With ids that tell observations apart by what came before (see `aliasing`)."""

WITHOUT_NETWORK = Schedule(0.01, 24.0, False, least=0.0, known=1000.0, ending=0.3)
"""Without a network: it follows sampled tasks, and then plans in the model of what is known.

Nothing explores after the sampling, so that lasts longer. On 24 training tasks of tau(16,5), 6, 12, 24 and
48 visits a slot and outcome led to online scores of 0.82, 0.85, 0.65 and 0.65 after 2,000 steps, and of 0.86,
0.90, 1.03 and 1.04 after 8,000; `neural-planner` had 0.88 and 0.98.
"""
HIDDEN_WITHOUT_NETWORK = replace(WITHOUT_NETWORK, ending=0.0)
"""The same with ids."""


def blend(
    logit: Float64s,
    temperature: Float64s,
    scouted: Int64s,
    scouting: Bools,
    least: float | Float64s,
) -> Float64s:
    """Returns preferences [n, O, A]; `scouting` runs prefer the scouted action where it is likely enough.

    Args:
        logit: logits of the network, [n, O, A].
        temperature: temperatures, [n].
        scouted: the actions of the sampled policies, [n, O].
        scouting: which runs follow these, [n].
        least: probability of being the best that the network must give to such an action; one number, or [n].
    """
    out = logit / temperature[:, None, None]
    top = logit.max(-1, keepdims=True)
    chance = np.exp(logit - top)
    chance /= chance.sum(-1, keepdims=True)
    proposed = np.take_along_axis(chance, scouted[:, :, None], 2)[:, :, 0]
    follow = scouting[:, None] & (proposed >= np.reshape(least, (-1, 1)))
    sure = np.where(np.arange(logit.shape[2]) == scouted[:, :, None], 0.0, -1e3)
    return np.where(follow[:, :, None], sure, out)


def likely(preference: Float64s) -> Float64s:
    """Returns preferences [k, O, A] without actions below `LIKELY` of the likeliest one's probability."""
    top = preference.max(-1, keepdims=True)
    return np.where(preference < top + np.log(LIKELY), -1e3, preference)

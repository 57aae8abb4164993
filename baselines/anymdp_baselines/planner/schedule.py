"""When a run scouts, explores and settles: by visits a slot, and by how many outcomes a slot has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import uniform

FIRST_TEMPERATURE = 1.0
COOLING = 2.5  # in training: visits a slot after which the temperature has fallen by sqrt(2)
COLDEST = 0.05
SETTLING = 4.0  # power of visits by which the temperature falls, once it does
RENEWALS = ((9.0, 17.7, 1.52), (17.7, 40.0, 1.12), (40.0, 101.0, 1.125), (101.0, 253.0, 1.0625))
"""When a settled run explores anew: the earliest and the latest begin in visits a slot, and end / begin."""
LIKELY = (
    0.03  # chance, as a share of the likeliest action's, under which exploring anew leaves one out
)
LEAST_CHANCE = 0.002  # of being the best, without which an action is not scouted


def temperature(first: float | Float64s, age: int | Int64s, n_slots: int) -> Float64s:
    """The softmax temperature in training, after `age` steps on `n_slots` = S * A that began with `first`."""
    out: Float64s = np.maximum(
        first / np.sqrt(1.0 + np.asarray(age) / (COOLING * n_slots)), COLDEST
    )
    return out


def fallen(first: float, settled: Float64s, visits: Float64s) -> Float64s:
    """The softmax temperature [k] at play: `first` for `settled` visits a slot, then soon none."""
    share = np.minimum(1.0, settled / np.maximum(visits, 1e-9)) ** SETTLING
    out: Float64s = np.maximum(first * share, COLDEST)
    return out


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
        settled: visits a slot before the temperature falls.
        scouting: visits a slot for which a run scouts (see `scout`).
        familiar: whether the task is known to be AnyMDP's; elsewhere a slot with b outcomes (see
            `memory.branching`) calls for b times the scouting and b^3 times the exploring.
        first: temperature while it explores.
        least: probability of being the best that the network must give an action that is scouted.
        known: weight, once a run has settled, of the advantage in the model of what is known, in nats a unit.
        renews: whether a settled run explores anew from time to time (`RENEWALS`).
        ending: temperature under which a run plays by the steps that are left (see `horizon`); 0 is never.
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
        """Temperatures [k] of runs after so many visits a slot [k]; for the others see `is_renewed`."""
        until = self.settled * (np.ones_like(branching) if self.familiar else branching**3)
        return np.where(
            self.is_renewed(visits, renewal_begin), self.first, fallen(self.first, until, visits)
        )

    def is_renewed(self, visits: Float64s, renewal_begin: Float64s) -> Bools:
        """Which runs [k] explore anew.

        A run that has settled knows the way that it goes, and little of what it has ruled out too soon.
        Sampling again from there finds it.

        Args:
            visits: visits a slot, [k].
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
        """Visits a slot [k] for which runs scout."""
        out: Float64s = (
            self.scouting * (1.0 if self.familiar else branching) * np.ones_like(branching)
        )
        return out


FAMILIAR = Schedule(9.0, 0.0, True, known=10.0, renews=True, ending=0.6)
"""On AnyMDP."""
ELSEWHERE = Schedule(3.0, 3.0, False, ending=0.3)
HIDDEN = Schedule(0.35, 0.0, False, known=1000.0)
"""By ids that tell observations apart by what came before (see `history`)."""


def blend(
    logit: Float64s, warmth: Float64s, scouted: Int64s, scouting: Bools, least: float | Float64s
) -> Float64s:
    """Preferences [n, O, A]: of `scouting` runs the scout's action where the network gives it a chance.

    Args:
        logit: the network's, [n, O, A].
        warmth: temperatures, [n].
        scouted: the scout's actions, [n, O].
        scouting: which runs follow it, [n].
        least: probability of being the best that the network must give such an action, or [n].
    """
    out = logit / warmth[:, None, None]
    top = logit.max(-1, keepdims=True)
    chance = np.exp(logit - top)
    chance /= chance.sum(-1, keepdims=True)
    proposed = np.take_along_axis(chance, scouted[:, :, None], 2)[:, :, 0]
    follow = scouting[:, None] & (proposed >= np.reshape(least, (-1, 1)))
    sure = np.where(np.arange(logit.shape[2]) == scouted[:, :, None], 0.0, -1e3)
    return np.where(follow[:, :, None], sure, out)


def likely(preference: Float64s) -> Float64s:
    """Preferences [k, O, A] without actions whose chance is under `LIKELY` of the likeliest one's."""
    top = preference.max(-1, keepdims=True)
    return np.where(preference < top + np.log(LIKELY), -1e3, preference)

"""The softmax temperature's schedule: explore at first, settle later."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s

FIRST_TEMPERATURE = 1.0
COOLING = 2.5  # visits per slot after which the temperature has fallen by sqrt(2)
COLDEST = 0.05
SETTLED, SETTLING = 9.0, 4.0  # on AnyMDP: visits per slot before it falls, and its power
SCOUTING = {True: 0.0, False: 3.0}  # visits per slot that a run scouts for: on AnyMDP, elsewhere
LEAST_CHANCE = 0.002  # of being the best, without which an action is not scouted


def temperature(first: float | Float64s, age: int | Int64s, n_slots: int) -> Float64s:
    """The softmax temperature after `age` steps of a run on `n_slots` = S * A that began with `first`."""
    out: Float64s = np.maximum(
        first / np.sqrt(1.0 + np.asarray(age) / (COOLING * n_slots)), COLDEST
    )
    return out


def settling(first: float, age: int, n_slots: int) -> float:
    """The temperature on AnyMDP: `first` (at 1, posterior sampling) for as long as it pays, and then none.

    Sampling at a falling temperature from the start learns less in the end than sampling in full does.
    """
    fallen: float = min(1.0, SETTLED * n_slots / max(age, 1)) ** SETTLING
    return max(first * fallen, COLDEST)


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

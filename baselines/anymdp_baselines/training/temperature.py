"""How the softmax temperature of a run, and its bonus for actions seldom tried, fall as the run grows older.

At temperature 1 a network that predicts how probable it is that an action is best acts by posterior sampling.
A run explores so at first and settles later. Ages are counted in visits per slot: steps divided by S * A.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s

COLDEST = 0.05  # of a planner's run
COOLING = 2.5  # visits per slot after which a cooling temperature has fallen by sqrt(2)
SETTLING = 4  # power of the age by which the temperature of a settled run falls


def settled_share(visits: Float64s | float, settled: Float64s | float) -> Float64s:
    """Returns the share of the first temperature: 1 for `settled` visits per slot, and soon almost 0."""
    out: Float64s = (settled / np.maximum(visits, settled)) ** SETTLING
    return out


class TemperatureSchedule(NamedTuple):
    """The temperatures of a run.

    Attributes:
        first: the temperature at the first step.
        settled: visits per slot for which it stays so, before it falls fast; 0 means that it falls slowly
            from the start.
        coldest: the lowest temperature.
        untried: what is added, at first, to the preference of an action that was never tried in the current
            state, in nats; after n tries it is 1 / (1 + n)^2 of that. It falls as the temperature does.
    """

    first: float
    settled: float = 0.0
    coldest: float = 0.1
    untried: float = 0.0

    @property
    def words(self) -> str:
        """The schedule in words."""
        if self.coldest >= self.first:
            return f"{self.first:g} throughout"
        until = f" for {self.settled:g} visits a slot" if self.settled else ""
        bonus = f", untried {self.untried:g}" if self.untried else ""
        return f"{self.first:g}{until}{bonus}"

    def temperature(self, age: Int64s | int, n_slots: int) -> Float64s:
        """Returns the temperature after `age` steps of a run with `n_slots` = S * A."""
        out: Float64s = np.maximum(self.first * self._share(age, n_slots), self.coldest)
        return out

    def bonus(self, age: Int64s | int, n_slots: int) -> Float64s:
        """Returns the bonus of an untried action after `age` steps of a run with `n_slots` = S * A."""
        out: Float64s = self.untried * self._share(age, n_slots)
        return out

    def _share(self, age: Int64s | int, n_slots: int) -> Float64s:
        visits = np.asarray(age) / n_slots
        cooled: Float64s = 1.0 / np.sqrt(1.0 + visits / COOLING)
        return settled_share(visits, self.settled) if self.settled else cooled


def choose_temperatures(
    schedules: Sequence[TemperatureSchedule], group: Int64s, age: Int64s, n_slots: int
) -> Float64s:
    """Returns the temperatures of runs by the schedule of their `group` (int64 [n]), in the shape of age."""
    return _by_group(group, [schedule.temperature(age, n_slots) for schedule in schedules])


def choose_bonuses(
    schedules: Sequence[TemperatureSchedule], group: Int64s, age: Int64s, n_slots: int
) -> Float64s:
    """Returns the bonuses of untried actions by the schedule of the runs' `group`, in the shape of age."""
    return _by_group(group, [schedule.bonus(age, n_slots) for schedule in schedules])


def _by_group(group: Int64s, each: list[Float64s]) -> Float64s:
    out: Float64s = np.choose(group, each)
    return out

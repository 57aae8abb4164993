"""The mind of a batch of runs: what they remember, and the plans they act by.

A run plans when it has grown by `RATE`: its memory is read, and one forward pass gives the preferences
of all its states, by which it acts until the next plan. While it scouts, it follows a policy of a sampled
task, drawn again when an episode ends and whenever the visits of a slot reach a power of two. Once it has
settled and knows how long its episodes are, it plays by the steps that are left (see `horizon`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_baselines.planner.features import empty_reading
from anymdp_baselines.planner.finite_horizon import FAR, UNKNOWN, end_runs
from anymdp_baselines.planner.inference import Network, plan_runs
from anymdp_baselines.planner.memory import Memory, branching, empty_memory, write_runs
from anymdp_baselines.planner.posterior_sampling import scout
from anymdp_baselines.planner.schedule import Schedule, blend, draw_renewals, likely
from anymdp_baselines.planner.smoothing import back_off
from anymdp_bench.engine.arrays import Bools, Int64s, UInt64s
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.transition import Transition

RATE = 0.03  # the run's growth, in steps, that calls for a new plan
_APART = np.uint64(0xA0761D6478BD642F)  # the scout draws apart from the softmax
_RENEWAL_STREAM = np.uint64(0x8EBC6AF09C88C6E3)  # and so do the times of exploring anew


@njit(cache=True)
def _choose(preference, runs, observation, rng, greedy):
    """Samples softmax(preference[run, observation]) by the Gumbel trick, each run from its own stream."""
    out = np.empty(len(runs), np.int64)
    for k in range(len(runs)):
        i = runs[k]
        best, highest = 0, -math.inf
        for a in range(preference.shape[2]):
            value = preference[i, observation[k], a]
            if not greedy:
                value -= math.log(-math.log(max(uniform(rng, i), 1e-12)))
            if value > highest:
                best, highest = a, value
        out[k] = best
    return out


class Mind:
    """Memories and plans of n runs of one size.

    Args:
        planner: the network; another may take its place at any time.
        seeds: uint64 [n], for the runs' choices.
        n_observations: number of ids.
        n_actions: number of actions.
        schedule: how warm a run plays, and for how long it scouts.
        whose: where observations are ids, whose they are, [n, O]; what is known then falls back on those.
    """

    def __init__(
        self,
        planner: Network,
        seeds: UInt64s,
        n_observations: int,
        n_actions: int,
        schedule: Schedule,
        whose: Int64s | None = None,
    ) -> None:
        n, self.shape = len(seeds), (len(seeds), n_observations, n_actions)
        self.planner, self._schedule, self._whose = planner, schedule, whose
        self.memory: Memory = empty_memory(*self.shape)
        self.memory.familiar[:] = schedule.familiar
        self._slots = n_observations * n_actions
        self._reading = empty_reading(1, n_observations, n_actions)
        self.preference, self._logit, self._known = np.zeros((3, *self.shape))
        self._scouted = np.zeros(self.shape[:2], np.int64)
        self._value = np.zeros(self.shape[:2] if whose is not None else (n, 0))
        self._rng, self._scout_rng = seeds.copy(), seeds ^ _APART
        self._renewal_begin = draw_renewals(seeds ^ _RENEWAL_STREAM)
        self._age, self._next_plan = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._branching, self._refuted = np.ones(n), np.zeros(n, np.bool_)
        self._clock, self._limit = np.zeros(n, np.int64), np.zeros(n, np.int64)
        depth = FAR if schedule.ending > 0.0 else 0
        self._ending = np.full((n, depth, n_observations), UNKNOWN, np.int16)

    def act(self, runs: Int64s, observation: Int64s, greedy: bool) -> Int64s:
        """Actions of `runs` [k] for `observation` [k], by their plans; the likeliest where `greedy`."""
        due = self._age[runs] >= self._next_plan[runs]
        if due.any():
            self.plan(runs[due])
        if self._schedule.scouting > 0.0:
            again = runs[self._refuted[runs] & self._scouts(runs)]
            if len(again):
                self._follow(again)
        out: Int64s = _choose(self.preference, runs, observation, self._rng, greedy)
        if self._schedule.ending > 0.0:
            left = (
                self._limit[runs] - self._clock[runs]
            )  # none where an episode outlasts the others
            timed = self._ending[runs, np.clip(left, 1, FAR) - 1, observation]
            out = np.where((timed != UNKNOWN) & (left > 0), timed, out)
        return out

    def learn(self, runs: Int64s, steps: Transition) -> None:
        """Writes one step of each of `runs` to its memory."""
        write_runs(self.memory, runs, *steps)
        self._age[runs] += 1
        self._clock[runs] += 1
        cut = runs[steps.truncated & ~steps.terminated]
        self._limit[cut] = np.maximum(self._limit[cut], self._clock[cut])
        self._clock[runs[steps.terminated | steps.truncated]] = 0
        if self._schedule.scouting > 0.0:
            visits = self.memory.visits[runs, steps.observation, steps.action].astype(np.int64)
            news = (visits & (visits - 1)) == 0
            self._refuted[runs] |= steps.terminated | steps.truncated | news

    def plan(self, runs: Int64s) -> None:
        """Preferences of every state and action of `runs` from their memories as they stand."""
        plan_runs(self.planner, self.memory, runs, self._reading, self._logit, self._known)
        if self._whose is not None:
            for i in runs:
                back_off(self.memory, i, self._whose[i], self._value[i], self._known[i])
        if not self._schedule.familiar:
            for i in runs:
                self._branching[i] = branching(self.memory, i)
        self._next_plan[runs] = self._age[runs] + np.maximum(
            1, (self._age[runs] * RATE).astype(int)
        )
        self._follow(runs)

    def likeliest(self) -> Int64s:
        """The actions [n, O] that a settled run would play now, were no end of the episode in sight."""
        logit, known = np.zeros((2, *self.shape))
        runs = np.arange(self.shape[0])
        plan_runs(self.planner, self.memory, runs, self._reading, logit, known)
        out: Int64s = (logit + self._schedule.known * known).argmax(-1)
        return out

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that changes, by name; writing to them puts the mind back."""
        own = {
            "preference": self.preference, "logit": self._logit, "known": self._known,
            "scouted": self._scouted, "rng": self._rng.view(np.int64),
            "scout_rng": self._scout_rng.view(np.int64),
            "age": self._age, "next_plan": self._next_plan, "branching": self._branching,
            "refuted": self._refuted, "value": self._value, "clock": self._clock,
            "limit": self._limit, "ending": self._ending, "renewal_begin": self._renewal_begin,
        }  # fmt: skip
        return {**self.memory._asdict(), **own}

    def _scouts(self, runs: Int64s) -> Bools:
        visits = self._age[runs] / self._slots
        return visits < self._schedule.scouting_visits(self._branching[runs])

    def _follow(self, runs: Int64s) -> None:
        """Preferences of `runs` by the latest plan and, while they scout, by fresh scouts' policies."""
        scouting = self._scouts(runs)
        scout(self.memory, runs[scouting], self._scout_rng, self._scouted)
        self._refuted[runs] = False
        visits = self._age[runs] / self._slots
        begin = self._renewal_begin[runs]
        warmth = self._schedule.temperature(visits, self._branching[runs], begin)
        sure = self._schedule.known * np.maximum(1.0 - warmth, 0.0)[:, None, None]
        logit = self._logit[runs] + sure * self._known[runs]
        preference = blend(logit, warmth, self._scouted[runs], scouting, self._schedule.least)
        renewed = self._schedule.is_renewed(visits, begin)
        preference[renewed] = likely(preference[renewed])
        self.preference[runs] = preference
        if self._schedule.ending > 0.0:
            self._ending[runs] = UNKNOWN
            ends = (warmth < self._schedule.ending) & ~renewed & ~scouting & (self._limit[runs] > 1)
            ends &= self.memory.shown[runs].sum((1, 2)) == 0.0
            end_runs(self.memory, runs[ends], self._limit, self._ending)

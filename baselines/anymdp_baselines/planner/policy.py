"""The runs of a batch: what they remember, and the plans that they act by.

A run plans anew when it has grown by `PLAN_GROWTH`. Its features are computed from its memory, and one
forward pass of the network gives the preferences in all of its states. It acts by those until the next plan.

Early in a run it may follow the policies of sampled tasks (see `posterior_sampling`). It draws a new one when
an episode ends, and whenever the visits of a slot (observation, action) reach a power of two. Once a run has
settled and knows how long its episodes are, it plays by the steps that are left (see `finite_horizon`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_baselines.planner.features import allocate_features
from anymdp_baselines.planner.finite_horizon import (
    LONGEST_HORIZON,
    NO_ACTION,
    plan_remaining_steps_of_runs,
)
from anymdp_baselines.planner.inference import (
    Network,
    plan_runs,
    plan_runs_without_network,
)
from anymdp_baselines.planner.memory import (
    Memory,
    empty_memory,
    estimate_branching,
    memory_arrays,
    write_runs,
)
from anymdp_baselines.planner.posterior_sampling import sample_policies
from anymdp_baselines.planner.schedule import Schedule, blend, draw_renewals, likely
from anymdp_baselines.planner.smoothing import smooth_advantages
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import uniform
from anymdp_bench.engine.transition import Transition

PLAN_GROWTH = 0.03  # the share of its steps by which a run grows until it plans anew
# Each purpose of a run has a stream of its own; the seed itself is that of the actions.
_POSTERIOR_STREAM = np.uint64(0xA0761D6478BD642F)
_RENEWAL_STREAM = np.uint64(0x8EBC6AF09C88C6E3)


@njit(cache=True)
def _sample_actions(preference, runs, observation, rng, greedy):
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


class PlannedRuns:
    """Memories and plans of n runs of one size.

    Args:
        planner: the network; another one may take its place at any time. None: there is none, and all of its
            logits are 0.
        seeds: one for each run's own choices, uint64 [n].
        n_observations: number of observations, or of ids.
        n_actions: number of actions.
        schedule: when a run explores, settles and explores anew.
        id_observation: the observation of each id, [n, O], where the runs are played by ids. Few visits of an
            id then fall back on its observation (see `smoothing`).

    Attributes:
        planner: the network.
        memory: what the runs have seen.
        preference: the logits of the actions that the runs play by, [n, O, A].
    """

    def __init__(
        self,
        planner: Network | None,
        seeds: UInt64s,
        n_observations: int,
        n_actions: int,
        schedule: Schedule,
        id_observation: Int64s | None = None,
    ) -> None:
        n, self.shape = len(seeds), (len(seeds), n_observations, n_actions)
        self.planner, self._schedule, self._id_observation = planner, schedule, id_observation
        self.memory: Memory = empty_memory(*self.shape)
        self.memory.assumes_anymdp[:] = schedule.familiar
        self._n_slots = n_observations * n_actions
        self._features = allocate_features(1, n_observations, n_actions)
        self.preference, self._logit, self._advantage = np.zeros((3, *self.shape))
        self._sampled_action = np.zeros(self.shape[:2], np.int64)
        self._value = np.zeros(self.shape[:2] if id_observation is not None else (n, 0))
        self._rng, self._posterior_rng = seeds.copy(), seeds ^ _POSTERIOR_STREAM
        self._renewal_begin = draw_renewals(seeds ^ _RENEWAL_STREAM)
        self._age, self._next_plan = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._branching, self._needs_sample = np.ones(n), np.zeros(n, np.bool_)
        self._episode_steps, self._episode_limit = np.zeros(n, np.int64), np.zeros(n, np.int64)
        horizon = LONGEST_HORIZON if schedule.ending > 0.0 else 0
        self._timed_action = np.full((n, horizon, n_observations), NO_ACTION, np.int16)

    def act(self, runs: Int64s, observation: Int64s, greedy: bool) -> Int64s:
        """Returns actions of `runs` [k] for `observation` [k] by their plans (`greedy`: the likeliest)."""
        is_due = self._age[runs] >= self._next_plan[runs]
        if is_due.any():
            self.plan(runs[is_due])
        if self._schedule.scouting > 0.0:
            again = runs[self._needs_sample[runs] & self._is_sampling(runs)]
            if len(again):
                self._update_preferences(again)
        out: Int64s = _sample_actions(self.preference, runs, observation, self._rng, greedy)
        if self._schedule.ending > 0.0:
            # No steps are left where an episode outlasts the longest one so far.
            left = self._episode_limit[runs] - self._episode_steps[runs]
            timed = self._timed_action[runs, np.clip(left, 1, LONGEST_HORIZON) - 1, observation]
            out = np.where((timed != NO_ACTION) & (left > 0), timed, out)
        return out

    def learn(self, runs: Int64s, steps: Transition) -> None:
        """Writes one step of each of `runs` to its memory."""
        write_runs(self.memory, runs, *steps)
        self._age[runs] += 1
        self._episode_steps[runs] += 1
        ended = steps.terminated | steps.truncated
        cut = runs[steps.truncated & ~steps.terminated]
        self._episode_limit[cut] = np.maximum(self._episode_limit[cut], self._episode_steps[cut])
        self._episode_steps[runs[ended]] = 0
        if self._schedule.scouting > 0.0:
            visits = self.memory.visits[runs, steps.observation, steps.action].astype(np.int64)
            is_power_of_two = (visits & (visits - 1)) == 0
            self._needs_sample[runs] |= ended | is_power_of_two

    def plan(self, runs: Int64s) -> None:
        """Computes the preferences of `runs` in every state from their memories as they stand."""
        self._plan(runs, self._logit, self._advantage)
        if self._id_observation is not None:
            for i in runs:
                smooth_advantages(
                    self.memory, i, self._id_observation[i], self._value[i], self._advantage[i]
                )
        if not self._schedule.familiar:
            for i in runs:
                self._branching[i] = estimate_branching(self.memory, i)
        growth = np.maximum(1, (self._age[runs] * PLAN_GROWTH).astype(int))
        self._next_plan[runs] = self._age[runs] + growth
        self._update_preferences(runs)

    def compute_likeliest_actions(self) -> Int64s:
        """Returns the actions [n, O] that a settled run would play now if no end of the episode were near."""
        logit, advantage = np.zeros((2, *self.shape))
        runs = np.arange(self.shape[0])
        self._plan(runs, logit, advantage)
        out: Int64s = (logit + self._schedule.known * advantage).argmax(-1)
        return out

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Returns all that changes, by its name in files; writing to the arrays restores the runs."""
        own = {
            "preference": self.preference, "logit": self._logit, "known": self._advantage,
            "scouted": self._sampled_action, "rng": self._rng.view(np.int64),
            "scout_rng": self._posterior_rng.view(np.int64),
            "age": self._age, "next_plan": self._next_plan, "branching": self._branching,
            "refuted": self._needs_sample, "value": self._value, "clock": self._episode_steps,
            "limit": self._episode_limit, "ending": self._timed_action,
            "renewal_begin": self._renewal_begin,
        }  # fmt: skip
        return {**memory_arrays(self.memory), **own}

    def _plan(self, runs: Int64s, logit: Float64s, advantage: Float64s) -> None:
        """Writes what the network and the model of what is known say of `runs`, both [n, O, A]."""
        if self.planner is None:
            plan_runs_without_network(self.memory, runs, self._features, advantage)
        else:
            plan_runs(self.planner, self.memory, runs, self._features, logit, advantage)

    def _is_sampling(self, runs: Int64s) -> Bools:
        """Returns which of `runs` [k] still follow policies of sampled tasks."""
        visits = self._age[runs] / self._n_slots
        return visits < self._schedule.scouting_visits(self._branching[runs])

    def _update_preferences(self, runs: Int64s) -> None:
        """Computes the preferences of `runs` from their latest plans, and from fresh samples of tasks."""
        is_sampling = self._is_sampling(runs)
        sample_policies(self.memory, runs[is_sampling], self._posterior_rng, self._sampled_action)
        self._needs_sample[runs] = False
        visits, begin = self._age[runs] / self._n_slots, self._renewal_begin[runs]
        temperature = self._schedule.temperature(visits, self._branching[runs], begin)
        weight = self._schedule.known * np.maximum(1.0 - temperature, 0.0)[:, None, None]
        logit = self._logit[runs] + weight * self._advantage[runs]
        preference = blend(
            logit, temperature, self._sampled_action[runs], is_sampling, self._schedule.least
        )
        is_renewed = self._schedule.is_renewed(visits, begin)
        preference[is_renewed] = likely(preference[is_renewed])
        self.preference[runs] = preference
        if self._schedule.ending > 0.0:
            self._timed_action[runs] = NO_ACTION
            is_timed = (temperature < self._schedule.ending) & ~is_renewed & ~is_sampling
            is_timed &= self._episode_limit[runs] > 1
            is_timed &= self.memory.demonstrated[runs].sum((1, 2)) == 0.0
            plan_remaining_steps_of_runs(
                self.memory, runs[is_timed], self._episode_limit, self._timed_action
            )

"""The student's own runs: training tasks played side by side, labelled by the oracle in every state.

The tasks are sampled, solved and stepped by the benchmark's own parts. A seat keeps its task for
`life` steps; what the student lost there is accounted with the variance-free score.
"""

from __future__ import annotations

import numpy as np

from anymdp_bench.datasets.sequences import TERMINATED, TRUNCATED, WENT_ON
from anymdp_bench.engine.arrays import AnyArray, Bools, Float64s, Int64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.engine.step import (
    LEFT,
    SAME_STEP,
    STATE,
    TASK,
    reset_streams,
    stack_tables,
    step_streams,
)
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import (
    LEAST_GAP_IN_SD,
    ORACLE_GAMMA,
    References,
    compute_references,
    oracle_advantages,
)
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source


def _unit(scale: References) -> float:
    """The gap, or where it is small half the luck of an episode."""
    return max(scale.gap, LEAST_GAP_IN_SD * scale.oracle_sd, 1e-9)


def labels(mdp: TabularMDP, scale: References) -> tuple[AnyArray, AnyArray]:
    """What a task teaches, float32 [O, A] each: (`advantage`, `entropy`), as of `synthesis.Sequences`."""
    q, live = solve(mdp, ORACLE_GAMMA).q, ~mdp.terminal
    advantage = np.zeros((mdp.n_observations, mdp.n_actions), np.float32)
    entropy = np.zeros_like(advantage)
    label = (q - q.max(axis=1, keepdims=True)) * mdp.max_steps / _unit(scale)
    advantage[mdp.observation[live]] = label[live]
    chance = mdp.transition[live]
    spread = -(chance * np.log(np.maximum(chance, 1e-30))).sum(axis=-1)
    entropy[mdp.observation[live]] = spread
    return advantage, entropy


class Seats:
    """`n` seats on tau(S, A).

    Attributes:
        seeds: the task seed of each seat, int64 [n]; -1 before `sit`.
        advantage: labels, float32 [n, O, A], as `synthesis.Sequences.advantage`; entropy likewise.
        seen: the current observations, int64 [n].
        score: variance-free score of the running episode, so far.
        counts: bool [n], whether the task counts.
    """

    def __init__(self, n: int, n_states: int, n_actions: int) -> None:
        self.n, self.n_states, self.n_actions = n, n_states, n_actions
        self._source = task_source("AnyMDP-v0", n_states=n_states, n_actions=n_actions)
        self.seeds = np.full(n, -1, np.int64)
        self._mdps: list[TabularMDP] = []
        self.advantage = np.zeros((n, n_states, n_actions), np.float32)
        self.entropy = np.zeros_like(self.advantage)
        longest = int(max(min(8 * n_states, 500), max(4 * n_states, 100) + 1)) + 1
        inner = max(n_states, 2)  # a bandit's end is a state of its own, observed as the other one
        self._losses = np.zeros((n, longest + 1, inner, n_actions))
        self._streams = np.zeros((n, 4), np.int64)
        self._streams[:, TASK] = np.arange(n)
        self._rng = np.zeros(n, np.uint64)
        self.seen, self._last = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.score, self.counts = np.ones(n), np.zeros(n, np.bool_)

    def sit(self, seats: Int64s, seeds: Int64s) -> None:
        """Fresh tasks, of the public-free `seeds`, for `seats`."""
        if not self.n:
            return
        if not self._mdps:
            self._mdps = [None] * self.n  # type: ignore[list-item]
        for i, seed in zip(seats.tolist(), seeds.tolist(), strict=True):
            self._seat(i, seed)
        self._tables = stack_tables([mdp.step_tables for mdp in self._mdps])
        mask = np.zeros(self.n, np.bool_)
        mask[seats] = True
        reset_streams(self._streams, self._rng, *self._tables[:2], mask, self.seen)

    def _seat(self, i: int, seed: int) -> None:
        if seed < PUBLIC_SEEDS:
            raise ValueError(f"task seed {seed} is public; training draws from {PUBLIC_SEEDS} on")
        mdp = self._source.sample(seed)
        scale = compute_references(mdp)
        unit = _unit(scale)
        self.advantage[i], self.entropy[i] = labels(mdp, scale)
        self._mdps[i], self.seeds[i] = mdp, seed
        table = oracle_advantages(mdp, scale.policy) / unit
        self._losses[i, : len(table)] = table
        self.counts[i], self.score[i] = scale.is_scorable, 1.0
        self._rng[i] = stream("sequence", "dynamics", seed)[0]

    def step(self, action: Int64s) -> tuple[Float64s, Int64s, Int64s, Float64s, Bools]:
        """One step of every seat: (reward, ending, arrival, score of a finished episode, finished), [n]."""
        state, left = self._streams[:, STATE].copy(), self._streams[:, LEFT].copy()
        self.score += self._losses[np.arange(self.n), left, state, action]
        seen, reward = np.empty(self.n, np.int64), np.empty(self.n)
        ended, over = np.empty((2, self.n), np.bool_), np.empty(self.n, np.bool_)
        step_streams(
            self._streams, self._rng, *self._tables, action, self.n_actions, SAME_STEP,
            seen, reward, ended, over, self._last,
        )  # fmt: skip
        arrival = np.where(over, self._last, seen)
        ending = np.where(ended[0], TERMINATED, np.where(ended[1], TRUNCATED, WENT_ON))
        self.seen = seen
        score = self.score.copy()
        self.score[over] = 1.0
        return reward, ending.astype(np.int64), arrival, score, over

    def playing(self) -> dict[str, np.ndarray]:
        """What `restore` needs to go on exactly."""
        return {
            "seeds": self.seeds.copy(),
            "streams": self._streams.copy(),
            "rng": self._rng.view(np.int64).copy(),
            "seen": self.seen.copy(),
            "score": self.score.copy(),
        }

    def restore(self, playing: dict[str, np.ndarray]) -> None:
        """Goes on where `playing` was taken."""
        self.sit(np.arange(self.n), playing["seeds"])
        self._streams[:] = playing["streams"]
        self._rng[:] = playing["rng"].view(np.uint64)
        self.seen, self.score = playing["seen"].copy(), playing["score"].copy()

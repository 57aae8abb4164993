"""A room of training tasks: seats, memories and ages of students that play side by side.

A room holds tasks of one size. The trainer reads its memories, gets back preferences, and lets it
play on; the room replaces tasks that have had their time, and keeps the account by age.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from anymdp_baselines.planner.features import Features, allocate_features, compute_features
from anymdp_baselines.planner.gridworlds import WORLDS
from anymdp_baselines.planner.loss import TEMPERATURES
from anymdp_baselines.planner.memory import empty_memory, forget, memory_arrays
from anymdp_baselines.planner.point_mass import PARTICLES
from anymdp_baselines.planner.posterior_sampling import sample_policies
from anymdp_baselines.planner.presets import Room
from anymdp_baselines.planner.schedule import blend, fallen, temperature
from anymdp_baselines.planner.task_pool import AGE, demonstrate, play, seat_task, seats
from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.tasks.family import TaskSource, task_source

EDGES = (2.5, 5.0, 12.5, 25.0, 50.0)  # visits per slot at which the account by age is split
_MOST_SHOWN = 100  # episodes of demonstration
_LONGEST = 10.0  # lives, in units of the usual one
_STATE_ARRAYS = (
    "tally",
    "visited",
    "group",
    "life",
    "seed",
    "scouting",
    "least",
    "scouted",
    "scout_rng",
)
_PLAY_ARRAYS = ("play", "score", "rng")  # what of a seat its task's seed does not give
_SCOUTING, _LEAST = (2.0, 12.0), (0.0, 0.001, 0.003, 0.01)  # visits per slot; chances
_APART = np.uint64(0xA0761D6478BD642F)  # the scout draws apart from the dynamics


def source(spec: Room) -> TaskSource:
    """Where the tasks of a room come from."""
    keywords = dict(spec.keywords)
    for family in (WORLDS, PARTICLES):
        if spec.env_id == family.name:
            return TaskSource(family, tuple(sorted(keywords.items())))
    return task_source(spec.env_id, **keywords)


class Playroom:
    """The tasks of one `Room` in play.

    Args:
        spec: the tasks.
        life: visits per slot that most tasks are played for.
        rate: share of its age that a seat plays at a time.
        first_seed: task seeds are taken from here upward.
        rng: for lives, temperatures and step counts.
    """

    def __init__(
        self, spec: Room, life: float, rate: float, first_seed: int, rng: np.random.Generator
    ) -> None:
        self.source = source(spec)
        self.spec, self.n, self.rate, self.rng = spec, spec.seats, rate, rng
        self.next_seed = first_seed
        sample = self.source.sample(first_seed)
        n_states, shape = sample.n_states, (sample.n_observations, sample.n_actions)
        if sample.n_observations > 1:
            n_states = sample.n_observations  # the most that other tasks of the room may have
        self.slots = shape[0] * shape[1]
        self.usual_life = life * self.slots
        longest = max(513, 8 * n_states) if shape[0] > 1 else 1
        self.seats = seats(self.n, n_states, *shape, max(longest, sample.max_steps))
        self.memory = empty_memory(self.n, *shape)
        self.reading: Features = allocate_features(self.n, *shape)
        self.edges = np.array([int(edge * self.slots) for edge in EDGES])
        self.tally = np.zeros((len(TEMPERATURES), len(EDGES) + 1, 2))
        self.visited = np.zeros((self.n, shape[0]))
        self.group, self.life, self.seed, self.scouting = np.zeros((4, self.n), np.int64)
        self.least = np.zeros(self.n)
        self.scouted = np.zeros((self.n, shape[0]), np.int64)
        self.scout_rng = np.zeros(self.n, np.uint64)
        for i in range(self.n):
            self._replace(i)
            self.life[i] *= rng.uniform()  # so that ages spread from the first

    def _replace(self, i: int) -> None:
        """Gives seat `i` a fresh task."""
        self.seed[i], self.next_seed = self.next_seed, self.next_seed + 1
        self.group[i] = self.rng.integers(len(TEMPERATURES))
        stretch = self.rng.uniform() ** 4
        known = self.spec.env_id == "AnyMDP-v0" and self.rng.uniform() < self.spec.familiar
        self.memory.assumes_anymdp[i] = known
        self._seat(i)
        if self.rng.uniform() < self.spec.taught:
            episodes = int(_MOST_SHOWN ** self.rng.uniform())
            noise = max(self.rng.uniform(-0.5, 1.0), 0.0)  # a third of them pure
            demonstrate(self.seats, self.memory, i, episodes, noise)
        self.scouting[i] = self.least[i] = 0
        if self.rng.uniform() < self.spec.scouted:
            self.scouting[i] = int(self.slots * self.rng.uniform(*_SCOUTING))
            self.least[i] = self.rng.choice(_LEAST)
        self.scouted[i] = 0
        self.scout_rng[i] = self.seats.rng[i] ^ _APART
        self.life[i] = self.seats.play[i, AGE] + int(self.usual_life * _LONGEST**stretch)

    def _seat(self, i: int) -> None:
        forget(self.memory, i)
        seat_task(self.seats, i, self.source, int(self.seed[i]))

    def read(self) -> Features:
        """What the planner looks at, for all seats."""
        compute_features(self.memory, np.arange(self.n), self.reading)
        return self.reading

    def play_on(self, logit: npt.NDArray[Any]) -> None:
        """Steps the seats by their plans [n, O, A], and replaces the tasks that have had their time."""
        age = self.seats.play[:, AGE]
        warmth = self._warmth(age)
        scouting = age < self.scouting
        sample_policies(self.memory, np.flatnonzero(scouting), self.scout_rng, self.scouted)
        preference = blend(logit, warmth, self.scouted, scouting, self.least)
        share = self.rate * self.rng.uniform(0.5, 1.5, self.n)
        steps = np.maximum(1, (age * share).astype(np.int64))
        play(
            self.seats, self.memory, preference, steps, self.group, self.edges, self.tally,
            self.visited,
        )  # fmt: skip
        for i in np.flatnonzero(self.seats.play[:, AGE] >= self.life):
            self._replace(int(i))

    def _warmth(self, age: Int64s) -> Float64s:
        """The temperature of every seat at its age."""
        if not self.spec.settled:
            return temperature(np.array(TEMPERATURES)[self.group], age, self.slots)
        settled = np.array(self.spec.settled)[self.group % len(self.spec.settled)]
        return fallen(1.0, settled, age / self.slots)

    def scores(self) -> Float64s:
        """Mean score by age bin since the last call, [bins]; NaN where no episode ended."""
        with np.errstate(invalid="ignore"):
            out: Float64s = self.tally[..., 0].sum(0) / self.tally[..., 1].sum(0)
        self.tally[:] = 0.0
        return out

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that changes, by name, to be given to `restore`."""
        out = {f"memory.{k}": v for k, v in memory_arrays(self.memory).items()}
        out |= {f"play.{k}": getattr(self.seats, k).view(np.int64) for k in _PLAY_ARRAYS}
        run = {k: getattr(self, k) for k in _STATE_ARRAYS}
        return out | {
            f"run.{k}": v.view(np.int64) if v.dtype == np.uint64 else v for k, v in run.items()
        }

    def restore(self, arrays: dict[str, npt.NDArray[Any]], next_seed: int) -> None:
        """Goes on from what `arrays` gave."""
        for name in _STATE_ARRAYS:
            array = getattr(self, name)
            array[:] = arrays[f"run.{name}"].view(array.dtype)
        for i in range(self.n):
            self._seat(i)
        for name, array in memory_arrays(self.memory).items():
            array[:] = arrays[f"memory.{name}"]
        for name in _PLAY_ARRAYS:
            array = getattr(self.seats, name)
            array[:] = arrays[f"play.{name}"].view(array.dtype)
        self.next_seed = next_seed

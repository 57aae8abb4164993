"""The rollout of the planner: training tasks of one group, and the memories of the runs that play them.

The trainer reads the memories, gets preferences for every state from the network, and lets the runs play on
by them. Tasks that have had their time are replaced. Scores are summed by the age of the run.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from anymdp_baselines.planner.features import Features, allocate_features, compute_features
from anymdp_baselines.planner.gridworlds import GRIDWORLDS
from anymdp_baselines.planner.memory import empty_memory, forget, memory_arrays, write
from anymdp_baselines.planner.point_mass import POINT_MASS
from anymdp_baselines.planner.posterior_sampling import sample_policies
from anymdp_baselines.planner.presets import PlannerTasks
from anymdp_baselines.planner.schedule import blend
from anymdp_baselines.training.optimizer import take_prefix
from anymdp_baselines.training.task_pool import TaskPool, step_task
from anymdp_baselines.training.temperature import choose_temperatures
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s
from anymdp_bench.engine.rng import integer, uniform
from anymdp_bench.engine.step import LEFT
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.source import TaskSource

EDGES = (2.5, 5.0, 12.5, 25.0, 50.0)  # visits per slot between which scores are told apart
_MOST_EPISODES = 100  # of demonstration
_LONGEST = 10.0  # the longest context, in units of the usual one
_SCOUTING, _LEAST = (2.0, 12.0), (0.0, 0.001, 0.003, 0.01)  # visits per slot; probabilities
_APART = np.uint64(0xA0761D6478BD642F)  # sampled tasks are drawn apart from the dynamics
_STATE_ARRAYS = (
    "tally", "visited", "age", "schedule_of", "end", "scouting", "least", "scouted", "scout_rng"
)  # fmt: skip


def find_source(group: PlannerTasks) -> TaskSource:
    """Returns where the tasks of a group come from."""
    keywords = dict(group.keywords)
    for family in (GRIDWORLDS, POINT_MASS):
        if group.env_id == family.name:
            return TaskSource(family, tuple(sorted(keywords.items())))
    return task_source(group.env_id, **keywords)


@njit(cache=True, nogil=True)
def _sample_action(tasks, i, preference):
    """Samples an action of task `i` from softmax(preference[o]) by the Gumbel trick."""
    o = tasks.observation[i]
    best, highest = 0, -np.inf
    for a in range(preference.shape[1]):
        value = preference[o, a] - np.log(-np.log(max(uniform(tasks.rng, i), 1e-12)))
        if value > highest:
            best, highest = a, value
    return best


@njit(cache=True, nogil=True)
def _step(tasks, memory, i, action):
    """Steps task `i` and writes the step to its memory; returns the score of an episode it ended, or NaN."""
    o, n_actions = tasks.observation[i], memory.visits.shape[2]
    arrival, reward, terminated, truncated, score = step_task(tasks, i, n_actions, action)
    write(memory, i, o, action, reward, arrival, terminated, truncated)
    return score


@njit(cache=True, nogil=True)
def play(tasks, memory, preference, steps, age, horizon, is_scorable, edges, tally, visited):
    """Steps every task `steps[i]` times by its preferences [n, O, A].

    Args:
        tasks: `TaskPool.arrays`.
        memory: the memories of the runs.
        preference: float64 [n, O, A].
        steps: int64 [n].
        age: steps since each run began, int64 [n]; it is increased.
        horizon: steps an episode lasts at most, int64 [n].
        is_scorable: bool [n].
        edges: ages between which scores are told apart, int64 [k].
        tally: float64 [k + 1, 2]; gets the sum of scores and of weights of the episodes of scorable tasks by
            the age at which they end. An episode weighs its length, so that tasks weigh alike.
        visited: float64 [n, O]; gets the number of visits to each state.
    """
    visited[:] = 0.0
    for i in range(len(steps)):
        for _ in range(steps[i]):
            visited[i, tasks.observation[i]] += 1.0
            action = _sample_action(tasks, i, preference[i])
            length = horizon[i] - tasks.streams[i, LEFT] + 1.0
            score = _step(tasks, memory, i, action)
            age[i] += 1
            if not np.isnan(score) and is_scorable[i]:
                k = np.searchsorted(edges, age[i])
                tally[k, 0] += length * score
                tally[k, 1] += length


@njit(cache=True, nogil=True)
def demonstrate(tasks, memory, advantage, i, episodes, noise):
    """Shows run `i` whole episodes of the oracle, each action random with probability `noise`.

    Returns the number of steps. `advantage` are the labels, [n, O, A].
    """
    n_actions, steps = advantage.shape[2], 0
    while episodes > 0:
        o = tasks.observation[i]
        action = np.argmax(advantage[i, o])
        if uniform(tasks.rng, i) < noise:
            action = integer(tasks.rng, i, n_actions)
        score = _step(tasks, memory, i, action)
        memory.demonstrated[i, o, action] += 1.0
        steps += 1
        if not np.isnan(score):
            episodes -= 1
    return steps


class PlannerRollout:
    """The tasks of one group in play.

    Args:
        group: the tasks.
        context_visits: visits per slot that most tasks are played for.
        rate: share of its age that a run plays at a time.
        first_seed: task seeds are taken from here upward.
        rng: draws how runs begin and how long they last.
    """

    def __init__(
        self,
        group: PlannerTasks,
        context_visits: float,
        rate: float,
        first_seed: int,
        rng: np.random.Generator,
    ) -> None:
        self.group, self.n, self.rate, self.next_seed = group, group.n_tasks, rate, first_seed
        source = find_source(group)
        sample = source.sample(first_seed)
        shape = (sample.n_observations, sample.n_actions)
        self.slots = shape[0] * shape[1]
        self._usual_length = context_visits * self.slots
        self.tasks = TaskPool(self.n, source, *shape)
        self.memory = empty_memory(self.n, *shape)
        self.reading: Features = allocate_features(self.n, *shape)
        self.edges = np.array([int(edge * self.slots) for edge in EDGES])
        self.tally = np.zeros((len(EDGES) + 1, 2))
        self.visited = np.zeros((self.n, shape[0]))
        self.age, self.end, self.schedule_of, self.scouting = np.zeros((4, self.n), np.int64)
        self.least = np.zeros(self.n)
        self.scouted = np.zeros((self.n, shape[0]), np.int64)
        self.scout_rng = np.zeros(self.n, np.uint64)
        self._replace(np.arange(self.n), rng)
        self.end[:] = self.end * rng.uniform(size=self.n)  # so that ages spread from the first

    def _replace(self, rows: Int64s, rng: np.random.Generator) -> None:
        """Gives the runs `rows` fresh tasks."""
        self.tasks.assign(rows, np.arange(self.next_seed, self.next_seed + len(rows)))
        self.next_seed += len(rows)
        for i in rows.tolist():
            self._begin(i, rng)

    def _begin(self, i: int, rng: np.random.Generator) -> None:
        """Begins run `i`: how it explores, what it is shown, and how long it lasts."""
        group, tasks = self.group, self.tasks.arrays
        self.schedule_of[i] = rng.integers(len(group.schedules))
        stretch = rng.uniform() ** 4
        forget(self.memory, i)
        self.memory.assumes_anymdp[i] = (
            group.env_id == "AnyMDP-v0" and rng.uniform() < group.familiar
        )
        self.age[i] = self.scouting[i] = self.least[i] = self.scouted[i] = 0
        if rng.uniform() < group.demonstrated:
            episodes = int(_MOST_EPISODES ** rng.uniform())
            noise = max(rng.uniform(-0.5, 1.0), 0.0)  # a third of them pure
            advantage = self.tasks.advantage
            self.age[i] = demonstrate(tasks, self.memory, advantage, i, episodes, noise)
        if rng.uniform() < group.scouted:
            self.scouting[i] = int(self.slots * rng.uniform(*_SCOUTING))
            self.least[i] = rng.choice(_LEAST)
        self.scout_rng[i] = tasks.rng[i] ^ _APART
        self.end[i] = self.age[i] + int(self._usual_length * _LONGEST**stretch)

    def read(self) -> Features:
        """Returns what the planner reads of all memories."""
        compute_features(self.memory, np.arange(self.n), self.reading)
        return self.reading

    def temperatures(self) -> Float64s:
        """Returns the temperature of every run at its age, [n]."""
        return choose_temperatures(self.group.schedules, self.schedule_of, self.age, self.slots)

    def play_on(self, logit: Float64s, rng: np.random.Generator) -> None:
        """Lets the runs play on by the logits of their plans [n, O, A], and replaces those that are over."""
        is_scouting = self.age < self.scouting
        sample_policies(self.memory, np.flatnonzero(is_scouting), self.scout_rng, self.scouted)
        preference = blend(logit, self.temperatures(), self.scouted, is_scouting, self.least)
        share = self.rate * rng.uniform(0.5, 1.5, self.n)
        steps = np.maximum(1, (self.age * share).astype(np.int64))
        play(
            self.tasks.arrays, self.memory, preference, steps, self.age, self.tasks.horizon,
            self.tasks.is_scorable, self.edges, self.tally, self.visited,
        )  # fmt: skip
        over = np.flatnonzero(self.age >= self.end)
        if len(over):
            self._replace(over, rng)

    def scores(self) -> dict[str, float]:
        """Returns the mean score by age since the last call; NaN where no episode ended."""
        with np.errstate(invalid="ignore"):
            mean = self.tally[:, 0] / self.tally[:, 1]
        self.tally[:] = 0.0
        return {f"score_to_{edge}": float(x) for edge, x in zip((*EDGES, "end"), mean, strict=True)}

    def state(self) -> dict[str, Tensor]:
        """Returns all that changes, by name, to be given to `restore`."""
        arrays: dict[str, AnyArray] = {
            f"memory.{k}": v for k, v in memory_arrays(self.memory).items()
        }
        arrays |= {f"tasks.{k}": v for k, v in self.tasks.state().items()}
        arrays |= {k: getattr(self, k) for k in _STATE_ARRAYS}
        arrays |= {"next_seed": np.array([self.next_seed])}
        return {k: torch.from_numpy(_view_signed(v).copy()) for k, v in arrays.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues from what `state` returned."""
        self.tasks.restore({k: v.numpy() for k, v in take_prefix("tasks.", tensors).items()})
        for name, array in memory_arrays(self.memory).items():
            array[:] = tensors[f"memory.{name}"].numpy()
        for name in _STATE_ARRAYS:
            _view_signed(getattr(self, name))[:] = tensors[name].numpy()
        self.next_seed = int(tensors["next_seed"])


def _view_signed(array: AnyArray) -> AnyArray:
    """Returns a view of an array in a type that PyTorch has too."""
    return array.view(np.int64) if array.dtype == np.uint64 else array

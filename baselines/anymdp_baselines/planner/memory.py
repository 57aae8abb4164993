"""What a run has seen: a memory with one slot for every (observation, action).

A slot holds sums, so writing is an addition: a chunk of steps written at once, in any order, leaves
the same memory as its steps one by one, and the size never grows with the context. A slot of (o, a)
keeps the visits, the successors of the steps that went on, the sum of rewards and of their squares,
and how often the episode terminated there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Float32s = npt.NDArray[np.float32]


class Memory(NamedTuple):
    """Sums over a run; the first axis of every array is the run."""

    onward: Float32s  # [n, O, A, O]  steps that went on, by successor
    paid: Float32s  # [n, O, A, O]  sum of their rewards
    visits: Float32s  # [n, O, A]
    reward: Float32s  # [n, O, A]  sum of rewards
    square: Float32s  # [n, O, A]  sum of squared rewards
    ends: Float32s  # [n, O, A]  steps that terminated the episode
    paid_end: Float32s  # [n, O, A]  sum of their rewards
    demonstrated: Float32s  # [n, O, A]  visits of a demonstrator, among `visits`
    arrival: Float32s  # [n, O, 3]  arrivals, sum of rewards on arrival, terminations on arrival
    total: npt.NDArray[np.float64]  # [n, 4]  steps, sum of rewards, of their squares, episodes
    assumes_anymdp: npt.NDArray[np.float64]  # [n]  1 where the task is taken for one of AnyMDP's


def memory_arrays(memory: Memory) -> dict[str, npt.NDArray[Any]]:
    """Returns the arrays of a memory by their names in files."""
    names = {"demonstrated": "shown", "assumes_anymdp": "familiar"}
    return {names.get(name, name): array for name, array in memory._asdict().items()}


def empty_memory(n: int, n_observations: int, n_actions: int) -> Memory:
    """Returns the memory of `n` runs that have seen nothing."""
    slots = (n, n_observations, n_actions)
    single = np.float32
    return Memory(
        np.zeros((*slots, n_observations), single),
        np.zeros((*slots, n_observations), single),
        np.zeros(slots, single),
        np.zeros(slots, single),
        np.zeros(slots, single),
        np.zeros(slots, single),
        np.zeros(slots, single),
        np.zeros(slots, single),
        np.zeros((n, n_observations, 3), single),
        np.zeros((n, 4)),
        np.zeros(n),
    )


@njit(cache=True, nogil=True)
def forget(memory, i):
    """Empties the memory of run `i`; what is assumed of its task stays."""
    memory.onward[i] = 0.0
    memory.paid[i] = 0.0
    memory.paid_end[i] = 0.0
    memory.visits[i] = 0.0
    memory.reward[i] = 0.0
    memory.square[i] = 0.0
    memory.ends[i] = 0.0
    memory.demonstrated[i] = 0.0
    memory.arrival[i] = 0.0
    memory.total[i] = 0.0


@njit(cache=True, nogil=True)
def write(memory, i, observation, action, reward, following, terminated, truncated):
    """Adds one step to the memory of run `i`."""
    memory.visits[i, observation, action] += 1.0
    memory.reward[i, observation, action] += reward
    memory.square[i, observation, action] += reward * reward
    memory.arrival[i, following, 0] += 1.0
    memory.arrival[i, following, 1] += reward
    if terminated:
        memory.ends[i, observation, action] += 1.0
        memory.paid_end[i, observation, action] += reward
        memory.arrival[i, following, 2] += 1.0
    else:
        memory.onward[i, observation, action, following] += 1.0
        memory.paid[i, observation, action, following] += reward
    memory.total[i, 0] += 1.0
    memory.total[i, 1] += reward
    memory.total[i, 2] += reward * reward
    memory.total[i, 3] += terminated or truncated


@njit(cache=True, nogil=True)
def write_runs(memory, runs, observation, action, reward, following, terminated, truncated):
    """Adds one step to each of `runs`; arrays [k]."""
    for k in range(len(runs)):
        write(
            memory, runs[k], observation[k], action[k], reward[k], following[k], terminated[k],
            truncated[k],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def mark_demonstrated(memory, runs, observation, action):
    """Marks the steps that were just written to `runs` as a demonstrator's; arrays [k]."""
    for k in range(len(runs)):
        memory.demonstrated[runs[k], observation[k], action[k]] += 1.0


@njit(cache=True, nogil=True)
def estimate_branching(memory, i):
    """Returns the effective number of outcomes of a slot of run `i`: 1 / how often visits agree, at least 1.

    An outcome is a successor, or the episode's end. The estimate is free of bias for any number of visits;
    slots weigh by theirs, and one that was visited once says nothing.
    """
    n_observations, n_actions = memory.visits.shape[1:]
    agree = pairs = 0.0
    for o in range(n_observations):
        for a in range(n_actions):
            n = memory.visits[i, o, a]
            if n < 2.0:
                continue
            same = memory.ends[i, o, a] * (memory.ends[i, o, a] - 1.0)
            for j in range(n_observations):
                count = memory.onward[i, o, a, j]
                same += count * (count - 1.0)
            agree += same / (n - 1.0)
            pairs += n
    if pairs == 0.0:
        return 1.0
    return pairs / max(agree, pairs / n_observations)

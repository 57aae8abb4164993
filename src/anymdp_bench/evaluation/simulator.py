"""The arena: runs stepped side by side, and the account of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, AgentError, Watcher
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.engine.step import (
    LEFT,
    SAME_STEP,
    STATE,
    TASK,
    reset_streams,
    stack,
    step_streams,
)
from anymdp_bench.evaluation.runs import Run
from anymdp_bench.scoring import oracle_advantages
from anymdp_bench.tasks.family import task_source

Lesson = tuple[Int64s, Int64s, Float64s, Int64s, Bools, Bools]
"""One step of every stream, as `Agent.learn` takes it."""


def checked_actions(given: npt.ArrayLike, n: int, n_actions: int) -> Int64s:
    """An agent's actions as int64 [n].

    Raises:
        AgentError: wrong shape, no integers, or out of range.
    """
    action = np.asarray(given)
    if action.shape != (n,) or action.dtype.kind not in "iu":
        raise AgentError(
            f"act() returned shape {list(action.shape)} and dtype {action.dtype}; give {n} integers"
        )
    if (action < 0).any() or (action >= n_actions).any():
        raise AgentError(
            f"act() returned an action outside 0..{n_actions - 1}: {action.min()}..{action.max()}"
        )
    return np.ascontiguousarray(action, dtype=np.int64)


def teach(agent: Agent, lesson: Lesson, shown: Bools | None) -> None:
    """Gives a step to the agent; `shown` as in `Arena.step`."""
    if shown is not None and isinstance(agent, Watcher):
        agent.demonstrate(*lesson, shown)
    else:
        agent.learn(*lesson)


def shaping_of(env_id: str) -> Callable[[Float64s, Bools], Float64s] | None:
    """The environment's shaping of in-context agents' rewards; None where it has none."""
    try:
        return task_source(env_id).shaping()
    except KeyError:  # a task from outside
        return None


class Arena:
    """Runs stepped side by side by the engine, with the account of each: returns, corrections, regret.

    With `shaped`, agents are given shaped rewards; the account never knows of it.
    """

    players = 1  # streams a run

    def __init__(
        self, runs: Sequence[Run], purpose: str = "environment", shaped: bool = False
    ) -> None:
        self.runs = runs
        self.n = len(runs)
        self._shape = shaping_of(runs[0].env_id) if shaped else None
        mdp = runs[0].task.mdp
        self.n_actions = mdp.n_actions
        unique = {id(run.task): run.task for run in runs}
        index = {key: k for k, key in enumerate(unique)}
        self._tables = stack([task.mdp.step_tables for task in unique.values()])
        self._state: Int64s = np.zeros((self.n, 4), np.int64)
        self._state[:, TASK] = [index[id(run.task)] for run in runs]
        self._rng = np.concatenate([run.streams(purpose) for run in runs])
        tables = [oracle_advantages(t.mdp, t.references.policy) for t in unique.values()]
        begins = np.concatenate([[0], np.cumsum([t.size for t in tables])[:-1]])
        self._advantage = np.concatenate([t.ravel() for t in tables])
        self._begin = begins[self._state[:, TASK]]
        self._n_states = np.array([run.task.mdp.n_states for run in runs])
        self.oracle = np.array([run.task.references.oracle for run in runs])
        self.gap = np.array([run.task.references.gap for run in runs])
        self.observation = np.zeros(self.n, np.int64)
        everyone = np.ones(self.n, np.bool_)
        reset_streams(self._state, self._rng, *self._tables[:2], everyone, self.observation)
        self.steps = 0
        self.episodes = np.zeros(self.n, np.int64)
        self.return_ = np.zeros(self.n)
        self.excess = np.zeros(self.n)  # sum of the oracle's advantages of what was played
        self._last = np.zeros(self.n, np.int64)

    def actions(self, given: npt.ArrayLike) -> Int64s:
        """An agent's actions, checked; see `checked_actions`."""
        return checked_actions(given, self.n, self.n_actions)

    def oracle_actions(self) -> Int64s:
        """What the oracle does now, int64 [n]."""
        pairs = zip(self.runs, self._state[:, STATE], strict=True)
        return np.array([run.task.references.policy[s] for run, s in pairs], np.int64)

    def step(
        self, action: Int64s, agent: Agent | None, shown: Bools | None = None
    ) -> tuple[Int64s, list[tuple[float, float]]]:
        """One step of every run, shown to `agent`; (runs whose episode ended, their (return, excess)).

        `shown` (bool [n]) are the runs in which a demonstrator acts; None where there is none.
        """
        place = (self._state[:, LEFT] * self._n_states + self._state[:, STATE]) * self.n_actions
        self.excess += self._advantage[self._begin + place + action]
        seen, reward = np.empty(self.n, np.int64), np.empty(self.n)
        ended, fresh = np.empty((2, self.n), np.bool_), np.empty(self.n, np.bool_)
        step_streams(
            self._state, self._rng, *self._tables, action, self.n_actions, SAME_STEP,
            seen, reward, ended, fresh, self._last,
        )  # fmt: skip
        self.steps += 1
        self.return_ += reward
        if agent is not None:
            arrived = np.where(fresh, self._last, seen)
            given = reward if self._shape is None else self._shape(reward, ended[0])
            teach(agent, (self.observation, action, given, arrived, ended[0], ended[1]), shown)
        self.observation = seen
        over = np.flatnonzero(fresh)
        results = [(float(self.return_[i]), float(self.excess[i])) for i in over]
        self.return_[over] = 0.0
        self.excess[over] = 0.0
        self.episodes[over] += 1
        return over, results

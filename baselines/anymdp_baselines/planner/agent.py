"""`omnirl`: the in-context agent that the benchmark runs.

It writes every step of a run to the hard-addressed memory and, when the run has grown by 3%, reads the
memory and plans: one forward pass of the looped planner for all runs and all states together (see `mind`).
Between plans it acts by the table of the last one, so a step costs next to nothing. The memory's size
does not depend on the length of the context.

Elsewhere than on AnyMDP it keeps a second mind, whose ids tell observations apart by what came before, and
plays by that one once the run shows that something is hidden (see `history`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from anymdp_baselines.planner.aliasing import (
    History,
    empty_history,
    identify,
    move_on,
    notice,
    room,
)
from anymdp_baselines.planner.checkpoint import (
    SHIPPED,
    load_arrays,
    load_weights,
    save_arrays,
    shipped,
)
from anymdp_baselines.planner.finite_horizon import FAR, UNKNOWN
from anymdp_baselines.planner.memory import show_runs
from anymdp_baselines.planner.policy import Mind
from anymdp_baselines.planner.schedule import ELSEWHERE, FAMILIAR, HIDDEN
from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Bools, Int64s

LARGEST = 8 * 2**30  # bytes of memory for all runs together
_HISTORY = np.uint64(0xE7037ED1A0B428DB)  # the second mind draws apart from the first
_LONGEST = 2**53  # steps of a context
_ADDED = frozenset({"mind.renewal_begin", "deep.renewal_begin"})  # contexts of version 8 lack them
_WATCHED = range(2, 257)  # numbers of observations of runs that are watched for hidden state


class NeuralPlanner(Agent):
    """The in-context agent with a hard-addressed memory and a looped neural planner.

    It plays tasks of any size: neither weights nor memory are tied to ids or to their number.

    Args:
        checkpoint: a file of weights; by default some that ship with the package.
        first_temperature: of the softmax it acts by while it explores; by default the checkpoint's own.
        scouting: visits a slot for which a run scouts (see `scout`); by default those of `schedule`.
        weights: the name of the shipped weights to take where no `checkpoint` is given.
        familiar: whether it takes every task for one of AnyMDP's.

    Raises:
        ValueError: the checkpoint is none; the message is one line.
    """

    version: ClassVar[str] = "9"
    shaped: ClassVar[bool] = False  # it is given the rewards themselves

    def __init__(
        self,
        checkpoint: str | None = None,
        first_temperature: float | None = None,
        scouting: float | None = None,
        weights: str = SHIPPED,
        familiar: bool = False,
    ) -> None:
        self._weights = load_weights(checkpoint or shipped(weights))
        chosen = self._weights.temperature
        self._first = float(chosen if first_temperature is None else first_temperature)
        self._scouting = scouting
        self._familiar = familiar

    def start(self, batch: RunBatch) -> None:
        """Forgets everything.

        Raises:
            ValueError: the runs' memories would not fit into `LARGEST` bytes.
        """
        n, o, a = batch.n, batch.n_observations, batch.n_actions
        familiar = self._familiar
        watched = not familiar and o in _WATCHED
        need = n * (8 * a * (o**2 + watched * room(o) ** 2) + 2 * FAR * o)
        if need > LARGEST:
            raise ValueError(
                f"neural-planner needs {need / 2**30:.0f} GiB to remember {n} runs with"
                f" {o} observations; play fewer tasks at once"
            )
        habit = FAMILIAR if familiar else ELSEWHERE
        habit = replace(habit, first=self._first)
        if self._scouting is not None:
            habit = replace(habit, scouting=self._scouting)
        self._runs = np.arange(n)
        planner = self._weights.planner(familiar, o)
        self._mind = Mind(planner, batch.seeds, o, a, habit)
        self._deep: Mind | None = None
        self._history: History | None = None
        if watched:
            habit = replace(HIDDEN, first=self._first)
            self._history = empty_history(n, o)
            whose = self._history.whose
            self._deep = Mind(planner, batch.seeds ^ _HISTORY, room(o), a, habit, whose)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Actions sampled from the plan, int64 [n]; the likeliest ones where `test`."""
        history = self._history
        if history is None or self._deep is None:
            return self._mind.act(self._runs, observation, test)
        self._ids = identify(history, history.before, observation)
        out = np.empty(len(self._runs), np.int64)
        for mind, runs, seen in (
            (self._mind, np.flatnonzero(~history.hidden), observation),
            (self._deep, np.flatnonzero(history.hidden), self._ids),
        ):
            if len(runs):
                out[runs] = mind.act(runs, seen[runs], test)
        return out

    def learn(self, transition: Transition) -> None:
        """Writes the step of every run to its memory."""
        observation, action, _, following, terminated, truncated = transition
        history = self._history
        if history is not None and self._deep is not None:
            before = np.where(following == observation, history.before, observation)
            arrived = identify(history, before, following)
            notice(
                history, self._mind.memory, self._deep.memory, observation, action, following,
                terminated, self._ids, arrived,
            )  # fmt: skip
            move_on(history, observation, following, terminated | truncated)
            by_id = transition._replace(observation=self._ids, next_observation=arrived)
            self._deep.learn(self._runs, by_id)
        self._mind.learn(self._runs, transition)

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Writes the step of every run, and that those of the runs `demonstrated` were a demonstrator's."""
        self._mind.planner = self._weights.general  # the experts know no demonstrator
        self.learn(transition)
        runs = np.flatnonzero(demonstrated)
        observation, action = transition.observation[runs], transition.action[runs]
        show_runs(self._mind.memory, runs, observation, action)
        if self._deep is not None:
            show_runs(self._deep.memory, runs, self._ids[runs], action)

    def policy(self) -> Int64s | None:
        """The likeliest actions [n, O] by what is known now, the end of an episode not in sight.

        None where ids hide something.

        The protocol does not ask for it, as every episode counts.
        """
        if self._history is not None and self._history.hidden.any():
            return None
        return self._mind.likeliest()

    @property
    def memory_bytes(self) -> int:
        """Size of the memory of all runs; constant from `start` on."""
        return sum(array.nbytes for array in self._arrays().values())

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that changes as a run goes on, by name."""
        parts = {"mind": self._mind.arrays()}
        if self._deep is not None and self._history is not None:
            parts |= {"deep": self._deep.arrays(), "history": self._history._asdict()}
        return {f"{part}.{k}": array for part, own in parts.items() for k, array in own.items()}

    def _bounds(self) -> dict[str, tuple[int, int]]:
        """The least and largest values that arrays of a context may have."""
        _, n_observations, n_actions = self._mind.shape
        bounds: dict[str, tuple[int, int]] = {}
        for part in ("mind", "deep") if self._deep is not None else ("mind",):
            bounds |= {
                f"{part}.{name}": (0, _LONGEST)
                for name in ("age", "clock", "limit", "renewal_begin")
            }
            bounds[f"{part}.scouted"] = 0, n_actions - 1
            bounds[f"{part}.ending"] = UNKNOWN, n_actions - 1
        if self._deep is not None:
            ids = self._deep.shape[1]
            bounds |= {"history.known": (0, ids), "history.before": (0, n_observations)}
            bounds |= {"history.ids": (-1, ids - 1), "history.whose": (0, n_observations - 1)}
        return bounds

    def save_context(self, path: str | os.PathLike[str]) -> None:
        """Writes all that the runs remember to `path` (safetensors), whole or not at all."""
        save_arrays(Path(path), self._arrays(), {"context": len(self._runs)})

    def load_context(self, path: str | os.PathLike[str]) -> None:
        """Goes on from what `save_context` wrote; `start` was called with as many runs of the same size.

        Raises:
            ValueError: the file is no context, or of other runs; the message is one line.
        """
        arrays, numbers = load_arrays(Path(path))
        mine = self._arrays()
        if "context" not in numbers or arrays.keys() | _ADDED != mine.keys() | _ADDED:
            raise ValueError(f"{path} holds no context; give a file that save_context wrote")
        for name in _ADDED & mine.keys() - arrays.keys():  # the run keeps those that it drew
            arrays[name] = mine[name]
        for name, array in mine.items():
            found = arrays[name]
            if (found.shape, found.dtype) != (array.shape, array.dtype):
                raise ValueError(
                    f"{path} is the context of other runs: {name} has shape {list(found.shape)},"
                    f" not {list(array.shape)}"
                )
        for name, (least, most) in self._bounds().items():
            if bool((arrays[name] < least).any()) or bool((arrays[name] > most).any()):
                raise ValueError(
                    f"{path} is no sound context: {name} lies outside {least} to {most}"
                )
        for name, array in mine.items():
            array[:] = arrays[name]
        if self._mind.memory.shown.any():
            self._mind.planner = self._weights.general


def neural_planner_anymdp(checkpoint: str | None = None) -> NeuralPlanner:
    """The agent `neural-planner-anymdp`: the same checkpoint, which takes every task for one of AnyMDP's."""
    return NeuralPlanner(checkpoint, familiar=True)


def neural_planner_garnet(checkpoint: str | None = None) -> NeuralPlanner:
    """The agent `neural-planner-garnet`: the same network, with weights trained on Garnet tasks alone."""
    return NeuralPlanner(checkpoint, weights="neural-planner-garnet")

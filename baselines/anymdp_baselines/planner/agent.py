"""`neural-planner`: an in-context agent that counts what it sees and plans with a small network.

It writes every step of a run to a memory of counts. When the run has grown by 3%, one forward pass of a
looped network plans for all runs and all states together (see `policy`). Between plans it acts by the table
of the last one, so a step costs next to nothing. The memory's size does not depend on the length of the
context.

The agent is told sizes alone. It therefore keeps a second memory, with ids that tell observations apart by
what came before, and plays by that one once the run shows that something is hidden (see `aliasing`).
`neural-planner-anymdp` takes every task for one of AnyMDP's instead: its prior is wrong elsewhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from anymdp_baselines.planner.aliasing import (
    AliasingState,
    assign_ids,
    count_ids,
    make_aliasing_state,
    update_evidence,
    update_previous,
)
from anymdp_baselines.planner.checkpoint import (
    NO_NETWORK,
    SHIPPED,
    find_shipped,
    load_arrays,
    load_weights,
    save_arrays,
)
from anymdp_baselines.planner.finite_horizon import LONGEST_HORIZON, NO_ACTION
from anymdp_baselines.planner.memory import mark_demonstrated
from anymdp_baselines.planner.policy import PlannedRuns
from anymdp_baselines.planner.schedule import (
    ELSEWHERE,
    FAMILIAR,
    HIDDEN,
    HIDDEN_WITHOUT_NETWORK,
    WITHOUT_NETWORK,
)
from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Bools, Int64s
from anymdp_bench.paths import AnyPath

MOST_BYTES = 8 * 2**30  # of memory for all runs together
_ID_STREAM = np.uint64(0xE7037ED1A0B428DB)  # the choices by ids have random streams of their own
_LONGEST = 2**53  # steps of a context
_ALIASING_SIZES = range(2, 257)  # numbers of observations of runs that are tested for hidden state
_ADDED = frozenset({"mind.renewal_begin", "deep.renewal_begin"})  # contexts of version 8 lack them


class NeuralPlanner(Agent):
    """Pretrained agent that counts, and plans with a network.

    It plays tasks of any size: neither weights nor memory are tied to ids or to their number.

    Args:
        checkpoint: a file of weights; by default some that ship with the package.
        first_temperature: of the softmax that it acts by while it explores; by default the checkpoint's own.
        sampling_visits: visits a slot (observation, action) for which a run follows the policies of sampled
            tasks (see `posterior_sampling`); by default those of `schedule`.
        weights: the name of the shipped weights to take where no `checkpoint` is given; None means that there
            is no network.
        assumes_anymdp: whether it takes every task for one of AnyMDP's.

    Raises:
        ValueError: the file is no checkpoint; the message is one line.
    """

    version: ClassVar[str] = "9"
    shaped: ClassVar[bool] = False  # it is given the rewards themselves

    def __init__(
        self,
        checkpoint: str | None = None,
        first_temperature: float | None = None,
        sampling_visits: float | None = None,
        weights: str | None = SHIPPED,
        assumes_anymdp: bool = False,
    ) -> None:
        path = checkpoint or (None if weights is None else find_shipped(weights))
        self._weights = NO_NETWORK if path is None else load_weights(path)
        self._hidden = HIDDEN_WITHOUT_NETWORK if path is None else HIDDEN
        self._elsewhere = WITHOUT_NETWORK if path is None else ELSEWHERE
        default = self._weights.temperature
        self._first = float(default if first_temperature is None else first_temperature)
        self._sampling_visits = sampling_visits
        self._assumes_anymdp = assumes_anymdp
        network = self._weights.general
        if network is not None and not assumes_anymdp:
            self.n_parameters = sum(np.size(part) for part in network) - np.size(network.loops)
        if checkpoint is None and weights == SHIPPED and not assumes_anymdp:
            self.training_cost = "28K updates, 1.3 core-hours"

    def start(self, batch: RunBatch) -> None:
        """Forgets everything.

        Raises:
            ValueError: the runs' memories would not fit into `MOST_BYTES`.
        """
        n, o, a = batch.n, batch.n_observations, batch.n_actions
        tests_aliasing = not self._assumes_anymdp and o in _ALIASING_SIZES
        need = 8 * a * (o**2 + tests_aliasing * count_ids(o) ** 2) + 2 * LONGEST_HORIZON * o
        if n * need > MOST_BYTES:
            raise ValueError(
                f"neural-planner needs {n * need / 2**30:.0f} GiB to remember {n} runs with"
                f" {o} observations; play fewer tasks at once"
            )
        schedule = FAMILIAR if self._assumes_anymdp else self._elsewhere
        schedule = replace(schedule, first=self._first)
        if self._sampling_visits is not None:
            schedule = replace(schedule, scouting=self._sampling_visits)
        self._runs = np.arange(n)
        planner = self._weights.planner(self._assumes_anymdp, o)
        self._by_observation = PlannedRuns(planner, batch.seeds, o, a, schedule)
        self._by_id: PlannedRuns | None = None
        self._aliasing: AliasingState | None = None
        if tests_aliasing:
            self._aliasing = make_aliasing_state(n, o)
            self._ids = np.zeros(n, np.int64)
            self._by_id = PlannedRuns(
                planner,
                batch.seeds ^ _ID_STREAM,
                count_ids(o),
                a,
                replace(self._hidden, first=self._first),
                self._aliasing.id_observation,
            )

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Actions sampled from the plan, int64 [n]; the likeliest ones where `test`."""
        state = self._aliasing
        if state is None or self._by_id is None:
            return self._by_observation.act(self._runs, observation, test)
        self._ids = assign_ids(state, state.previous, observation)
        out = np.empty(len(self._runs), np.int64)
        for planned, runs, seen in (
            (self._by_observation, np.flatnonzero(~state.is_hidden), observation),
            (self._by_id, np.flatnonzero(state.is_hidden), self._ids),
        ):
            if len(runs):
                out[runs] = planned.act(runs, seen[runs], test)
        return out

    def learn(self, transition: Transition) -> None:
        """Writes the step of every run to its memory."""
        observation, action, _, following, terminated, truncated = transition
        state = self._aliasing
        if state is not None and self._by_id is not None:
            previous = np.where(following == observation, state.previous, observation)
            following_ids = assign_ids(state, previous, following)
            update_evidence(
                state, self._by_observation.memory, self._by_id.memory, observation, action,
                following, terminated, self._ids, following_ids,
            )  # fmt: skip
            update_previous(state, observation, following, terminated | truncated)
            by_id = transition._replace(observation=self._ids, next_observation=following_ids)
            self._by_id.learn(self._runs, by_id)
        self._by_observation.learn(self._runs, transition)

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Writes the step of every run, and that those of the runs `demonstrated` were a demonstrator's."""
        # The network for AnyMDP's tasks was trained without demonstrations.
        self._by_observation.planner = self._weights.general
        self.learn(transition)
        runs = np.flatnonzero(demonstrated)
        observation, action = transition.observation[runs], transition.action[runs]
        mark_demonstrated(self._by_observation.memory, runs, observation, action)
        if self._by_id is not None:
            mark_demonstrated(self._by_id.memory, runs, self._ids[runs], action)

    def policy(self) -> Int64s | None:
        """Returns the likeliest actions [n, O] by what is known now, the end of an episode not in sight.

        It is None where observations hide something. The evaluation does not ask for it, since every episode
        of an in-context agent counts.
        """
        if self._aliasing is not None and self._aliasing.is_hidden.any():
            return None
        return self._by_observation.compute_likeliest_actions()

    @property
    def memory_bytes(self) -> int:
        """Size of the memory of all runs; constant from `start` on."""
        return sum(array.nbytes for array in self._arrays().values())

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Returns all that changes as a run goes on, by its name in files."""
        parts = {"mind": self._by_observation.arrays()}
        if self._by_id is not None and self._aliasing is not None:
            parts |= {"deep": self._by_id.arrays(), "history": self._aliasing.arrays()}
        return {f"{part}.{k}": array for part, own in parts.items() for k, array in own.items()}

    def _bounds(self) -> dict[str, tuple[int, int]]:
        """Returns the least and the largest values of the arrays of a context, by their names in files."""
        _, n_observations, n_actions = self._by_observation.shape
        bounds: dict[str, tuple[int, int]] = {}
        for part in ("mind", "deep") if self._by_id is not None else ("mind",):
            counts = ("age", "clock", "limit", "renewal_begin")
            bounds |= {f"{part}.{name}": (0, _LONGEST) for name in counts}
            bounds[f"{part}.scouted"] = 0, n_actions - 1
            bounds[f"{part}.ending"] = NO_ACTION, n_actions - 1
        if self._by_id is not None:
            ids = self._by_id.shape[1]
            bounds |= {"history.known": (0, ids), "history.before": (0, n_observations)}
            bounds |= {"history.ids": (-1, ids - 1), "history.whose": (0, n_observations - 1)}
        return bounds

    def save_context(self, path: AnyPath) -> None:
        """Writes all that the runs remember to the file `path` (safetensors), whole or not at all."""
        save_arrays(path, self._arrays(), {"context": len(self._runs)})

    def load_context(self, path: AnyPath) -> None:
        """Goes on from what `save_context` wrote; `start` was called with as many runs of the same size.

        Runs of a context of version 8 explore anew at the times that `start` drew.

        Raises:
            ValueError: the file is no context, or of other runs; the message is one line.
        """
        arrays, numbers = load_arrays(path)
        mine = self._arrays()
        if "context" not in numbers or arrays.keys() | _ADDED != mine.keys() | _ADDED:
            raise ValueError(f"{path} holds no context; give a file that save_context wrote")
        for name in (_ADDED & mine.keys()) - arrays.keys():
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
        if self._by_observation.memory.demonstrated.any():
            self._by_observation.planner = self._weights.general


def neural_planner_anymdp(checkpoint: str | None = None) -> NeuralPlanner:
    """`neural-planner` that takes every task for one of AnyMDP's."""
    return NeuralPlanner(checkpoint, assumes_anymdp=True)


def neural_planner_garnet(checkpoint: str | None = None) -> NeuralPlanner:
    """`neural-planner` with weights trained on Garnet alone."""
    return NeuralPlanner(checkpoint, weights="neural-planner-garnet")


def planner_no_network() -> NeuralPlanner:
    """`neural-planner` without its network.

    It follows the policies of sampled tasks for 24 times as many visits of a slot as a slot has outcomes.
    After that it plays the best policy of its estimated model, by the steps that the episode has left. It
    knows these as `neural-planner` does, from the longest episode of the run that was truncated.
    """
    return NeuralPlanner(weights=None)

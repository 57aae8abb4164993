"""The agents `omnirl`, `omnirl-garnet`, `omnirl-delta` and `omnirl-linear`: they play in context.

All runs are batched in one recurrent forward pass a step. The memory's size does not depend on the length of
the context. `omnirl` has slots and a planning memory, and plays tasks of any size. The others are there to be
compared with it: `omnirl-garnet` was trained on other tasks, `omnirl-delta` has slots alone, `omnirl-linear`
learned keys alone. What they reach, and where they lose: `docs/omnirl.md`.
"""

from __future__ import annotations

import math
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.omnirl.checkpoint import read_checkpoint, trained_sizes
from anymdp_baselines.omnirl.play import Player, SequenceNetwork
from anymdp_baselines.omnirl.value_iteration import is_sound
from anymdp_baselines.training.checkpoint import load_arrays, save
from anymdp_baselines.training.temperature import TemperatureSchedule
from anymdp_bench.agents import Agent, AgentError, RunBatch, Transition
from anymdp_bench.datasets.codes import ENDINGS, TAGS
from anymdp_bench.datasets.codes import TAG_UNKNOWN as _UNKNOWN
from anymdp_bench.datasets.codes import TERMINATED as _TERMINATED
from anymdp_bench.datasets.codes import TRUNCATED as _TRUNCATED
from anymdp_bench.datasets.codes import WENT_ON as _WENT_ON
from anymdp_bench.engine.arrays import Bools, Int64s
from anymdp_bench.engine.rng import uniform
from anymdp_bench.paths import AnyPath


@njit(cache=True)
def _choose(preference, rng, greedy):
    """Samples softmax(preference[i]) by the Gumbel trick, each run from its own stream."""
    out = np.empty(len(preference), np.int64)
    for i in range(len(preference)):
        best, highest = 0, -math.inf
        for a in range(preference.shape[1]):
            value = preference[i, a]
            if not greedy:
                value -= math.log(-math.log(max(uniform(rng, i), 1e-12)))
            if value > highest:
                best, highest = a, value
        out[i] = best
    return out


class SequenceAgent(Agent):
    """An in-context agent around a sequence model.

    Args:
        network: the model, in the form that is played with.
        how: the temperatures that it plays at, and its bonus for untried actions, which runs that saw a
            demonstrator do without.
        trained: the sizes of tasks it was trained on, in words.
        shown_tag: what it takes a demonstrator's steps for (`behaviours`): 3 the oracle's, by default 7,
            anybody's.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        how: TemperatureSchedule,
        trained: str = "unknown sizes",
        shown_tag: int = _UNKNOWN,
    ) -> None:
        self._network, self._how = network, how
        self._trained, self._shown_tag = trained, shown_tag

    def start(self, batch: RunBatch) -> None:
        """Forgets everything.

        Raises:
            AgentError: the weights cannot take this size.
        """
        size = self._network.size
        if not size.takes(batch.n_observations, batch.n_actions):
            raise AgentError(
                f"this checkpoint was trained on {self._trained} and takes at most"
                f" {size.n_observations} observations and {size.n_actions} actions;"
                f" these runs have {batch.n_observations} and {batch.n_actions}: use a larger"
                " checkpoint, or omnirl, which takes any size"
            )
        self._rng = batch.seeds.copy()
        shape = (batch.n, batch.n_observations, batch.n_actions)
        self._player = Player(self._network, *shape)
        self._shape = (batch.n_observations, batch.n_actions)
        self._n_slots = batch.n_observations * batch.n_actions
        self._shown = np.zeros(batch.n, np.bool_)  # whether a demonstrator acted in the run
        self._steps = 0

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Actions sampled from the model's preferences, int64 [n]; the likeliest where `test`."""
        age = self._steps, self._n_slots
        bonus = np.where(self._shown | test, 0.0, self._how.bonus(*age))
        logits = self._player.logits(observation, bonus)
        temperature = self._how.temperature(*age)
        out: Int64s = _choose(logits / temperature, self._rng, test)
        return out

    def learn(self, transition: Transition) -> None:
        """Keeps the step for the next forward."""
        self.demonstrate(transition, np.zeros(len(transition.observation), np.bool_))

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Keeps the step for the next forward; in the runs `demonstrated` a demonstrator acted."""
        observation, action, reward, following, terminated, truncated = transition
        ending = np.where(terminated, _TERMINATED, np.where(truncated, _TRUNCATED, _WENT_ON))
        tag = np.where(demonstrated, self._shown_tag, _UNKNOWN)
        self._shown |= demonstrated
        self._player.note(observation, action, reward, ending, following, tag)
        self._steps += 1

    @property
    def memory_bytes(self) -> int:
        """Size of the memory of all runs; constant from `start` on."""
        return sum(memory.nbytes for memory in self._player.state)

    def save_context(self, path: AnyPath) -> None:
        """Writes all that the runs remember to the folder `path` (safetensors), whole or not at all."""
        save(path, self._tensors(), {"context": {"steps": self._steps}})

    def load_context(self, path: AnyPath) -> None:
        """Goes on from what `save_context` wrote; `start` was called with as many runs of the same size.

        Raises:
            ValueError: it is no context, or of other runs; the message is one line.
        """
        tensors, numbers = load_arrays(path)
        if "context" not in numbers:
            raise ValueError(f"{path} holds no context; give a folder that save_context wrote")
        mine = self._tensors()
        shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
        if shapes != {name: (tensor.shape, tensor.dtype) for name, tensor in mine.items()}:
            raise ValueError(f"{path} is the context of other runs, or of another model")
        try:
            steps = int(numbers["context"]["steps"])
        except (KeyError, TypeError, ValueError):
            steps = -1
        if steps < 0:
            raise ValueError(f"{path} is a context after no number of steps")
        if not self._can_go_on(tensors):
            raise ValueError(
                f"{path} is no context: it names observations or actions that are none"
            )
        self._rng = tensors.pop("rng").view(np.uint64).copy()
        self._shown = tensors.pop("shown") != 0
        self._player.resume(tensors)
        self._steps = steps

    def _can_go_on(self, tensors: dict[str, Any]) -> bool:
        """Returns whether all that compiled code takes for an index is one."""
        size, (n_observations, n_actions) = self._network.size, self._shape
        ends = np.array([n_observations, n_actions, ENDINGS, n_observations, TAGS])
        last = tensors["last"]
        if (last < 0).any() or (last >= ends).any():
            return False
        if not size.plan_columns:
            return True
        planned = tensors[f"memory.{size.blocks}"]
        return all(is_sound(run, n_observations, n_actions, size.plan_columns) for run in planned)

    def _tensors(self) -> dict[str, Any]:
        """Returns all that the runs remember, by name."""
        own = {"rng": self._rng.view(np.int64), "shown": self._shown.astype(np.int64)}
        return self._player.context() | own


class OmniRL(SequenceAgent):
    """`omnirl`, the sequence model under the paper's name; up to version 8 another agent bore that name."""

    version: ClassVar[str] = "13"
    training_cost = "93M steps, 4.3 core-hours"  # of the weights that ship


class OmniRLGarnet(SequenceAgent):
    """`omnirl-garnet`, trained on Garnet alone: the fourth column of the paper's table."""

    version: ClassVar[str] = "1"
    training_cost = "8.1M steps, 0.5 core-hours"  # of the weights that ship


class OmniRLDelta(SequenceAgent):
    """`omnirl-delta`, without the planning memory: the weights of `omnirl` 10."""

    version: ClassVar[str] = "3"


class OmniRLLinear(SequenceAgent):
    """`omnirl-linear`, with learned keys only."""

    version: ClassVar[str] = "2"


def omnirl(checkpoint: str | None = None) -> SequenceAgent:
    """Pretrained sequence model that plans in its memory.

    Raises:
        AgentError: the checkpoint is none; the message is one line.
    """
    return load_agent("omnirl", checkpoint, ("delta",), made=OmniRL)


def omnirl_garnet(checkpoint: str | None = None) -> SequenceAgent:
    """The model of `omnirl`, trained on Garnet alone.

    Raises:
        AgentError: the checkpoint is none; the message is one line.
    """
    return load_agent("omnirl-garnet", checkpoint, ("delta",), made=OmniRLGarnet)


def omnirl_delta(checkpoint: str | None = None) -> SequenceAgent:
    """Pretrained sequence model with slots, without planning.

    Raises:
        AgentError: the checkpoint is none; the message is one line.
    """
    return load_agent("omnirl-delta", checkpoint, ("delta",), made=OmniRLDelta)


def omnirl_linear(checkpoint: str | None = None) -> SequenceAgent:
    """Pretrained sequence model with learned keys only.

    Raises:
        AgentError: the checkpoint is none; the message is one line.
    """
    return load_agent("omnirl-linear", checkpoint, ("linear", "gated"), made=OmniRLLinear)


def load_agent(
    name: str,
    checkpoint: str | None,
    kinds: tuple[str, ...],
    shown_tag: int = _UNKNOWN,
    made: type[SequenceAgent] = SequenceAgent,
) -> SequenceAgent:
    """Returns the agent of a checkpoint, by default of the weights `name` that ship.

    Raises:
        AgentError: the checkpoint is none, or is of a kind that needs PyTorch where there is none; the
            message is one line.
    """
    shipped = Path(str(files("anymdp_baselines.omnirl") / "weights" / name))
    try:
        found = read_checkpoint(checkpoint or shipped, kinds)
        network = found.network()
    except ModuleNotFoundError:
        raise AgentError(f"{checkpoint} needs PyTorch: pip install 'anymdp-bench[torch]'") from None
    except ValueError as error:
        raise AgentError(str(error)) from None
    agent = made(network, found.schedule, trained_sizes(found.numbers), shown_tag)
    agent.n_parameters = sum(array.size for array in found.tensors.values())
    if checkpoint is not None:
        agent.training_cost = ""
    return agent

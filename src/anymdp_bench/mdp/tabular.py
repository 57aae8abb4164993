"""`TabularMDP`: one task as data, with its file and its fingerprint."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.alias_tables import StepTables, step_tables
from anymdp_bench.engine.arrays import AnyArray, Bands, Bools, Float64s, Int64s
from anymdp_bench.mdp.checks import (
    KeywordError,
    TaskError,
    broadcast,
    check_rows,
    locate,
    normalise_rows,
    refuse,
    to_bands,
    to_floats,
    to_integer,
    to_vector,
    validate_bands,
    validate_start,
)
from anymdp_bench.mdp.file_bytes import sort_metadata
from anymdp_bench.paths import AnyPath, expand_home, make_parent

__all__ = ["KeywordError", "TabularMDP", "TaskError"]

_FORMAT = "anymdp-bench task 1"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class TabularMDP:
    """One episodic task with finitely many states and actions. It cannot be changed.

    All arrays are indexed by inner states. The reward of a transition is Normal(reward, reward_noise).
    Entering a terminal state ends the episode (`terminated`). Otherwise step `max_steps` ends it
    (`truncated`). The value of a terminal state is 0.

    Args:
        transition: the probabilities P(s'|s,a), [S, A, S]. The rows of terminal states are ignored and read
            back as 0. Every other row must sum to 1 within 1e-6 and is divided by its sum.
        reward: the mean rewards, in any shape that broadcasts to [S, A, S]. A reward of (s, a) has the shape
            [S, A, 1].
        reward_noise: the standard deviations of the rewards, in any such shape; by default 0.
        start: the start probabilities, [S]. They are 0 on terminal states.
        terminal: which states are terminal, bool [S].
        max_steps: the horizon H, an int of at least 1.
        observation: the id that each inner state shows, int [S]. Live states have distinct ids. By default a
            state shows its own number.
        n_observations: the number of ids. The default is the largest id plus 1, and S without `observation`.

    Raises:
        TaskError: the arrays make no task.
    """

    bands: Bands
    start: Float64s
    terminal: Bools
    max_steps: int
    observation: Int64s
    n_observations: int

    def __init__(
        self,
        transition: npt.ArrayLike,
        reward: npt.ArrayLike,
        *,
        reward_noise: npt.ArrayLike | None = None,
        start: npt.ArrayLike,
        terminal: npt.ArrayLike,
        max_steps: int,
        observation: npt.ArrayLike | None = None,
        n_observations: int | None = None,
    ) -> None:
        prob = to_floats("transition", transition)
        if prob.ndim != 3 or prob.shape[0] != prob.shape[2] or 0 in prob.shape:
            refuse(f"transition has shape {list(prob.shape)}; give [S, A, S]")
        prob = prob.copy()
        n_states, _, _ = prob.shape
        ends = to_vector("terminal", terminal, n_states, np.bool_)
        prob[ends] = 0.0
        check_rows(prob, ends)
        prob[~ends] = normalise_rows(prob[~ends])
        mean = broadcast("reward", reward, prob.shape)
        noise = broadcast("reward_noise", 0.0 if reward_noise is None else reward_noise, prob.shape)
        if (noise < 0).any():
            refuse(f"reward_noise is negative at {locate(noise < 0)}; give standard deviations")
        self._finish(
            to_bands(prob, mean, noise), start, ends, max_steps, observation, n_observations
        )

    @classmethod
    def from_bands(
        cls,
        bands: Bands,
        *,
        start: npt.ArrayLike,
        terminal: npt.ArrayLike,
        max_steps: int,
        observation: npt.ArrayLike | None = None,
        n_observations: int | None = None,
    ) -> TabularMDP:
        """Makes a task from banded storage, without building dense arrays.

        Args:
            bands: the transitions, mean rewards and standard deviations; see `Bands`.
            start: as in the constructor.
            terminal: as in the constructor.
            max_steps: as in the constructor.
            observation: as in the constructor.
            n_observations: as in the constructor.

        Raises:
            TaskError: the arrays make no task.
        """
        mdp = cls.__new__(cls)
        n_states = len(bands.low)
        ends = to_vector("terminal", terminal, n_states, np.bool_)
        own = validate_bands(bands, ends)
        mdp._finish(own, start, ends, max_steps, observation, n_observations)
        return mdp

    def _finish(
        self,
        bands: Bands,
        start: npt.ArrayLike,
        terminal: Bools,
        max_steps: int,
        observation: npt.ArrayLike | None,
        n_observations: int | None,
    ) -> None:
        """Checks what all constructors share, and sets the attributes."""
        n_states = len(terminal)
        first = validate_start(to_vector("start", start, n_states, np.float64), terminal)
        horizon = to_integer("max_steps", max_steps, 1)
        if observation is None:
            ids = np.arange(n_states, dtype=np.int64)
        else:
            ids = to_vector("observation", observation, n_states, np.int64)
        size = to_integer(
            "n_observations", int(ids.max()) + 1 if n_observations is None else n_observations, 1
        )
        if (ids < 0).any() or (ids >= size).any():
            s = int(np.flatnonzero((ids < 0) | (ids >= size))[0])
            refuse(f"observation[{s}] is {ids[s]}, outside 0..{size - 1}; raise n_observations")
        live = ids[~terminal]
        if len(np.unique(live)) < len(live):
            values, counts = np.unique(live, return_counts=True)
            refuse(
                f"observation {values[counts > 1][0]} is shown by several live states;"
                " give each live state its own id"
            )
        for name, value in (
            ("bands", bands),
            ("start", first),
            ("terminal", terminal),
            ("max_steps", horizon),
            ("observation", ids),
            ("n_observations", size),
        ):
            object.__setattr__(self, name, value)
        self._freeze()

    def _freeze(self) -> None:
        """Makes the arrays read-only."""
        for array in self._arrays().values():
            array.setflags(write=False)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._freeze()  # unpickled arrays are not

    def __deepcopy__(self, memo: object) -> TabularMDP:
        return self  # it cannot be changed

    @property
    def n_states(self) -> int:
        """The number of inner states S, terminal states included."""
        return len(self.start)

    @cached_property
    def n_actions(self) -> int:
        """The number of actions A."""
        size = int((self.bands.width * 1).sum())
        return len(self.bands.prob) // size

    @property
    def transition(self) -> Float64s:
        """P(s'|s,a) as a new dense array, float64 [S, A, S]. Rows of terminal states are 0."""
        return self._dense(self.bands.prob)

    @property
    def reward(self) -> Float64s:
        """The mean rewards R(s,a,s') as a new dense array, float64 [S, A, S]."""
        return self._dense(self.bands.reward)

    @property
    def reward_noise(self) -> Float64s:
        """The standard deviations of the rewards as a new dense array, float64 [S, A, S]."""
        return self._dense(self.bands.noise)

    @cached_property
    def step_tables(self) -> StepTables:
        """The alias tables with which the engine steps this task. They are built once."""
        return step_tables(
            self.bands, self.start, self.terminal, self.observation, self.n_actions, self.max_steps
        )

    def fingerprint(self) -> str:
        """Returns the SHA-256 of everything that makes the task, as 64 hexadecimal digits.

        It is the same on every machine and in every run.
        """
        digest = hashlib.sha256(_FORMAT.encode())
        for name, array in sorted(self._arrays().items()):
            little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
            if array.dtype.kind == "f":
                little = little + 0.0  # -0.0 and 0.0 are one number
            digest.update(f"{name}{list(array.shape)}".encode() + little.tobytes())
        digest.update(f"{self.max_steps},{self.n_observations}".encode())
        return digest.hexdigest()

    def save(self, path: AnyPath) -> None:
        """Writes the task to a safetensors file, which holds arrays only and no code.

        The file is written as a whole or not at all.

        Args:
            path: the file; `~` is the home directory, and a missing folder is made. A file of that name is
                replaced.

        Raises:
            OSError: `path` cannot be written.
        """
        from safetensors.numpy import save

        numbers = {"max_steps": self.max_steps, "n_observations": self.n_observations}
        metadata = {"format": _FORMAT, "numbers": json.dumps(numbers)}
        blob = sort_metadata(save(self._arrays(), metadata=metadata))
        target = make_parent(path)
        partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            with partial.open("xb") as file:
                file.write(blob)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: AnyPath) -> TabularMDP:
        """Reads a task that `save` wrote.

        It executes nothing, and it checks all that the constructor checks.

        Args:
            path: the file; `~` is the home directory.

        Raises:
            TaskError: the file holds no task.
            OSError: the file cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        path = expand_home(path)
        try:
            with safe_open(path, framework="numpy") as file:
                metadata: dict[str, str] = file.metadata() or {}
                arrays: dict[str, AnyArray] = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        except (SafetensorError, AttributeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise TaskError(
                f"{path} is not a task file ({reason}); write one with save()"
            ) from None
        if metadata.get("format") != _FORMAT:
            refuse(f"{path} is a safetensors file, but not an {_FORMAT!r}; write one with save()")
        try:
            numbers = json.loads(metadata["numbers"])
            bands = Bands(**{name: arrays[name] for name in Bands._fields})
            return cls.from_bands(
                bands,
                start=arrays["start"],
                terminal=arrays["terminal"],
                observation=arrays["observation"],
                max_steps=numbers["max_steps"],
                n_observations=numbers["n_observations"],
            )
        except KeyError as error:
            raise TaskError(f"{path} lacks {error}; write it again with save()") from None
        except (RecursionError, TypeError, ValueError) as error:
            raise TaskError(f"{path}: {' '.join(str(error).split())[:300]}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TabularMDP):
            return NotImplemented
        return self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return (
            f"TabularMDP(n_states={self.n_states}, n_actions={self.n_actions}, "
            f"max_steps={self.max_steps}, terminal={int(self.terminal.sum())})"
        )

    def _arrays(self) -> dict[str, AnyArray]:
        return self.bands._asdict() | {
            "start": self.start,
            "terminal": self.terminal,
            "observation": self.observation,
        }

    def _dense(self, flat: Float64s) -> Float64s:
        out = np.zeros((self.n_states, self.n_actions, self.n_states))
        for s, (low, width, offset) in enumerate(zip(*self.bands[:3], strict=True)):
            block = flat[offset : offset + self.n_actions * width]
            out[s, :, low : low + width] = block.reshape(self.n_actions, width)
        return out

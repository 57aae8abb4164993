"""The other end of `host`: an agent in another process, and its runs.

The task, its seed, the oracle and the scores stay in this process. Through the pipe go only the observations,
rewards and flags of the contract.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, AgentError, AgentSpec, RunBatch, Transition
from anymdp_bench.engine.arrays import Bools, Int64s
from anymdp_bench.evaluation import (
    CONTEXTS,
    Budget,
    Curve,
    IndependentLearners,
    Run,
    play_in_context,
    play_training,
)
from anymdp_bench.leaderboard.check_completeness import ENVIRONMENTS_AT_ONCE

PATIENCE = 300.0
"""Seconds that one answer may take."""
_LARGEST = 2**26  # bytes of an answer


class RemoteAgent:
    """An `Agent` whose methods are requests to a `host`; steps to learn from go with the next request."""

    privileged = False

    def __init__(self, process: subprocess.Popen[bytes], patience: float = PATIENCE) -> None:
        self._process, self.patience = process, patience
        self._steps: list[dict[str, Any]] = []
        self._rest = b""
        described = self._read()
        self.version, self.trains = str(described["version"]), bool(described["trains"])
        self.shaped, self.tuned = bool(described["shaped"]), bool(described["tuned"])
        self.env_id: str | None = None  # what a tuned agent is made anew for at its next start
        self._set_parallel(described)

    def _set_parallel(self, described: dict[str, Any]) -> None:
        self.parallel = min(max(int(described["parallel"]), 1), ENVIRONMENTS_AT_ONCE)

    def choose_environment(self, env_id: str) -> None:
        """Says which environment comes next; how many copies of it a tuned agent steps may depend on it."""
        self.env_id = env_id
        if self.tuned:
            self._set_parallel(self._ask({"describe": env_id}))

    def start(self, batch: RunBatch) -> None:
        """Forgets everything; a tuned agent is made anew with its settings for `env_id`."""
        self._steps = []
        sizes = {"n_observations": batch.n_observations, "n_actions": batch.n_actions}
        given: dict[str, Any] = sizes | {"seeds": batch.seeds.tolist()}
        if self.tuned and self.env_id is not None:
            given["env_id"] = self.env_id
        self._ask({"start": given})

    def act(self, observation: Int64s, test: bool = False) -> npt.ArrayLike:
        """Actions, [n]."""
        return self._check_answer(self._ask({"act": observation.tolist(), "test": test}))

    def learn(self, transition: Transition) -> None:
        """Keeps one step for the next request."""
        self._steps.append({k: v.tolist() for k, v in transition._asdict().items()})

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Keeps one step, and where a demonstrator acted, for the next request."""
        self.learn(transition)
        self._steps[-1]["demonstrated"] = demonstrated.tolist()

    def policy(self) -> npt.ArrayLike | None:
        """Returns the policy to test, a table or None."""
        table = self._ask({"policy": True})
        return None if table is None else self._check_answer(table)

    def _check_answer(self, value: Any) -> npt.NDArray[Any]:
        try:
            array = np.array(value)
        except ValueError:
            array = np.array(None)
        if array.dtype.kind not in "iuf":
            raise AgentError("the agent's process answered with something that is no array")
        return array

    def _ask(self, request: dict[str, Any]) -> Any:
        if self._steps:
            request["learn"], self._steps = self._steps, []
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AgentError("the agent's process ended") from None
        return self._read()

    def _read(self) -> Any:
        """Returns the next answer, of bounded size and in bounded time."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        until = time.monotonic() + self.patience
        parts = [self._rest]
        size = len(self._rest)
        with selectors.DefaultSelector() as ready:
            ready.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in parts[-1]:
                if not ready.select(max(until - time.monotonic(), 0.0)):
                    raise AgentError(f"the agent gave no answer for {self.patience:g} s")
                parts.append(os.read(descriptor, 2**16))
                size += len(parts[-1])
                if not parts[-1] or size > _LARGEST:
                    raise AgentError("the agent's process ended, or its answer has no end")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or "ok" not in answer:
            what = answer.get("error") if isinstance(answer, dict) else "no answer of ours"
            raise AgentError(f"in the agent's process: {str(what)[:300]}")
        return answer["ok"]


@contextmanager
def remote(spec: AgentSpec, patience: float = PATIENCE) -> Iterator[RemoteAgent]:
    """Starts the agent in a process of its own, which ends with the block.

    Raises:
        AgentError: there is no such agent, or it broke the contract.
    """
    words = [sys.executable, "-P", "-m", "anymdp_bench.leaderboard.host", spec.name]
    words += [spec.checkpoint or "", json.dumps(dict(spec.arguments))]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        try:
            yield RemoteAgent(process, patience)
        finally:
            process.kill()
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # a request that nobody will read
                    process.stdin.close()


@contextmanager
def remote_players(spec: AgentSpec, players: int) -> Iterator[list[RemoteAgent]]:
    """Starts one process a player; the first alone plays games of one."""
    with ExitStack() as stack:
        yield [stack.enter_context(remote(spec)) for _ in range(players)]


def replay(
    agents: Sequence[RemoteAgent], runs: Sequence[Run], budget: Budget, context: str
) -> list[Curve]:
    """Plays runs of one environment as `run` plays them.

    Args:
        agents: one a player; an in-context agent plays for all players, which the first of them does.
        runs: the runs.
        budget: how long each lasts.
        context: what they start from.
    """
    for agent in agents:
        agent.choose_environment(runs[0].env_id)
    copies = [cast("Agent", agent) for agent in agents[: runs[0].task.players]]
    if not agents[0].trains:
        return play_in_context(copies[0], runs, budget, None, CONTEXTS[context])
    learner = copies[0] if len(copies) == 1 else cast("Agent", IndependentLearners(copies))
    return [play_training(learner, run, budget) for run in runs]

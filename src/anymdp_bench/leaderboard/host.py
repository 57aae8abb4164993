"""An agent in a process of its own, which sees observations, rewards and flags and nothing else.

    python -m anymdp_bench.leaderboard.host NAME CHECKPOINT ARGUMENTS

CHECKPOINT is empty where the agent has none, and ARGUMENTS is a JSON object of further keywords.

One JSON object a line: requests on stdin, answers on what was stdout when the process began; whatever the
agent prints goes to stderr. A compiled learner is played step by step here, with the same numbers as in
the fused loop.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np

from anymdp_bench.agents import (
    Agent,
    AgentError,
    AgentSpec,
    AnyAgent,
    CompiledAgent,
    RunBatch,
    Transition,
    get_parallel,
    is_privileged,
    is_shaped,
    is_tuned,
)
from anymdp_bench.crash import describe_crash
from anymdp_bench.evaluation import SteppedAgent

_KINDS = (np.int64, np.int64, np.float64, np.int64, np.bool_, np.bool_)


def _as_stepped(made: AnyAgent) -> Agent:
    return SteppedAgent(made) if isinstance(made, CompiledAgent) else made


class Host:
    """Answers requests about one agent."""

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec
        made = spec.make()
        self._version, self._tuned = made.version, is_tuned(made)
        self.agent = _as_stepped(made)
        if is_privileged(made):
            raise AgentError(f"agent {spec.name} looks at the task; it is no leaderboard entry")

    def describe(self) -> dict[str, Any]:
        """Returns what the agent declares."""
        trains = bool(self.agent.trains)
        streams, shaped = get_parallel(self.agent), is_shaped(self.agent)
        described = {"version": self._version, "trains": trains, "tuned": self._tuned}
        return described | {"parallel": streams, "shaped": shaped}

    def answer(self, request: dict[str, Any]) -> Any:
        """Does what one request says; requests are those of `rerun.RemoteAgent`."""
        if "describe" in request:  # of a tuned agent alone
            self.agent = _as_stepped(self._spec.make(request["describe"]))
            return self.describe()
        if "start" in request:
            given = request["start"]
            if "env_id" in given:  # of a tuned agent alone
                self.agent = _as_stepped(self._spec.make(given.pop("env_id")))
            seeds = np.array(given.pop("seeds"), np.uint64)
            self.agent.start(RunBatch(**given, seeds=seeds))
            return None
        for step in request.get("learn", []):
            names = zip(Transition._fields, _KINDS, strict=True)
            transition = Transition(*(np.array(step[name], kind) for name, kind in names))
            if "demonstrated" in step and hasattr(self.agent, "demonstrate"):
                self.agent.demonstrate(transition, np.array(step["demonstrated"], np.bool_))
            else:
                self.agent.learn(transition)
        if "act" in request:
            seen = np.array(request["act"], np.int64)
            options = {"test": True} if request["test"] else {}
            return np.asarray(self.agent.act(seen, **options)).tolist()
        table = self.agent.policy()
        return None if table is None else np.asarray(table).tolist()


def main(arguments: list[str]) -> None:
    """Serves until stdin ends; an agent's error is answered, and ends the process."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        name, checkpoint, keywords = arguments
        host = Host(AgentSpec(name, checkpoint or None, tuple(json.loads(keywords).items())))
        reply({"ok": host.describe()})
        for line in sys.stdin:
            reply({"ok": host.answer(json.loads(line))})
    except Exception as error:
        reply({"error": describe_crash(error)})


if __name__ == "__main__":
    main(sys.argv[1:])

"""An agent in a process of its own, which sees observations, rewards and flags and nothing else.

    python -m anymdp_bench.leaderboard.host NAME [CHECKPOINT]

One JSON object a line: requests on stdin, answers on what was stdout when the process began; whatever the
agent prints goes to stderr. A compiled learner is played step by step here, with the same numbers as in
the fused loop.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, cast

import numpy as np

from anymdp_bench.agents import (
    Agent,
    AgentError,
    AgentSpec,
    FusedAgent,
    Streams,
    is_privileged,
    is_shaped,
    parallel,
)
from anymdp_bench.evaluation import Unfused

STEP = ("observation", "action", "reward", "next_observation", "terminated", "truncated")
_KINDS = (np.int64, np.int64, np.float64, np.int64, np.bool_, np.bool_)


class Host:
    """Answers requests about one agent."""

    def __init__(self, spec: AgentSpec) -> None:
        made = spec.make()
        self._version = made.version
        self.agent = cast("Agent", Unfused(made) if isinstance(made, FusedAgent) else made)
        if is_privileged(made):
            raise AgentError(f"agent {spec.name} looks at the task; it is no leaderboard entry")

    def describe(self) -> dict[str, Any]:
        """What the agent declares."""
        trains = bool(self.agent.trains)
        streams, shaped = parallel(self.agent), is_shaped(self.agent)
        return {"version": self._version, "trains": trains, "parallel": streams, "shaped": shaped}

    def answer(self, request: dict[str, Any]) -> Any:
        """Does what one request says; requests are those of `rerun.RemoteAgent`."""
        if "start" in request:
            told = request["start"]
            seeds = np.array(told.pop("seeds"), np.uint64)
            self.agent.start(Streams(**told, seeds=seeds))
            return None
        for lesson in request.get("learn", []):
            step: list[Any] = [
                np.array(lesson[k], kind) for k, kind in zip(STEP, _KINDS, strict=True)
            ]
            if "shown" in lesson and hasattr(self.agent, "demonstrate"):
                self.agent.demonstrate(*step, np.array(lesson["shown"], np.bool_))
            else:
                self.agent.learn(*step)
        if "act" in request:
            seen = np.array(request["act"], np.int64)
            return np.asarray(self.agent.act(seen, test=bool(request["test"]))).tolist()
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
        host = Host(AgentSpec(*arguments))
        reply({"ok": host.describe()})
        for line in sys.stdin:
            reply({"ok": host.answer(json.loads(line))})
    except Exception as error:
        reply({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main(sys.argv[1:])

"""The contract of agents, and how agents are found.

There are two kinds of agents:

`Agent`          an agent in plain Python (NumPy, PyTorch, ...). It plays `n` runs at once: every array has
                 one element for each run;
`CompiledAgent`  a tabular learner of three compiled functions. It runs in one compiled loop with its task.

An agent gets the sizes of its runs and one random seed for each run (`RunBatch`). After that it gets
observations, rewards and flags (`Transition`). It never sees the name of the environment, the task, the
oracle, the score or the recorder. There are two exceptions. An agent that declares itself `privileged` sees
the task. The leaderboard does not accept it. An agent that is `tuned` gets settings that were chosen for
the environment by name. Tables mark it.

An agent is found by an entry point in the group `anymdp_bench.agents`, or as "module:Name", or as
"file.py:Name". The built-in agents are found in the same way.
"""

from __future__ import annotations

from anymdp_bench.agents.contract import (
    Agent,
    AgentError,
    AnyAgent,
    CompiledAgent,
    DemonstrationAgent,
    RefusalError,
    RunBatch,
    describe_training,
    get_parallel,
    is_privileged,
    is_shaped,
    is_trained,
    is_tuned,
    start_agent,
)
from anymdp_bench.agents.spec import GROUP, AgentSpec, check_agent, installed_agents
from anymdp_bench.engine.transition import Transition

__all__ = [
    "GROUP",
    "Agent",
    "AgentError",
    "AgentSpec",
    "AnyAgent",
    "CompiledAgent",
    "DemonstrationAgent",
    "RefusalError",
    "RunBatch",
    "Transition",
    "check_agent",
    "describe_training",
    "get_parallel",
    "installed_agents",
    "is_privileged",
    "is_shaped",
    "is_trained",
    "is_tuned",
    "start_agent",
]

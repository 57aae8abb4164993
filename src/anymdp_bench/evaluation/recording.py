"""Records the episodes of an agent as a video, GIF or MP4."""

from __future__ import annotations

from typing import Any

from anymdp_bench.agents import (
    Agent,
    AgentError,
    AgentSpec,
    CompiledAgent,
    is_privileged,
    is_shaped,
    start_agent,
)
from anymdp_bench.crash import describe_crash
from anymdp_bench.engine.arrays import Frame
from anymdp_bench.evaluation.independent_learners import IndependentLearners
from anymdp_bench.evaluation.loop import Interaction
from anymdp_bench.evaluation.runs import Run, make_simulator, run_batch
from anymdp_bench.evaluation.stepped import SteppedAgent
from anymdp_bench.paths import AnyPath
from anymdp_bench.rendering.video import check_suffix, write_video
from anymdp_bench.tasks.canonical import canonical_id
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.task import Task


def record_video(
    env_id: str,
    spec: AgentSpec,
    out: AnyPath,
    *,
    task_seed: int = 0,
    seed: int = 0,
    episodes: int = 1,
    after: int = 0,
) -> list[float]:
    """Records episodes of a new agent.

    The run is the same as in `anymdp-bench run` with this task seed and run seed. In-context agents get the
    shaped rewards of environments that have them. The returns are never shaped.

    Args:
        env_id: the environment.
        spec: the agent.
        out: the video file; its suffix is .gif or .mp4, and a missing folder is made.
        task_seed: the task seed.
        seed: the run seed.
        episodes: how many episodes are recorded.
        after: how many episodes are played before the first recorded one.

    Returns:
        The undiscounted returns of the episodes that were recorded.

    Raises:
        AgentError: there is no such agent, or it broke the contract.
        KeyError: there is no such environment.
        VideoError: `out` ends in neither .gif nor .mp4, or a library is missing.
    """
    check_suffix(out)
    env_id = canonical_id(env_id)
    run = Run(env_id, task_source(env_id).task(task_seed), seed)
    try:
        frames, returns = _play(spec, run, episodes, after)
    except AgentError:
        raise
    except Exception as error:  # the agent is a stranger's code
        raise AgentError(f"agent {spec.name}: {describe_crash(error)}") from error
    write_video(frames, _frame_rate(env_id), out)
    return returns[after:]


def _play(spec: AgentSpec, run: Run, episodes: int, after: int) -> tuple[list[Frame], list[float]]:
    """Plays a run; returns the frames of the episodes that are recorded, and the returns of all."""
    agent = _make_agent(spec, run.env_id, run.task)
    simulator = make_simulator([run], shaped=not agent.trains and is_shaped(agent))
    start_agent(agent, run_batch([run], is_privileged(agent), simulator))
    play = Interaction(agent, simulator)
    frames: list[Frame] = []
    returns: list[float] = []
    while len(returns) < after + episodes:
        if len(returns) >= after:
            frames.append(simulator.frame())
        finished = [each.return_ for each in play.step()]
        if finished and len(returns) >= after:
            frames.append(simulator.frame(final=True))
        returns += finished
    return frames, returns


def _make_agent(spec: AgentSpec, env_id: str, task: Task) -> Agent:
    """Makes the agent in plain Python, with one copy for each player if it trains."""
    plain: list[Agent] = []
    for _ in range(task.players):
        agent = spec.make(env_id)
        plain.append(SteppedAgent(agent) if isinstance(agent, CompiledAgent) else agent)
    return plain[0] if len(plain) == 1 or not plain[0].trains else IndependentLearners(plain)


def _frame_rate(env_id: str) -> int:
    """Returns the frames per second of the family's Gymnasium environment, or 4 if there is none."""
    import importlib

    where = task_source(env_id).family.env
    if where is None:
        return 4
    module, _, name = where.partition(":")
    metadata: dict[str, Any] = getattr(importlib.import_module(module), name).metadata
    return int(metadata.get("render_fps", 8))

"""In-context agents: all runs of an environment side by side, every episode counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymdp_bench.agents import Agent, is_privileged
from anymdp_bench.protocol.arena import Arena
from anymdp_bench.protocol.runs import FOREVER, Budget, Curve, Ledger, Report, Run, told


def play_in_context(
    agent: Agent, runs: Sequence[Run], budget: Budget, report: Report | None = None
) -> list[Curve]:
    """All runs of one environment side by side; every episode counts.

    Raises:
        AgentError: the agent broke the contract.
    """
    if budget.episodes is None and budget.steps is None:
        raise ValueError("an in-context budget needs episodes or steps")
    arena = Arena(runs)
    agent.start(told(runs, is_privileged(agent)))
    ledgers = [Ledger("episode") for _ in runs]
    regret = np.zeros(arena.n)
    enough = budget.episodes or FOREVER
    latest = np.zeros(arena.n)
    while arena.steps < (budget.steps or FOREVER) and arena.episodes.min() < enough:
        over, results = arena.step(arena.actions(agent.act(arena.observation)), agent)
        for i, (return_, excess) in zip(over, results, strict=True):
            if arena.episodes[i] > enough:
                continue
            regret[i] -= excess
            corrected = float(arena.oracle[i]) + excess
            latest[i] = 1.0 + excess / arena.gap[i]
            ledgers[i].rows.append(
                (int(arena.episodes[i]), arena.steps, return_, corrected, latest[i], regret[i])
            )
        if report is not None and arena.steps % 64 == 0:
            done = budget.share(int(arena.episodes.min()), arena.steps)
            report(done, float(latest.mean()))
    return [ledger.curve() for ledger in ledgers]

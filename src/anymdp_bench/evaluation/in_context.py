"""In-context agents: all runs of an environment side by side, every episode counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymdp_bench.agents import Agent, begin, is_privileged, is_shaped
from anymdp_bench.evaluation.demonstrations import Demonstrations, Demonstrator
from anymdp_bench.evaluation.runs import FOREVER, Budget, Curve, Ledger, Report, Run, told
from anymdp_bench.evaluation.simulators import make_arena


def play_in_context(
    agent: Agent,
    runs: Sequence[Run],
    budget: Budget,
    report: Report | None = None,
    demonstrations: Demonstrations | None = None,
) -> list[Curve]:
    """All runs of one environment side by side; every episode counts.

    The agent is given shaped rewards where the environment has them, unless its attribute `shaped` is False.

    `demonstrations` come first: in each run another one acts for so many episodes, which the agent
    takes in like its own and which are not counted. A run whose demonstrations are over goes on at once.

    Raises:
        AgentError: the agent broke the contract, or refused the runs.
    """
    if budget.episodes is None and budget.steps is None:
        raise ValueError("an in-context budget needs episodes or steps")
    arena = make_arena(runs, shaped=is_shaped(agent))
    begin(agent, told(runs, is_privileged(agent), arena.oracle_actions))
    demonstrator = Demonstrator(runs, demonstrations) if demonstrations else None
    shown_episodes = demonstrator.episodes if demonstrator else 0
    ledgers = [Ledger("episode") for _ in runs]
    regret, latest = np.zeros(len(runs)), np.zeros(len(runs))
    most_episodes, most_steps = budget.episodes or FOREVER, budget.steps or FOREVER
    begun = np.full(len(runs), FOREVER if demonstrator else 0)  # steps when the agent's own began
    last = shown_episodes + most_episodes
    while ((arena.steps - begun < most_steps) & (arena.episodes < last)).any():
        action = arena.actions(agent.act(arena.observation))
        shown = (arena.episodes < shown_episodes).repeat(arena.players)
        if demonstrator and shown.any():
            action = np.where(shown, demonstrator.actions(arena.oracle_actions()), action)
            over, results = arena.step(action, agent, shown)
        else:
            over, results = arena.step(action, agent)
        for i, (return_, excess) in zip(over, results, strict=True):
            episode = int(arena.episodes[i]) - shown_episodes
            if episode == 0:
                begun[i] = arena.steps
            steps = int(arena.steps - begun[i])
            if not 0 < episode <= most_episodes or steps > most_steps:
                continue
            regret[i] -= excess
            corrected = float(arena.oracle[i]) + excess
            latest[i] = 1.0 + excess / arena.gap[i]
            ledgers[i].rows.append((episode, steps, return_, corrected, latest[i], regret[i]))
        if report is not None and arena.steps % 64 == 0:
            steps = max(int(arena.steps - begun.max()), 0)
            episodes = max(int(arena.episodes.min()) - shown_episodes, 0)
            report(budget.share(episodes, steps), float(latest.mean()))
    return [ledger.curve() for ledger in ledgers]

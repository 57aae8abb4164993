"""The evaluation of in-context agents: every episode of all runs of an environment is scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymdp_bench.agents import Agent, is_privileged, is_shaped, start_agent
from anymdp_bench.evaluation.demonstrations import Demonstrations, Demonstrator
from anymdp_bench.evaluation.loop import Interaction
from anymdp_bench.evaluation.runs import (
    FOREVER,
    Budget,
    Curve,
    CurveRecorder,
    Report,
    Run,
    make_simulator,
    run_batch,
)


def play_in_context(
    agent: Agent,
    runs: Sequence[Run],
    budget: Budget,
    report: Report | None = None,
    demonstrations: Demonstrations | None = None,
) -> list[Curve]:
    """Plays all runs of one environment side by side, and scores every episode.

    The agent gets the shaped rewards of the environment, if there are any and its attribute `shaped` is not
    False.

    Args:
        agent: the agent.
        runs: the runs, all of one environment.
        budget: how long each run lasts.
        report: called from time to time.
        demonstrations: what a demonstrator plays first in each run. The agent learns from these steps, and
            they are not counted. As soon as the demonstrations of a run are over, the agent plays it.

    Returns:
        The curve of each run.

    Raises:
        AgentError: the agent broke the contract, or refused the runs.
        ValueError: the budget has no limit.
    """
    if budget.episodes is None and budget.steps is None:
        raise ValueError("an in-context budget needs episodes or steps")
    simulator = make_simulator(runs, shaped=is_shaped(agent))
    start_agent(agent, run_batch(runs, is_privileged(agent), simulator))
    play = Interaction(agent, simulator)
    demonstrator = Demonstrator(runs, demonstrations) if demonstrations else None
    demonstration_episodes = demonstrator.episodes if demonstrator else 0
    recorders = [CurveRecorder("episode") for _ in runs]
    scales = [run.task.references for run in runs]
    regret, latest = np.zeros(len(runs)), np.zeros(len(runs))
    most_episodes, most_steps = budget.episodes or FOREVER, budget.steps or FOREVER
    begun = np.full(len(runs), FOREVER if demonstrator else 0)  # the agent's own steps begin here
    last = demonstration_episodes + most_episodes
    while ((play.steps - begun < most_steps) & (play.episodes < last)).any():
        action = play.act()
        demonstrated = None
        if demonstrator and (play.episodes < demonstration_episodes).any():
            demonstrated = (play.episodes < demonstration_episodes).repeat(simulator.players)
            demonstrator_action = demonstrator.act(simulator.oracle_actions())
            action = np.where(demonstrated, demonstrator_action, action)
        for i, return_, advantage_sum in play.play(action, demonstrated):
            episode = int(play.episodes[i]) - demonstration_episodes
            if episode == 0:
                begun[i] = play.steps
            steps = int(play.steps - begun[i])
            if not 0 < episode <= most_episodes or steps > most_steps:
                continue
            regret[i] -= advantage_sum
            corrected = scales[i].oracle + advantage_sum
            latest[i] = 1.0 + advantage_sum / scales[i].gap
            recorders[i].rows.append((episode, steps, return_, corrected, latest[i], regret[i]))
        if report is not None and play.steps % 64 == 0:
            steps = max(int(play.steps - begun.max()), 0)
            episodes = max(int(play.episodes.min()) - demonstration_episodes, 0)
            report(budget.share(episodes, steps), float(latest.mean()))
    return [recorder.curve() for recorder in recorders]

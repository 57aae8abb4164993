"""How many episodes does the variance-free score save?

For each environment the study measures the standard deviation of an oracle episode divided by the gap, and
the number of plain episodes that give as much information as one corrected episode. This number is the
ratio of the two variances. The agents take the oracle's action with probability 0, 0.7, 0.95 or 0.99, and
else a random one; the corrected score of the oracle itself has no variance. The results are medians over
tasks that count.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anymdp_bench.agents import Agent, Transition
from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.evaluation import Interaction, Run, make_simulator
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import sample_tasks, task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.task import VectorSimulator

ENVIRONMENTS = (
    "AnyMDP-1s5a-v0",
    "AnyMDP-16s5a-v0",
    "AnyMDP-64s5a-v0",
    "AnyMDP-128s5a-v0",
    "Garnet-64s5a2b-v0",
)
SKILLS = (0.0, 0.7, 0.95, 0.99)
_SIZES = {"tiny": (8, 20, 50), "small": (300, 32, 400), "paper": (2000, 256, 2000)}


def oracle_noise(env_id: str, n_tasks: int) -> Float64s:
    """Returns the standard deviation of an oracle episode over the gap, float64 [n_tasks].

    The tasks are those of seeds 0 to n_tasks - 1, whether they count or not; it is inf where the gap is <= 0.
    """
    scales = [compute_references(mdp) for mdp in sample_tasks(env_id, range(n_tasks))]
    return np.array([s.oracle_sd / s.gap if s.gap > 0 else np.inf for s in scales])


class _PartlyOracle(Agent):
    """An agent that takes the oracle's action with probability `skill`, and else a uniform random one."""

    def __init__(self, simulator: VectorSimulator, skill: float) -> None:
        self._simulator, self._skill = simulator, skill
        self._rng = np.random.default_rng(0)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns the actions, int64 [n]."""
        n, oracle = len(observation), self._simulator.oracle_actions()
        random = self._rng.integers(self._simulator.n_actions, size=n)
        return np.where(self._rng.random(n) < self._skill, oracle, random)

    def learn(self, transition: Transition) -> None:
        """Learns nothing."""


def variance_ratios(env_id: str, skill: float, n_tasks: int, episodes: int) -> Float64s:
    """Returns the variance of the plain score over that of the corrected score, float64 [n_tasks].

    Args:
        env_id: the environment.
        skill: the probability of the oracle's action.
        n_tasks: the number of tasks; the first ones that count.
        episodes: the number of episodes on each task.
    """
    tasks, _ = select_tasks(task_source(env_id), n_tasks)
    simulator = make_simulator([Run(env_id, task, 0) for task in tasks])
    play = Interaction(_PartlyOracle(simulator, skill), simulator)
    played: list[list[tuple[float, float]]] = [[] for _ in tasks]
    while min(map(len, played)) < episodes:
        for i, return_, advantage_sum in play.step():
            played[i].append((return_, advantage_sum))
    variances = [np.var(rows[:episodes], axis=0) for rows in map(np.array, played)]
    return np.array([raw / corrected for raw, corrected in variances])


def run(scale: str, out: Path) -> list[Path]:
    """Prints the table in Markdown, and writes it to `episodes-saved.md`."""
    n_noise, n_tasks, episodes = _SIZES[scale]
    lines = [
        "| environment | sd / gap of one oracle episode: median | 90th percentile | tasks that count |"
        + "".join(f" plain per corrected episode, skill {skill:g} |" for skill in SKILLS),
        "| --- |" + " ---: |" * (3 + len(SKILLS)),
    ]
    for env_id in ENVIRONMENTS:
        ratio = oracle_noise(env_id, n_noise)
        middle, high = np.quantile(ratio, [0.5, 0.9])
        cells = [f"{middle:.2f}", f"{high:.2f}", f"{np.mean(ratio <= 2.0):.0%}"]
        for skill in SKILLS:
            saved = np.median(variance_ratios(env_id, skill, n_tasks, episodes))
            cells.append(f"{saved:.1f}")
        lines.append(f"| {env_id} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    lines.append(
        f"\nUnfiltered task seeds 0 to {n_noise - 1} for the first three columns; {n_tasks} tasks that"
        f" count and {episodes} episodes each for the rest, medians over tasks."
        f" Command: `anymdp-bench study scoring --scale {scale}`."
    )
    path = out / "episodes-saved.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path]

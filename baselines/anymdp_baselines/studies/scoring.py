"""How many episodes the variance-free score saves, on real tasks.

For each environment: how large one oracle episode's standard deviation is against the gap, and how many
plain episodes tell as much about an agent as one corrected episode (the ratio of the two variances), for
players that take the oracle's action with probability 0, 0.7, 0.95 or 0.99, else a random one. Medians over
tasks that count; the oracle itself has no variance left.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anymdp_bench.agents import Agent, Transition
from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.evaluation import Interaction, Run, make_simulator
from anymdp_bench.scoring import references
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
PLAYERS = (0.0, 0.7, 0.95, 0.99)
_SIZES = {"tiny": (8, 20, 50), "small": (300, 32, 400), "paper": (2000, 256, 2000)}


def oracle_noise(env_id: str, n_tasks: int) -> Float64s:
    """Oracle episode sd over gap for task seeds 0..n_tasks-1, unfiltered, [n_tasks]; inf where gap <= 0."""
    scales = [references(mdp) for mdp in sample_tasks(env_id, range(n_tasks))]
    return np.array([s.oracle_sd / s.gap if s.gap > 0 else np.inf for s in scales])


class _PartlyOracle(Agent):
    """Plays the oracle's action with probability `skill`, else a uniform random one."""

    def __init__(self, simulator: VectorSimulator, skill: float) -> None:
        self._simulator, self._skill = simulator, skill
        self._rng = np.random.default_rng(0)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        n, oracle = len(observation), self._simulator.oracle_actions()
        chance = self._rng.integers(self._simulator.n_actions, size=n)
        return np.where(self._rng.random(n) < self._skill, oracle, chance)

    def learn(self, transition: Transition) -> None:
        pass


def variance_ratios(env_id: str, skill: float, n_tasks: int, episodes: int) -> Float64s:
    """Variance of the plain over that of the corrected episode score, one a task, [n_tasks]."""
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
    """Prints the table, in Markdown, and writes it to `episodes-saved.md`."""
    n_noise, n_tasks, episodes = _SIZES[scale]
    lines = [
        "| environment | sd / gap of one oracle episode: median | 90th percentile | tasks that count |"
        + "".join(f" plain per corrected episode, skill {skill:g} |" for skill in PLAYERS),
        "| --- |" + " ---: |" * (3 + len(PLAYERS)),
    ]
    for env_id in ENVIRONMENTS:
        ratio = oracle_noise(env_id, n_noise)
        middle, high = np.quantile(ratio, [0.5, 0.9])
        cells = [f"{middle:.2f}", f"{high:.2f}", f"{np.mean(ratio <= 2.0):.0%}"]
        for skill in PLAYERS:
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

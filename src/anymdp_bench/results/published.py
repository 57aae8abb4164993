"""The results that the paper prints in its Table 1, by our ids of environments and agents.

An environment has an id of its own where the protocol `paper` plays it with another horizon or start
(`suites.protocols`). The paper's results are known under both ids, and so are its oracle returns.
"""

import csv
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

_ENVIRONMENTS = (
    (r"AnyMDP-(\d+)s(\d+)a-v0", r"AnyMDP(\1,\2)"),
    (r"Garnet-(\d+)s(\d+)a(\d+)b-v0", r"Garnet(\1,\2,\3)"),
    (r"CliffWalkingTerminal-v0", "CliffWalking"),
    (r"FrozenLake4x4-v0(?:\?max_steps=200)?", "FrozenLake (non-slippery)"),
    (r"FrozenLake4x4Slippery-v0(?:\?max_steps=200)?", "FrozenLake (slippery)"),
    (r"DiscretePendulum-g([\d.]+)-v0(?:\?start=fixed)?", r"Discrete-Pendulum (g=\1)"),
    (r"Switch2-v0", "Switch2 (multi-agent)"),
    (r"Darkroom-(\d+x\d+)-v0", r"Darkroom (\1)"),
)

_LEARNERS = {
    "tql-ucb": "TQL-UCB",
    "tql-ucb-authors": "TQL-UCB",  # the settings that they released
    "ppo": "PPO",
    "omnirl": "OmniRL (AnyMDP)",
    "omnirl-garnet": "OmniRL (Garnet)",
}


PAPER_ORACLES = {
    "CliffWalkingTerminal-v0": -13.0,
    "FrozenLake4x4Slippery-v0": 0.833,
    "DiscretePendulum-g1-v0": -40.0,
    "DiscretePendulum-g5-v0": -200.0,
    "DiscretePendulum-g9.8-v0": -385.0,
}
"""The oracle returns that the paper divides by, where it states them. `--score paper` uses them.

The paper has two values for the slippery lake, 0.833 and 0.778; this is the stricter one. The paper's third
pendulum has g = 9.81."""


class PublishedResult(NamedTuple):
    """One line of the paper's table.

    Attributes:
        percent: the best performance, in percent.
        steps: the steps until 99% of it; None where the paper prints none.
        episodes: the episodes until 99% of it; None likewise.
    """

    percent: float
    steps: int | None
    episodes: int | None


def find_paper_oracle(env_id: str) -> float | None:
    """Returns the oracle return that the paper divides by on an environment; None where it states none."""
    is_known = paper_environment(env_id) is not None
    return PAPER_ORACLES.get(env_id.partition("?")[0]) if is_known else None


def paper_environment(env_id: str) -> str | None:
    """Returns the paper's name of an environment id; None where the paper does not have the environment."""
    for pattern, name in _ENVIRONMENTS:
        match = re.fullmatch(pattern, env_id)
        if match:
            return match.expand(name)
    return None


def find_published(env_id: str, agent: str) -> PublishedResult | None:
    """Returns the paper's result of an agent on an environment, by our ids; None where the paper has none."""
    return _table().get((paper_environment(env_id) or "", _LEARNERS.get(agent, "")))


@cache
def _table() -> dict[tuple[str, str], PublishedResult]:
    """Reads `data/table1.csv`; the keys are (environment, learner), by the paper's names."""
    text = resources.files("anymdp_bench").joinpath("data/table1.csv").read_text(encoding="utf-8")
    return {
        (row["environment"], row["learner"]): PublishedResult(
            float(row["performance_pct"]),
            int(row["steps"]) if row["steps"] else None,
            int(row["episodes"]) if row["episodes"] else None,
        )
        for row in csv.DictReader(text.splitlines())
    }

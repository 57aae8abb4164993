"""The paper's own results (its Table 1), looked up by our environment and agent ids."""

import csv
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

_ENVIRONMENTS = (
    (r"AnyMDP-(\d+)s(\d+)a-v0", r"AnyMDP(\1,\2)"),
    (r"Garnet-(\d+)s(\d+)a(\d+)b-v0", r"Garnet(\1,\2,\3)"),
    (r"CliffWalkingTerminal-v0", "CliffWalking"),
    (r"FrozenLake4x4-v0", "FrozenLake (non-slippery)"),
    (r"FrozenLake4x4Slippery-v0", "FrozenLake (slippery)"),
    (r"DiscretePendulum-g([\d.]+)-v0", r"Discrete-Pendulum (g=\1)"),
    (r"Switch2-v0", "Switch2 (multi-agent)"),
    (r"Darkroom-(\d+x\d+)-v0", r"Darkroom (\1)"),
)

_LEARNERS = {
    "tql-ucb": "TQL-UCB",
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
"""The oracle returns that the paper normalises by, where it states its own. Of the lake it has two, 0.833
and 0.778, and this is the stricter; its steepest pendulum has g = 9.81. `--score paper` uses them."""


class Published(NamedTuple):
    """One line of the paper's table: best performance in percent, and what reaching 99% of it cost.

    `steps` and `episodes` are None where the paper prints none.
    """

    percent: float
    steps: int | None
    episodes: int | None


def environment_name(env_id: str) -> str | None:
    """The paper's name for one of our environment ids, None where it has none."""
    for pattern, name in _ENVIRONMENTS:
        match = re.fullmatch(pattern, env_id)
        if match:
            return match.expand(name)
    return None


def published(env_id: str, agent: str) -> Published | None:
    """The paper's figures for an environment and an agent id of ours; None where it has none."""
    return _table().get((environment_name(env_id) or "", _LEARNERS.get(agent, "")))


@cache
def _table() -> dict[tuple[str, str], Published]:
    """`data/table1.csv` by (environment, learner) in the paper's words."""
    text = resources.files("anymdp_bench").joinpath("data/table1.csv").read_text(encoding="utf-8")
    return {
        (row["environment"], row["learner"]): Published(
            float(row["performance_pct"]),
            int(row["steps"]) if row["steps"] else None,
            int(row["episodes"]) if row["episodes"] else None,
        )
        for row in csv.DictReader(text.splitlines())
    }

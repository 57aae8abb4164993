"""Plays a short run of an agent of every family; the results are those in `golden/families/`.

`python tests/tools/families.py OUT [--workers N] [NAME...]` writes them to folders of OUT.
"""

import argparse
from pathlib import Path

from anymdp_bench.cli.app import run

GOLDEN = Path(__file__).parents[1] / "golden" / "families"

# Compiled agents: the same bytes wherever the mathematical library rounds in the same way.
TABULAR = {
    "random": [],
    "oracle": [],
    "tql-ucb-fast": [],
    "psrl": [],
    "psrl-episodic": [],
    "ucbvi": [],
    "bc": ["--context", "offline"],
    "cql": ["--context", "offline"],
}
# Networks, by the extra that each needs; their sums depend on the processor.
NEURAL = {
    "neural-planner": "torch",
    "omnirl": "numba",
    "omnirl-garnet": "numba",
    "omnirl-delta": "numba",
    "omnirl-linear": "numba",
    "ad": "numba",
    "ppo": "numba",
}

# The others play 5 episodes. PPO updates rarely.
EPISODES = {"ppo": 60} | dict.fromkeys(
    ["neural-planner", "omnirl", "omnirl-garnet", "omnirl-delta", "omnirl-linear", "ad"], 3
)


def play(name, out, workers=1, tasks=2):
    """Plays a few episodes of tasks of two environments; returns the path of the result."""
    episodes = EPISODES.get(name, 5)
    line = ["run", "--agent", name, *TABULAR.get(name, []), "--tasks", str(tasks), "--quiet"]
    line += ["--env", "AnyMDP-16s5a-v0", "--env", "Garnet-16s5a2b-v0", "--episodes", str(episodes)]
    code = run([*line, "--workers", str(workers), "--out", str(Path(out) / name)])
    assert code == 0, name
    (csv,) = (Path(out) / name).glob("*.csv")
    return csv


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("names", nargs="*", default=[*TABULAR, *NEURAL])
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    for name in given.names:
        play(name, given.out, given.workers)

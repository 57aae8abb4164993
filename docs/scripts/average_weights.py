"""Writes the mean of the weights of several checkpoints of one model, and how it is to be played.

    python docs/scripts/average_weights.py OUT CHECKPOINT... [--temperature 0.8] [--settled 9] [--untried 5]
        [--turns 24]

The numbers of the last checkpoint are kept. The model card of `omnirl` says what was averaged, and why.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from anymdp_baselines.training.checkpoint import load, save


def main(arguments: list[str]) -> None:
    """Averages the checkpoints."""
    parser = argparse.ArgumentParser(description="The mean of the weights of several checkpoints.")
    parser.add_argument("out", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--temperature", type=float, default=0.8, help="the first temperature")
    parser.add_argument("--settled", type=float, default=9.0, help="visits a slot that it lasts")
    parser.add_argument("--untried", type=float, default=0.0, help="bonus of untried actions")
    parser.add_argument(
        "--turns", type=int, help="states that the planning memory backs up in turn"
    )
    given = parser.parse_args(arguments)
    read = [load(path) for path in given.checkpoints]
    tensors = {name: sum(each[0][name] for each in read) / len(read) for name in read[0][0]}
    numbers = read[-1][1] | {"temperature": given.temperature, "settled": given.settled}
    if given.untried:
        numbers["untried"] = given.untried
    if given.turns is not None:
        numbers["model"] = numbers["model"] | {"plan_turns": given.turns}
    save(given.out, tensors, numbers)


if __name__ == "__main__":
    main(sys.argv[1:])

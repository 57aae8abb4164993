"""Puts planners that were trained apart into one checkpoint: a general one, and experts by size of the task.

Run it as `python -m anymdp_baselines.planner.assemble OUT GENERAL EXPERT:FEWEST:MOST ...`. An expert plays
AnyMDP's tasks of FEWEST to MOST observations; the general planner plays all others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anymdp_baselines.planner.checkpoint import load_arrays, load_weights, save_arrays


def assemble(out: Path, general: Path, experts: list[tuple[Path, int, int]]) -> None:
    """Writes the checkpoint `out`.

    Raises:
        ValueError: a file is no checkpoint.
    """
    arrays, numbers = load_arrays(general)
    numbers["experts"] = []
    for k, (path, fewest, most) in enumerate(experts, 1):
        own, about = load_arrays(path)
        arrays |= {f"{k}/{name}": tensor for name, tensor in own.items()}
        numbers["experts"].append(about | {"fewest": fewest, "most": most})
    save_arrays(out, arrays, numbers)
    load_weights(out)


def _parse_expert(text: str) -> tuple[Path, int, int]:
    path, fewest, most = text.rsplit(":", 2)
    return Path(path), int(fewest), int(most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("general", type=Path)
    parser.add_argument("experts", type=_parse_expert, nargs="*", metavar="EXPERT:FEWEST:MOST")
    given: Any = parser.parse_args()
    assemble(given.out, given.general, given.experts)

"""The command: `python -m tests.tools.fuzz --inputs 100000`."""

import argparse
import math
import sys
import traceback
import warnings

from . import files, options
from .guard import bounded, temporary_cwd
from .target import fuzz


def main(inputs, seed, only=None):
    """Fuzzes every target, and prints how many inputs each had; returns 1 if a target failed."""
    total, failed = 0, []
    warnings.simplefilter("error")  # a user would see a warning besides the one line
    with temporary_cwd() as folder:
        found = [*files.targets(folder), *options.targets(folder)]
        shares = sum(target.share for target in found)
        for target in found:
            if only and only not in target.name:
                continue
            n = math.ceil(inputs * target.share / shares)
            try:
                with bounded():
                    n_inputs, seconds = fuzz(target, n, seed, folder)
            except Exception:
                traceback.print_exc()
                failed.append(target.name)
                continue
            total += n_inputs
            print(f"{target.name:26} {n_inputs:7} inputs  {seconds:7.1f} s", flush=True)
    print(
        f"{total} inputs: each accepted, or refused in one line;"
        f" failed: {', '.join(failed) or 'none'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="fuzz the targets with this in their name")
    given = parser.parse_args()
    sys.exit(main(given.inputs, given.seed, given.only))

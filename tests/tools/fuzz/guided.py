"""Fuzzes the parsers with Atheris, which finds inputs for new code: `python -m tests.tools.fuzz.guided`.

Every target of `files` has a process of its own for --seconds. It starts from a few of the inputs that
`tests.tools.fuzz` gives to the target. Needs `pip install atheris`.
"""

import argparse
import inspect
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import partial

import atheris

from anymdp_baselines.planner import checkpoint as planners
from anymdp_baselines.training import checkpoint, shards
from anymdp_bench import suites
from anymdp_bench.leaderboard import submission, verify
from anymdp_bench.mdp import tabular
from anymdp_bench.results import records, schema
from anymdp_bench.runner import output, parts

from . import files
from .guard import guarded, temporary_cwd
from .target import fuzz

PARSERS = [records, schema, tabular, suites, submission, verify, parts, output]
PARSERS += [checkpoint, shards, planners]


def _functions(owner, module):
    """Yields the functions and methods that `module` defines, without compiled ones."""
    for each in vars(owner).values():
        function = getattr(each, "__func__", each)
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            yield function
        elif inspect.isclass(each) and each.__module__ == module.__name__ and each is not owner:
            yield from _functions(each, module)


def _save(content, folder, numbers):
    (folder / f"{next(numbers):04d}").write_bytes(content)


def hunt(name, seconds, seed):
    """Fuzzes one target; does not return, since libFuzzer exits, with 0 where it found no error."""
    warnings.simplefilter("error")
    for module in PARSERS:
        for function in list(_functions(module, module)):
            atheris.instrument_func(function)
    with temporary_cwd() as folder:
        (target,) = [target for target in files.targets(folder) if target.name == name]
        corpus = folder / "corpus"
        corpus.mkdir()
        fuzz(replace(target, call=partial(_save, numbers=iter(range(10**4)))), 50, seed, corpus)

        def one(data):
            with guarded(folder):
                target.call(data, folder)

        bounds = [
            f"-max_total_time={seconds}",
            f"-seed={seed + 1}",
            "-timeout=20",
            "-rss_limit_mb=4096",
        ]
        atheris.Setup(
            [sys.argv[0], *bounds, "-print_final_stats=1", "-verbosity=0", str(corpus)], one
        )
        atheris.Fuzz()


def main(seconds, seed):
    """Fuzzes every target in turn; returns 1 if one of them failed."""
    with temporary_cwd() as folder:
        names = [target.name for target in files.targets(folder)]
    failed = []
    for name in names:
        words = [sys.executable, "-m", "tests.tools.fuzz.guided", "--target", name]
        words += ["--seconds", str(seconds), "--seed", str(seed)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        counts = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(f"{name:26} {' '.join(counts).split(' ')[-1]:>9} inputs", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stderr[-2000:])
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target")
    given = parser.parse_args()
    if given.target:
        hunt(given.target, given.seconds, given.seed)
    sys.exit(main(given.seconds, given.seed))

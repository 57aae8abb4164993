"""The experiment behind PSRL's settings: a table of the scores of some settings.

    python -m anymdp_baselines.tuning.psrl [--tasks N] [--runs N]

The table has the mean exact and online scores on AnyMDP-16s5a tasks that no suite uses, with seeds from
2**32 up. By default it plays one run on each of 256 tasks. The command chooses nothing: the defaults of
`PSRL` and `EpisodicPSRL` were set by hand.
"""

from __future__ import annotations

import argparse

import numpy as np

from anymdp_baselines.studies.steps import score_along_run
from anymdp_baselines.tabular.psrl import PSRL, EpisodicPSRL
from anymdp_bench.evaluation import Run
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks

ENV = "AnyMDP-16s5a-v0"
STEPS = (1000, 2000, 3000, 4000, 8000)
SETTINGS = {
    "prior 0.5, one sample an episode": PSRL(prior=0.5, doubling=False),
    "the same, discount 0.97": PSRL(0.97, prior=0.5, doubling=False),
    "the same, untried 3": PSRL(prior=0.5, doubling=False, untried=3.0),
    "both: psrl-episodic": EpisodicPSRL(),
    "prior 0.1, one sample an episode": PSRL(prior=0.1, doubling=False),
    "prior 0.5, doublings": PSRL(prior=0.5),
    "prior 0.1, doublings: psrl": PSRL(),
    "prior 0.1, doublings, discount 0.97": PSRL(0.97),
    "prior 0.1, doublings, discount 0.97, untried 3": PSRL(0.97, untried=3.0),
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=256)
    parser.add_argument("--runs", type=int, default=1, help="runs per task")
    given = parser.parse_args()
    tasks, _ = select_tasks(task_source(ENV), given.tasks, PUBLIC_SEEDS)
    runs = [Run(ENV, task, PUBLIC_SEEDS + k) for task in tasks for k in range(given.runs)]
    print("| settings |" + "".join(f" {n:,} |" for n in STEPS))
    print("| --- |" + " --: |" * len(STEPS))
    for name, agent in SETTINGS.items():
        line = f"| {name} |"
        scores = np.array([score_along_run(agent, run, STEPS) for run in runs])
        for exact, online in np.nanmean(scores, axis=0):
            line += f" {exact:.3f} / {online:.3f} |"
        print(line, flush=True)


if __name__ == "__main__":
    main()

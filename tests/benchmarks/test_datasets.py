"""The rate of `TrainingRuns` on one core beside that of `data write`'s recorder. Run by name:

    pytest tests/benchmarks/test_datasets.py -s

Both make the same runs of the same tasks in the same process, in turn. `of data write` is the rate of the
iterator over that of the recorder; what it takes longer is looking up the labels of every step.
"""

import time

import pytest

from anymdp_bench.datasets import TrainingRuns
from anymdp_bench.datasets.sequences import synthesise
from anymdp_bench.tasks.family import PUBLIC_SEEDS

RUNS = 32


def seconds(*calls):
    """The least processor time of each call, which take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(5):
        for k, call in enumerate(calls):
            begin = time.process_time()
            call()
            best[k] = min(best[k], time.process_time() - begin)
    return best


@pytest.mark.parametrize("runs_per_task", [1, 4])
@pytest.mark.parametrize("length", [1024, 8192])
@pytest.mark.parametrize("states", [16, 64])
def test_labelled_steps(states, length, runs_per_task):
    env_id = f"AnyMDP-{states}s5a-v0"
    runs = TrainingRuns(env_id, length=length, batch_size=RUNS, runs_per_task=runs_per_task)
    seeds = range(PUBLIC_SEEDS, PUBLIC_SEEDS + RUNS)
    ours, written = seconds(
        lambda: runs.batch(0), lambda: synthesise(states, 5, seeds, length, threads=1)
    )
    print(
        f"\nS = {states}, {length} steps, {runs_per_task} runs a task: {RUNS * length / ours:,.0f}"
        f" labelled steps/s of a core, {written / ours:.2f} of data write's"
    )


@pytest.mark.parametrize(
    "env_id", ["AnyMDP-1s5a-v0", "Garnet-16s5a2b-v0", "Darkroom-8x8-training-v0"]
)
def test_other_families(env_id):
    runs = TrainingRuns(env_id, length=1024, batch_size=RUNS)
    (ours,) = seconds(lambda: runs.batch(0))
    print(f"\n{env_id}: {RUNS * 1024 / ours:,.0f} labelled steps/s of a core")

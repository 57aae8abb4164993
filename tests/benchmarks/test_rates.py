"""The rates that `docs/dev/scale.md` plans with, in processor time. Run by name:

    pytest tests/benchmarks/test_rates.py -s

A worker's rates scale with the number of cores; what the driver does for a run or a shard does not.
"""

import pickle
import time

import pytest

from anymdp_baselines.training.shards import SHARD_STEPS, ShardSettings, _describe, _synthesise
from anymdp_bench.agents import AgentSpec
from anymdp_bench.mdp.file_bytes import sort_metadata
from anymdp_bench.runner.parts import load_part, save_part
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import make_records
from anymdp_bench.runner.unit import play_unit
from anymdp_bench.suites import Limits, custom_suite
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_seeds


def seconds(call, times=1):
    """The least processor time that `call` took."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found)


@pytest.mark.parametrize("states", [16, 64, 128])
def test_synthesis(states):
    """A worker: sequences of 12,000 steps."""
    recipe, n = ShardSettings(states, 5, 12_000, 16, PUBLIC_SEEDS), 16
    _synthesise(recipe, 1, (0, 1), None)
    took = seconds(lambda: _synthesise(recipe, 1, (0, n), None))
    print(f"\nS = {states}: {n * 12_000 / took:,.0f} steps/s of a core")


def test_a_shard_at_the_driver(tmp_path):
    """Taken in from a worker, and written."""
    from safetensors.numpy import save

    n = SHARD_STEPS // 12_000
    recipe = ShardSettings(16, 5, 12_000, n, PUBLIC_SEEDS)
    made = pickle.dumps(_synthesise(recipe, 1, (0, n), None), protocol=5)

    def write():
        data = pickle.loads(made)
        blob = sort_metadata(save(data._asdict(), _describe(recipe, 0, n)))
        (tmp_path / "shard").write_bytes(blob)

    took, size = seconds(write, 10), (tmp_path / "shard").stat().st_size
    print(
        f"\n{1e3 * took:.1f} ms a shard of {n * 12_000:,} steps, {size / n / 12_000:.2f} bytes a step"
    )


@pytest.mark.parametrize("states", [16, 64, 128])
def test_a_full_run(states, tmp_path):
    """10,000 episodes of tql-ucb: at the worker, and at the driver."""
    suite = custom_suite([f"AnyMDP-{states}s5a-v0"]).with_overrides(4, 1, Limits(10_000, None))
    plan = make_plan(suite, AgentSpec("tql-ucb"))
    play_unit(plan.agent, plan.budget, plan.units[0])
    took = seconds(lambda: [play_unit(plan.agent, plan.budget, unit) for unit in plan.units])
    unit, path = plan.units[0], tmp_path / "0.part"
    played = pickle.dumps(play_unit(plan.agent, plan.budget, unit))

    def keep():
        save_part(path, unit, make_records(plan, unit, pickle.loads(played)))
        assert load_part(path, unit)

    print(
        f"\nS = {states}: {took / len(plan.units):.3f} s a run at a worker,"
        f" {1e3 * seconds(keep, 20):.2f} ms at the driver, {path.stat().st_size / 1024:.1f} KiB"
    )


@pytest.mark.parametrize("states", [16, 64, 128])
def test_choosing_tasks(states):
    """What the driver does before a run starts: it samples and solves every task."""
    source = task_source(f"AnyMDP-{states}s5a-v0")
    select_seeds(source, 2)
    took = seconds(lambda: select_seeds(source, 128))
    print(f"\nS = {states}: {1e3 * took / 128:.2f} ms a task")

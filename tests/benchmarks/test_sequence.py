"""The sequence models' arithmetic against the machine's, and the data's rate. Run by name.

    pytest tests/benchmarks/test_sequence.py

`extra_info` holds GFLOP/s of matrix products (counted by PyTorch; scans and element-wise work count
nothing), the rate of a plain product in the same type on the same thread, and the share that is reached.
"""

import math
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from anymdp_baselines.layers import matmul, product  # noqa: E402
from anymdp_baselines.omnirl.agent import SequenceAgent  # noqa: E402
from anymdp_baselines.omnirl.model import SequenceModel  # noqa: E402
from anymdp_baselines.omnirl.objective import SequenceObjective  # noqa: E402
from anymdp_baselines.omnirl.play import Player  # noqa: E402
from anymdp_baselines.omnirl.play_torch import TorchNetwork, network_of  # noqa: E402
from anymdp_baselines.omnirl.presets import find_preset  # noqa: E402
from anymdp_baselines.training.objective import Compute  # noqa: E402
from anymdp_baselines.training.temperature import TemperatureSchedule  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402
from anymdp_bench.agents import RunBatch  # noqa: E402
from anymdp_bench.datasets.sequences import synthesise  # noqa: E402
from anymdp_bench.tasks.family import PUBLIC_SEEDS  # noqa: E402

one_core = pytest.mark.benchmark(timer=time.process_time)
KINDS = ["delta", "linear", "gated"]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def matmul_rate(dtype):
    """GFLOP/s of a product of two 1024 x 1024 matrices: the best of ten."""
    a, b = torch.rand(2, 1024, 1024).to(dtype)
    best = math.inf
    for _ in range(10):
        begin = time.process_time()
        a @ b
        best = min(best, time.process_time() - begin)
    return 2 * 1024**3 / best / 1e9


def note(benchmark, flops, half):
    dtype = torch.bfloat16 if half else torch.float32
    rate, peak = flops / benchmark.stats.stats.min / 1e9, matmul_rate(dtype)
    benchmark.extra_info |= {"GFLOP/s": rate, "of the matmul rate": rate / peak, "matmul": peak}
    print(f"\n{rate:.1f} GFLOP/s, {100 * rate / peak:.1f}% of the matmul rate {peak:.0f}")


@one_core
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_update(benchmark, kind, half):
    objective = SequenceObjective(find_preset("small", kind), Compute(is_half=half))
    trainer = Trainer(objective)
    objective.start_round(0)
    with FlopCounterMode(display=False) as counter:
        trainer._update(0)
    benchmark.pedantic(trainer._update, (0,), rounds=3, warmup_rounds=1)
    note(benchmark, counter.get_total_flops(), half)
    parts = objective.preset.minibatches
    steps = sum(batch.segment.seen[::parts].size for batch in objective._batches)
    benchmark.extra_info["steps/s"] = steps / benchmark.stats.stats.min
    print(f"{steps / benchmark.stats.stats.min:,.0f} steps/s")


def step_flops(model, n_observations, seen):
    """Of the matrix products of a step, counted in PyTorch's form of it: the compiled one has the same."""
    player = Player(TorchNetwork(model), len(seen), n_observations, 5)
    with FlopCounterMode(display=False) as counter:
        player.logits(seen)
    return counter.get_total_flops()


@one_core
@pytest.mark.parametrize("runs", [1, 8, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_at_play(benchmark, kind, runs):
    preset = find_preset("base", kind)
    model = SequenceModel(preset.model).eval().requires_grad_(False)
    agent = SequenceAgent(network_of(model), TemperatureSchedule(0.8))
    agent.start(RunBatch(16, 5, np.arange(runs, dtype=np.uint64)))
    seen = np.random.default_rng(0).integers(0, 16, runs)
    flops = step_flops(model, 16, seen)
    benchmark.pedantic(agent.act, (seen,), rounds=200, warmup_rounds=5)
    note(benchmark, flops, half=False)
    benchmark.extra_info |= {"GFLOP": flops / 1e9, "steps/s": runs / benchmark.stats.stats.min}
    print(f"{flops / 1e9:.4f} GFLOP, {runs} runs, {runs / benchmark.stats.stats.min:,.0f} steps/s")


@one_core
@pytest.mark.parametrize("shape", [(12, 128, 256), (64, 128, 256), (64, 256, 128), (320, 80, 64)])
def test_matmul_beside_blas(benchmark, shape):
    """The product of play, which does not depend on the rows beside, and OpenBLAS's on the same thread."""
    rows, depth, columns = shape
    rng = np.random.default_rng(0)
    a, b = (rng.random(s).astype(np.float32) for s in ((rows, depth), (depth, columns)))
    out = np.empty((rows, columns), np.float32)
    product(a, b)
    begin, best = time.process_time(), math.inf
    for _ in range(200):
        begin = time.process_time()
        product(a, b)
        best = min(best, time.process_time() - begin)
    benchmark.pedantic(matmul, (a, b, out), rounds=200, warmup_rounds=5)
    benchmark.extra_info["BLAS's time over ours"] = best / benchmark.stats.stats.min
    print(f"\n{shape}: {best / benchmark.stats.stats.min:.2f} times as fast as BLAS")


@pytest.mark.parametrize("threads", [1, 2])
def test_data(benchmark, threads):
    """128 tasks of tau(16,5), sampled, solved, and 8,192 labelled steps of each."""
    seeds = range(PUBLIC_SEEDS, PUBLIC_SEEDS + 128)
    synthesise(16, 5, seeds[:2], 100)
    benchmark.pedantic(synthesise, (16, 5, seeds, 8192), {"threads": threads}, rounds=3)
    rate = 128 * 8192 / benchmark.stats.stats.min
    benchmark.extra_info["steps/s"] = rate
    print(f"\n{rate:,.0f} labelled steps/s on {threads} threads")

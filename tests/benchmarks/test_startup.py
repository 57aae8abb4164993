"""What it costs to start, in processor time, as a multiple of importing NumPy. Run by name.

    pytest tests/benchmarks/test_startup.py --benchmark-columns=min,rounds

Processor time is that of a fresh process and its children. The ratio to `import numpy` in the same run hardly
depends on the machine; `extra_info` has both.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SCRIPT = str(Path(sys.executable).with_name("anymdp-bench"))
NUMPY = [sys.executable, "-c", "import numpy"]
STARTS = {
    "import anymdp_bench": ([sys.executable, "-c", "import anymdp_bench"], 4),
    "--version": ([SCRIPT, "--version"], 5),
    "list envs": ([SCRIPT, "list", "envs"], 6),
    "list studies": ([SCRIPT, "list", "studies"], 6),
}
COLD = """
import anymdp_bench
anymdp_bench.evaluate("random", "smoke", tasks=1, steps=300, workers=1, progress=False)
"""


def processor_seconds(words, **environ):
    """Processor seconds of a process that prints to nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=os.environ | environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("name", STARTS)
def test_a_start_against_importing_numpy(benchmark, name):
    words, most = STARTS[name]
    numpy, ours = [], []
    benchmark.pedantic(
        lambda: ours.append(processor_seconds(words)),
        setup=lambda: numpy.append(processor_seconds(NUMPY)),
        rounds=5,
    )
    benchmark.extra_info |= {"seconds": min(ours), "times numpy": min(ours) / min(numpy)}
    print("\n", name, benchmark.extra_info)
    assert min(ours) / min(numpy) < most


def test_the_first_run_ever_against_the_second(benchmark):
    """How much of the first run is compilation, with an empty cache of compiled code."""
    with tempfile.TemporaryDirectory() as cache:
        words = [sys.executable, "-c", COLD]
        seconds = []
        benchmark.pedantic(
            lambda: seconds.append(processor_seconds(words, NUMBA_CACHE_DIR=cache)), rounds=2
        )
        numpy = processor_seconds(NUMPY)
    cold, warm = seconds
    benchmark.extra_info |= {"cold": cold, "warm": warm, "cold times numpy": cold / numpy}
    print("\n", benchmark.extra_info)
    assert cold / numpy < 500

"""What many tests share: small random tasks, and a few sampled ones."""

import os

# The processes of pytest-xdist share the cores already. With more threads each, they wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and PyTorch begin

import numpy as np
import pytest
from hypothesis import settings

from anymdp_bench.tasks.family import sample_tasks
from naive.random_tasks import random_task

# The same examples in every run, and no time limit: a kernel compiles at its first call.
settings.register_profile("steady", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def small_tasks():
    """A dozen random tasks of 2 to 9 states, 1 to 4 actions and 0 to 2 terminals."""
    rng = np.random.default_rng(20250210)
    shapes = [(2, 2, 0), (2, 3, 1), (3, 1, 1), (4, 2, 0), (5, 3, 1), (6, 2, 2)]
    shapes += [(6, 4, 1), (7, 3, 2), (8, 2, 0), (8, 4, 2), (9, 3, 1), (9, 4, 2)]
    return [random_task(rng, S, A, terminals, horizon=5 + S) for S, A, terminals in shapes]


@pytest.fixture(scope="session")
def anymdp16():
    """The AnyMDP-16s5a tasks of seeds 0 to 39."""
    return sample_tasks("AnyMDP-16s5a-v0", range(40), workers=1)

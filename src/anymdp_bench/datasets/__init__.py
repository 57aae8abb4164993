"""Data to train on: endless labelled runs of freshly sampled tasks, and files of them.

    for batch in TrainingRuns("AnyMDP-16s5a-v0", length=1024, batch_size=32, seed=0):
        ...  # NumPy arrays: batch.observation [32, 1024], batch.oracle_action [32, 1024], and so on

`TorchDataset` is the same for PyTorch's `DataLoader`; nothing else here needs PyTorch. `read_runs` reads what
the command `anymdp-bench data write` wrote.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anymdp_bench.datasets.batch import NO_LABEL, TrainingBatch, show_demonstrations
    from anymdp_bench.datasets.files import read_runs
    from anymdp_bench.datasets.minari_files import read_minari, write_minari
    from anymdp_bench.datasets.mixture import BEHAVIOURS, Mixture
    from anymdp_bench.datasets.parquet_files import read_parquet, write_parquet
    from anymdp_bench.datasets.torch_dataset import TorchDataset
    from anymdp_bench.datasets.training_runs import TrainingRuns

__all__ = [
    "BEHAVIOURS",
    "NO_LABEL",
    "Mixture",
    "TorchDataset",
    "TrainingBatch",
    "TrainingRuns",
    "read_minari",
    "read_parquet",
    "read_runs",
    "show_demonstrations",
    "write_minari",
    "write_parquet",
]

_HOME = {
    "BEHAVIOURS": "mixture",
    "Mixture": "mixture",
    "NO_LABEL": "batch",
    "TrainingBatch": "batch",
    "show_demonstrations": "batch",
    "TrainingRuns": "training_runs",
    "TorchDataset": "torch_dataset",
    "read_runs": "files",
    "read_minari": "minari_files",
    "write_minari": "minari_files",
    "read_parquet": "parquet_files",
    "write_parquet": "parquet_files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))

"""Data to train on: endless labelled runs of freshly sampled tasks, and files of them.

    for batch in TrainingRuns("AnyMDP-16s5a-v0", length=1024, batch_size=32, seed=0):
        ...  # NumPy arrays: batch.observation [32, 1024], batch.oracle_action [32, 1024], and so on

`TorchDataset` is the same for PyTorch's `DataLoader`; nothing else here needs PyTorch. `read_runs` reads what
the command `anymdp-bench data write` wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anymdp_bench.lazy_names import load_lazily

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

__getattr__, __dir__ = load_lazily(
    __name__,
    {
        "mixture": ["BEHAVIOURS", "Mixture"],
        "batch": ["NO_LABEL", "TrainingBatch", "show_demonstrations"],
        "training_runs": ["TrainingRuns"],
        "torch_dataset": ["TorchDataset"],
        "files": ["read_runs"],
        "minari_files": ["read_minari", "write_minari"],
        "parquet_files": ["read_parquet", "write_parquet"],
    },
)

"""`TorchDataset`: training runs for PyTorch. It is the one module of the package that imports PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from anymdp_bench.datasets.batch import TrainingBatch
from anymdp_bench.datasets.training_runs import TrainingRuns


class TorchDataset(IterableDataset):  # type: ignore[type-arg, unused-ignore]
    """The batches of a `TrainingRuns` as tensors, for a `DataLoader` with any number of workers.

        loader = DataLoader(TorchDataset(runs), batch_size=None, num_workers=2)

    `batch_size=None` tells the loader that the data come in batches. Its workers share the batches out among
    themselves and repeat none, so that the loader gives them in the order of `runs`, whatever their number.
    In a training of several processes give each of them `runs.split(rank, world)`.

    Args:
        runs: the stream.
        start: the number of the first batch, to go on where a training stopped.
    """

    def __init__(self, runs: TrainingRuns, start: int = 0) -> None:
        super().__init__()
        self.runs, self.start = runs, start

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        k, n = (0, 1) if worker is None else (worker.id, worker.num_workers)
        # The loader asks its workers in turn, beginning with worker 0.
        for number in count(self.start + k, n):
            batch = self.runs.batch(number)
            yield TrainingBatch(*(torch.from_numpy(x) for x in batch))  # type: ignore[arg-type, unused-ignore]

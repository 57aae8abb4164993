"""`TorchDataset`: with any number of loading processes it gives the batches of the stream, in order."""

from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from anymdp_bench.datasets import TorchDataset, TrainingRuns  # noqa: E402

RUNS = TrainingRuns("AnyMDP-v0?n_states=8&n_actions=3", length=40, batch_size=2)


def assert_same(tensors, batch):
    for name, tensor, array in zip(batch._fields, tensors, batch, strict=True):
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(tensor.numpy(), array, name)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_stream_in_order_and_no_batch_twice(workers):
    loader = DataLoader(TorchDataset(RUNS), batch_size=None, num_workers=workers)
    found = list(islice(loader, 5))
    for tensors, batch in zip(found, RUNS, strict=False):
        assert type(tensors) is type(batch)
        assert_same(tensors, batch)
    assert len({int(batch.task_seed[0]) for batch in found}) == 5


def test_processes_of_a_training_share_the_stream_out():
    parts = [DataLoader(TorchDataset(RUNS.split(rank, 2)), batch_size=None) for rank in (0, 1)]
    for k, pair in enumerate(islice(zip(*parts, strict=True), 3)):
        for rank in (0, 1):
            assert_same(pair[rank], RUNS.batch(2 * k + rank))


def test_a_training_goes_on_where_it_stopped():
    loader = DataLoader(TorchDataset(RUNS, start=3), batch_size=None, num_workers=2)
    for tensors, batch in zip(islice(loader, 3), RUNS.batches(3), strict=False):
        assert_same(tensors, batch)

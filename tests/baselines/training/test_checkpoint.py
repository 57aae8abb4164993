"""Checkpoint folders: what goes in comes out, in small shards, and a writer may die at any moment."""

import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.training import checkpoint  # noqa: E402


def test_tensors_and_numbers_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARD", 1000)
    tensors = {"a": torch.arange(10), "big": torch.randn(100, 7), "b": torch.randn(30, 5)}
    checkpoint.save(tmp_path / "c", tensors, {"x": 1})
    files = list((tmp_path / "c").iterdir())
    assert len(files) > 2
    found, numbers = checkpoint.load(tmp_path / "c")
    assert numbers == {"x": 1}
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor)
    assert checkpoint.SHARD + 2000 < 16 * 2**20


def test_a_writer_that_died_between_its_renames_left_the_old_one(tmp_path):
    checkpoint.save(tmp_path / "c", {"a": torch.ones(1)}, {})
    (tmp_path / "c").rename(tmp_path / ".c.old")
    found, _ = checkpoint.load(tmp_path / "c")
    assert found["a"].item() == 1.0
    checkpoint.save(tmp_path / "c", {"a": torch.zeros(1)}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["c"]

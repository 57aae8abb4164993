"""Shards: what was synthesised comes back, and the command writes and reads it."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from anymdp_baselines.training import shards
from anymdp_baselines.training.data_command import DataFormat
from anymdp_bench.cli.app import run
from anymdp_bench.datasets import TrainingRuns, read_runs
from anymdp_bench.datasets.files import FORMATS
from anymdp_bench.datasets.safetensors_files import read_metadata, read_shard
from anymdp_bench.datasets.sequences import synthesise
from anymdp_bench.runner.executor import Executor
from anymdp_bench.tasks.family import PUBLIC_SEEDS

RECIPE = shards.ShardSettings(
    n_states=8, n_actions=3, length=50, sequences=5, first_seed=PUBLIC_SEEDS
)
SCRIPT = Path(sys.executable).with_name("anymdp-bench")


def test_what_is_written_is_what_was_synthesised(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_STEPS", 100)
    assert list(shards.write_shards(tmp_path, RECIPE)) == [100, 100, 50]
    whole = synthesise(8, 3, range(PUBLIC_SEEDS, PUBLIC_SEEDS + 5), 50)
    parts = [read_shard(path) for path in sorted(tmp_path.glob("*.safetensors"))]
    for k, array in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in parts]), array)


def test_writing_goes_on_where_it_stopped_and_keeps_other_data(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_STEPS", 100)
    list(shards.write_shards(tmp_path, RECIPE))
    (tmp_path / "000001.safetensors").unlink()
    assert list(shards.write_shards(tmp_path, RECIPE)) == [100]
    other = shards.ShardSettings(8, 3, 50, 5, PUBLIC_SEEDS + 1)
    with pytest.raises(ValueError, match="holds other data"):
        list(shards.write_shards(tmp_path, other))


def test_workers_write_the_same_data(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_STEPS", 100)
    list(shards.write_shards(tmp_path / "one", RECIPE))
    done = sorted(shards.write_shards(tmp_path / "two", RECIPE, Executor(2)))
    assert done == [50, 100, 100]
    assert (tmp_path / "two" / "000002.safetensors").exists()
    one, two = (sorted((tmp_path / name).glob("*.safetensors")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@pytest.mark.parametrize("content", [b"", b"no shard at all", b"\x08\0\0\0\0\0\0\0{}      "])
def test_what_is_no_shard_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "000000.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read|is no data shard") as caught:
        list(read_runs(tmp_path))
    assert "\n" not in str(caught.value)


SPOILS = {
    "shape": ("action", lambda x: x[:, :-1].copy()),
    "type": ("seen", lambda x: x.astype(np.float32)),
    "state": ("seen", lambda x: x + np.int16(8)),
    "tag": ("tag", lambda x: x - np.int8(9)),
    "infinite": ("reward", lambda x: x + np.float32("inf")),
}


@pytest.mark.parametrize("how", [*SPOILS, "missing", "words"])
def test_a_hostile_shard_is_refused_in_one_line(tmp_path, how):
    list(shards.write_shards(tmp_path, RECIPE))
    path = tmp_path / "000000.safetensors"
    arrays, about = load_file(path), read_metadata(path)
    if how == "missing":
        del arrays["tag"]
    elif how == "words":
        about["length"] = "long"
    else:
        name, spoil = SPOILS[how]
        arrays[name] = spoil(arrays[name])
    save_file(arrays, path, metadata=about)
    with pytest.raises(ValueError, match="cannot be read") as caught:
        list(read_runs(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file_format", [*FORMATS])
def test_every_format_holds_the_same_runs(tmp_path, monkeypatch, file_format):
    pytest.importorskip(FORMATS[file_format].module)
    monkeypatch.setattr(shards, "SHARD_STEPS", 100)
    assert list(shards.write_shards(tmp_path, RECIPE, file_format=file_format)) == [100, 100, 50]
    stream = TrainingRuns("AnyMDP-v0?n_states=8&n_actions=3", length=50, batch_size=2)
    for found, made in zip(read_runs(tmp_path), stream, strict=False):
        for name, x, y in zip(found._fields, found, made, strict=True):
            np.testing.assert_array_equal(x, y[: len(found.observation)], name)
    kept = FORMATS[file_format].files(tmp_path)
    assert len(kept) == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == [
        path.name for path in kept
    ]
    assert list(shards.write_shards(tmp_path, RECIPE, file_format=file_format)) == []
    other = "safetensors" if file_format != "safetensors" else "parquet"
    with pytest.raises(ValueError, match="in another format"):
        list(shards.write_shards(tmp_path, RECIPE, file_format=other))


def test_any_family_is_written(tmp_path):
    settings = shards.ShardSettings.of("AnyMDP-1s5a-v0", 30, 4, PUBLIC_SEEDS)
    assert (settings.n_states, settings.n_actions) == (1, 5)
    list(shards.write_shards(tmp_path, settings))
    (found,) = read_runs(tmp_path)
    made = TrainingRuns("AnyMDP-1s5a-v0", length=30, batch_size=4).batch(0)
    np.testing.assert_array_equal(found.reward, made.reward)


def test_the_command_offers_the_formats_that_there_are():
    assert [*get_args(DataFormat)] == [*FORMATS]


def call(*words):
    return subprocess.run([SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def test_the_command_writes_what_any_reader_of_safetensors_reads(tmp_path):
    size = ["--states", 8, "--actions", 3, "--sequences", 4, "--length", 100]
    done = call("data", "write", "--out", tmp_path / "d", *size)
    assert done.returncode == 0, done.stderr
    arrays = load_file(tmp_path / "d" / "000000.safetensors")
    assert arrays["seen"].shape == (4, 100)
    assert arrays["advantage"].shape == (4, 8, 3)
    shown = call("data", "show", tmp_path / "d")
    assert shown.returncode == 0
    assert "4 sequences of 100 steps" in shown.stdout
    refused = call("data", "write", "--out", tmp_path / "e", "--env", "Darkroom-8x8-heldout-v0")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "held out" in refused.stderr
    (tmp_path / "d" / "000000.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    hostile = call("data", "show", tmp_path / "d")
    assert hostile.returncode == 2
    assert hostile.stderr.count("\n") == 1
    nothing = call("data", "show", tmp_path / "nowhere")
    assert nothing.returncode == 2
    assert nothing.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "7"], "4294967296"),
        (["--format", "csv"], "parquet"),
        (["--env", "AnyMDP-1s5a-v0", "--states", "8"], "leave --states"),
        (["--env", "CliffWalkingTerminal-v0"], "has one task"),
        (["--env", "nothing"], "no tasks behind"),
        (["--states", "8", "--actions", "200"], "too large"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(tmp_path, capsys, words, said):
    assert run(["data", "write", "--out", str(tmp_path / "e"), *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.rglob("*.*tensors"))


@pytest.mark.parametrize(("name", "extra"), [("pyarrow.parquet", "parquet"), ("minari", "minari")])
def test_a_format_without_its_library_is_refused(tmp_path, capsys, monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, name, None)
    assert run(["data", "write", "--out", str(tmp_path / "e"), "--format", extra]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"pip install 'anymdp-bench[{extra}]'" in err
    assert not (tmp_path / "e").exists()

"""Task files: what is saved comes back, and a hostile file is refused with a TaskError, never a crash."""

import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from anymdp_bench.mdp import TabularMDP, TaskError
from naive.random_tasks import random_task

FORMAT = "anymdp-bench task 1"


@pytest.fixture
def mdp():
    return random_task(np.random.default_rng(11), S=5, A=2, terminals=1).mdp()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hostile.task"


def refused(path):
    """The message with which `path` is refused: one line."""
    with pytest.raises(TaskError) as caught:
        TabularMDP.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def arrays_of(mdp):
    own = mdp.bands._asdict()
    return own | {name: getattr(mdp, name) for name in ("start", "terminal", "observation")}


def numbers_of(mdp):
    return json.dumps({"max_steps": mdp.max_steps, "n_observations": mdp.n_observations})


def write(path, mdp, arrays=None, text=None, file_format=FORMAT):
    """A file as `save` writes it, with some arrays, the text of the numbers or the format replaced."""
    numbers = numbers_of(mdp) if text is None else text
    metadata = {"format": file_format, "numbers": numbers}
    save_file(arrays_of(mdp) | (arrays or {}), path, metadata=metadata)


def test_round_trip(small_tasks, anymdp16, tmp_path):
    for k, mdp in enumerate([task.mdp() for task in small_tasks] + anymdp16[:5]):
        mdp.save(tmp_path / f"{k}.task")
        loaded = TabularMDP.load(str(tmp_path / f"{k}.task"))
        assert loaded == mdp
        for name in ("transition", "reward", "reward_noise", "start", "terminal", "observation"):
            assert np.array_equal(getattr(loaded, name), getattr(mdp, name))
        assert (loaded.max_steps, loaded.n_observations) == (mdp.max_steps, mdp.n_observations)


def test_the_file_that_these_tests_damage_is_whole(mdp, path):
    write(path, mdp)
    assert TabularMDP.load(path) == mdp


def test_save_is_whole_or_not_at_all(mdp, tmp_path):
    target = tmp_path / "a.task"
    target.mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=r"a\.task"):
        mdp.save(target)
    assert os.listdir(tmp_path) == ["a.task"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        mdp.save(tmp_path / "file" / "a.task")
    assert (tmp_path / "file").read_text() == ""


def test_save_replaces_and_has_the_usual_permissions(mdp, small_tasks, tmp_path):
    path = tmp_path / "a.task"
    small_tasks[0].mdp().save(path)
    mdp.save(path)
    assert TabularMDP.load(path) == mdp
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode


def test_the_same_task_is_the_same_bytes(mdp, tmp_path):
    """safetensors alone would shuffle the metadata, from call to call and process to process."""
    contents = set()
    for k in range(16):
        mdp.save(tmp_path / str(k))
        contents.add((tmp_path / str(k)).read_bytes())
    assert len(contents) == 1


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        TabularMDP.load(tmp_path / "none.task")


def test_a_directory_is_an_os_error(tmp_path):
    with pytest.raises(OSError):  # noqa: PT011  its text is the operating system's
        TabularMDP.load(tmp_path)


def test_cut_files(mdp, path):
    mdp.save(path)
    whole = path.read_bytes()
    for size in [0, 1, 7, 8, 9, 50, len(whole) // 2, len(whole) - 8, len(whole) - 1]:
        path.write_bytes(whole[:size])
        refused(path)
    path.write_bytes(whole + b"\0")
    refused(path)


class Bomb:
    def __reduce__(self):
        return os.abort, ()


def test_a_pickle_is_not_executed(path):
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path)


def test_random_bytes(path):
    rng = np.random.default_rng(12)
    for size in (10, 100, 10_000):
        path.write_bytes(rng.bytes(size))
        refused(path)
        path.write_bytes((40).to_bytes(8, "little") + rng.bytes(size))
        refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.integers(0, 2**32))
def test_flipped_bytes_are_refused_or_make_a_task(mdp, path, seed):
    """Three random bytes changed anywhere: if the result loads, its kernels run inside their arrays."""
    rng = np.random.default_rng(seed)
    mdp.save(path)
    damaged = bytearray(path.read_bytes())
    for place in rng.integers(len(damaged), size=3):
        damaged[place] = rng.integers(256)
    path.write_bytes(damaged)
    try:
        loaded = TabularMDP.load(path)
    except TaskError:
        return
    low, width = loaded.bands.low, loaded.bands.width
    assert ((low >= 0) & (width >= 0) & (low <= loaded.n_states - width)).all()
    assert len(loaded.step_tables.cells) > 0


def test_other_safetensors_files(mdp, path):
    write(path, mdp, file_format="anymdp-bench task 2")
    assert "anymdp-bench task 1" in refused(path)
    save_file({"weight": np.zeros(3)}, path)
    assert "anymdp-bench task 1" in refused(path)


def test_a_missing_array_is_named(mdp, path):
    for name in arrays_of(mdp):
        rest = {other: array for other, array in arrays_of(mdp).items() if other != name}
        save_file(rest, path, metadata={"format": FORMAT, "numbers": numbers_of(mdp)})
        assert f"lacks '{name}'" in refused(path)


@pytest.mark.parametrize(
    "numbers",
    [
        "",
        "[]",
        "null",
        "3",
        "{}",
        '{"max_steps": 3}',
        '{"max_steps": 3, "n_observations": NaN}',
        '{"max_steps": 1e999, "n_observations": 5}',
        '{"max_steps": "3\\n", "n_observations": 5}',
        '{"max_steps": [3], "n_observations": 5}',
        '{"max_steps": -3, "n_observations": 5}',
        '{"max_steps": 3, "n_observations": 1' + "0" * 4200 + "}",
        '{"max_steps": 3, "n_observations": 1' + "0" * 9000 + "}",
        "[" * 200_000,
    ],
    ids=lambda text: text[:40] or "empty",
)
def test_hostile_numbers(mdp, path, numbers):
    write(path, mdp, text=numbers)
    assert len(refused(path)) < 1_000


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "F16", "F4", "C64", "I4", "U16"])
def test_hostile_dtypes(path, dtype):
    numbers = json.dumps({"max_steps": 3, "n_observations": 5})
    nbytes = {"BF16": 4, "F16": 4, "U16": 4, "C64": 16, "F4": 1, "I4": 1}.get(dtype, 2)
    header = {
        "__metadata__": {"format": FORMAT, "numbers": numbers},
        "low": {"dtype": dtype, "shape": [2], "data_offsets": [0, nbytes]},
    }
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(nbytes))
    refused(path)


HOSTILE = {
    "low beyond": {"low": np.array([0, 0, 9, 0, 0])},
    "low overflows": {"low": np.array([2**63 - 2] * 5)},
    "low wraps in its own dtype": {"low": np.full(5, 127, np.int8)},
    "low scalar": {"low": np.array(3)},
    "width scalar": {"width": np.array(3)},
    "width negative": {"width": np.array([5, 5, 5, -1, 5])},
    "width overflows": {"width": np.full(5, 2**62)},
    "offset beyond": {"offset": np.array([0, 10, 20, 30, 2**40])},
    "offset wraps": {"offset": np.full(5, -(2**63))},
    "arrays empty": {
        name: np.zeros(0, np.int64) for name in ("low", "width", "offset", "observation")
    },
    "prob scalar": {"prob": np.array(1.0)},
    "prob empty": dict.fromkeys(("prob", "reward", "noise"), np.zeros(0)),
    "prob ints": {"prob": np.ones(50, np.int64)},
    "start NaN": {"start": np.array([np.nan, 1, 0, 0, 0])},
    "start scalar": {"start": np.array(1.0)},
    "terminal bytes": {"terminal": np.zeros(5, np.uint8)},
    "observation huge": {"observation": np.array([0, 1, 2, 3, 2**62])},
    "observation negative": {"observation": np.array([0, 1, 2, 3, -1])},
}


@pytest.mark.parametrize("arrays", HOSTILE.values(), ids=HOSTILE)
def test_hostile_arrays(mdp, path, arrays):
    write(path, mdp, arrays)
    refused(path)


def test_sizes_that_multiply_are_refused_before_memory_is_asked_for(path):
    """200,000 states, all but one terminal, times as many actions: 1.6 MB an array, 320 GB as a table."""
    size = 200_000
    n = np.zeros(size, np.int64)
    one = n.copy()
    one[0] = 1
    flat = np.zeros(size)
    terminal = np.ones(size, bool)
    terminal[0] = False
    arrays = {
        "low": n,
        "width": one,
        "offset": np.where(np.arange(size) > 0, size, 0),
        "prob": flat + 1.0,
        "reward": flat,
        "noise": flat,
        "start": one.astype(float),
        "terminal": terminal,
        "observation": np.arange(size),
    }
    numbers = json.dumps({"max_steps": 3, "n_observations": size})
    path.write_bytes(save(arrays, metadata={"format": FORMAT, "numbers": numbers}))
    try:
        loaded = TabularMDP.load(path)
    except TaskError:
        return
    assert loaded.n_states == loaded.n_actions == size


def test_nan_in_a_file(mdp, path):
    for name in ("prob", "reward", "noise"):
        array = np.array(getattr(mdp.bands, name))
        array[3] = np.nan
        write(path, mdp, {name: array})
        assert f"{name} has a NaN or infinity at [3]" in refused(path)


def test_a_path_is_a_string_or_a_path_and_may_begin_at_home(mdp, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    mdp.save("~/a.task")
    mdp.save(tmp_path / "b.task")
    for path in (tmp_path / "a.task", str(tmp_path / "b.task"), "~/b.task"):
        assert TabularMDP.load(path).fingerprint() == mdp.fingerprint()

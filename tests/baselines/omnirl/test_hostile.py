"""Files that mean harm, for agents with weights: refused in one line, quickly, before memory is taken."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from anymdp_baselines.omnirl.model import SequenceModel  # noqa: E402
from anymdp_baselines.omnirl.size import ModelSize  # noqa: E402
from anymdp_baselines.planner.checkpoint import find_shipped  # noqa: E402
from anymdp_bench.agents import AgentError, AgentSpec, RunBatch  # noqa: E402

SCRIPT = Path(sys.executable).with_name("anymdp-bench")
SIZES = {
    "omnirl": ModelSize("delta", 16, 2, 4, 16, 8),
    "omnirl-linear": ModelSize("linear", 16, 2, 4, 16, 8, n_observations=16),
}
AGENTS = ["neural-planner", *SIZES]


def good(agent):
    """(tensors, numbers, format) of a checkpoint that `agent` takes."""
    if agent == "neural-planner":
        with safe_open(find_shipped(), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = file.metadata()
        return tensors, json.loads(about["numbers"]), about["format"]
    tensors = {k: v.detach() for k, v in SequenceModel(SIZES[agent]).state_dict().items()}
    numbers = {"model": SIZES[agent].record(), "temperature": 0.8}
    return tensors, numbers, "anymdp-bench sequence 1"


def write(path, tensors, numbers, form):
    text = numbers if isinstance(numbers, str) else json.dumps(numbers)
    save_file(tensors, path, metadata={"format": form, "shards": "1", "numbers": text})
    return path


def spoiled(agent, how, path):
    """A checkpoint with one thing wrong."""
    tensors, numbers, form = good(agent)
    size = numbers if agent == "neural-planner" else numbers["model"]
    first = next(iter(tensors))
    if how == "truncated":
        write(path, tensors, numbers, form)
        path.write_bytes(path.read_bytes()[:-100])
        return path
    if how == "endless header":
        path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
        return path
    if how == "vast width":
        size["width"] = 2**40
    elif how == "vast depth":
        size["loops" if agent == "neural-planner" else "blocks"] = 2**60
    elif how == "words for numbers":
        size["width"] = "wide"
    elif how == "temperature":
        numbers["temperature"] = float("nan")
    elif how == "other type":
        tensors[first] = tensors[first].to(torch.int64)
    elif how == "one too many":
        tensors["more"] = torch.zeros(1)
    elif how == "infinite":
        tensors[first] = tensors[first] + float("inf")
    elif how == "no object":
        numbers = [1]
    elif how == "deep":
        numbers = "[" * 100_000
    elif how == "torn rows":
        tensors |= {"row@0": torch.zeros(2, 3), "row@1": torch.zeros(2, 4)}
    return write(path, tensors, numbers, form)


HOWS = [
    "truncated", "endless header", "vast width", "vast depth", "words for numbers", "temperature",
    "other type", "one too many", "infinite", "no object", "deep", "torn rows",
]  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS)
def test_a_sound_checkpoint_is_taken(agent, tmp_path):
    AgentSpec(agent, str(write(tmp_path / "good.safetensors", *good(agent)))).make()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("agent", AGENTS)
def test_a_hostile_checkpoint_gets_one_line(agent, how, tmp_path):
    path = spoiled(agent, how, tmp_path / "bad.safetensors")
    begin = time.process_time()
    with pytest.raises(AgentError) as caught:
        AgentSpec(agent, str(path)).make()
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert len(message) < 1000
    assert time.process_time() - begin < 10.0  # neither built nor looped


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_the_command_says_so_in_one_line_with_exit_code_2(agent, tmp_path):
    words = [SCRIPT, "run", "--agent", agent, "--env", "AnyMDP-16s5a-v0", "--tasks", "1"]
    words += ["--steps", "100", "--out", tmp_path / "out"]
    path = spoiled(agent, "truncated", tmp_path / "bad.safetensors")
    for given in (path, tmp_path / "nowhere"):
        done = subprocess.run(
            [*words, "--checkpoint", given], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert str(given) in done.stderr


@pytest.mark.slow
def test_the_command_names_the_sizes_of_a_checkpoint_that_is_too_small(tmp_path):
    tensors, numbers, form = good("omnirl-linear")
    numbers["preset"] = {"rooms": [{"n_states": 8, "n_actions": 3}]}
    path = write(tmp_path / "small.safetensors", tensors, numbers, form)
    words = [SCRIPT, "run", "--agent", "omnirl-linear", "--env", "AnyMDP-64s5a-v0", "--tasks", "1"]
    done = subprocess.run(
        [*words, "--checkpoint", path, "--out", tmp_path / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "was trained on tau(8,3)" in line
    assert "16 observations and 5 actions" in line


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("how", ["no rng", "type", "words", "negative"])
def test_a_hostile_context_gets_one_line(agent, how, tmp_path):
    checkpoint = write(tmp_path / "good.safetensors", *good(agent))
    player = AgentSpec(agent, str(checkpoint)).make()
    player.start(RunBatch(16, 5, np.arange(2, dtype=np.uint64)))
    player.act(np.zeros(2, np.int64))
    player.save_context(tmp_path / "context")
    found = tmp_path / "context"
    (path,) = found.glob("*") if found.is_dir() else [found]
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()
    numbers = json.loads(about["numbers"])
    rng = next(name for name in ("rng", "mind.rng") if name in tensors)
    if how == "no rng":
        del tensors[rng]
    elif how == "type":
        tensors[rng] = tensors[rng].to(torch.int32)
    elif agent == "neural-planner":
        tensors["mind.age"][:] = -5 if how == "negative" else 2**62
    else:
        numbers["context"]["steps"] = -5 if how == "negative" else "many"
    write(tmp_path / "bad.safetensors", tensors, numbers, about["format"])
    with pytest.raises(ValueError, match=r"bad\.safetensors") as caught:
        player.load_context(tmp_path / "bad.safetensors")
    assert "\n" not in str(caught.value)

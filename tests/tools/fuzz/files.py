"""The targets that read files: one for each kind of file of the package."""

import dataclasses
import json
from functools import partial
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anymdp_bench.agents import AgentSpec
from anymdp_bench.leaderboard.receipt import Environment, Receipt, load_receipt
from anymdp_bench.leaderboard.submission import read_submission
from anymdp_bench.longcontext.results import load_result
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.results.records import RecordError, read_csv
from anymdp_bench.runner.output import OutputError, claim
from anymdp_bench.runner.parts import load_part, save_part
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import make_records, run_plan
from anymdp_bench.runner.unit import play_unit
from anymdp_bench.suites import (
    Limits,
    SuiteError,
    custom_suite,
    load_suite,
    parse_suite,
    suite_names,
)
from anymdp_bench.tasks.family import sample_task

from .mutate import claims, json_claims, mutated
from .target import Target

BOARD = Path(__file__).parents[3] / "leaderboard" / "longcontext"


def _read(read, errors, name, content, folder):
    """Reads a file of that content; a refusal must be one line."""
    path = folder / name
    path.write_bytes(content)
    _check_one_line(lambda: read(path), errors)


def _check_one_line(call, errors):
    message = "accepted"
    try:
        call()
    except errors as error:
        message = str(error)
    assert len(message.splitlines()) == 1, message
    assert len(message) < 2000, message


def _bytes_of(save, name, folder):
    """Saves a file and returns its bytes."""
    save(folder / name)
    return (folder / name).read_bytes()


def _plan():
    suite = custom_suite(["Garnet-16s5a2b-v0"]).with_overrides(1, None, Limits(5, None))
    return make_plan(suite, AgentSpec("tql-ucb"))


def results(folder):
    """Result files, and submissions."""
    plan = _plan()
    (folder / "played").mkdir(exist_ok=True)
    csv = run_plan(plan, folder / "played", command="x").csv.read_bytes()
    smoke = make_plan(load_suite("smoke"), AgentSpec("tql-ucb"))
    sent = run_plan(smoke, folder / "played", command="anymdp-bench run --agent tql-ucb").csv
    sent = b"# author: A\n# link: https://a.b/c\n" + sent.read_bytes()
    short = b"\n".join(sent.split(b"\n")[:12]) + b"\n"
    yield Target("results", mutated([csv]), partial(_read, read_csv, RecordError, "a.csv"), 1)
    refusals = (RecordError, SuiteError)
    read = partial(_read, read_submission, refusals, "b.csv")
    yield Target("submissions", mutated([short]), read, 1)


def receipts(folder):
    """Receipts of verifications."""
    row = Environment("AnyMDP-16s5a-v0", 2, 2, (4, 5), 0.9, 0.8)
    receipt = Receipt("a.csv", "0" * 64, "n", "a", "1", "0.1.0", None, (row,), 0.5, 0.5)
    sample = _bytes_of(receipt.save, "receipt.json", folder)

    def read(path):
        found = load_receipt(path)
        assert isinstance(found.holds, bool)
        assert found.summary
        json.dumps(dataclasses.asdict(found))

    call = partial(_read, read, RecordError, "c.json")
    yield Target("receipts", mutated([sample]), call, 6)
    yield Target("receipts' values", json_claims([sample]), call, 6)


def long_contexts(folder):
    """Results on long contexts."""
    sample = (BOARD / "tau8-counts.json").read_bytes()
    _read(load_result, (), "h.json", sample, folder)  # makes the stream, once
    call = partial(_read, load_result, RecordError, "h.json")
    yield Target("long contexts", mutated([sample]), call, 4)
    yield Target("long contexts' values", json_claims([sample]), call, 6)


def unfinished(folder):
    """Files that an interrupted command leaves: parts and settings."""
    plan = _plan()
    unit = plan.units[0]
    records = make_records(plan, unit, play_unit(plan.agent, plan.budget, unit))
    part = _bytes_of(lambda path: save_part(path, unit, records), "0.part", folder)
    rows = load_part(folder / "0.part", unit)

    def part_again(path):
        assert load_part(path, unit) in (None, rows)

    yield Target("parts", mutated([part]), partial(_read, part_again, (), "1.part"), 8)
    claim(folder / "work", plan)
    settings = (folder / "work" / "settings.json").read_bytes()

    def claimed(path):
        claim(path.parent, plan)

    call = partial(_read, claimed, OutputError, "work/settings.json")
    yield Target("settings", mutated([settings]), call, 5)
    yield Target("settings' values", json_claims([settings]), call, 5)


def suites(folder):
    """Suite files."""
    samples = [
        (resources("anymdp_bench.suites") / f"{name}.toml").read_bytes() for name in suite_names()
    ]

    def parse(content, folder):
        text = content.decode("utf-8", "replace")
        _check_one_line(lambda: parse_suite("mine", text), SuiteError)

    yield Target("suites", mutated(samples), parse, 10)


def tasks(folder):
    """Task files."""
    sampled = [sample_task("AnyMDP-16s5a-v0", 0), sample_task("Darkroom-6x6-v0", 0)]
    samples = [_bytes_of(task.save, "task", folder) for task in sampled]

    def load(path):
        task = TabularMDP.load(path)
        assert task.n_states * task.n_actions > 0
        assert np.isfinite(task.bands.prob).all()

    call = partial(_read, load, TaskError, "d.safetensors")
    yield Target("tasks", mutated(samples), call, 8)
    yield Target("tasks' claims", claims(samples), call, 12)


def shards(folder):
    """Demonstration shards."""
    from safetensors.numpy import save_file

    from anymdp_bench.datasets.safetensors_files import FORMAT, read_shard
    from anymdp_bench.datasets.sequences import Sequences

    n, length, S, A = 2, 6, 4, 3
    kinds = ("i2", "i1", "f4", "i1", "i2", "i1")
    arrays = [np.ones((n, length), kind) for kind in kinds] + 2 * [np.zeros((n, S, A), "f4")]
    about = {"format": FORMAT, "n_states": S, "n_actions": A, "length": length, "sequences": n}
    about = {name: str(value) for name, value in (about | {"first_seed": 2**32}).items()}
    data = Sequences(*arrays)._asdict()
    sample = _bytes_of(lambda path: save_file(data, path, metadata=about), "shard", folder)

    call = partial(_read, read_shard, ValueError, "e.safetensors")
    yield Target("shards", mutated([sample]), call, 8)
    yield Target("shards' claims", claims([sample]), call, 10)


def checkpoints(folder):
    """Weights of both kinds of OmniRL."""
    from anymdp_baselines.omnirl.checkpoint import read_checkpoint
    from anymdp_baselines.omnirl.model import SequenceModel
    from anymdp_baselines.omnirl.size import ModelSize
    from anymdp_baselines.planner.checkpoint import load_weights, save_arrays
    from anymdp_baselines.planner.model import Planner, PlannerSize
    from anymdp_baselines.training.checkpoint import save

    planner = Planner(PlannerSize(8, 1))
    numbers = {"width": 8, "loops": 1, "temperature": 0.5, "preset": {"rooms": []}}
    arrays = {name: tensor.detach() for name, tensor in planner.state_dict().items()}
    sample = _bytes_of(lambda path: save_arrays(path, arrays, numbers), "planner", folder)
    call = partial(_read, load_weights, ValueError, "f.safetensors")
    yield Target("planners", mutated([sample]), call, 3)
    yield Target("planners' claims", claims([sample]), call, 5)

    size = ModelSize("delta", 16, 1, 4, 16, 8)
    tensors = {k: v.detach() for k, v in SequenceModel(size).state_dict().items()}
    about = {"model": size.record(), "temperature": 0.8, "preset": {"rooms": []}}
    save(folder / "model", tensors, about)
    sample = (folder / "model" / "000.safetensors").read_bytes()

    def load(path):
        read_checkpoint(path, ("delta", "linear"))

    call = partial(_read, load, ValueError, "g.safetensors")
    yield Target("sequence models", mutated([sample]), call, 3)
    yield Target("sequence models' claims", claims([sample]), call, 5)


def targets(folder):
    """Yields all targets; those of weights only where PyTorch is installed."""
    kinds = [results, receipts, long_contexts, unfinished, suites, tasks, shards]
    kinds += [checkpoints] if find_spec("torch") else []
    for kind in kinds:
        yield from kind(folder)

"""An agent of every family gives its golden result: on any number of threads and workers, compiled or not.

The golden files have the first format of result files; all bytes are compared but the place of the metadata.
ANYMDP_REGENERATE=1 writes the golden files anew; say why in the commit.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from families import GOLDEN, NEURAL, TABULAR, play
from first_format import to_first_format

from anymdp_bench.cli.app import run
from anymdp_bench.results.records import read_csv

TOOLS = Path(__file__).parent / "tools"
EXACT = ["agent", "agent_version", "env_id", "task_seed", "run_seed", "context", "measure", "gap"]


def golden(csv, name):
    """The golden file of an agent; with ANYMDP_REGENERATE it becomes `csv`."""
    path = GOLDEN / f"{name}.csv"
    if os.environ.get("ANYMDP_REGENERATE"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(to_first_format(csv))
    return path


@pytest.mark.parametrize("name", TABULAR)
def test_a_tabular_family_gives_the_golden_bytes(name, tmp_path):
    csv = play(name, tmp_path)
    assert to_first_format(csv) == golden(csv, name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_a_neural_family_is_near_its_golden_result(name, tmp_path):
    """A last digit may change an action, and the run from there on: one of four runs may differ."""
    if not importlib.util.find_spec(NEURAL[name]):
        pytest.skip(f"needs the extra of {name}")
    csv = play(name, tmp_path)
    ours, expected = read_csv(csv), read_csv(golden(csv, name))
    assert ours[EXACT[:-1]].equals(expected[EXACT[:-1]])
    assert np.allclose(ours["gap"], expected["gap"], rtol=1e-9)
    keys = ["env_id", "task_seed", "run_seed"]
    numbers = ["episode", "steps", "return", "return_corrected", "score", "regret"]
    same = [
        np.allclose(run[numbers], expected.loc[run.index, numbers], rtol=1e-6, atol=1e-6)
        for _, run in ours.groupby(keys, observed=True)
    ]
    assert len(same) == 4
    assert sum(same) >= 3, dict(zip(ours.groupby(keys, observed=True).groups, same, strict=True))


def run_python(*words, **environ):
    """Runs a fresh interpreter with other environment variables."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *words],
        env=os.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_number_of_threads_changes_nothing(tmp_path, threads):
    names = ["tql-ucb-fast", "psrl", "oracle"]
    run_python(TOOLS / "families.py", tmp_path, *names, OMP_NUM_THREADS=threads)
    for name in names:
        [csv] = (tmp_path / name).glob("*.csv")
        assert to_first_format(csv) == (GOLDEN / f"{name}.csv").read_bytes()


def test_the_number_of_workers_changes_nothing(tmp_path):
    alone, *many = (play("psrl", tmp_path / str(n), n, tasks=4).read_bytes() for n in (1, 2, 8))
    assert many == [alone, alone]


@pytest.mark.slow
def test_compiled_or_not_the_bytes_are_the_same(tmp_path):
    """Without Numba's compiler a step takes milliseconds, and NumPy warns of the generator's overflows."""
    agents = ["tql-ucb", "psrl", "cql"]

    def command(agent, folder):
        line = f"run --agent {agent} --env Garnet-16s5a2b-v0 --tasks 1 --steps 300 --workers 1"
        return [*line.split(), "--quiet", "--out", str(tmp_path / folder)]

    commands = [command(agent, "plain") for agent in agents]
    code = f"from anymdp_bench.cli.app import run; raise SystemExit(sum(map(run, {commands})))"
    run_python("-c", code, NUMBA_DISABLE_JIT="1")
    assert [run(command(agent, "compiled")) for agent in agents] == [0, 0, 0]
    plain, compiled = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).glob("*.csv")}
        for folder in ("plain", "compiled")
    )
    assert plain == compiled
    assert len(plain) == len(agents)

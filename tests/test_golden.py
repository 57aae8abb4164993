"""An agent of every family gives its golden result: on any number of threads and workers, compiled or not.

ANYMDP_REGENERATE=1 writes the files anew: say why.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from families import GOLDEN, NEURAL, TABULAR, play

from anymdp_bench.results.records import read_csv

HERE = Path(__file__).parent
EXACT = ["agent", "agent_version", "env_id", "task_seed", "run_seed", "context", "measure", "gap"]


def golden(csv, name):
    kept = GOLDEN / f"{name}.csv"
    if os.environ.get("ANYMDP_REGENERATE"):
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(csv, kept)
    return kept


@pytest.mark.parametrize("name", TABULAR)
def test_a_tabular_family_gives_the_golden_bytes(name, tmp_path):
    csv = play(name, tmp_path)
    assert csv.read_bytes() == golden(csv, name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_a_neural_family_is_near_its_golden_result(name, tmp_path):
    """A last digit may turn an action, and a run from there on: of four runs one may differ."""
    if not importlib.util.find_spec(NEURAL[name]):
        pytest.skip(f"needs the extra of {name}")
    csv = play(name, tmp_path)
    ours, kept = read_csv(csv), read_csv(golden(csv, name))
    assert ours[EXACT[:-1]].equals(kept[EXACT[:-1]])
    assert np.allclose(ours["gap"], kept["gap"], rtol=1e-9)
    keys = ["env_id", "task_seed", "run_seed"]
    numbers = ["episode", "steps", "return", "return_corrected", "score", "regret"]
    same = [
        np.allclose(run[numbers], kept.loc[run.index, numbers], rtol=1e-6, atol=1e-6)
        for _, run in ours.groupby(keys, observed=True)
    ]
    assert len(same) == 4
    assert sum(same) >= 3, dict(zip(ours.groupby(keys, observed=True).groups, same, strict=True))


def script(out, *names, **environ):
    """Plays `names` in a fresh interpreter with other settings."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "tools" / "families.py", out, *names],
        env=os.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name: next((out / name).glob("*.csv")) for name in names}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_number_of_threads_changes_nothing(threads, tmp_path):
    made = script(
        tmp_path, "tql-ucb", "psrl", "oracle", NUMBA_NUM_THREADS=threads, OMP_NUM_THREADS=threads
    )
    for name, csv in made.items():
        assert csv.read_bytes() == (GOLDEN / f"{name}.csv").read_bytes()


@pytest.mark.parametrize("workers", [2, 8])
def test_the_number_of_workers_changes_nothing(workers, tmp_path):
    alone, many = (play("psrl", tmp_path / str(n), n, tasks=4) for n in (1, workers))
    assert many.read_bytes() == alone.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["tql-ucb", "psrl", "cql"])
def test_compiled_or_not_the_bytes_are_the_same(agent, tmp_path):
    """Without Numba's compiler a step takes milliseconds, and NumPy warns of the generator's overflows."""
    line = ["run", "--agent", agent, "--env", "Garnet-16s5a2b-v0", "--tasks", "1", "--steps", "300"]
    made = []
    for off in ("0", "1"):
        words = [*line, "--workers", "1", "--quiet", "--out", str(tmp_path / off)]
        code = f"from anymdp_bench.cli.app import run; raise SystemExit(run({words}))"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], env=os.environ | {"NUMBA_DISABLE_JIT": off},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        made.append(next((tmp_path / off).glob("*.csv")).read_bytes())
    assert made[0] == made[1]

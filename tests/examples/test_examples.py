"""The examples run as a reader would run them, with few steps; the notebook prints what was committed."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = {  # (the library that it needs, its arguments, the least score that it must reach in percent)
    "sb3_ppo": ("stable_baselines3", ["--steps", "512"], -500),
    "sb3_dqn": ("stable_baselines3", ["--steps", "700", "--env", "Darkroom-v0?size=2"], -500),
    "cleanrl_ppo": ("torch", ["--steps", "30000", "--env", "AnyMDP-1s5a-v0"], 90),
    "torchrl_ppo": ("torchrl", ["--steps", "512"], -500),
    "rllib_ppo": ("ray.rllib", ["--steps", "200"], -500),
    "minari_dataset": ("minari", ["--steps", "1500"], 90),
}


def is_installed(name):
    return all(importlib.util.find_spec(part) for part in (name.partition(".")[0], name))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_an_example_runs(name, tmp_path):
    library, arguments, least = SHORT[name]
    if not is_installed(library):
        pytest.skip(f"needs {library}")
    environment = os.environ | {"MINARI_DATASETS_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    score = re.search(r"score (-?[\d.]+)%", done.stdout.splitlines()[-1])
    assert least <= float(score[1]) <= 100.0


def test_each_example_is_short_and_named_here():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names >= set(SHORT)
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 80, path


def printed(cell):
    """What a cell printed on stdout."""
    outputs = [out for out in cell.get("outputs", []) if out.get("name") == "stdout"]
    return "".join("".join(out["text"]) for out in outputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Jupyter are not ours
def test_the_notebook_prints_what_it_was_committed_with(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    import nbformat

    text = (EXAMPLES / "tour.ipynb").read_text(encoding="utf-8")
    committed = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in committed)
    assert '"image/png"' in text
    book = nbformat.reads(text, 4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
    again = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [printed(cell) for cell in again] == [printed(cell) for cell in committed]
    assert not [out for cell in again for out in cell.outputs if out.output_type == "error"]

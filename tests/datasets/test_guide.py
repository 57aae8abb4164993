"""The guide "Train your own": its program is the file, which learns; its snippets and commands run."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import anymdp_bench

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "train-your-own.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "train_gru.py"
SCRIPT = Path(sys.executable).with_name("anymdp-bench")


def blocks():
    return re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)


def test_the_program_of_the_guide_is_the_file():
    assert EXAMPLE.read_text("utf-8") in blocks()
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 80


def test_its_snippets_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(SCRIPT.parent), prepend=":")
    rest = [block for block in blocks() if block != EXAMPLE.read_text("utf-8")]
    assert len(rest) == 3
    exec(compile("\n".join(rest), "guide", "exec"), {"__name__": "__main__"})


def test_its_commands_run_in_order(tmp_path):
    lines = re.findall(r"^    (anymdp-bench .*)$", GUIDE, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        words = [SCRIPT, *shlex.split(line)[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "64 sequences of 512 steps, tasks tau(16,5)" in done.stdout


@pytest.mark.slow
def test_the_example_learns():
    """A twentieth of the training: the score is above that of random actions, which is 0, by 0.05."""
    torch = pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("train_gru", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        agent = example.GRUAgent(example.train(200))
        results = anymdp_bench.evaluate(agent, example.ENV, tasks=64, steps=200, progress=False)
    finally:
        torch.set_num_threads(threads)
    assert results[results.episode > 100].score.mean() > 0.05

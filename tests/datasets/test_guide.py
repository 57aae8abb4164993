"""The guide "Train a model of your own": its program is the file, which learns.

`tests/test_docs.py` plays the rest of the page.
"""

import importlib.util
from pathlib import Path

import pytest

import anymdp_bench

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "train-your-own.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "train_gru.py"


def test_the_program_of_the_guide_is_the_file():
    assert f'```python title="train_gru.py"\n{EXAMPLE.read_text("utf-8")}```' in GUIDE


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

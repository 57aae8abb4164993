"""A stranger's recurrent module gets from the docs' lines to the board."""

import re
from pathlib import Path

import pytest

from anymdp_bench.leaderboard.longcontext import board_rows, load_board

ROOT = Path(__file__).parents[2]


def shown_lines():
    """The lines of docs/guides/long-contexts.md for a PyTorch module."""
    text = (ROOT / "docs" / "guides" / "long-contexts.md").read_text(encoding="utf-8")
    [lines] = [x for x in re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL) if "torch" in x]
    return lines


def test_a_torch_module_is_scored_in_ten_lines_and_listed(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")

    class Reader(torch.nn.Module):
        """A GRU that reads what is seen and done."""

        def __init__(self):
            super().__init__()
            self.seen, self.action = torch.nn.Embedding(8, 8), torch.nn.Embedding(3, 8)
            self.memory, self.out = torch.nn.GRU(8, 8, batch_first=True), torch.nn.Linear(8, 8)

        def forward(self, seen, action, left, did, reward, ending, arrival, tag, state):
            read, state = self.memory(self.seen(seen) + self.action(action), state)
            return self.out(read), state

    lines = shown_lines()
    assert len([line for line in lines.splitlines() if line.strip()]) <= 10
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    exec(lines, {"model": Reader()})
    [row] = board_rows(load_board(tmp_path))
    assert row["label"] == "mine 1"
    assert 1.8 < row["loss_key"] < 2.6  # untrained: about ln 8
    assert row["policy_key"] == ""

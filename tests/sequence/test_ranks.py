"""Training in two processes that talk through gloo, as torchrun would start them."""

import os
import socket
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.sequence.model import ModelSize  # noqa: E402
from anymdp_baselines.sequence.presets import Preset, Room  # noqa: E402
from anymdp_baselines.sequence.trainer import Trainer  # noqa: E402

pytestmark = pytest.mark.slow

SIZE = ModelSize("delta", 16, 1, 4, 16, 8)
PRESET = Preset(SIZE, (Room(8, 3, 4, 2, 32, 96),), minibatches=2, rounds=2)
PROCESS = """
import sys, torch
from anymdp_baselines.sequence import ranks
from anymdp_baselines.sequence.model import ModelSize
from anymdp_baselines.sequence.presets import Preset, Room
from anymdp_baselines.sequence.trainer import Trainer
torch.set_num_threads(1)
assert ranks.join("cpu") == "cpu"
if sys.argv[2] == "same":
    number, ranks.rank = ranks.rank(), lambda: 0
else:
    number = ranks.rank()
trainer = Trainer({preset})
for _ in range(2):
    trainer.advance()
assert ranks.agree(trainer.round) and not ranks.agree(number)
torch.save([p.detach() for p in trainer.model.parameters()], f"{{sys.argv[1]}}/{{number}}.pt")
ranks.leave()
"""


def trained(folder, runs):
    """The weights of both processes, which play the `same` runs or `different` ones."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code = PROCESS.format(preset=repr(PRESET))
    words = [sys.executable, "-c", code, str(folder), runs]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(words, env=os.environ | common | {"RANK": str(k), "LOCAL_RANK": str(k)})
        for k in range(2)
    ]
    assert [process.wait(600) for process in processes] == [0, 0]
    return [torch.load(folder / f"{k}.pt", weights_only=True) for k in range(2)]


def test_two_processes_keep_the_same_weights_and_learn_from_both(tmp_path):
    alone = Trainer(PRESET)
    for _ in range(2):
        alone.advance()
    expected = [p.detach() for p in alone.model.parameters()]
    first, second = trained(tmp_path, "same")
    for one, two, three in zip(first, second, expected, strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three, rtol=0.0, atol=1e-6)
    first, second = trained(tmp_path, "different")
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first, expected, strict=True))

"""Training in two processes that talk through gloo, as torchrun would start them."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.objective import SequenceObjective  # noqa: E402
from anymdp_baselines.omnirl.presets import SequencePreset, TaskGroup  # noqa: E402
from anymdp_baselines.omnirl.size import ModelSize  # noqa: E402
from anymdp_baselines.training import checkpoint  # noqa: E402
from anymdp_baselines.training.train import train  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402

pytestmark = pytest.mark.slow

SIZE = ModelSize("delta", 16, 1, 4, 16, 8)
PRESET = SequencePreset(SIZE, (TaskGroup(8, 3, 4, 2, 32, 96),), minibatches=2, rounds=2)
PROCESS = """
import os, sys, torch
from anymdp_baselines.training import distributed
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.objective import SequenceObjective
from anymdp_baselines.omnirl.presets import SequencePreset, TaskGroup
from anymdp_baselines.training.temperature import TemperatureSchedule
from anymdp_baselines.training.trainer import Trainer
torch.set_num_threads(1)
assert distributed.join("cpu") == "cpu"
if sys.argv[2] == "same":
    number, distributed.rank = distributed.rank(), lambda: 0
else:
    number = distributed.rank()
trainer = Trainer(SequenceObjective({preset}))
for _ in range(2):
    trainer.advance()
assert distributed.agree(trainer.round) and not distributed.agree(number)
torch.save([p.detach() for p in trainer.objective.model.parameters()], f"{{sys.argv[1]}}/{{number}}.pt")
distributed.leave()
os._exit(0)  # gloo's threads abort an interpreter at times that is shutting down
"""


RESUMABLE = """
import os, signal, sys, time, torch
from pathlib import Path
from anymdp_baselines.training import distributed, resume
from anymdp_baselines.training.train import train
from anymdp_baselines.omnirl import objective
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.presets import SequencePreset, TaskGroup
from anymdp_baselines.training.temperature import TemperatureSchedule
torch.set_num_threads(1)
objective.REPORT, objective.SAVE = 1, 2
if sys.argv[2] == "dies":
    gather, seen = distributed.gather, []

    def last(own):  # the second process dies when all have written round 4, but it keeps round 2
        out = gather(own)
        seen.append(own)
        if seen.count(None) == 2 and distributed.rank() == 1:
            while Path(sys.argv[1], ".state.new").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return out

    resume.distributed.gather = last
make = lambda compute: objective.SequenceObjective({preset}, compute)
train(make, Path(sys.argv[1]), resume=True, evaluates=False)
distributed.leave()
os._exit(0)  # gloo's threads abort an interpreter at times that is shutting down
"""


def processes(code, *words):
    """Two processes as torchrun would start them; their exit codes, once both have ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, *words],
            env=os.environ | common | {"RANK": str(k), "LOCAL_RANK": str(k)},
        )
        for k in range(2)
    ]
    return [process.wait(600) for process in started]


def trained(folder, runs):
    """The weights of both processes, which play the `same` runs or `different` ones."""
    assert processes(PROCESS.format(preset=repr(PRESET)), str(folder), runs) == [0, 0]
    return [torch.load(folder / f"{k}.pt", weights_only=True) for k in range(2)]


def test_two_processes_keep_the_same_weights_and_learn_from_both(tmp_path):
    alone = Trainer(SequenceObjective(PRESET))
    for _ in range(2):
        alone.advance()
    expected = [p.detach() for p in alone.objective.model.parameters()]
    first, second = trained(tmp_path, "same")
    for one, two, three in zip(first, second, expected, strict=True):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three, rtol=0.0, atol=1e-6)
    first, second = trained(tmp_path, "different")
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first, expected, strict=True))


def kept(folder):
    """The bytes of everything that a training kept, and its losses: the log without its clock."""
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}
    with (folder / "log.csv").open(newline="") as file:
        log = list(csv.DictReader(file))
    return files, [{k: v for k, v in row.items() if k != "seconds"} for row in log]


def test_two_processes_go_on_exactly_where_one_of_them_was_killed(tmp_path):
    """Killed at the worst moment: its peer has the state of round 4 in place, itself that of round 2."""
    preset = replace(PRESET, rounds=6)
    code = RESUMABLE.format(preset=repr(preset))
    assert processes(code, str(tmp_path / "whole"), "lives") == [0, 0]
    first, second = processes(code, str(tmp_path / "killed"), "dies")
    assert first != 0
    assert second == -signal.SIGKILL
    rounds = [checkpoint.load(tmp_path / "killed" / s)[1]["round"] for s in ("state", "state1")]
    assert rounds == [4, 2]
    assert processes(code, str(tmp_path / "killed"), "lives") == [0, 0]
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")
    line = "holds the states of 2 processes, not of 1: .* torchrun --nproc-per-node 2"
    with pytest.raises(ValueError, match=line) as caught:
        train(lambda c: SequenceObjective(preset, c), tmp_path / "whole", resume=True)
    assert not re.search(r"\n", str(caught.value))

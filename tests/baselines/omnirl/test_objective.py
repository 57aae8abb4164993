"""Training of the sequence models: labels are right, it resumes exactly, also after it was killed."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl import objective  # noqa: E402
from anymdp_baselines.omnirl.loss import RAMP  # noqa: E402
from anymdp_baselines.omnirl.model import SequenceModel  # noqa: E402
from anymdp_baselines.omnirl.objective import SequenceObjective  # noqa: E402
from anymdp_baselines.omnirl.presets import (  # noqa: E402
    PRESETS,
    TaskGroup,
    find_preset,
    preset_of_width,
)
from anymdp_baselines.training import checkpoint  # noqa: E402
from anymdp_baselines.training.objective import Compute  # noqa: E402
from anymdp_baselines.training.train import train  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402
from anymdp_bench.mdp.solution import solve  # noqa: E402
from anymdp_bench.scoring import compute_references  # noqa: E402
from anymdp_bench.scoring.labels import label_task  # noqa: E402
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source  # noqa: E402

KINDS = ["delta", "delta with a plan", "linear", "gated"]
RNG = np.random.default_rng(0)
SCRIPT = Path(sys.executable).with_name("anymdp-bench")


def trainer_of(kind="delta", recorded=2, length=96, compute=None, bandits=False, **changes):
    groups = (TaskGroup(8, 3, 6, recorded, 32, length),)
    if bandits:
        groups = (TaskGroup(1, 4, 6, 0, 16, 32, 0.5), *groups)
    settings = {"groups": groups, "rounds": 6, "minibatches": 2} | changes
    if kind == "delta with a plan":
        kind, settings["size"] = "delta", {"averages": True, "plan_columns": 16}
    return Trainer(SequenceObjective(preset_of_width(16, kind, **settings), compute))


def rollout_of(**changes):
    return trainer_of(**changes).objective.rollouts[0]


def totals(rounds):
    return [losses["total"] for update in rounds for losses in update.values()]


def test_own_runs_are_labelled_by_the_oracle_of_their_tasks():
    rollout = rollout_of()
    segment, _ = rollout.play(RNG)
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    targets = segment.targets(np.arange(6))
    for i, seed in enumerate(rollout.tasks.seeds):
        assert seed >= PUBLIC_SEEDS
        mdp = source.sample(int(seed))
        best = np.zeros(8, np.int64)
        live = ~mdp.terminal
        best[mdp.observation[live]] = solve(mdp).policy[live]
        np.testing.assert_array_equal(targets.advantage[i].argmax(-1), best[segment.seen[i]])


def test_a_group_can_be_of_garnet_s_tasks():
    group = TaskGroup(8, 3, 4, 0, 32, 96, branching=2)
    rollout = trainer_of(groups=(group,)).objective.rollouts[0]
    source = task_source("Garnet-v0", n_states=8, n_actions=3, branching=2)
    assert group.name == "Garnet(8,3,2)"
    for i, seed in enumerate(rollout.tasks.seeds):
        mdp = source.sample(int(seed))
        advantage, _ = label_task(mdp, compute_references(mdp))
        np.testing.assert_array_equal(rollout.tasks.advantage[i], advantage)


def test_the_planning_memory_is_refused_on_a_device_in_one_line(tmp_path):
    preset = find_preset("all-sizes", "delta")
    with pytest.raises(ValueError, match="take --device cpu") as caught:
        train(lambda c: SequenceObjective(preset, c), tmp_path, compute=Compute("meta"))
    assert "\n" not in str(caught.value)


def test_what_is_read_at_a_step_is_what_was_done_at_the_one_before():
    rollout = rollout_of()
    first, _ = rollout.play(RNG)
    second, _ = rollout.play(RNG)
    going = rollout.age == 64
    inputs = second.inputs(np.arange(6))
    np.testing.assert_array_equal(inputs.left[:, 1:], second.seen[:, :-1])
    np.testing.assert_array_equal(inputs.reward[:, 1:], second.reward[:, :-1])
    squares = np.cumsum(np.concatenate([first.reward, second.reward], 1).astype(float) ** 2, 1)
    scale = np.sqrt(squares / np.arange(1, 65))[:, 31:-1]
    np.testing.assert_allclose(inputs.scale[going], scale[going], rtol=1e-5)
    np.testing.assert_array_equal(inputs.left[going, 0], first.seen[going, -1])
    np.testing.assert_array_equal(inputs.action[going, 0], first.action[going, -1])
    went_on = inputs.ending.numpy() == 0
    np.testing.assert_array_equal(inputs.arrival[went_on], inputs.seen[went_on])


def test_the_memory_carried_into_a_segment_is_that_of_the_run():
    """Played step by step or read at once, a run leaves the same memory."""
    trainer = trainer_of()
    (rollout,) = trainer.objective.rollouts
    segment, start = rollout.play(RNG)
    model = trainer.objective.model
    with torch.no_grad():
        _, after = model(segment.inputs(np.arange(6)), start, model.codes(8), 3)
    for own, read in zip(rollout.player.state, after, strict=True):
        torch.testing.assert_close(torch.from_numpy(own), read, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_accumulated_gradients_are_those_of_the_whole(kind):
    """Parts weigh the ramp by themselves, so only runs of equal age are compared."""
    updates = []
    for micro in (1, 2):
        trainer = trainer_of(kind, minibatches=1, micro=micro, recorded=2, length=32)
        trainer.advance()
        updates.append([p.detach().clone() for p in trainer.objective.model.parameters()])
    for a, b in zip(*updates, strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=0)
    assert RAMP * 8 * 3 > 32


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_exactly_from_a_checkpoint(tmp_path, kind):
    straight, broken = (trainer_of(kind, bandits=True) for _ in range(2))
    losses = [straight.advance() for _ in range(4)]
    for _ in range(2):
        broken.advance()
    checkpoint.save(tmp_path / "state", *broken.state())
    resumed = trainer_of(kind, bandits=True)
    resumed.restore(*checkpoint.load(tmp_path / "state"))
    assert [resumed.advance() for _ in range(2)] == losses[2:]


def test_bfloat16_learns_the_same_to_its_precision():
    full, half = trainer_of(), trainer_of(compute=Compute("cpu", is_half=True))
    for a, b in zip(totals(full.advance()), totals(half.advance()), strict=True):
        assert b == pytest.approx(a, rel=0.05)
        assert b != a
    assert all(p.dtype == torch.float32 for p in half.objective.model.parameters())
    assert all(m.dtype == np.float32 for m in half.objective.rollouts[0].player.state)


def test_an_unknown_device_is_refused_in_one_line(tmp_path):
    preset = find_preset("tiny", "delta")
    with pytest.raises(ValueError, match="no model can be made") as caught:
        train(lambda c: SequenceObjective(preset, c), tmp_path, compute=Compute("nowhere"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_presets_come_from_one_dial(kind):
    kind = kind.split()[0]
    for name in PRESETS:
        chosen = find_preset(name, kind)
        for group in chosen.groups:
            assert group.own_runs >= group.recorded_runs  # half or more are the model's own
            assert chosen.model.takes(group.n_states, group.n_actions)
        assert sum(group.share for group in chosen.groups) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no preset 'huge'"):
        find_preset("huge", kind)
    with pytest.raises(ValueError, match="AnyMDP's tasks alone"):
        TaskGroup(8, 3, 4, 4, 32, 128, branching=2)
    with pytest.raises(ValueError, match="no multiple of segment"):
        TaskGroup(8, 3, 1, 0, 32, 100)


def test_the_papers_preset_is_of_the_published_size():
    """18 blocks of width 512, four tokens a step, 43.6M parameters."""
    size = find_preset("paper", "gated").model
    assert (size.blocks, size.width, size.tokens) == (18, 512, 4)
    with torch.device("meta"):
        found = sum(p.numel() for p in SequenceModel(size).parameters())
    assert found == pytest.approx(43.6e6, rel=0.02)


@pytest.mark.slow
def test_a_killed_training_goes_on_with_the_same_losses(tmp_path):
    """kill -9 in the middle, then --resume: the rows of the log are those of a run left alone."""
    rounds = objective.SAVE + 5
    words = [SCRIPT, "train", "omnirl", "--preset", "tiny", "--device", "cpu"]
    words += ["--rounds", str(rounds)]

    def rows(folder):
        with (folder / "log.csv").open() as file:
            return [
                {n: v for n, v in row.items() if n != "seconds"} for row in csv.DictReader(file)
            ]

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*words, "--out", whole], check=True, capture_output=True)
    process = subprocess.Popen([*words, "--out", cut], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not (cut / "state").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run([*words, "--out", cut, "--resume"], check=True, capture_output=True)
    assert rows(cut) == rows(whole)
    assert int(rows(whole)[-1]["round"]) == rounds
    ends = [checkpoint.load(folder / "weights")[0] for folder in (whole, cut)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])

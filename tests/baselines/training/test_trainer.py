"""Training: labels are right, it learns, and it goes on exactly after it was killed."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.training import checkpoint, train
from anymdp_baselines.training.config import PRESETS, Room, dial, preset
from anymdp_baselines.training.log import Log
from anymdp_baselines.training.loss import RAMP
from anymdp_baselines.training.trainer import Machine, Trainer
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

KINDS = ["delta", "linear", "gated"]
RNG = np.random.default_rng(0)


def trainer_of(kind="delta", behaviours=2, life=96, machine=None, bandits=False, **changes):
    rooms = (Room(8, 3, 6, behaviours, 32, life),)
    if bandits:
        rooms = (Room(1, 4, 6, 0, 16, 32, 0.5), *rooms)
    settings = {"rooms": rooms, "rounds": 6, "minibatches": 2} | changes
    return Trainer(dial(16, kind, **settings), machine)


def test_students_are_labelled_by_the_oracle_of_their_own_tasks():
    (room,) = trainer_of().rooms
    segment, _ = room.play(RNG)
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    taught = segment.taught(np.arange(6))
    for i, seed in enumerate(room.seats.seeds):
        assert seed >= PUBLIC_SEEDS
        mdp = source.sample(int(seed))
        best = np.zeros(8, np.int64)
        live = ~mdp.terminal
        best[mdp.observation[live]] = solve(mdp).policy[live]
        np.testing.assert_array_equal(taught.advantage[i].argmax(-1), best[segment.seen[i]])


def test_what_is_read_at_a_step_is_what_was_done_at_the_one_before():
    (room,) = trainer_of().rooms
    first, _ = room.play(RNG)
    second, _ = room.play(RNG)
    rows = np.arange(6)
    going = room.age == 64
    steps = second.steps(rows)
    np.testing.assert_array_equal(steps.left[:, 1:], second.seen[:, :-1])
    np.testing.assert_array_equal(steps.reward[:, 1:], second.reward[:, :-1])
    squares = np.cumsum(np.concatenate([first.reward, second.reward], 1).astype(float) ** 2, 1)
    scale = np.sqrt(squares / np.arange(1, 65))[:, 31:-1]
    np.testing.assert_allclose(steps.scale[going], scale[going], rtol=1e-5)
    np.testing.assert_array_equal(steps.left[going, 0], first.seen[going, -1])
    np.testing.assert_array_equal(steps.action[going, 0], first.action[going, -1])
    went_on = steps.ending.numpy() == 0
    np.testing.assert_array_equal(steps.arrival[went_on], steps.seen[went_on])


def test_the_students_account_is_the_variance_free_score():
    """Where the oracle itself acts, the score of every episode is 1."""
    seats = trainer_of().rooms[0].seats
    scores = []
    for _ in range(300):
        action = seats.advantage[np.arange(6), seats.seen].argmax(1)
        *_, score, over = seats.step(action)
        scores += score[over].tolist()
    assert scores
    np.testing.assert_allclose(scores, 1.0, atol=1e-9)
    assert seats.counts.dtype == bool
    mdp = task_source("AnyMDP-v0", n_states=8, n_actions=3).sample(int(seats.seeds[0]))
    assert seats.counts[0] == compute_references(mdp).is_scorable


def test_the_memory_carried_into_a_segment_is_that_of_the_run():
    """Played step by step or read at once, a run leaves the same memory."""
    trainer = trainer_of()
    segment, start = trainer.rooms[0].play(RNG)
    rows = np.arange(6)
    codes = trainer.model.codes(8)
    with torch.no_grad():
        _, after = trainer.model(segment.steps(rows), start, codes, 3)
    for mine, theirs in zip(trainer.rooms[0].player.state, after, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


def test_bandits_are_labelled_and_scored_as_any_task():
    """Where the best arm is pulled the score is 1, and every step ends its episode."""
    seats = trainer_of(bandits=True).rooms[0].seats
    source = task_source("AnyMDP-v0", n_states=1, n_actions=4)
    best = [int(source.sample(int(seed)).reward[0, :, 1].argmax()) for seed in seats.seeds]
    np.testing.assert_array_equal(seats.advantage[:, 0].argmax(1), best)
    _, ending, arrival, score, over = seats.step(np.array(best))
    assert over.all()
    assert (ending == 1).all()
    assert (arrival == 0).all()
    np.testing.assert_allclose(score, 1.0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_accumulated_gradients_are_those_of_the_whole(kind):
    """Parts weigh the ramp by themselves, so only runs of equal age are compared."""
    updates = []
    for micro in (1, 2):
        trainer = trainer_of(kind, minibatches=1, micro=micro, behaviours=2, life=32)
        trainer.advance()
        updates.append([p.detach().clone() for p in trainer.model.parameters()])
    for a, b in zip(*updates, strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=0)
    assert RAMP * 8 * 3 > 32


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_exactly_from_a_checkpoint(tmp_path, kind):
    straight, broken = (trainer_of(kind, bandits=True) for _ in range(2))
    losses = [straight.advance() for _ in range(6)]
    for _ in range(3):
        broken.advance()
    checkpoint.save(tmp_path / "state", *broken.state())
    resumed = trainer_of(kind, bandits=True)
    resumed.restore(*checkpoint.load(tmp_path / "state"))
    assert [resumed.advance() for _ in range(3)] == losses[3:]


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_learns_the_same_to_its_precision(kind):
    full, half = trainer_of(kind), trainer_of(kind, machine=Machine("cpu", half=True))
    for (a,), (b,) in zip(full.advance(), half.advance(), strict=True):
        assert b["total"] == pytest.approx(a["total"], rel=0.05)
        assert b["total"] != a["total"]
    assert all(p.dtype == torch.float32 for p in half.model.parameters())
    assert all(m.dtype == torch.float32 for m in half.rooms[0].player.state)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_trainer_has_the_same_losses():
    eager, compiled = trainer_of(), trainer_of(machine=Machine(compiled=True))
    for (a,), (b,) in zip(eager.advance(), compiled.advance(), strict=True):
        assert b["total"] == pytest.approx(a["total"], abs=1e-4)


def test_an_unknown_device_is_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="no model can be made") as caught:
        train.train(preset("tiny", "delta"), tmp_path, machine=Machine("nowhere"))
    assert "\n" not in str(caught.value)


def test_a_resumed_log_drops_what_comes_after_the_checkpoint(tmp_path):
    log = Log(tmp_path, 0)
    for k in (10, 20, 30):
        log.add({"round": k, "room": "tau(8,3)", "total": 1.0})
    Log(tmp_path, 20).add({"round": 30, "room": "tau(8,3)", "total": 2.0})
    with (tmp_path / "log.csv").open() as file:
        rows = [(row["round"], row["total"]) for row in csv.DictReader(file)]
    assert rows == [("10", "1.0"), ("20", "1.0"), ("30", "2.0")]


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Log(tmp_path, 0, tensorboard=True).add({"round": 10, "room": "tau(8,3)", "total": 1.5})
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (event,) = board.Scalars("tau(8,3)/total")
    assert (event.step, event.value) == (10, 1.5)


def test_a_learning_rate_warms_up_and_falls_to_3_in_100():
    trainer = trainer_of(rounds=500, minibatches=2)
    rates = []
    for trainer.updates in (0, 9, 19, 1000):
        rates.append(trainer._rate() / trainer.preset.learning_rate)
    assert rates == pytest.approx([0.05, 0.5, 1.0, 0.03])


@pytest.mark.parametrize("kind", KINDS)
def test_presets_come_from_one_dial(kind):
    for name in PRESETS:
        chosen = preset(name, kind)
        for room in chosen.rooms:
            assert room.students >= room.behaviours  # half or more are the student's own
            assert room.life % room.segment == 0
            assert chosen.model.takes(room.n_states, room.n_actions)
        assert sum(room.share for room in chosen.rooms) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no preset 'huge'"):
        preset("huge", kind)


def test_the_papers_preset_is_of_the_published_size():
    """18 blocks of width 512, four tokens a step, 43.6M parameters."""
    size = preset("paper", "gated").model
    assert (size.blocks, size.width, size.tokens) == (18, 512, 4)
    with torch.device("meta"):
        found = sum(p.numel() for p in SequenceModel(size).parameters())
    assert found == pytest.approx(43.6e6, rel=0.02)


@pytest.mark.slow
def test_a_killed_training_goes_on_with_the_same_losses(tmp_path):
    """kill -9 in the middle, then --resume: the rows of the log are those of a run left alone."""
    words = [sys.executable, "-m", "anymdp_baselines.training.train", "delta", "tiny"]

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
    assert int(rows(whole)[-1]["round"]) == preset("tiny", "delta").rounds
    ends = [checkpoint.load(folder / "weights")[0] for folder in (whole, cut)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert preset("tiny", "delta").rounds > train.SAVE

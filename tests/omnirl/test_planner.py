import math

import numpy as np
import pytest

from anymdp_bench.agents import Agent
from anymdp_bench.protocol import Budget, Run, play_in_context
from anymdp_bench.scoring import tasks_that_count
from anymdp_bench.tasks.family import task_source

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl import presets, train  # noqa: E402
from anymdp_baselines.omnirl.agent import OmniRLPlanner  # noqa: E402
from anymdp_baselines.omnirl.evaluate import online_scores  # noqa: E402
from anymdp_baselines.omnirl.model import Planner, PlannerSize  # noqa: E402
from anymdp_baselines.omnirl.reading import SLOT_FEATURES, STATE_FEATURES  # noqa: E402
from anymdp_baselines.omnirl.trainer import Trainer  # noqa: E402

SMALL = presets.dial(8, n_states=8, n_actions=3, seats=6, updates=12, life=60)


@pytest.fixture(scope="module")
def runs():
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    tasks, _ = tasks_that_count(source, 4)
    return [Run("AnyMDP-8s3a-v0", task, 0) for task in tasks]


def test_permuting_states_and_actions_permutes_the_plan():
    torch.manual_seed(0)
    planner = Planner(PlannerSize(8, 3))
    n, states, actions = 2, 5, 3
    onward = torch.rand(n, states, actions, states)
    inward = torch.rand(n, states, actions, states)
    slot = torch.rand(n, states, actions, SLOT_FEATURES)
    state = torch.rand(n, states, STATE_FEATURES)
    p, q = torch.randperm(states), torch.randperm(actions)

    def edges(array):
        return array.reshape(n, states * actions, states)

    plain = planner(edges(onward), edges(inward), slot, state)
    moved = planner(
        edges(onward[:, p][:, :, q][..., p]),
        edges(inward[:, p][:, :, q][..., p]),
        slot[:, p][:, :, q],
        state[:, p],
    )
    assert torch.allclose(plain.logit[:, p][:, :, q], moved.logit, atol=1e-5)
    assert torch.allclose(plain.quantile[:, p][:, :, q], moved.quantile, atol=1e-5)


def test_a_resumed_run_gives_the_same_losses(tmp_path):
    trainer = Trainer(SMALL)
    for _ in range(5):
        trainer.update()
    trainer.save(tmp_path / "state.safetensors")
    expected = [trainer.update() for _ in range(4)]
    resumed = Trainer(SMALL)
    resumed.load(tmp_path / "state.safetensors")
    assert [resumed.update() for _ in range(4)] == expected


def test_a_state_of_other_settings_is_refused(tmp_path):
    trainer = Trainer(SMALL)
    trainer.update()
    trainer.save(tmp_path / "state.safetensors")
    other = Trainer(presets.dial(8, n_states=8, n_actions=3, seats=6, updates=13, life=60))
    with pytest.raises(ValueError, match="other settings"):
        other.load(tmp_path / "state.safetensors")


def test_training_writes_weights_that_play(tmp_path, monkeypatch, runs):
    monkeypatch.setitem(presets.PRESETS, "test", SMALL)
    monkeypatch.setattr(train, "_EXAM_TASKS", 2)
    weights = train.main("test", out=tmp_path)
    agent = OmniRLPlanner(str(weights))
    assert isinstance(agent, Agent)
    agent.start(_told(runs))
    before = agent.memory_bytes
    curves = play_in_context(agent, runs, Budget(steps=300))
    assert all(len(curve.score) > 0 for curve in curves)
    assert agent.memory_bytes == before
    assert (tmp_path / "log.csv").read_text().startswith("update,seconds,total")
    with pytest.raises(ValueError, match="resume it"):
        train.main("test", out=tmp_path)


def _told(runs):
    from anymdp_bench.protocol.runs import told

    return told(runs, privileged=False)


def test_a_run_does_not_depend_on_its_company(runs):
    together = play_in_context(OmniRLPlanner(), runs, Budget(steps=400))
    alone = play_in_context(OmniRLPlanner(), runs[1:2], Budget(steps=400))[0]
    np.testing.assert_array_equal(together[1].steps, alone.steps)
    np.testing.assert_array_equal(together[1].score, alone.score)


@pytest.mark.slow
def test_the_shipped_weights_learn_unseen_tasks():
    score = online_scores(OmniRLPlanner(), 16, 5, [1000], n_tasks=16)
    assert np.nanmean(score) > 0.7


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x10" + b"\x00" * 7 + b"{}              "])
def test_a_bad_checkpoint_gets_one_clear_line(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no omnirl-planner checkpoint") as caught:
        OmniRLPlanner(str(path))
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_wrong_shapes_or_infinite_weights_is_refused(tmp_path):
    trainer = Trainer(SMALL)
    path = tmp_path / "weights.safetensors"
    trainer.average["head.bias"] = torch.full((8,), math.inf)
    trainer.ship(path)
    with pytest.raises(ValueError, match="not finite"):
        OmniRLPlanner(str(path))
    trainer.average["head.bias"] = torch.zeros(3)
    trainer.ship(path)
    with pytest.raises(ValueError, match="does not hold a planner") as caught:
        OmniRLPlanner(str(path))
    assert "\n" not in str(caught.value)

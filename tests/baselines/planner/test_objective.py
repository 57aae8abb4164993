"""Training of the planner: it resumes to the bit, ships weights that play, and starts from others."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.planner import objective, presets  # noqa: E402
from anymdp_baselines.planner.agent import NeuralPlanner  # noqa: E402
from anymdp_baselines.planner.assemble import assemble  # noqa: E402
from anymdp_baselines.planner.checkpoint import load_weights  # noqa: E402
from anymdp_baselines.planner.features import SLOT_FEATURES, STATE_FEATURES  # noqa: E402
from anymdp_baselines.planner.model import Planner, PlannerSize  # noqa: E402
from anymdp_baselines.planner.objective import WEIGHTS, PlannerObjective  # noqa: E402
from anymdp_baselines.training.objective import Compute  # noqa: E402
from anymdp_baselines.training.train import save, save_weights, train  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402

GROUPS = (
    presets.anymdp(8, 6, 1.0, n_actions=3),
    presets.gridworlds(12, 4, 0.5),
    presets.anymdp(1, 4, 0.5, n_actions=3),
)
SMALL = presets.PlannerPreset(GROUPS, width=8, loops=2, updates=12, context_visits=3.0)
ONE = replace(SMALL, groups=GROUPS[:1])


def trainer_of(preset):
    return Trainer(PlannerObjective(preset))


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


def test_a_resumed_training_gives_the_same_losses(tmp_path):
    trainer = trainer_of(SMALL)
    for _ in range(5):
        trainer.advance()
    tensors, numbers = trainer.state()
    tensors = {k: v.clone() for k, v in tensors.items()}
    expected = [trainer.advance() for _ in range(4)]
    resumed = trainer_of(SMALL)
    resumed.restore(tensors, numbers)
    assert [resumed.advance() for _ in range(4)] == expected


def test_training_writes_weights_that_play_and_a_state_that_others_refuse(tmp_path, monkeypatch):
    monkeypatch.setattr(objective, "EVALUATION_TASKS", 2)
    train(lambda compute: PlannerObjective(ONE, compute), tmp_path)
    assert isinstance(NeuralPlanner(str(tmp_path / WEIGHTS)), NeuralPlanner)
    assert (tmp_path / "log.csv").read_text().startswith("round,group,updates,seconds,total")
    with pytest.raises(ValueError, match="resume it"):
        train(lambda compute: PlannerObjective(ONE, compute), tmp_path)
    other = replace(ONE, updates=13)
    with pytest.raises(ValueError, match="other settings"):
        train(lambda compute: PlannerObjective(other, compute), tmp_path, resume=True)


def test_what_is_asked_of_the_command_in_vain_gets_one_line():
    with pytest.raises(ValueError, match="on the CPU in float32"):
        PlannerObjective(ONE, Compute("cuda"))
    with pytest.raises(ValueError, match="no preset 'huge'"):
        presets.find_preset("huge")


def test_checkpoints_are_put_together_and_taken_apart_by_size(tmp_path):
    folders = [tmp_path / str(k) for k in range(3)]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        save_weights(trainer_of(replace(ONE, seed=seed)), folder)
    paths = [folder / WEIGHTS for folder in folders]
    assemble(tmp_path / "all.safetensors", paths[0], [(paths[1], 2, 8), (paths[2], 9, 20)])
    together = load_weights(tmp_path / "all.safetensors")
    for path, planner in zip(
        paths,
        (together.planner(False, 8), together.planner(True, 8), together.planner(True, 9)),
        strict=True,
    ):
        for array, alone in zip(planner, load_weights(path).general, strict=True):
            np.testing.assert_array_equal(array, alone)
    assert together.planner(True, 21) is together.general


def test_a_checkpoint_of_wrong_shapes_or_infinite_weights_is_refused(tmp_path):
    trainer = trainer_of(ONE)
    weights, path = trainer.optimizer.weights(), tmp_path / WEIGHTS
    for bias, match in ((torch.full((8,), math.inf), "not finite"), (torch.zeros(3), "a planner")):
        weights["head.bias"] = bias
        trainer.objective.save_weights(tmp_path, weights, 1)
        with pytest.raises(ValueError, match=match) as caught:
            NeuralPlanner(str(path))
        assert "\n" not in str(caught.value)


def test_training_starts_from_a_checkpoint(tmp_path):
    trainer = trainer_of(ONE)
    trainer.advance()
    save(trainer, tmp_path)
    other = trainer_of(replace(ONE, seed=1))
    other.objective.start_from(tmp_path / WEIGHTS)
    for name, tensor in other.objective.model.state_dict().items():
        assert torch.equal(tensor, trainer.optimizer.weights()[name])
    with pytest.raises(ValueError, match="another width"):
        PlannerObjective(replace(ONE, width=16)).start_from(tmp_path / WEIGHTS)

"""Data recipes: each has the behaviours and labels that it says, and all else is equal."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.agent import SequenceAgent  # noqa: E402
from anymdp_baselines.omnirl.loss import Targets, compute_losses  # noqa: E402
from anymdp_baselines.omnirl.model import PolicyOutput, Prediction  # noqa: E402
from anymdp_baselines.omnirl.objective import SequenceObjective  # noqa: E402
from anymdp_baselines.omnirl.play_torch import network_of  # noqa: E402
from anymdp_baselines.omnirl.presets import TaskGroup  # noqa: E402
from anymdp_baselines.omnirl.recipes import RECIPES  # noqa: E402
from anymdp_baselines.omnirl.rollout_cpu import RecordedRuns  # noqa: E402
from anymdp_baselines.studies.methods import METHODS, method_preset  # noqa: E402
from anymdp_baselines.tabular.psrl import PSRL  # noqa: E402
from anymdp_baselines.training.temperature import TemperatureSchedule  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402
from anymdp_bench.agents import RunBatch  # noqa: E402
from anymdp_bench.datasets.codes import TAG_MODEL, TAG_RANDOM, TAG_UNKNOWN  # noqa: E402
from anymdp_bench.datasets.learning_histories import record_histories  # noqa: E402
from anymdp_bench.datasets.sequences import synthesise  # noqa: E402
from anymdp_bench.engine.transition import Transition  # noqa: E402
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source  # noqa: E402

SEEDS = range(PUBLIC_SEEDS, PUBLIC_SEEDS + 24)


def recorded(name):
    """Recorded runs with their tags, which a recipe without tags hides."""
    return replace(RECIPES[name], has_tags=True).record(8, 3, SEEDS, 400)


def shown_tags(data):
    return set(np.unique(data.tag)) - {TAG_UNKNOWN}


def test_the_behaviours_are_those_of_the_recipe():
    assert shown_tags(recorded("dpt")) == {TAG_RANDOM}
    assert shown_tags(recorded("ad-eps")) == {3, TAG_RANDOM}
    assert shown_tags(recorded("omnirl")) >= {2, 3, TAG_MODEL, 5, TAG_RANDOM}


def share_of_best_actions(name):
    """How often the first and the last 256 of 4,096 steps of tau(16,5) take the oracle's action."""
    data = RECIPES[name].record(16, 5, SEEDS, 4096)
    row = np.arange(len(data.seen))[:, None]
    is_best = data.advantage[row, data.seen, data.action] == 0.0
    return is_best[:, :256].mean(), is_best[:, -256:].mean()


def test_the_noise_of_ad_eps_falls_over_the_whole_history():
    early, late = share_of_best_actions("ad-eps")
    assert early < 0.4
    assert late > 0.65


def test_the_learner_of_ad_converges_within_the_history():
    early, late = share_of_best_actions("ad")
    assert early < 0.6
    assert late > 0.8


def test_a_recipe_with_a_learner_records_its_history():
    source = task_source("AnyMDP-v0", n_states=8, n_actions=3)
    history = record_histories(PSRL(), source, SEEDS, 400)
    for mine, other in zip(recorded("ad"), history, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_omnirl_recipe_is_the_default():
    """Bit for bit: shipped weights and earlier data keep their meaning."""
    for mine, default in zip(recorded("omnirl"), synthesise(8, 3, SEEDS, 400), strict=True):
        np.testing.assert_array_equal(mine, default)


@pytest.mark.parametrize("name", METHODS)
def test_tags_are_hidden_where_the_recipe_has_none(name):
    recorded = RecordedRuns(TaskGroup(8, 3, 0, 2, 64, 64), PUBLIC_SEEDS, RECIPES[name])
    recorded.renew()
    tags = np.concatenate([run.tag for run in recorded.runs])
    assert (tags == TAG_UNKNOWN).all() == (not RECIPES[name].has_tags)


def test_the_actors_label_is_the_action_taken_and_knows_no_oracle():
    logit = torch.zeros(1, 2, 3, requires_grad=True)
    value = torch.zeros(1, 2, 3, requires_grad=True)
    output = PolicyOutput(logit, value, torch.zeros(1, 2, 4), torch.zeros(1, 2, 3, 1))
    prediction = Prediction(torch.zeros(1, 2, 5), torch.zeros(1, 2), torch.zeros(1, 2))
    advantage = torch.tensor([[[-9.0, 0.0, -9.0], [-9.0, 0.0, -9.0]]])
    zeros = torch.zeros(1, 2)
    targets = Targets(
        advantage, torch.tensor([[2, 0]]), zeros, zeros.long(), zeros, torch.full((1, 2), 99.0)
    )
    compute_losses(output, prediction, targets, 0.1, "actor")["total"].backward()
    pull = -logit.grad[0]
    assert pull.argmax(-1).tolist() == [2, 0]
    assert value.grad is None or not value.grad.any()
    logit.grad = None
    compute_losses(output, prediction, targets, 0.1, "oracle")["total"].backward()
    assert (-logit.grad[0]).argmax(-1).tolist() == [1, 1]


def test_an_actors_first_steps_count_as_much_as_its_last():
    """A learner explores in its first steps. What the oracle does there, nobody can know yet."""
    zeros, logit = torch.zeros(1, 2), torch.zeros(1, 2, 3, requires_grad=True)
    output = PolicyOutput(
        logit, torch.zeros(1, 2, 3), torch.zeros(1, 2, 4), torch.zeros(1, 2, 3, 1)
    )
    prediction = Prediction(torch.zeros(1, 2, 5), zeros, zeros)
    targets = Targets(
        torch.tensor([[[0.0, -9.0, -9.0]] * 2]), zeros.long(), zeros, zeros.long(), zeros,
        torch.tensor([[0.0, 99.0]]),
    )  # fmt: skip
    for label, early in (("actor", 0.5), ("oracle", 1e-3 / (1 + 1e-3))):
        logit.grad = None
        compute_losses(output, prediction, targets, 0.1, label)["policy"].backward()
        pull = logit.grad[0].abs().sum(-1)
        assert float(pull[0] / pull.sum()) == pytest.approx(early, rel=1e-3)


def test_every_method_has_the_same_network_steps_and_updates():
    presets = [method_preset("small", name) for name in METHODS]
    assert len({p.model for p in presets}) == 1
    assert len({(p.rounds, p.minibatches, p.learning_rate) for p in presets}) == 1
    assert (
        len(
            {
                (g.own_runs + g.recorded_runs, g.segment, g.context_length)
                for p in presets
                for g in p.groups
            }
        )
        == 1
    )


@pytest.mark.parametrize("name", ["ad", "omnirl"])
def test_a_round_trains_and_goes_on_exactly(name):
    first = Trainer(SequenceObjective(method_preset("tiny", name)))
    first.advance()
    second = Trainer(SequenceObjective(method_preset("tiny", name)))
    tensors, numbers = first.state()
    second.restore({k: v.clone() for k, v in tensors.items()}, numbers)
    for trainer in (first, second):
        trainer.advance()
    for mine, other in zip(
        first.objective.model.parameters(), second.objective.model.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


def test_a_demonstrators_steps_carry_the_tag_that_the_agent_is_given():
    model = SequenceObjective(method_preset("tiny", "omnirl")).model
    agent = SequenceAgent(network_of(model), TemperatureSchedule(0.8), shown_tag=3)
    agent.start(RunBatch(16, 5, np.arange(2, dtype=np.uint64)))
    ids, flags = np.array([0, 1]), np.zeros(2, np.bool_)
    agent.act(ids)
    step = Transition(ids, ids, np.zeros(2), ids, flags, flags)
    agent.demonstrate(step, np.array([True, False]))
    assert agent._player.last[:, 4].tolist() == [3, TAG_UNKNOWN]
    agent.learn(step)
    assert agent._player.last[:, 4].tolist() == [TAG_UNKNOWN] * 2

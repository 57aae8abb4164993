"""Weights of sequence models: what goes in comes out, and what is none is refused in one line."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from anymdp_baselines.omnirl.agent import omnirl, omnirl_linear
from anymdp_baselines.omnirl.checkpoint import read_checkpoint
from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.size import ModelSize
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_baselines.training import checkpoint
from anymdp_baselines.training.evaluate import online_scores
from anymdp_baselines.training.temperature import TemperatureSchedule
from anymdp_bench.agents import AgentError, AgentSpec, RunBatch
from anymdp_bench.datasets.codes import NOTHING
from anymdp_bench.engine.transition import Transition
from anymdp_bench.testing import AgentConformance

SIZE = ModelSize("delta", 16, 2, 4, 16, 8)


def weights(folder, size=SIZE, spoil=False, **numbers):
    torch.manual_seed(0)
    model = SequenceModel(size)
    tensors = {k: v.detach() for k, v in model.state_dict().items()}
    if spoil:
        tensors["sharpness"] = torch.tensor(float("nan"))
    numbers = {"model": size.record(), "temperature": 0.5} | numbers
    checkpoint.save(folder, tensors, numbers)
    return model


def test_weights_make_the_same_model(tmp_path):
    model = weights(tmp_path / "w")
    found = read_checkpoint(tmp_path / "w", ("delta",))
    assert found.schedule == TemperatureSchedule(0.5)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(found.model().state_dict()[name], tensor)


def test_how_a_model_is_played_is_read_too(tmp_path):
    size = replace(SIZE, averages=True, plan_columns=8, plan_turns=24)
    weights(tmp_path / "w", size, settled=9.0, coldest=0.2, untried=5.0)
    found = read_checkpoint(tmp_path / "w", ("delta",))
    assert found.schedule == TemperatureSchedule(0.5, 9.0, 0.2, 5.0)
    assert found.size == size


@pytest.mark.parametrize(
    ("turns", "numbers", "message"),
    [
        (24, {"untried": -1.0}, "untried is -1.0, not from 0 to 100 nats"),
        (24, {"untried": float("inf")}, "untried is inf"),
        (-1, {}, "plan_turns is -1"),
        (10**9, {}, "plan_turns is 1000000000"),
    ],
)
def test_play_that_cannot_be_is_refused_in_one_line(tmp_path, turns, numbers, message):
    size = replace(SIZE, averages=True, plan_columns=8, plan_turns=turns)
    weights(tmp_path / "w", size, **numbers)
    assert message in refused(omnirl, tmp_path / "w")


def test_a_planning_model_that_was_read_computes_what_it_did(tmp_path):
    """Nothing of it is left without a value; the first step of two runs."""
    size = replace(SIZE, averages=True, plan_columns=8)
    model, found = weights(tmp_path / "w", size), read_checkpoint(tmp_path / "w", ("delta",))
    whole = torch.zeros(2, 1, dtype=torch.int64)
    number = torch.zeros(2, 1)
    ending = torch.full((2, 1), NOTHING)
    steps = StepInputs(whole, whole, whole, number, number, ending, whole, whole)
    with torch.no_grad():
        outputs = [
            each(steps, each.initial_state(2, 4, 3), each.codes(4), 3)[0].logit
            for each in (model, found.model())
        ]
    torch.testing.assert_close(*outputs)


def refused(make, path):
    with pytest.raises(AgentError) as caught:
        make(str(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path):
    assert "no sequence-model checkpoint" in refused(omnirl, tmp_path / "nowhere")
    assert "holds no .safetensors" in refused(omnirl, tmp_path)
    text = tmp_path / "text.safetensors"
    text.write_text("not at all")
    refused(omnirl, text)
    save_file({"a": torch.ones(1)}, tmp_path / "foreign.safetensors")
    assert "its format is None" in refused(omnirl, tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("make", [omnirl, omnirl_linear])
def test_the_shipped_weights_are_above_random_on_unseen_tasks(make):
    """Bandits, after 100 steps: the shortest of the rungs."""
    score = online_scores(make(), 1, 5, [100], n_tasks=32)
    assert np.nanmean(score) > 0.8


def test_what_is_broken_is_refused_in_one_line(tmp_path):
    weights(tmp_path / "w")
    assert "kind delta, not linear or gated" in refused(omnirl_linear, tmp_path / "w")
    shard = tmp_path / "w" / "000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-10])
    refused(omnirl, tmp_path / "w")
    weights(tmp_path / "nan", spoil=True)
    assert "not finite" in refused(omnirl, tmp_path / "nan")
    torch.manual_seed(0)
    tensors = {k: v.detach() for k, v in SequenceModel(SIZE).state_dict().items()}
    checkpoint.save(
        tmp_path / "less",
        dict(list(tensors.items())[1:]),
        {"model": SIZE.record(), "temperature": 1},
    )
    assert "does not hold the weights" in refused(omnirl, tmp_path / "less")


def test_a_size_that_the_weights_cannot_take_is_refused_in_one_line(tmp_path):
    weights(tmp_path / "w", ModelSize("linear", 16, 1, 4, 16, 8, n_observations=16))
    agent = omnirl_linear(str(tmp_path / "w"))
    with pytest.raises(AgentError, match="takes at most 16 observations and 5 actions") as caught:
        agent.start(RunBatch(64, 5, np.zeros(1, np.uint64)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["delta", "linear"])
def test_a_run_goes_on_from_its_saved_context(tmp_path, kind):
    size = SIZE if kind == "delta" else ModelSize("linear", 16, 1, 4, 16, 8)
    weights(tmp_path / "w", size)
    streams = RunBatch(16, 5, np.arange(3, dtype=np.uint64))
    rng = np.random.default_rng(0)

    def go_on(agent, steps):
        actions, never = [], np.zeros(3, np.bool_)
        for observation, reward in steps:
            actions.append(agent.act(observation))
            agent.learn(
                Transition(observation, actions[-1], reward, observation[::-1].copy(), never, never)
            )
        return np.array(actions)

    steps = [(rng.integers(0, 16, 3), rng.standard_normal(3)) for _ in range(40)]
    name = {"delta": "omnirl", "linear": "omnirl-linear"}[kind]
    agents = [AgentSpec(name, str(tmp_path / "w")).make() for _ in range(3)]
    straight, cut, resumed = agents
    for agent in agents:
        agent.start(streams)
    whole = go_on(straight, steps)
    go_on(cut, steps[:25])
    before = cut.memory_bytes
    cut.save_context(tmp_path / "context")
    resumed.load_context(tmp_path / "context")
    np.testing.assert_array_equal(go_on(resumed, steps[25:]), whole[25:])
    assert resumed.memory_bytes == straight.memory_bytes == before
    resumed.start(RunBatch(16, 5, np.arange(2, dtype=np.uint64)))
    with pytest.raises(ValueError, match="other runs"):
        resumed.load_context(tmp_path / "context")
    with pytest.raises(ValueError, match="holds no context"):
        resumed.load_context(tmp_path / "w")


class TestDelta(AgentConformance):
    @pytest.fixture(autouse=True)
    def _weights(self, tmp_path):
        weights(tmp_path / "w")
        self.path = str(tmp_path / "w")

    def make_agent(self):
        return AgentSpec("omnirl", self.path).make()


class TestLinear(TestDelta):
    @pytest.fixture(autouse=True)
    def _weights(self, tmp_path):
        weights(tmp_path / "w", ModelSize("linear", 16, 2, 4, 16, 8))
        self.path = str(tmp_path / "w")

    def make_agent(self):
        return AgentSpec("omnirl-linear", self.path).make()


def test_a_run_that_saw_a_demonstrator_gets_no_bonus():
    """Two runs with the same memory, of which a demonstrator acted in the second alone."""
    agent = omnirl()
    agent.start(RunBatch(4, 5, np.zeros(2, np.uint64)))
    seen, never = np.zeros(2, np.int64), np.zeros(2, np.bool_)
    agent.act(seen)
    step = Transition(seen, seen, np.ones(2), seen, never, never)
    agent.demonstrate(step, np.array([False, True]))
    given = []
    player = agent._player
    player.logits, plain = lambda at, bonus: given.append(bonus) or plain(at, bonus), player.logits
    agent.act(seen)
    np.testing.assert_array_equal(given, [[5.0, 0.0]])

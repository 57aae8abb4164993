"""What all networks share in training: optimizer, temperatures, log, and refusals."""

import csv
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.training.log import Log  # noqa: E402
from anymdp_baselines.training.objective import Compute  # noqa: E402
from anymdp_baselines.training.optimizer import Optimizer, OptimizerSettings  # noqa: E402
from anymdp_baselines.training.temperature import (  # noqa: E402
    TemperatureSchedule,
    choose_bonuses,
    choose_temperatures,
    settled_share,
)
from anymdp_baselines.training.train import train  # noqa: E402


def test_a_learning_rate_warms_up_and_falls_to_3_in_100():
    settings = OptimizerSettings(2.0, updates=1000, warm_up=20)
    rates = [settings.learning_rate_at(update) / 2.0 for update in (0, 9, 19, 510, 1000, 2000)]
    assert rates == pytest.approx([0.05, 0.5, 1.0, 0.515, 0.03, 0.03])


def step(optimizer, value=1.0):
    optimizer.model.weight.grad = torch.full((1, 1), value)
    optimizer.model.bias.grad = torch.full((1,), value)
    return optimizer.step()


def test_weights_are_averaged_and_gradients_clipped():
    torch.manual_seed(0)
    optimizer = Optimizer(torch.nn.Linear(1, 1), OptimizerSettings(0.1, 10, 1, average_decay=0.5))
    before = optimizer.model.weight.item()
    assert step(optimizer) == pytest.approx(math.sqrt(2.0))
    now = optimizer.model.weight.item()
    assert now != before
    assert optimizer.weights()["weight"].item() == pytest.approx(0.1 * before + 0.9 * now)
    step(optimizer, math.nan)
    assert optimizer.model.weight.item() == now


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_an_optimizer_goes_on_exactly_from_its_state(decay):
    settings = OptimizerSettings(0.1, 10, 2, decay)
    first, again = (Optimizer(torch.nn.Linear(1, 1), settings) for _ in range(2))
    step(first)
    again.restore({k: v.clone() for k, v in first.state().items()}, first.updates)
    for optimizer in (first, again):
        step(optimizer, 0.3)
    assert first.weights().keys() == again.weights().keys()
    for name, tensor in first.weights().items():
        assert torch.equal(tensor, again.weights()[name])


def test_temperatures_settle_or_cool():
    settling = TemperatureSchedule(1.0, 9.0)
    assert [float(settling.temperature(80 * v, 80)) for v in (0, 9)] == [1.0, 1.0]
    assert float(settling.temperature(80 * 18, 80)) == pytest.approx(1.0 / 2**4, abs=0.04)
    assert float(settling.temperature(80 * 90, 80)) == 0.1
    cooling = TemperatureSchedule(0.8)
    assert float(cooling.temperature(200, 80)) == pytest.approx(0.8 / math.sqrt(2.0))
    assert (settling.words, cooling.words) == ("1 for 9 visits a slot", "0.8")
    found = choose_temperatures((settling, cooling), np.array([0, 1]), np.array([0, 200]), 80)
    np.testing.assert_allclose(found, [1.0, 0.8 / math.sqrt(2.0)])


def test_the_bonus_of_untried_actions_falls_as_the_temperature_does():
    """At twice the visits of `settled` to 1/16, however low the temperature may be."""
    trying = TemperatureSchedule(0.8, 9.0, 0.5, untried=4.0)
    assert [float(trying.bonus(80 * v, 80)) for v in (0, 9, 18)] == [4.0, 4.0, 0.25]
    assert trying.words == "0.8 for 9 visits a slot, untried 4"
    schedules = TemperatureSchedule(0.8), trying
    found = choose_bonuses(schedules, np.array([0, 1]), np.array([0, 80 * 18]), 80)
    np.testing.assert_array_equal(found, [0.0, 0.25])


def test_the_share_of_a_settled_run_is_that_of_the_shipped_agents():
    """To the bit: min(1, settled / visits) to the power of 4, by which they have always played."""
    visits = np.random.default_rng(0).uniform(0.0, 100.0, 10_000)
    settled = np.random.default_rng(1).uniform(0.1, 60.0, 10_000)
    expected = np.minimum(1.0, settled / np.maximum(visits, 1e-9)) ** 4.0
    np.testing.assert_array_equal(settled_share(visits, settled), expected)


def test_a_resumed_log_drops_what_comes_after_the_checkpoint(tmp_path):
    log = Log(tmp_path, 0)
    for k in (10, 20, 30):
        log.add({"round": k, "group": "tau(8,3)", "total": 1.0})
    Log(tmp_path, 20).add({"round": 30, "group": "tau(8,3)", "total": 2.0})
    with (tmp_path / "log.csv").open() as file:
        rows = [(row["round"], row["total"]) for row in csv.DictReader(file)]
    assert rows == [("10", "1.0"), ("20", "1.0"), ("30", "2.0")]


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Log(tmp_path, 0, track="tensorboard").add({"round": 10, "group": "tau(8,3)", "total": 1.5})
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (event,) = board.Scalars("tau(8,3)/total")
    assert (event.step, event.value) == (10, 1.5)


@pytest.mark.parametrize(("compute", "expected"), [(None, 1), (Compute(threads=3), 3)])
def test_a_training_takes_one_thread_unless_it_is_told_otherwise(tmp_path, compute, expected):
    def look(compute):
        found.append(torch.get_num_threads())
        raise RuntimeError("seen")

    found, before = [], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="seen"):
            train(look, tmp_path, compute=compute)
    finally:
        torch.set_num_threads(before)
    assert found == [expected]

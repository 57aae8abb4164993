"""Compiled play: the numbers of the PyTorch model, and no run depends on those beside it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.inference import CompiledNetwork  # noqa: E402
from anymdp_baselines.omnirl.model import SequenceModel  # noqa: E402
from anymdp_baselines.omnirl.play import Player  # noqa: E402
from anymdp_baselines.omnirl.play_torch import TorchNetwork, network_of  # noqa: E402
from anymdp_baselines.omnirl.size import ModelSize  # noqa: E402
from anymdp_bench.datasets.codes import NOTHING, WENT_ON  # noqa: E402

N, O, A = 7, 6, 3  # noqa: E741


def model(kind="delta", bootstrap=True, averages=False, plan=0, turns=5):
    torch.manual_seed(0)
    size = ModelSize(kind, 24, 2, 4, 16, 8, bootstrap, 1, O, A, 12, averages, plan, turns)
    made = SequenceModel(size)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return made.eval().requires_grad_(False)


def steps(t, rng):
    ending = np.full(N, NOTHING) if t == 0 else rng.integers(0, 3, N)
    reward, scale = rng.normal(size=N).astype(np.float32), rng.random(N).astype(np.float32)
    seen, left, arrival = rng.integers(0, O, (3, N))
    return (seen, left, rng.integers(0, A, N), reward, scale, ending, arrival, np.full(N, 7))


def played(network, runs=None, seed=0):
    """Preferences [20, runs, A] and the memories at the end, of some of the N runs or all."""
    rng, runs = np.random.default_rng(seed), np.arange(N) if runs is None else runs
    state = network.initial_state(len(runs), O, A)
    given = [tuple(x[runs] for x in steps(t, rng)) for t in range(20)]
    return np.array([network.logits(each, state, O, A) for each in given]), list(state)


@pytest.mark.parametrize(
    ("kind", "bootstrap", "averages", "plan", "turns"),
    [
        ("delta", True, False, 0, 0),
        ("delta", False, False, 0, 0),
        ("delta", True, True, 0, 0),
        ("delta", True, True, 16, 0),
        ("delta", True, True, 16, 3),
        ("linear", True, False, 0, 0),
        ("linear", False, False, 0, 0),
    ],
)
def test_compiled_code_plays_as_the_model_does(kind, bootstrap, averages, plan, turns):
    net = model(kind, bootstrap, averages, plan, turns)
    (plain, state), (quick, own) = played(TorchNetwork(net)), played(network_of(net))
    np.testing.assert_allclose(quick, plain, atol=1e-4)
    assert np.std(plain) > 0.01
    for a, b in zip(state, own, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-4)


@pytest.mark.parametrize(("kind", "plan"), [("delta", 0), ("delta", 16), ("linear", 0)])
def test_a_run_is_the_same_to_the_bit_whatever_runs_are_beside_it(kind, plan):
    network = network_of(model(kind, plan=plan))
    whole, memories = played(network)
    for runs in ([0], [3], [2, 5], [6, 1, 4], [0, 1, 2, 3, 4]):
        own, state = played(network, np.array(runs))
        np.testing.assert_array_equal(own, whole[:, runs])
        for a, b in zip(state, memories, strict=True):
            np.testing.assert_array_equal(a, b[runs])


def test_it_takes_over_other_weights():
    net = model()
    network = network_of(net)
    first, _ = played(network)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0.7).add_(0.1)
    network.load({name: tensor.numpy() for name, tensor in net.state_dict().items()})
    quick, _ = played(network)
    assert np.abs(quick - first).max() > 0.01
    np.testing.assert_allclose(quick, played(TorchNetwork(net))[0], atol=1e-4)


@pytest.mark.parametrize("kind", ["delta", "linear"])
def test_the_sizes_name_every_weight_of_the_model(kind):
    is_delta = kind == "delta"
    net = model(kind, averages=is_delta, plan=16 * is_delta)
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert net.size.shapes() == shapes


def test_other_models_are_played_by_pytorch():
    gated = SequenceModel(ModelSize("gated", 16, 1, 2, n_observations=O, n_actions=A))
    assert not CompiledNetwork.supports("gated")
    network = network_of(gated.requires_grad_(False))
    assert isinstance(network, TorchNetwork)
    player = Player(network, N, O, A)
    assert player.logits(np.zeros(N, np.int64)).shape == (N, A)


def two_players(plan):
    network = network_of(model(averages=bool(plan), plan=plan))
    return Player(network, 2, O, A), Player(network, 2, O, A)


def test_untried_actions_get_a_bonus_that_falls_with_every_try():
    """Run 0 takes action 1 in state 2 three times, run 1 action 0 once and action 2 twice."""
    plain, trying = two_players(plan=16)
    seen, bonus = np.full(2, 2), np.array([16.0, 36.0])
    actions = np.array([[1, 0], [1, 2], [1, 2]])
    for action in actions:
        for player in (plain, trying):
            player.logits(seen, 0.0 if player is plain else bonus)
            player.note(seen, action, np.ones(2), np.full(2, WENT_ON), seen, 7)
    found = trying.logits(seen, bonus) - plain.logits(seen)
    np.testing.assert_allclose(found, [[16.0, 1.0, 16.0], [9.0, 36.0, 4.0]], atol=1e-5)


def test_without_a_planning_memory_there_is_no_bonus():
    plain, trying = two_players(plan=0)
    seen = np.zeros(2, np.int64)
    np.testing.assert_array_equal(trying.logits(seen, 5.0), plain.logits(seen))

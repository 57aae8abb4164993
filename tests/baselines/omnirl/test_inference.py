import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.inference import CompiledStep  # noqa: E402
from anymdp_baselines.omnirl.model import ModelSize, SequenceModel  # noqa: E402
from anymdp_baselines.omnirl.play import Player  # noqa: E402
from anymdp_baselines.omnirl.tokens import StepInputs  # noqa: E402
from anymdp_bench.datasets.codes import NOTHING  # noqa: E402

N, O, A = 5, 6, 3  # noqa: E741


def model(kind="delta", bootstrap=True):
    torch.manual_seed(0)
    made = SequenceModel(ModelSize(kind, 24, 2, 4, 16, 8, bootstrap, 1, O, A, 12))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return made.eval().requires_grad_(False)


def steps(t, rng):
    ending = np.full(N, NOTHING) if t == 0 else rng.integers(0, 3, N)
    reward, scale = rng.normal(size=N).astype(np.float32), rng.random(N).astype(np.float32)
    seen, left, arrival = rng.integers(0, O, (3, N))
    given = (seen, left, rng.integers(0, A, N), reward, scale, ending, arrival, np.full(N, 7))
    return StepInputs(*(torch.from_numpy(x[:, None]) for x in given))


def both(net, compiled, seed=0):
    """(Logits step by step, memories at the end) of the model and of its compiled step."""
    rng, codes = np.random.default_rng(seed), net.codes(O)
    state, own = net.initial_state(N, O, A), net.initial_state(N, O, A)
    plain, quick = [], []
    for t in range(20):
        now = steps(t, rng)
        output, state = net(now, state, codes, A, one_step=True)
        plain.append(output.logit[:, 0].numpy())
        quick.append(compiled(now, own, codes, A))
    return (plain, state), (quick, own)


@pytest.mark.parametrize("bootstrap", [True, False])
@pytest.mark.parametrize("kind", ["delta", "linear"])
def test_the_compiled_step_is_the_models(kind, bootstrap):
    net = model(kind, bootstrap)
    (plain, state), (quick, own) = both(net, CompiledStep(net))
    np.testing.assert_allclose(quick, plain, atol=1e-4)
    assert np.std(plain) > 0.01
    for a, b in zip(state, own, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-4)


@pytest.mark.parametrize("kind", ["delta", "linear"])
def test_it_follows_the_weights_through_training(kind):
    net = model(kind)
    compiled = CompiledStep(net)
    both(net, compiled)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0.7).add_(0.1)
    (plain, _), (quick, _) = both(net, compiled)
    np.testing.assert_allclose(quick, plain, atol=1e-4)


def test_other_models_are_played_by_pytorch():
    gated = SequenceModel(ModelSize("gated", 16, 1, 2, n_observations=O, n_actions=A))
    assert not CompiledStep.supports(gated)
    player = Player(gated.requires_grad_(False), N, O, A)
    assert player.logits(np.zeros(N, np.int64)).shape == (N, A)

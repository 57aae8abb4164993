"""The compiled passes between products give PyTorch's numbers and gradients."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import gelu  # noqa: E402

from anymdp_baselines.omnirl.fused import RMSNorm, linear_gelu  # noqa: E402


def compare(ours, theirs, *inputs):
    """Outputs and gradients of both, of a random weighting of the outputs."""
    torch.manual_seed(1)
    results = []
    for function in (ours, theirs):
        given = [x.detach().clone().requires_grad_() for x in inputs]
        out = function(*given)
        torch.manual_seed(2)
        (out * torch.randn(out.shape)).sum().backward()
        results.append([out.detach(), *(x.grad for x in given)])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
    return results[0]


@pytest.mark.parametrize("width", [1, 7, 32, 129])
def test_rms_norm(width):
    torch.manual_seed(0)
    x, weight = 3.0 * torch.randn(4, 5, width), torch.randn(width)
    ours, theirs = RMSNorm(width), nn.RMSNorm(width)

    def of(norm):
        return lambda x, weight: torch.func.functional_call(norm, {"weight": weight}, (x,))

    _, d_x, d_weight = compare(of(ours), of(theirs), x, weight)
    assert d_x.abs().max() > 0
    assert d_weight.abs().max() > 0


@pytest.mark.parametrize("actions", [0, 1, 5])
def test_linear_gelu(actions):
    torch.manual_seed(0)
    shape = (3, 4, actions, 6) if actions else (3, 4, 6)
    x, weight, bias = 2.0 * torch.randn(shape), torch.randn(33, 6), torch.randn(33)
    each = torch.randn(3, 4, 33)
    layer = nn.Linear(6, 33)

    def ours(x, weight, bias, each):
        layer.weight, layer.bias = weight, bias
        return linear_gelu(layer, x, each if actions else None) + 0.0 * each.sum()

    def theirs(x, weight, bias, each):
        inside = nn.functional.linear(x, weight, bias) + (each[:, :, None] if actions else 0.0)
        return gelu(inside, approximate="tanh") + 0.0 * each.sum()

    del layer.weight, layer.bias
    compare(ours, theirs, x, weight, bias, each)


def test_large_numbers_stay_finite():
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.zero_()
    x = torch.tensor([[[-1e4], [-30.0], [-5.0], [0.0], [5.0], [30.0], [1e4]]], requires_grad=True)
    out = linear_gelu(layer, x)
    out.sum().backward()
    expected = x.detach().clone().requires_grad_()
    gelu(expected, approximate="tanh").sum().backward()
    torch.testing.assert_close(out, gelu(x, approximate="tanh"), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(x.grad, expected.grad, rtol=1e-5, atol=1e-6)


def test_half_precision_is_left_to_pytorch():
    layer, x = nn.Linear(4, 8), torch.randn(2, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear_gelu(layer, x).dtype == torch.bfloat16
    norm = RMSNorm(4).to(torch.bfloat16)
    assert norm(x.to(torch.bfloat16)).dtype == torch.bfloat16

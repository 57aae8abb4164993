import numpy as np
import pytest

from anymdp_baselines.layers import gelu, layer_norm, matmul, product, silu

X = np.concatenate([np.linspace(-200, 200, 40_001), [0.0, 1e-30, -1e-30]]).astype(np.float32)


def test_silu_is_exact_to_six_digits():
    out = X.copy()
    silu(out)
    x = X.astype(np.float64)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(out, x / (1.0 + np.exp(-x)), rtol=1e-6, atol=1e-9)


def test_gelu_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    out = X.copy()
    gelu(out)
    given = torch.from_numpy(X.astype(np.float64))
    expected = torch.nn.functional.gelu(given, approximate="tanh")
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-6, atol=1e-6)


def test_layer_norm_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    given = np.random.default_rng(0).normal(3.0, 2.0, (7, 12)).astype(np.float32)
    out = given.copy()
    layer_norm(out)
    expected = torch.nn.functional.layer_norm(torch.from_numpy(given), (12,))
    np.testing.assert_allclose(out, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 9, 20_000])
def test_product_is_the_product(rows):
    a, b = (np.random.default_rng(0).random(s).astype(np.float32) for s in ((rows, 5), (5, 3)))
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 5), (4, 8, 16), (13, 33, 20)])
def test_matmul_is_the_product_and_no_row_depends_on_the_others(shape):
    rng, (rows, depth, columns) = np.random.default_rng(0), shape
    a = rng.standard_normal((rows, depth)).astype(np.float32)
    b = rng.standard_normal((depth, columns)).astype(np.float32)
    out = np.full((rows, columns), np.nan, np.float32)
    matmul(a, b, out)
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=1e-5, atol=1e-5)
    for part in (slice(0, 1), slice(1, None), slice(None, None, -1)):
        own = np.empty((len(a[part]), columns), np.float32)
        matmul(np.ascontiguousarray(a[part]), b, own)
        np.testing.assert_array_equal(own, out[part])

"""What happens between two matrix products, in one compiled pass forward and one backward.

PyTorch's own functions read and write the numbers once for every operation, and its gelu costs as much as
the product before it. These compute the same, but for rounding (tested), for float32 on the CPU; anything
else takes PyTorch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn
from torch.nn import functional

from anymdp_baselines.layers import gelu_block

_EPSILON = np.float32(np.finfo(np.float32).eps)  # of PyTorch's RMSNorm


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _gelu_rows(x, bias, each, out, slope):
    """Writes gelu(x + bias + each) [n, h] and its derivative; `each` [m, h] is for n / m rows each."""
    n, h = x.shape
    many = n // max(1, len(each))
    inside = np.empty(h, np.float32)
    for i in range(n):
        if len(each):
            k = i // many
            for j in range(h):
                inside[j] = x[i, j] + bias[j] + each[k, j]
        else:
            for j in range(h):
                inside[j] = x[i, j] + bias[j]
        gelu_block(inside, out[i], slope[i])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _gelu_rows_back(slope, d_out, d_x, d_bias, d_each):
    """Computes the adjoint of `_gelu_rows`; adds to `d_bias` and `d_each`."""
    n, h = slope.shape
    many = n // max(1, len(d_each))
    for i in range(n):
        for j in range(h):
            d_x[i, j] = slope[i, j] * d_out[i, j]
        if len(d_each):
            k = i // many
            for j in range(h):
                d_each[k, j] += d_x[i, j]
        else:
            for j in range(h):
                d_bias[j] += d_x[i, j]
    for k in range(len(d_each)):
        for j in range(h):
            d_bias[j] += d_each[k, j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _norm_rows(x, weight, out, scale):
    """Writes x [n, d] scaled to a mean square of 1, times `weight`, and the factors of the rows."""
    n, d = x.shape
    for i in range(n):
        square = np.float32(0.0)
        for j in range(d):
            square += x[i, j] * x[i, j]
        factor = np.float32(1.0) / np.sqrt(square / np.float32(d) + _EPSILON)
        scale[i] = factor
        for j in range(d):
            out[i, j] = factor * x[i, j] * weight[j]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _norm_rows_back(x, weight, scale, d_out, d_x, d_weight):
    """Computes the adjoint of `_norm_rows`; adds to `d_weight`."""
    n, d = x.shape
    for i in range(n):
        factor, dot = scale[i], np.float32(0.0)
        for j in range(d):
            dot += d_out[i, j] * weight[j] * x[i, j]
        shrink = dot * factor * factor / np.float32(d)
        for j in range(d):
            d_x[i, j] = factor * (d_out[i, j] * weight[j] - shrink * x[i, j])
            d_weight[j] += factor * d_out[i, j] * x[i, j]


def _rows(x: Tensor) -> np.ndarray:
    """Returns a tensor as an array of rows."""
    return x.detach().contiguous().view(-1, x.shape[-1]).numpy()


class _Gelu(torch.autograd.Function):
    """gelu(x + bias + each); see `_gelu_rows`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, each: Tensor) -> Tensor:
        out, slope = (torch.empty(x.shape) for _ in range(2))
        _gelu_rows(_rows(x), bias.detach().numpy(), _rows(each), _rows(out), _rows(slope))
        ctx.save_for_backward(slope, each)
        return out

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        slope, each = ctx.saved_tensors
        d_x, d_each = torch.empty(slope.shape), torch.zeros(each.shape)
        d_bias = torch.zeros(slope.shape[-1])
        _gelu_rows_back(_rows(slope), _rows(d_out), _rows(d_x), d_bias.numpy(), _rows(d_each))
        return d_x, d_bias, d_each


class _Norm(torch.autograd.Function):
    """x scaled to a mean square of 1, times the weight; see `_norm_rows`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        out, scale = torch.empty(x.shape), torch.empty(x.numel() // x.shape[-1])
        _norm_rows(_rows(x), weight.detach().numpy(), _rows(out), scale.numpy())
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor]:
        x, weight, scale = ctx.saved_tensors
        d_x, d_weight = torch.empty(x.shape), torch.zeros(weight.shape)
        given = (_rows(x), weight.detach().numpy(), scale.numpy(), _rows(d_out))
        _norm_rows_back(*given, _rows(d_x), d_weight.numpy())
        return d_x, d_weight


def _is_fused(*tensors: Tensor) -> bool:
    return all(x.device.type == "cpu" and x.dtype == torch.float32 for x in tensors)


class RMSNorm(nn.RMSNorm):
    """PyTorch's RMSNorm over the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns x, [..., d], with every row scaled to a mean square of 1, times the weights."""
        if not _is_fused(x):
            return super().forward(x)
        out: Tensor = _Norm.apply(x, self.weight)
        return out


def linear_gelu(layer: nn.Linear, x: Tensor, each: Tensor | None = None) -> Tensor:
    """Returns gelu(layer(x) + each), in its tanh form.

    Args:
        layer: a linear layer with a bias.
        x: [B, T, in], or [B, T, A, in] with `each`.
        each: [B, T, out], added for every action; none by default.
    """
    if torch.is_autocast_enabled(x.device.type) or not _is_fused(x):
        hidden = layer(x) if each is None else layer(x) + each[:, :, None]
        return functional.gelu(hidden, approximate="tanh")
    product = functional.linear(x, layer.weight)
    none = product.new_empty(0, product.shape[-1]) if each is None else each
    out: Tensor = _Gelu.apply(product, layer.bias, none)
    return out

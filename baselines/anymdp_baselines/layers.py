"""Layers of small networks, compiled.

They compute what PyTorch's layers compute, but for rounding (tested), without the cost of a call. Arrays are
float32 and C-contiguous unless said.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_EPSILON = np.float32(1e-5)  # of PyTorch's layer_norm
_SERIAL = 2**18  # multiplications for which OpenBLAS takes one thread
_BLOCK = 512  # numbers that fit the first cache, with what is made of them
_ZERO, _ONE, _LOG2E = np.float32(0.0), np.float32(1.0), np.float32(math.log2(math.e))
_LEAST, _BIAS, _EXPONENT = np.float32(-126.0), np.float32(127.0), np.float32(2**23)  # of IEEE's
# 2^x on [-1, 0], interpolated at Chebyshev's nodes: powers of x from the lowest; off by less than 3e-9.
_E0, _E1, _E2, _E3, _E4, _E5, _E6, _E7 = (
    np.polynomial.Chebyshev.interpolate(np.exp2, 7, (-1.0, 0.0))
    .convert(kind=np.polynomial.Polynomial)
    .coef.astype(np.float32)
)
_STEEP, _CUBIC = np.float32(math.sqrt(8.0 / math.pi)), np.float32(0.044715)


@njit(cache=True, nogil=True)
def product(a, b):
    """a @ b; one function for all, since a call of BLAS takes long to compile.

    A few rows at a time: BLAS starts threads for more, which on small matrices wait for each other.
    """
    out = np.empty((len(a), b.shape[1]), np.float32)
    rows = max(1, _SERIAL // max(1, b.size))
    for begin in range(0, len(a), rows):
        np.dot(a[begin : begin + rows], b, out[begin : begin + rows])
    return out


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _swish(x, steep, cubic):
    """x <- x * sigmoid(steep (x + cubic x^3)), flat."""
    bits = np.empty(_BLOCK, np.int32)
    power = bits.view(np.float32)
    steep *= _LOG2E
    for begin in range(0, len(x), _BLOCK):
        part = x[begin : begin + _BLOCK]
        for j in range(len(part)):  # 2^whole, made by writing the exponent
            y = part[j] * (steep + steep * cubic * part[j] * part[j])
            bits[j] = np.int32((np.float32(np.int32(max(-abs(y), _LEAST))) + _BIAS) * _EXPONENT)
        for j in range(len(part)):
            y = part[j] * (steep + steep * cubic * part[j] * part[j])
            y = max(-abs(y), _LEAST)
            r = y - np.float32(np.int32(y))
            e = (((_E7 * r + _E6) * r + _E5) * r + _E4) * r
            e = power[j] * ((((e + _E3) * r + _E2) * r + _E1) * r + _E0)  # exp(-|...|)
            share = _ONE / (_ONE + e)
            part[j] *= share if part[j] > _ZERO else e * share


@njit(cache=True, nogil=True)
def silu(x):
    """x <- x * sigmoid(x), flat; off by less than 1e-6 of |x|."""
    _swish(x, _ONE, _ZERO)


@njit(cache=True, nogil=True)
def gelu(x):
    """x <- x * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, flat; 1 + tanh(u) is 2 sigmoid(2 u)."""
    _swish(x, _STEEP, _CUBIC)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def layer_norm(x):
    """Every row of x to mean 0 and variance 1."""
    n, d = x.shape
    for i in range(n):
        mean = _ZERO
        for j in range(d):
            mean += x[i, j]
        mean /= np.float32(d)
        square = _ZERO
        for j in range(d):
            x[i, j] -= mean
            square += x[i, j] * x[i, j]
        scale = _ONE / np.sqrt(square / np.float32(d) + _EPSILON)
        for j in range(d):
            x[i, j] *= scale

"""Layers of small networks, compiled.

They compute what PyTorch's layers compute, but for rounding (tested), without the cost of a call. Arrays are
float32 and C-contiguous unless said.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_EPSILON = np.float32(1e-5)  # of PyTorch's layer_norm
_RMS_EPSILON = np.float32(np.finfo(np.float32).eps)  # of its RMSNorm
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
_TWO, _THREE = np.float32(2.0), np.float32(3.0)


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


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def matmul(a, b, out):
    """out <- a @ b, for a [m, k] and b [k, n].

    Every row of the result is summed in the same order, whatever the number of rows: to the bit, it does
    not depend on the rows beside it. BLAS does not promise that, and is slower for these small matrices
    (`tests/benchmarks/test_sequence.py`).
    """
    m, depth = a.shape
    n = b.shape[1]
    for first in range(0, m, 4):  # the last four rows may repeat one
        i0 = first
        i1, i2, i3 = min(first + 1, m - 1), min(first + 2, m - 1), min(first + 3, m - 1)
        o0, o1, o2, o3 = out[i0], out[i1], out[i2], out[i3]
        if first + 3 >= m:
            spare = np.empty((4, n), np.float32)
            o0, o1, o2, o3 = spare[0], spare[1], spare[2], spare[3]
        for j in range(n):
            o0[j] = o1[j] = o2[j] = o3[j] = _ZERO
        whole = depth // 4 * 4
        for q in range(0, whole, 4):
            a00, a01, a02, a03 = a[i0, q], a[i0, q + 1], a[i0, q + 2], a[i0, q + 3]
            a10, a11, a12, a13 = a[i1, q], a[i1, q + 1], a[i1, q + 2], a[i1, q + 3]
            a20, a21, a22, a23 = a[i2, q], a[i2, q + 1], a[i2, q + 2], a[i2, q + 3]
            a30, a31, a32, a33 = a[i3, q], a[i3, q + 1], a[i3, q + 2], a[i3, q + 3]
            b0, b1, b2, b3 = b[q], b[q + 1], b[q + 2], b[q + 3]
            for j in range(n):
                x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
                o0[j] = (((o0[j] + a00 * x0) + a01 * x1) + a02 * x2) + a03 * x3
                o1[j] = (((o1[j] + a10 * x0) + a11 * x1) + a12 * x2) + a13 * x3
                o2[j] = (((o2[j] + a20 * x0) + a21 * x1) + a22 * x2) + a23 * x3
                o3[j] = (((o3[j] + a30 * x0) + a31 * x1) + a32 * x2) + a33 * x3
        for q in range(whole, depth):
            a00, a10, a20, a30, b0 = a[i0, q], a[i1, q], a[i2, q], a[i3, q], b[q]
            for j in range(n):
                o0[j] += a00 * b0[j]
                o1[j] += a10 * b0[j]
                o2[j] += a20 * b0[j]
                o3[j] += a30 * b0[j]
        if first + 3 >= m:
            for r in range(first, m):
                out[r] = spare[r - first]


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


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def gelu_block(x, out, slope):
    """Writes gelu(x), see `gelu`, and its derivative; one row of numbers."""
    bits = np.empty(len(x), np.int32)
    power = bits.view(np.float32)
    steep = _STEEP * _LOG2E
    for j in range(len(x)):  # 2^whole, made by writing the exponent
        y = x[j] * (steep + steep * _CUBIC * x[j] * x[j])
        bits[j] = np.int32((np.float32(np.int32(max(-abs(y), _LEAST))) + _BIAS) * _EXPONENT)
    for j in range(len(x)):
        square = x[j] * x[j]
        y = x[j] * (steep + steep * _CUBIC * square)
        y = max(-abs(y), _LEAST)
        r = y - np.float32(np.int32(y))
        e = (((_E7 * r + _E6) * r + _E5) * r + _E4) * r
        e = power[j] * ((((e + _E3) * r + _E2) * r + _E1) * r + _E0)  # exp(-|...|)
        share = _ONE / (_ONE + e)
        share = share if x[j] > _ZERO else e * share
        out[j] = x[j] * share
        rise = _STEEP * (_ONE + _THREE * _CUBIC * square)
        slope[j] = share * (_ONE + x[j] * rise * (_ONE - share))


@njit(cache=True, nogil=True)
def silu(x):
    """x <- x * sigmoid(x), flat; off by less than 1e-6 of |x|."""
    _swish(x, _ONE, _ZERO)


@njit(cache=True, nogil=True)
def gelu(x):
    """x <- x * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, flat; 1 + tanh(u) is 2 sigmoid(2 u)."""
    _swish(x, _STEEP, _CUBIC)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def tanh(x):
    """Replaces the numbers of `x`, flat, by their hyperbolic tangents; off by less than 1e-6."""
    bits = np.empty(_BLOCK, np.int32)
    power = bits.view(np.float32)
    steep = _TWO * _LOG2E
    for begin in range(0, len(x), _BLOCK):
        part = x[begin : begin + _BLOCK]
        for j in range(len(part)):  # 2^whole, made by writing the exponent
            y = max(-abs(steep * part[j]), _LEAST)
            bits[j] = np.int32((np.float32(np.int32(y)) + _BIAS) * _EXPONENT)
        for j in range(len(part)):
            y = max(-abs(steep * part[j]), _LEAST)
            r = y - np.float32(np.int32(y))
            e = (((_E7 * r + _E6) * r + _E5) * r + _E4) * r
            e = power[j] * ((((e + _E3) * r + _E2) * r + _E1) * r + _E0)  # exp(-2 |x|)
            size = (_ONE - e) / (_ONE + e)
            part[j] = size if part[j] > _ZERO else -size


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def layer_norm(x):
    """Brings every row of x to mean 0 and variance 1."""
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


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def rms_norm(x, weight):
    """Returns x scaled to a mean square of 1, times `weight`."""
    n, d = x.shape
    out = np.empty((n, d), np.float32)
    for i in range(n):
        square = np.float32(0.0)
        for j in range(d):
            square += x[i, j] * x[i, j]
        scale = np.float32(1.0) / np.sqrt(square / np.float32(d) + _RMS_EPSILON)
        for j in range(d):
            out[i, j] = scale * x[i, j] * weight[j]
    return out


@njit(cache=True, nogil=True)
def add_bias(x, bias):
    """x <- x + bias."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += bias[j]


@njit(cache=True, nogil=True)
def add_layer(x, inputs, weight, bias):
    """x <- x + inputs @ weight + bias."""
    more = np.empty(x.shape, np.float32)
    matmul(inputs, weight, more)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += more[i, j] + bias[j]


@njit(cache=True, nogil=True)
def hidden_layer(x, weight, bias, each):
    """Returns gelu(x @ weight + each + bias); `each` [n, out] is for n equal parts of the rows of x."""
    out = np.empty((len(x), weight.shape[1]), np.float32)
    matmul(x, weight, out)
    many = len(out) // len(each)
    for i in range(len(out)):
        k = i // many
        for j in range(out.shape[1]):
            out[i, j] += each[k, j] + bias[j]
    gelu(out.ravel())
    return out

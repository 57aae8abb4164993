"""Random numbers for the kernels: each stream has one 64-bit counter and shares nothing.

A stream is one element of a uint64 array. Kernels take element `i` of the array `rng` as the two arguments
`(rng, i)`. A draw adds a constant to the counter and scrambles the sum. This is SplitMix64 (Steele, Lea and
Flood, OOPSLA 2014) with Stafford's mixer 13. Draw number n of a stream therefore depends on the start and
on n alone. Streams can be stepped in any order and on any thread, and give the same numbers.

Normal numbers come from a ziggurat of 256 layers (Marsaglia and Tsang, J. Stat. Softw. 2000). It needs one
64-bit draw in 98.8% of cases.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Float64s, UInt64s

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_S11, _LAYER, _ONE = np.uint64(11), np.uint64(255), np.uint64(1)
_TO_UNIT, _TO_SIGNED_UNIT = 2.0**-53, 2.0**-52


def mix_bits(z):
    """Applies Stafford's mixer 13, a bijection of uint64 numbers that spreads every bit over all bits.

    Args:
        z: a uint64 number, or an array of them.
    """
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


scramble = njit(inline="always")(mix_bits)
"""`mix_bits` for the inside of a kernel."""


@njit(inline="always")
def bits(rng, i):
    """Draws 64 random bits from stream `i`, uint64."""
    rng[i] += _STEP
    return scramble(rng[i])


@njit(inline="always")
def uniform(rng, i):
    """Draws a float64 uniform on [0, 1), a multiple of 2**-53."""
    return (bits(rng, i) >> _S11) * _TO_UNIT


@njit(inline="always")
def integer(rng, i, n):
    """Draws an int64 uniform on 0..n-1, for 1 <= n < 2**32. The bias is below n / 2**32."""
    return np.int64(((bits(rng, i) >> _S32) * np.uint64(n)) >> _S32)


@njit
def exponential(rng, i):
    """Draws a float64 exponential with mean 1."""
    return -math.log1p(-uniform(rng, i))


def _ziggurat() -> tuple[Float64s, Float64s]:
    """Computes the right edges x[0..256] of the layers and exp(-x^2/2) at them; x[0] is the base's width."""
    r = 3.6541528853610088
    area = r * math.exp(-r * r / 2) + math.sqrt(math.pi / 2) * math.erfc(r / math.sqrt(2))
    edge = np.zeros(257)
    edge[0], edge[1] = area / math.exp(-r * r / 2), r
    for k in range(1, 255):
        edge[k + 1] = math.sqrt(-2 * math.log(area / edge[k] + math.exp(-(edge[k] ** 2) / 2)))
    return edge, np.exp(-(edge**2) / 2)


_EDGE, _DENSITY = _ziggurat()


@njit
def _normal_rare(rng, i, layer, x):
    """Finishes a draw that no core of a layer accepted, in the wedge, in the tail, or with a new draw."""
    while True:
        if layer == 0:
            r = _EDGE[1]
            while True:
                tail = exponential(rng, i) / r
                if 2 * exponential(rng, i) > tail * tail:
                    return math.copysign(r + tail, x)
        high, low = _DENSITY[layer + 1], _DENSITY[layer]
        if low + uniform(rng, i) * (high - low) < math.exp(-0.5 * x * x):
            return x
        u = bits(rng, i)
        layer = np.int64(u & _LAYER)
        x = (np.int64(u) >> 11) * _TO_SIGNED_UNIT * _EDGE[layer]
        if abs(x) < _EDGE[layer + 1]:
            return x


@njit(inline="always")
def normal(rng, i):
    """Draws a standard normal float64."""
    u = bits(rng, i)
    layer = u & _LAYER  # unsigned: no check for a negative index
    x = (np.int64(u) >> 11) * _TO_SIGNED_UNIT * _EDGE[layer]  # the top bit is the sign
    if abs(x) < _EDGE[layer + _ONE]:
        return x
    return _normal_rare(rng, i, np.int64(layer), x)


def stream(*parts: int | str) -> UInt64s:
    """Returns the start of the stream with a given name, a uint64 array [1].

    Different names give unrelated streams.

    Args:
        *parts: the name, for example ("task", "AnyMDP", 16, 5, 7). Integers may have any size and any type.
    """
    name = "\x1f".join(repr(part if isinstance(part, str) else int(part)) for part in parts)
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def derive_streams(base: UInt64s, seeds: UInt64s) -> UInt64s:
    """Derives one stream for each of `seeds` (uint64 [n]) from the stream `base` (uint64 [1]); uint64 [n]."""
    out: UInt64s = mix_bits(mix_bits(seeds + _STEP) ^ base[0])
    return out

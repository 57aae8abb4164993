"""The generator: each test states its false-alarm rate; seeds are fixed, so a pass stays a pass."""

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

from anymdp_bench.engine import rng as kernels
from anymdp_bench.engine.rng import (
    bits,
    derive_streams,
    exponential,
    integer,
    normal,
    stream,
    uniform,
)

N = 1_000_000
ALPHA = 1e-3  # false-alarm rate of each statistical test below


@njit
def draw_uniform(rng, out):
    for k in range(len(out)):
        out[k] = uniform(rng, 0)


@njit
def draw_normal(rng, out):
    for k in range(len(out)):
        out[k] = normal(rng, 0)


@njit
def draw_exponential(rng, out):
    for k in range(len(out)):
        out[k] = exponential(rng, 0)


@njit
def draw_bits(rng, out):
    for k in range(len(out)):
        out[k] = bits(rng, 0)


@njit
def draw_integer(rng, n, out):
    for k in range(len(out)):
        out[k] = integer(rng, 0, n)


@njit
def first_uniforms(rng, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = uniform(rng, i)


@pytest.fixture(scope="module")
def normals():
    out = np.empty(N)
    draw_normal(stream("test", "normal"), out)
    return out


def splitmix64(state):
    """The published algorithm in Python integers: (new state, output)."""
    mask = 2**64 - 1
    state = (state + 0x9E3779B97F4A7C15) & mask
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return state, z ^ (z >> 31)


def test_bits_are_splitmix64():
    # The first outputs for state 1234567 are those of the reference C program (Vigna, splitmix64.c).
    out = np.empty(5, np.uint64)
    draw_bits(np.array([1234567], np.uint64), out)
    assert out.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    state, twin = 1234567, []
    for _ in range(5):
        state, z = splitmix64(state)
        twin.append(z)
    assert out.tolist() == twin


def test_uniform_is_uniform_on_the_half_open_unit_interval():
    out = np.empty(N)
    draw_uniform(stream("test", "uniform"), out)
    assert out.min() >= 0.0
    assert out.max() < 1.0
    assert (out * 2**53 == np.floor(out * 2**53)).all()
    assert stats.kstest(out, "uniform").pvalue > ALPHA


def counter_before(output):
    """The stream position whose next 64 bits are `output`: the mixer run backwards."""
    mask = 2**64 - 1

    def unshift(z, by):
        out = z
        for _ in range(64 // by):
            out = z ^ (out >> by)
        return out

    z = unshift(output, 31)
    z = unshift(z * pow(0x94D049BB133111EB, -1, 2**64) & mask, 27)
    z = unshift(z * pow(0xBF58476D1CE4E5B9, -1, 2**64) & mask, 30)
    return np.array([(z - 0x9E3779B97F4A7C15) & mask], np.uint64)


def test_the_extreme_draws_stay_in_range():
    uniforms, exponentials, numbers = np.empty(1), np.empty(1), np.empty(1, np.int64)
    for output, least in [(0, 0.0), (2**64 - 1, 1.0 - 2.0**-53)]:
        draw_uniform(counter_before(output), uniforms)
        draw_exponential(counter_before(output), exponentials)
        draw_integer(counter_before(output), 7, numbers)
        assert uniforms[0] == least
        assert exponentials[0] == -math.log1p(-least)
        assert numbers[0] == (0 if output == 0 else 6)


def test_exponential_is_exponential_with_mean_one():
    out = np.empty(N)
    draw_exponential(stream("test", "exponential"), out)
    assert out.min() >= 0.0
    assert stats.kstest(out, "expon").pvalue > ALPHA


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_integer_is_uniform_on_its_range(n):
    out = np.empty(100_000, np.int64)
    draw_integer(stream("test", "integer", n), n, out)
    counts = np.bincount(out, minlength=n)
    assert len(counts) == n
    if n > 1:
        assert stats.chisquare(counts).pvalue > ALPHA


def test_normal_is_standard_normal(normals):
    assert stats.kstest(normals, "norm").pvalue > ALPHA


def test_normal_has_the_moments_of_the_normal(normals):
    # The mean of x^k over n draws has standard error sqrt((E x^2k - (E x^k)^2) / n), and E x^(2, 4, 6, 8) is
    # 1, 3, 15, 105.
    for power, expected, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        z = (np.mean(normals**power) - expected) / math.sqrt(variance / N)
        assert abs(z) < stats.norm.isf(ALPHA / 8), f"moment {power}: {z:.2f} standard errors off"


def test_normal_is_right_at_every_layer_of_the_ziggurat(normals):
    # Chi-square over the 256 layers' own edges: a wrong wedge would show in one of them.
    edges = kernels._EDGE[1:]
    share = 2 * (stats.norm.sf(edges[1:]) - stats.norm.sf(edges[:-1]))
    inside = np.histogram(abs(normals), bins=edges[::-1])[0][::-1]
    assert stats.chisquare(inside, share / share.sum() * inside.sum()).pvalue > ALPHA


def normals_after(outputs):
    """The normal drawn from a stream whose first 64 bits are each of `outputs`."""
    drawn, one = [], np.empty(1)
    for output in outputs:
        draw_normal(counter_before(output), one)
        drawn.append(one[0])
    return np.array(drawn)


def bits_for(layer, x):
    """64 bits that pick `layer` and the point x on it, -1 <= x / edge < 1."""
    return (round(x / kernels._EDGE[layer] * 2**52) << 11) % 2**64 | layer


@pytest.mark.parametrize("layer", [1, 30, 128, 254, 255])
def test_the_wedge_of_a_layer_keeps_the_share_under_the_curve(layer):
    """A wedge point x is kept with probability (exp(-x^2/2) - bottom) / (top - bottom) of its layer."""
    inner, outer = kernels._EDGE[layer + 1], kernels._EDGE[layer]
    top, bottom = math.exp(-(inner**2) / 2), math.exp(-(outer**2) / 2)
    for part, sign in [(0.1, 1), (0.5, -1), (0.9, 1)]:
        x = inner + part * (outer - inner)
        # Slightly different points give unrelated next draws.
        points = x + (outer - inner) * 1e-6 * np.arange(1_500)
        drawn = normals_after(bits_for(layer, sign * point) for point in points)
        kept = int((abs(drawn - sign * points) < 1e-12).sum())
        share = (math.exp(-x * x / 2) - bottom) / (top - bottom)
        assert stats.binomtest(kept, len(points), share).pvalue > ALPHA / 15


def test_the_tail_is_the_normals():
    """20,000 draws sent into the tail: sf(x) / sf(r) is uniform, and the sign that of the bits."""
    r, width = kernels._EDGE[1], kernels._EDGE[0]
    points = np.linspace(r, width, 20_002)[1:-1] * np.where(np.arange(20_000) % 2, 1, -1)
    drawn = normals_after(bits_for(0, point) for point in points)
    assert (np.sign(drawn) == np.sign(points)).all()
    assert (abs(drawn) > r).all()
    assert stats.kstest(stats.norm.sf(abs(drawn)) / stats.norm.sf(r), "uniform").pvalue > ALPHA


def test_normal_tail_beyond_the_last_layer(normals):
    r = kernels._EDGE[1]
    assert 3.65 < r < 3.66
    tail = abs(normals)[abs(normals) > r]
    share = 2 * stats.norm.sf(r)
    assert stats.binomtest(len(tail), N, share).pvalue > ALPHA
    beyond = stats.norm.sf(tail) / stats.norm.sf(r)  # uniform if the tail is a normal tail
    assert stats.kstest(beyond, "uniform").pvalue > ALPHA


def test_normal_sign_is_independent_of_size(normals):
    assert stats.binomtest(int((normals > 0).sum()), N).pvalue > ALPHA
    assert stats.ks_2samp(normals[normals > 0], -normals[normals < 0]).pvalue > ALPHA


def test_successive_draws_are_uncorrelated(normals):
    # Correlation of n independent pairs has standard error 1 / sqrt(n).
    for lag in (1, 2, 3):
        for x in (normals, normals**2, abs(normals) > 1):
            r = np.corrcoef(x[lag:], x[:-lag])[0, 1]
            assert abs(r) * math.sqrt(N - lag) < stats.norm.isf(ALPHA / 18)


def test_neighbouring_streams_are_uncorrelated():
    out = np.empty((20_001, 20))
    first_uniforms(derive_streams(stream("env", 0), np.arange(20_001, dtype=np.uint64)), out)
    assert stats.kstest(out.ravel(), "uniform").pvalue > ALPHA
    a, b = out[:-1].ravel(), out[1:].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) * math.sqrt(a.size) < stats.norm.isf(ALPHA / 2)
    per_draw = stats.chi2_contingency(np.histogram2d(out[:-1, 0], out[1:, 0], bins=10)[0])
    assert per_draw.pvalue > ALPHA


def test_neighbouring_seeds_of_the_same_name_differ_in_half_their_bits():
    starts = derive_streams(stream("env", 0), np.arange(4_097, dtype=np.uint64))
    flipped = np.bitwise_count(starts[1:] ^ starts[:-1])
    # The number of differing bits is Binomial(64, 1/2): mean 32, variance 16.
    z = (flipped.mean() - 32) / math.sqrt(16 / len(flipped))
    assert abs(z) < stats.norm.isf(ALPHA / 2)
    assert len(np.unique(starts)) == len(starts)


def test_streams_of_a_seed_do_not_depend_on_other_seeds():
    base = stream("env", 3)
    many = derive_streams(base, np.arange(100, dtype=np.uint64))
    assert derive_streams(base, np.array([42], np.uint64))[0] == many[42]
    assert derive_streams(stream("env", 4), np.array([42], np.uint64))[0] != many[42]


def test_draws_do_not_depend_on_how_streams_are_interleaved():
    a = derive_streams(stream("x"), np.arange(3, dtype=np.uint64))
    b = a[::-1].copy()
    first, second = np.empty((3, 4)), np.empty((3, 4))
    first_uniforms(a, first)
    first_uniforms(b, second)
    assert (first == second[::-1]).all()


def test_stream_names():
    # BLAKE2b of the name, so a recorded start: a change would move every task of every family.
    assert stream("AnyMDP", 16, 16, 5, 7).dtype == np.uint64
    assert stream("AnyMDP", 16, 16, 5, 7).tolist() == [15567176194730103375]
    names = [
        ("a", 1),
        ("a", "1"),
        ("a1",),
        ("a", 11),
        ("a", 1, 1),
        (1, "a"),
        ("a", 2**64),
        ("a", -1),
    ]
    assert len({int(stream(*parts)[0]) for parts in names}) == len(names)


def test_stream_does_not_tell_numpy_integers_from_python_integers():
    assert stream("task", np.int64(5)).tolist() == stream("task", 5).tolist()

"""Mixers: chunkwise, recurrent and naive forms are one function."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anymdp_baselines.omnirl.mixers import (
    Addresses,
    HiddenStreams,
    convolution,
    delta_memory,
    gated_deltanet,
    key_scans,
    slot_scans,
)

TOLERANCE = 1e-4


def naive_slots(slot, seen, value, beta, g, memory):
    """The recurrence of `slot_scans`, equation (1), a number at a time."""
    n, length = slot.shape
    n_actions, size = memory.shape[2:]
    heads = beta.shape[2]
    after = memory.clone()
    read = torch.zeros(n, length, n_actions, size)
    wrote = torch.zeros(n, length, size)
    for i in range(n):
        for t in range(length):
            k = int(slot[i, t])
            if k >= 0:
                o, a = divmod(k, n_actions)
                rows = after[i, seen[i, t]].clone()
                old = after[i, o, a].clone()
                for c in range(size):
                    h = c // (size // heads)
                    target = value[i, t, c] + (g[i, t, h] * rows[:, c]).sum()
                    after[i, o, a, c] = old[c] + beta[i, t, h] * (target - old[c])
                wrote[i, t] = after[i, o, a]
            read[i, t] = after[i, seen[i, t]]
    return read, wrote, after


def slot_case(seed, n=2, length=37, n_observations=4, n_actions=3, size=8, heads=2):
    torch.manual_seed(seed)
    slot = torch.randint(-1, n_observations * n_actions, (n, length))
    seen = torch.randint(0, n_observations, (n, length))
    g = torch.rand(n, length, heads, n_actions).softmax(-1) * torch.rand(n, length, heads, 1)
    return (
        slot, seen, torch.randn(n, length, size), torch.rand(n, length, heads), g,
        torch.randn(n, n_observations, n_actions, size),
    )  # fmt: skip


def with_gradients(function, case):
    """Its outputs and the gradients of a fixed mix of them."""
    leaves = [x.clone().requires_grad_() for x in case[2:]]
    out = function(*case[:2], *leaves)
    torch.manual_seed(1)
    sum((x * torch.randn_like(x)).sum() for x in out).backward()
    return [*(x.detach() for x in out), *(leaf.grad for leaf in leaves)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_slots_recurrent_is_the_naive_loop(seed):
    case = slot_case(seed)
    for mine, naive in zip(slot_scans.scan(*case), naive_slots(*case), strict=True):
        torch.testing.assert_close(mine, naive, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("chunk", [1, 8, 16, 64])
def test_slots_chunkwise_is_recurrent_with_all_gradients(chunk):
    case = slot_case(3)
    recurrent = with_gradients(slot_scans.scan, case)
    parallel = with_gradients(lambda *x: slot_scans.chunkwise(*x, chunk=chunk), case)
    for a, b in zip(recurrent, parallel, strict=True):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=1e-5)


def test_slots_gradients_are_those_of_the_naive_loop():
    case = slot_case(4, n=1, length=12)
    for a, b in zip(
        with_gradients(slot_scans.scan, case), with_gradients(naive_slots, case), strict=True
    ):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=1e-5)


def test_a_gate_of_1_writes_and_a_gate_of_0_does_not():
    """One state, worked by hand: write 5 with gate 1, then 9 with gate 0, then 1 with gate 1/2."""
    slot, seen = torch.tensor([[0, 0, 0]]), torch.zeros(1, 3, dtype=torch.int64)
    value = torch.tensor([[[5.0], [9.0], [1.0]]])
    beta = torch.tensor([[[1.0], [0.0], [0.5]]])
    read, wrote, after = slot_scans.scan(
        slot, seen, value, beta, torch.zeros(1, 3, 1, 2), torch.zeros(1, 1, 2, 1)
    )
    assert wrote.flatten().tolist() == [5.0, 5.0, 3.0]
    assert read[0, :, 0, 0].tolist() == [5.0, 5.0, 3.0]
    assert read[0, :, 1, 0].tolist() == [0.0, 0.0, 0.0]
    assert after.flatten().tolist() == [3.0, 0.0]


def test_bootstrapping_is_td_learning():
    """A loop of one state and action with reward 1: the row tends to 1 / (1 - gamma)."""
    length, gamma = 400, 0.9
    ones = torch.ones(1, length, 1)
    slot = torch.zeros(1, length, dtype=torch.int64)
    _, _, after = slot_scans.scan(
        slot, slot, ones, 0.5 * ones, torch.full((1, length, 1, 1), gamma), torch.zeros(1, 1, 1, 1)
    )
    assert after.item() == pytest.approx(1 / (1 - gamma), rel=1e-4)


def gates_case(seed):
    generator = torch.Generator().manual_seed(seed)
    slot = torch.randint(-1, 6, (2, 20), generator=generator)
    return slot, torch.rand(2, 20, 3, generator=generator)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["_sum_gates", "_sum_gates_at_once"]))
def test_sums_of_gates_are_those_of_the_naive_loop(seed, form):
    slot, gate = gates_case(seed)
    sums = torch.rand(2, 18, generator=torch.Generator().manual_seed(seed))
    naive = sums.clone().view(2, 6, 3)
    found = getattr(delta_memory, form)(slot, gate, sums)
    for i in range(2):
        for t, k in enumerate(slot[i].tolist()):
            if k >= 0:
                naive[i, k] += gate[i, t]
            expected = naive[i, k] if k >= 0 else torch.ones(3)
            torch.testing.assert_close(found[i, t], expected)
    torch.testing.assert_close(sums.view(2, 6, 3), naive)


def test_with_a_power_of_1_a_row_is_the_weighted_mean_of_what_was_written():
    """Three writes of one slot; the gates are weights: (1 x 0.5 + 2 x 0.25 + 7 x 0.25) / 1 = 2.75."""
    memory = delta_memory.DeltaMemory(4, 2, 8, 4, averages=True)
    with torch.no_grad():
        memory.power.fill_(10.0)  # sigmoid(100) is 1
    state = memory.initial_state(1, 1, 1)
    slot = torch.zeros(1, 3, dtype=torch.int64)
    addresses = Addresses(slot, slot, torch.ones(1, 3))
    value = torch.tensor([1.0, 2.0, 7.0]).view(1, 3, 1).expand(-1, -1, 8)
    gate = torch.tensor([0.5, 0.25, 0.25]).view(1, 3, 1).expand(-1, -1, 4)
    inputs, rows, _ = memory._average(addresses, (value, gate, torch.zeros(1, 3, 4, 1)), state)
    _, wrote, after = memory._scan(addresses, inputs, rows)
    torch.testing.assert_close(wrote[0, :, 0], torch.tensor([1.0, 4 / 3, 2.75]))
    torch.testing.assert_close(after.flatten(), torch.full((8,), 2.75))


@pytest.mark.parametrize("length", [1, 7])
def test_a_memory_that_averages_goes_on_in_segments_and_single_steps(length):
    torch.manual_seed(0)
    memory = delta_memory.DeltaMemory(12, 6, 8, 4, averages=True).requires_grad_(False)
    n, total, n_observations, n_actions = 2, 21, 5, 3
    slot = torch.randint(-1, 15, (n, total))
    addresses = Addresses(slot, torch.randint(0, 5, (n, total)), torch.ones(n, total))
    stream = HiddenStreams(torch.randn(n, total, 12), torch.randn(n, total, n_actions, 6))
    whole, _ = memory(stream, addresses, memory.initial_state(n, n_observations, n_actions))
    state, parts = memory.initial_state(n, n_observations, n_actions), []
    for begin in range(0, total, length):
        part = slice(begin, begin + length)
        given_ = HiddenStreams(stream.main[:, part], stream.actions[:, part])
        where = Addresses(*(x[:, part] for x in addresses))
        step = memory.step if length == 1 else memory
        out, state = step(given_, where, state)
        parts.append(out.main)
    torch.testing.assert_close(torch.cat(parts, 1), whole.main, atol=1e-5, rtol=1e-5)


def key_case(seed, key_size=10, **changes):
    """As `slot_case`, with a table of 12 keys and a memory [n, V, K]."""
    *given_, _ = slot_case(seed, **changes)
    table = torch.nn.functional.normalize(torch.randn(12, key_size), dim=-1)
    return *given_, table, torch.randn(len(given_[0]), given_[2].shape[2], key_size)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_orthonormal_learned_keys_are_hard_addresses(seed):
    """Keys that are rows of an orthogonal matrix: rows of `slot_scans`, turned."""
    *given_, memory = slot_case(seed)
    turn, _ = torch.linalg.qr(torch.randn(12, 12))
    hard = slot_scans.scan(*given_, memory)
    soft = key_scans.scan(*given_, turn, memory.flatten(1, 2).transpose(1, 2) @ turn)
    for a, b in zip(hard[:2], soft[:2], strict=True):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=0)
    turned_back = (soft[2] @ turn.T).transpose(1, 2).view_as(memory)
    torch.testing.assert_close(turned_back, hard[2], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_learned_keys_chunkwise_is_recurrent_with_all_gradients(chunk):
    """The gradients of the keys too, and where g is 0."""
    case = list(key_case(5))
    case[4][:, :, 0] = 0.0
    recurrent = with_gradients(key_scans.scan, case)
    parallel = with_gradients(lambda *x: key_scans.chunkwise(*x, chunk=chunk), case)
    for a, b in zip(recurrent, parallel, strict=True):
        torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=1e-4)


def net_case(seed, n=2, heads=2, length=75, size=8):
    torch.manual_seed(seed)
    q, k = (
        torch.nn.functional.normalize(torch.randn(n, heads, length, size), dim=-1) for _ in "qk"
    )
    v, beta = torch.randn(n, heads, length, size), torch.rand(n, heads, length)
    decay = torch.nn.functional.logsigmoid(2 * torch.randn(n, heads, length) + 2)
    return q, k, v, beta, decay, torch.randn(n, heads, size, size)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_gated_deltanet_chunkwise_is_recurrent(seed):
    *given_, state = net_case(seed)
    parallel, after = gated_deltanet.chunkwise(*given_, state)
    outs = []
    for t in range(given_[0].shape[2]):
        out, state = gated_deltanet.recurrent(*(x[:, :, t] for x in given_), state)
        outs.append(out)
    torch.testing.assert_close(parallel, torch.stack(outs, 2), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(after, state, atol=TOLERANCE, rtol=0)


def test_gated_deltanet_recalls_what_was_written():
    """Orthogonal keys, gate 1, no decay: each key brings back its own value."""
    n = 8
    keys, values = torch.eye(n)[None, None], torch.randn(1, 1, n, n)
    ones, zeros = torch.ones(1, 1, n), torch.zeros(1, 1, n)
    _, state = gated_deltanet.chunkwise(keys, keys, values, ones, zeros, torch.zeros(1, 1, n, n))
    np.testing.assert_allclose(state[0, 0].numpy(), values[0, 0].numpy(), atol=1e-5)


def test_the_convolution_is_the_naive_sum():
    """Of four steps of its own channel, across the border of two segments too."""
    torch.manual_seed(0)
    x, taps, shift = torch.randn(2, 9, 3), torch.randn(3, 4), torch.randn(3)
    fresh = torch.zeros(2, 3, 3)
    first, past = convolution.convolve(x[:, :2], fresh, taps, shift)
    second, past = convolution.convolve(x[:, 2:], past, taps, shift)
    found = torch.cat([first, second], 1)
    for t in range(9):
        for c in range(3):
            naive = shift[c] + sum(taps[c, 3 - k] * x[:, t - k, c] for k in range(min(t + 1, 4)))
            torch.testing.assert_close(found[:, t, c], naive)
    torch.testing.assert_close(past, x[:, -3:])
    through, _ = convolution.convolve(x, fresh, convolution.unmixed_taps(3))
    torch.testing.assert_close(through, x)


def test_weights_without_a_convolution_are_read_as_they_were_meant():
    """What enters one step's q, k and v then is that step alone."""
    torch.manual_seed(0)
    mixer = gated_deltanet.GatedDeltaNet(8, 2)
    weights = mixer.state_dict()
    del weights["taps"]
    mixer.load_state_dict(weights)
    main = torch.randn(1, 6, 8)
    with torch.no_grad():
        (_, _, v, _, _), *_ = mixer._project(main, mixer.initial_state(1, 1, 1))
        alone = torch.nn.functional.silu(mixer.to_all(mixer.norm(main))[..., 16:24])
    torch.testing.assert_close(v.transpose(1, 2).flatten(2), alone)

"""Every mixer keeps the interface's promise: a segment, its pieces and its single steps are one function."""

import pytest
import torch

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, kernels, mixers

TOLERANCE = 1e-4
N, WIDTH, HEADS = 2, 32, 2
NAMES = sorted(mixers())


def mixer_case(name, length, seed=0):
    """(mixer with every parameter stirred, stream, addresses, a state it has come to)."""
    torch.manual_seed(seed)
    mixer = mixers()[name](WIDTH, HEADS)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    addresses = Addresses(*(torch.zeros(N, length, dtype=torch.int64) for _ in range(3)))
    stream = HiddenStreams(torch.randn(N, length, WIDTH), torch.zeros(N, length, 0, 0))
    with torch.no_grad():
        _, state = mixer(
            HiddenStreams(torch.randn(N, 150, WIDTH), stream.actions),
            addresses,
            mixer.initial_state(N, 1, 1),
        )
    return mixer, stream, addresses, state


def in_steps(mixer, stream, addresses, state):
    outs = []
    for main in stream.main.split(1, 1):
        out, state = mixer.step(HiddenStreams(main, stream.actions), addresses, state)
        outs.append(out.main)
    return torch.cat(outs, 1), state


def test_the_paper_s_mixers_are_there():
    assert set(NAMES) >= {"gated", "gsa", "mamba2", "rwkv7", "attention", "window", "lstm"}


@pytest.mark.parametrize("length", [1, 31, 75, 260])
@pytest.mark.parametrize("name", NAMES)
def test_chunkwise_is_recurrent(name, length):
    mixer, stream, addresses, state = mixer_case(name, length)
    with torch.no_grad():
        whole, after = mixer(stream, addresses, state)
        steps, last = in_steps(mixer, stream, addresses, state.clone())
    torch.testing.assert_close(whole.main, steps, atol=TOLERANCE, rtol=TOLERANCE)
    torch.testing.assert_close(after, last, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_run_knows_nothing_and_a_segment_is_its_parts(name):
    mixer, stream, addresses, _ = mixer_case(name, 90)
    state = mixer.initial_state(N, 1, 1)
    with torch.no_grad():
        whole, after = mixer(stream, addresses, state)
        first, middle = mixer(HiddenStreams(stream.main[:, :41], stream.actions), addresses, state)
        second, last = mixer(HiddenStreams(stream.main[:, 41:], stream.actions), addresses, middle)
    parts = torch.cat([first.main, second.main], 1)
    torch.testing.assert_close(whole.main, parts, atol=TOLERANCE, rtol=TOLERANCE)
    torch.testing.assert_close(after, last, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_single_steps(name):
    grads = []
    for whole in (True, False):
        mixer, stream, addresses, state = mixer_case(name, 40)
        out = (
            mixer(stream, addresses, state)[0].main
            if whole
            else in_steps(mixer, stream, addresses, state)[0]
        )
        torch.manual_seed(1)
        (out * torch.randn_like(out)).sum().backward()
        grads.append({k: p.grad for k, p in mixer.named_parameters()})
    for k, gradient in grads[0].items():
        scale = float(gradient.abs().max()) + 1.0
        torch.testing.assert_close(gradient / scale, grads[1][k] / scale, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_no_mixer_sees_the_future(name):
    mixer, stream, addresses, state = mixer_case(name, 70)
    other = stream.main.clone()
    other[:, 37:] = torch.randn_like(other[:, 37:])
    with torch.no_grad():
        a = mixer(stream, addresses, state)[0].main
        b = mixer(HiddenStreams(other, stream.actions), addresses, state)[0].main
    torch.testing.assert_close(a[:, :37], b[:, :37], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(a[:, 37:], b[:, 37:])


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"attention"}))
def test_the_state_does_not_grow(name):
    mixer, stream, addresses, state = mixer_case(name, 60)
    with torch.no_grad():
        assert mixer(stream, addresses, state)[1].shape == mixer.initial_state(N, 1, 1).shape


def test_the_window_ends_where_it_says():
    """What lies beyond the window changes nothing, what lies at its edge does."""
    mixer, stream, addresses, _ = mixer_case("window", 300)
    for place, same in ((300 - mixer.window - 1, True), (300 - mixer.window, False)):
        other = stream.main.clone()
        other[:, place] += 1.0
        with torch.no_grad():
            a = mixer(stream, addresses, mixer.initial_state(N, 1, 1))[0].main[:, -1]
            b = mixer(
                HiddenStreams(other, stream.actions), addresses, mixer.initial_state(N, 1, 1)
            )[0].main[:, -1]
        assert torch.allclose(a, b, atol=1e-6) is same


def test_a_slot_s_worked_example():
    """One slot, alpha = 1/2, twice: K = V = 0.5, then 0.75; the softmax over one slot is 1."""
    from anymdp_baselines.omnirl.mixers import gsa

    ones = torch.ones(1, 1, 2, 1)
    out, state = gsa.chunkwise(ones, ones, ones, -0.6931472 * ones, torch.zeros(1, 1, 1, 2))
    assert out.flatten().tolist() == pytest.approx([0.5, 0.75], abs=1e-6)
    assert state.flatten().tolist() == pytest.approx([0.75, 0.75], abs=1e-6)


@pytest.mark.skipif(
    kernels.find_kernel("gsa", "chunk_gsa") is None, reason="needs CUDA and flash-linear-attention"
)
@pytest.mark.parametrize("name", ["gated", "gsa", "mamba2", "rwkv7"])
def test_kernels_give_the_same(name):
    """To the accuracy of bfloat16 products."""
    mixer, stream, addresses, state = mixer_case(name, 256)
    expected, after = mixer(stream, addresses, state)
    place = {"device": "cuda"}
    mixer, state = mixer.to(**place), state.to(**place)
    out, last = mixer(HiddenStreams(stream.main.to(**place), stream.actions), addresses, state)
    torch.testing.assert_close(out.main.cpu(), expected.main, atol=5e-2, rtol=5e-2)
    torch.testing.assert_close(last.cpu(), after, atol=5e-2, rtol=5e-2)

"""TabularMDP: what it reads back, what it refuses and how it says so, and its fingerprint."""

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymdp_bench.engine.arrays import Bands
from anymdp_bench.mdp import TabularMDP, TaskError
from naive.random_tasks import random_task


@st.composite
def dense_tasks(draw):
    """Random tasks with probabilities in 64ths, whose sums and quotients are exact."""
    S, A = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    task = random_task(rng, S, A, terminals=draw(st.integers(0, min(2, S - 1))))
    P = np.floor(task.P * 64)
    P[..., 0] += 64 - P.sum(-1)
    P[task.terminal] = 0
    start = np.floor(task.start * 64)
    start[0] += 64 - start.sum()
    return task._replace(P=P / 64, start=start / 64)


def remade(mdp, **changes):
    """The same task again, from its public dense arrays."""
    arrays = {
        "transition": mdp.transition,
        "reward": mdp.reward,
        "reward_noise": mdp.reward_noise,
        "start": mdp.start,
        "terminal": mdp.terminal,
        "max_steps": mdp.max_steps,
        "observation": mdp.observation,
        "n_observations": mdp.n_observations,
    }
    return TabularMDP(**arrays | changes)


@given(dense_tasks())
def test_dense_arrays_read_back_exactly(task):
    mdp = task.mdp()
    S, A, _ = task.P.shape
    assert (mdp.n_states, mdp.n_actions, mdp.max_steps) == (S, A, task.horizon)
    for ours, given_ in [
        (mdp.transition, task.P),
        (mdp.reward, task.R),
        (mdp.reward_noise, task.N),
        (mdp.start, task.start),
        (mdp.terminal, task.terminal),
        (mdp.observation, task.observation),
    ]:
        assert ours.dtype == given_.dtype
        assert np.array_equal(ours, given_)
    assert mdp.n_observations == S


@given(st.integers(0, 2**32), st.integers(2, 30))
def test_rows_are_distributions_and_terminal_rows_zero(seed, size):
    task = random_task(np.random.default_rng(seed), S=size, A=2, terminals=min(2, size - 1))
    garbled = task.P + (np.random.default_rng(seed).random((size, 2, 1)) - 0.5) * 1e-6 * task.P
    garbled[task.terminal] = -5.0
    mdp = task._replace(P=garbled).mdp()
    assert np.allclose(mdp.transition[~task.terminal].sum(-1), 1.0, rtol=0, atol=1e-15 * size)
    assert (mdp.transition[task.terminal] == 0).all()
    assert np.allclose(mdp.transition, task.P, rtol=1e-6, atol=0)


@given(dense_tasks())
def test_bands_hold_the_task_and_make_it_again(task):
    mdp = task.mdp()
    low, width, offset, prob, _, _ = mdp.bands
    assert (offset == np.concatenate([[0], np.cumsum(width)[:-1]]) * mdp.n_actions).all()
    assert len(prob) == width.sum() * mdp.n_actions
    for s, a, t in np.ndindex(task.P.shape):
        inside = low[s] <= t < low[s] + width[s]
        for flat, dense in zip(mdp.bands[3:], task[:3], strict=True):
            entry = flat[offset[s] + a * width[s] + t - low[s]] if inside else 0.0
            assert entry == dense[s, a, t]
    again = TabularMDP.from_bands(
        Bands(*(array.copy() for array in mdp.bands)),
        start=mdp.start,
        terminal=mdp.terminal,
        max_steps=mdp.max_steps,
        observation=mdp.observation,
        n_observations=mdp.n_observations,
    )
    assert again == mdp
    assert again.fingerprint() == mdp.fingerprint()


def test_a_task_made_again_from_its_own_arrays_is_equal(small_tasks, anymdp16):
    for mdp in [task.mdp() for task in small_tasks] + anymdp16:
        assert remade(mdp) == mdp


def test_dense_views_are_new_arrays(small_tasks):
    mdp = small_tasks[3].mdp()
    for name in ("transition", "reward", "reward_noise"):
        getattr(mdp, name)[:] = 7.0
        assert (getattr(mdp, name) != 7.0).any()


def test_the_task_does_not_share_memory_with_what_it_was_made_of(small_tasks):
    task = small_tasks[4]
    given_ = [array.copy() for array in (task.P, task.R, task.start, task.terminal)]
    ids = task.observation.copy()
    P, R, start, terminal = given_
    mdp = TabularMDP(P, R, start=start, terminal=terminal, max_steps=3, observation=ids)
    before = mdp.fingerprint()
    for array in [*given_, ids]:
        array[:] = 0
    assert mdp.fingerprint() == before


def test_from_bands_leaves_its_arguments_alone(small_tasks):
    mdp = small_tasks[4].mdp()
    bands = Bands(*(array.copy() for array in mdp.bands))
    made = TabularMDP.from_bands(bands, start=mdp.start, terminal=mdp.terminal, max_steps=3)
    assert all(array.flags.writeable for array in bands)
    before = made.fingerprint()
    bands.reward[:] += 1.0
    assert made.fingerprint() == before


def test_it_is_frozen(small_tasks):
    mdp = small_tasks[0].mdp()
    with pytest.raises(dataclasses.FrozenInstanceError):
        mdp.max_steps = 3
    for array in (*mdp.bands, mdp.start, mdp.terminal, mdp.observation):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_rewards_broadcast():
    P = np.full((2, 3, 2), 0.5)
    keywords = {"start": [1, 0], "terminal": [False, False], "max_steps": 4}
    pair = np.arange(6.0).reshape(2, 3, 1)
    mdp = TabularMDP(P, pair, reward_noise=[0.0, 2.0], **keywords)
    assert (mdp.reward == np.broadcast_to(pair, (2, 3, 2))).all()
    assert (mdp.reward_noise == np.broadcast_to([0.0, 2.0], (2, 3, 2))).all()
    assert (TabularMDP(P, -1, **keywords).reward == -1).all()
    assert (TabularMDP(P, -1, **keywords).reward_noise == 0).all()


def test_defaults_of_observation():
    P = np.full((3, 1, 3), 1 / 3)
    keywords = {"start": [1, 0, 0], "terminal": [False] * 3, "max_steps": 4}
    plain = TabularMDP(P, 0, **keywords)
    assert plain.observation.tolist() == [0, 1, 2]
    assert plain.n_observations == 3
    assert TabularMDP(P, 0, observation=[4, 0, 2], **keywords).n_observations == 5
    assert TabularMDP(P, 0, n_observations=9, **keywords).n_observations == 9


def test_terminal_states_may_share_an_id():
    P = np.zeros((3, 1, 3))
    P[0] = [0, 0.5, 0.5]
    mdp = TabularMDP(
        P, 0, start=[1, 0, 0], terminal=[False, True, True], max_steps=1, observation=[0, 1, 1]
    )
    assert mdp.observation.tolist() == [0, 1, 1]


VALID = {
    "transition": np.full((3, 2, 3), 1 / 3),
    "reward": np.zeros((3, 2, 3)),
    "start": np.array([0.5, 0.5, 0.0]),
    "terminal": np.array([False, False, True]),
    "max_steps": 10,
}


def changed(name, place, value):
    array = np.array(VALID[name])
    array[place] = value
    return {name: array}


REFUSED = {
    "transition shape": ({"transition": np.ones((3, 2))}, r"^transition has shape \[3, 2\]"),
    "transition not square": (
        {"transition": np.ones((3, 2, 4))},
        r"^transition has shape \[3, 2, 4\]",
    ),
    "transition empty": ({"transition": np.ones((0, 2, 0))}, r"^transition has shape \[0, 2, 0\]"),
    "transition no actions": (
        {"transition": np.ones((3, 0, 3))},
        r"^transition has shape \[3, 0, 3\]",
    ),
    "transition text": ({"transition": "a task"}, r"^transition is not an array of numbers"),
    "transition ragged": ({"transition": [[1], [1, 2]]}, r"^transition is not an array of numbers"),
    "transition NaN": (
        changed("transition", (1, 0, 2), np.nan),
        r"^transition .*NaN.* \[1, 0, 2\]",
    ),
    "transition infinite": (
        changed("transition", (0, 1, 0), np.inf),
        r"^transition .* \[0, 1, 0\]",
    ),
    "transition negative": (
        changed("transition", (1, 1, 0), -0.1),
        r"^transition is .* at \[1, 1, 0\]",
    ),
    "transition sum": (
        changed("transition", (0, 1, 2), 0.5),
        r"^transition\[0, 1\] sums to 1.16667",
    ),
    "transition overflow": (
        changed("transition", (1, 0), 1e308),
        r"^transition.*\[1, 0\b",
    ),
    "reward shape": (
        {"reward": np.zeros((3, 2))},
        r"^reward has shape \[3, 2\].*\[3, 2, 3\].*\[3, 2, 1\]",
    ),
    "reward too many axes": (
        {"reward": np.zeros((1, 3, 2, 3))},
        r"^reward has shape \[1, 3, 2, 3\]",
    ),
    "reward NaN": (changed("reward", (2, 1, 0), np.nan), r"^reward .*NaN.* \[2, 1, 0\]"),
    "noise negative": ({"reward_noise": [0, -1, 0]}, r"^reward_noise is negative at \[0, 0, 1\]"),
    "noise NaN": ({"reward_noise": [0, 0, np.nan]}, r"^reward_noise .*NaN.* \[2\]"),
    "start shape": ({"start": [1.0]}, r"^start has shape \[1\]; give \[3\]"),
    "start ragged": ({"start": [[1], [1, 2]]}, r"^start "),
    "start missing": ({"start": None}, r"^start has shape \[\]"),
    "start NaN": ({"start": [np.nan, 1, 0]}, r"^start .*NaN.* \[0\]"),
    "start negative": ({"start": [1.5, -0.5, 0]}, r"^start is negative at \[1\]"),
    "start sum": ({"start": [0.5, 0.4, 0]}, r"^start sums to 0.9"),
    "start overflow": ({"start": [1e308, 1e308, 0]}, r"^start .*(inf|\[0\])"),
    "start terminal": ({"start": [0.5, 0, 0.5]}, r"^state 2 is terminal and a start state"),
    "terminal shape": ({"terminal": [[False] * 3]}, r"^terminal has shape \[1, 3\]"),
    "terminal ints": ({"terminal": [0, 0, 1]}, r"^terminal has dtype int64; give booleans"),
    "terminal everywhere": ({"terminal": [True] * 3}, r"^state 0 is terminal and a start state"),
    "max_steps zero": ({"max_steps": 0}, r"^max_steps is 0; give an integer from 1"),
    "max_steps real": ({"max_steps": 10.0}, r"^max_steps is 10.0; give an integer"),
    "max_steps bool": ({"max_steps": True}, r"^max_steps is True; give an integer"),
    "max_steps huge": (
        {"max_steps": 2**31},
        r"^max_steps is 2147483648; give an integer from 1 to",
    ),
    "observation shape": ({"observation": [0, 1]}, r"^observation has shape \[2\]"),
    "observation ragged": ({"observation": [[1], [1, 2]]}, r"^observation "),
    "observation real": ({"observation": [0.0, 1.0, 2.0]}, r"^observation has dtype float64"),
    "observation negative": ({"observation": [0, -1, 2]}, r"^observation\[1\] is -1"),
    "observation outside": (
        {"observation": [0, 1, 7], "n_observations": 7},
        r"^observation\[2\] is 7, outside 0..6",
    ),
    "observation shared": ({"observation": [5, 5, 0]}, r"^observation 5 is shown by several live"),
    "n_observations small": ({"n_observations": 2}, r"^observation\[2\] is 2, outside 0..1"),
    "n_observations real": ({"n_observations": 3.0}, r"^n_observations is 3.0"),
    "n_observations huge": ({"n_observations": 2**31}, r"^n_observations is 2147483648"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_refusals_are_one_line_and_name_the_array_and_the_place(change, says):
    with pytest.raises(TaskError) as caught:
        TabularMDP(**VALID | change)
    message = str(caught.value)
    assert re.search(says, message), message
    assert "\n" not in message
    assert len(message) < 300


def test_the_valid_task_that_the_refusals_change_is_valid():
    assert TabularMDP(**VALID).n_states == 3


BANDS = TabularMDP(**VALID).bands
HUGE = 2**63 - 1
REFUSED_BANDS = {
    "low negative": ({"low": [-1, 0, 0]}, "band of state 0"),
    "low beyond": ({"low": [0, 1, 0]}, "band of state 1"),
    "low overflows": ({"low": [0, HUGE, 0]}, "band of state 1"),
    "low overflows its dtype": ({"low": np.array([127, 0, 0], np.int8)}, "low|band of state 0"),
    "low unsigned": ({"low": np.array([2**64 - 1, 0, 0], np.uint64)}, "low|band of state 0"),
    "low real": ({"low": [0.0, 0.0, 0.0]}, "^low has dtype float64"),
    "low short": ({"low": [0, 0]}, "has shape"),
    "width negative": ({"width": [3, 4, -1]}, "band of state 1"),
    "width beyond": ({"width": [3, 3, 3]}, "width"),
    "width overflows": ({"width": [2**62, 2**62, 2**63 - 1]}, "width"),
    "no width": ({"width": [0, 0, 0]}, "width"),
    "offset shifted": ({"offset": [0, 5, 12]}, "band of state 1"),
    "offset huge": ({"offset": [0, HUGE, 12]}, "band of state 1"),
    "offset negative": ({"offset": [0, -6, 12]}, "band of state 1"),
    "prob short": ({"prob": np.zeros(11)}, "shape"),
    "prob two axes": (
        dict.fromkeys(("prob", "reward", "noise"), np.zeros((12, 1))),
        "^prob has shape",
    ),
    "prob single": ({"prob": BANDS.prob.astype(np.float32)}, "^prob has"),
    "prob NaN": ({"prob": np.full(12, np.nan)}, r"^prob .*NaN.* \[0\]"),
    "prob negative": ({"prob": np.tile([1.5, -0.5, 0], 4)}, r"^(prob|transition) .*\[[01]"),
    "prob sum": ({"prob": np.full(12, 0.3)}, r"^transition\[0, 0\] sums to 0.9, not 1"),
    "prob overflow": ({"prob": np.full(12, 1e308)}, r"(?:^prob.* \[0\]|^transition\[0, 0\])"),
    "reward short": ({"reward": np.zeros(11)}, "^reward has shape"),
    "reward infinite": ({"reward": np.full(12, -np.inf)}, r"^reward .*infinity.* \[0\]"),
    "noise negative": ({"noise": np.full(12, -1.0)}, r"^noise .*\[0\]"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED_BANDS.values(), ids=REFUSED_BANDS)
def test_refused_bands(change, says):
    arrays = {name: np.array(value) for name, value in (BANDS._asdict() | change).items()}
    with pytest.raises(TaskError, match=says) as caught:
        TabularMDP.from_bands(
            Bands(**arrays), start=VALID["start"], terminal=VALID["terminal"], max_steps=3
        )
    assert "\n" not in str(caught.value)


INDICES = st.one_of(
    st.integers(-2, 4),
    st.sampled_from([2**31, 2**61, 2**62, 2**63 - 3, 2**63 - 1, -(2**62), -(2**63)]),
)


@given(
    st.lists(st.tuples(INDICES, INDICES, INDICES), min_size=1, max_size=4),
    st.integers(1, 3),
    st.booleans(),
)
def test_no_kernel_can_be_sent_outside_its_arrays(triples, n_actions, tight):
    """Whatever the integers, bands are refused or point inside; in Python integers, which do not wrap."""
    low, width, offset = (np.array(column, np.int64) for column in zip(*triples, strict=True))
    S = len(low)
    if tight:
        with np.errstate(over="ignore"):
            offset = np.concatenate([[0], np.cumsum(width)[:-1] * n_actions])
    size = min(sum(w for w in width.tolist() if 0 < w < 5) * n_actions, 40)
    prob = np.concatenate([[1.0 / w] * w * n_actions for w in width.tolist() if 0 < w < 5] or [[]])
    bands = Bands(low, width, offset, prob, np.zeros(size), np.zeros(size))
    try:
        mdp = TabularMDP.from_bands(
            bands, start=np.eye(S)[0], terminal=np.zeros(S, bool), max_steps=2
        )
    except TaskError:
        return
    for first, wide, begin in zip(*(x.tolist() for x in mdp.bands[:3]), strict=True):
        assert 0 <= first <= first + wide <= S
        assert 0 <= begin <= begin + wide * mdp.n_actions <= len(mdp.bands.prob)


def test_bands_are_kept_as_int64(small_tasks):
    """Other integer types are taken as the numbers they are: the same task, the same fingerprint."""
    mdp = small_tasks[4].mdp()
    for dtype in (np.int32, np.uint64, np.int8):
        indices = [array.astype(dtype) for array in mdp.bands[:3]]
        same = TabularMDP.from_bands(
            Bands(*indices, *mdp.bands[3:]),
            start=mdp.start,
            terminal=mdp.terminal,
            max_steps=mdp.max_steps,
            observation=mdp.observation,
        )
        assert {array.dtype for array in same.bands[:3]} == {np.dtype(np.int64)}
        assert same == mdp


def test_terminal_rows_in_bands_hold_no_probability():
    """3e-7 is within the tolerance of the sums, but a terminal row must read back as zeros exactly."""
    bands = BANDS._replace(
        width=np.array([3, 3, 3]),
        offset=np.array([0, 6, 12]),
        prob=np.concatenate([BANDS.prob, np.full(6, 1e-7)]),
        reward=np.zeros(18),
        noise=np.zeros(18),
    )
    with pytest.raises(TaskError, match=r"^transition\[2, 0\]"):
        TabularMDP.from_bands(bands, start=VALID["start"], terminal=VALID["terminal"], max_steps=3)


def test_equality_and_hash(small_tasks):
    first, second = small_tasks[3].mdp(), small_tasks[4].mdp()
    assert first == small_tasks[3].mdp()
    assert hash(first) == hash(small_tasks[3].mdp())
    assert first != second
    assert first != "a task"
    assert copy.deepcopy(first) == first
    assert pickle.loads(pickle.dumps(first)) == first


def test_fingerprint_is_64_hex_digits_of_everything(small_tasks):
    mdp = small_tasks[5].mdp()
    live = np.flatnonzero(~mdp.terminal)
    P, R, N = mdp.transition, mdp.reward, mdp.reward_noise
    P[live[0]] = np.eye(mdp.n_states)[live[0]]
    R[live[0]] += 1e-9
    N[live[0]] += 1e-9
    terminal = mdp.terminal.copy()
    terminal[np.flatnonzero(mdp.terminal)[0]] = False
    P_more = mdp.transition
    P_more[terminal != mdp.terminal] = np.eye(mdp.n_states)[0]
    others = [
        remade(mdp, transition=P),
        remade(mdp, reward=R),
        remade(mdp, reward_noise=N),
        remade(mdp, start=np.eye(mdp.n_states)[live[1]]),
        remade(mdp, terminal=terminal, transition=P_more),
        remade(mdp, max_steps=mdp.max_steps + 1),
        remade(mdp, observation=mdp.observation[::-1]),
        remade(mdp, n_observations=mdp.n_observations + 1),
    ]
    prints = [other.fingerprint() for other in [mdp, *others]]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in prints)
    assert len(set(prints)) == len(prints)


def test_fingerprint_takes_negative_zero_for_zero():
    assert TabularMDP(**VALID | {"reward": -0.0}) == TabularMDP(**VALID | {"reward": 0.0})


def test_repr_is_short(small_tasks):
    assert (
        repr(small_tasks[5].mdp())
        == "TabularMDP(n_states=6, n_actions=2, max_steps=11, terminal=2)"
    )

"""AnyMDP tasks one by one: every rule of the sampler that a single task can keep or break."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anymdp_bench.engine.rng import stream
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.mdp.solution import solve
from anymdp_bench.tasks.anymdp import rewards, transitions
from anymdp_bench.tasks.anymdp.sampler import _is_spread_out, _is_worth_learning, sample
from naive.anymdp import learning_gains, visited_spread
from naive.dense import policy_iteration
from naive.random_tasks import random_task

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([8, 9, 12, 16, 24, 32])


def successors(mdp):
    """{live state: (first, last + 1) of the ranks that it can reach}."""
    reached = (mdp.transition > 0).any(1)
    live = np.flatnonzero(~mdp.terminal)
    return {s: (reached[s].argmax(), mdp.n_states - reached[s][::-1].argmax()) for s in live}


@given(SEEDS, SIZES, st.integers(2, 7))
def test_a_task_keeps_the_rules(seed, S, A):
    mdp = sample(seed, n_states=S, n_actions=A)
    P, R, N = mdp.transition, mdp.reward, mdp.reward_noise
    assert P.shape == (S, A, S)
    assert np.allclose(P[~mdp.terminal].sum(-1), 1, rtol=0, atol=1e-14)
    assert (P >= 0).all()
    assert (N >= 0).all()
    for dense in (P, R, N):
        assert (dense[mdp.terminal] == 0).all()
    # The observations are a permutation; the starts lie among the lowest three ranks, and are live.
    assert sorted(mdp.observation) == list(range(S))
    assert mdp.n_observations == S
    assert mdp.start[3:].sum() == 0
    assert mdp.start.sum() == pytest.approx(1, abs=1e-15)
    assert not mdp.terminal[mdp.start > 0].any()
    # The horizon lies in its bounds; the redrawing bounds the terminals (goal aside) by p <= 0.4.
    lo = max(4 * S, 100)
    assert lo < mdp.max_steps <= math.ceil(max(min(8 * S, 500), lo + 1))
    assert mdp.terminal[:-1].sum() < 0.4 * S + 1


@given(SEEDS, SIZES)
def test_states_reach_only_their_band(seed, S):
    mdp = sample(seed, n_states=S, n_actions=3)
    forward, backward = max(2, S // 4 + 1), max(2, S // 2 + 1)
    for s, (begin, end) in successors(mdp).items():
        lowest, top = max(0, s - backward), min(S, s + forward)
        assert lowest <= begin < max(0, s - 1, lowest + 1)
        above = np.flatnonzero(~mdp.terminal[s + 1 : end])
        if s == S - 1:
            assert end == S - 1  # its own weight is 0
        else:
            assert len(above) >= 2 or end == S
        if end > top - 1:  # widened: then one rank less was not enough
            assert len(np.flatnonzero(~mdp.terminal[s + 1 : end - 1])) < 2
        assert ((mdp.transition[s] > 0).any(0)[begin:end] | (np.arange(begin, end) == s)).all()
        assert (mdp.transition[s, :, s] > 0).any() or s == S - 1


@given(SEEDS, st.sampled_from([8, 13, 16, 32]))
def test_accepted_tasks_meet_the_conditions_of_acceptance(seed, S):
    mdp = sample(seed, n_states=S, n_actions=5)
    task = mdp.transition, mdp.reward, mdp.start, mdp.terminal
    assert learning_gains(*task, mdp.max_steps).min() >= 2
    # The real horizon lies within the unit below max_steps, and only its logarithm's floor matters.
    gini, entropy = visited_spread(*task, mdp.max_steps - 0.5)
    assert gini.min() > 0.70
    assert entropy.min() > 0.35


def tasks_near_acceptance(n, **shape):
    """Random tasks of 8 states; terminal ones lead back to the start."""
    rng = np.random.default_rng(20250210)
    return [random_task(rng, S=8, A=3, terminals=int(rng.integers(3)), **shape) for _ in range(n)]


def test_worth_learning_is_at_least_two():
    """Horizons just below and above the one that makes the gain 2, from the worst of several starts."""
    for task in tasks_near_acceptance(30):
        mdp = task.mdp()
        reward = (task.P * task.R).sum(-1)
        least = learning_gains(task.P, task.R, task.start, task.terminal, 1.0).min()
        for factor, expected in [(0.999, False), (1.001, True)]:
            worth = _is_worth_learning(
                mdp.bands,
                reward,
                mdp.start,
                mdp.terminal,
                factor * 2.0 / least,
                np.zeros(8, np.int64),
            )
            assert worth is expected


def spread_out(P, start, horizon, terminal=None, policy=None):
    """The sampler's check on a task without rewards, under `policy` (by default the first actions)."""
    S, A, _ = P.shape
    ends = np.zeros(S, bool) if terminal is None else terminal
    mdp = TabularMDP(P, 0, start=start, terminal=ends, max_steps=1)
    chosen = np.zeros(S, np.int64) if policy is None else policy
    return _is_spread_out(mdp.bands, mdp.start, mdp.terminal, horizon, chosen, A)


def test_spread_out_agrees_with_its_twin():
    verdicts = []
    for task in tasks_near_acceptance(300, density=0.15):
        _, _, policy = policy_iteration(task.P, task.R, task.terminal, 2 ** (-1 / 8))
        for horizon in (1.5, 3.0, 10.0, 100.0):
            gini, entropy = visited_spread(task.P, task.R, task.start, task.terminal, horizon)
            expected = bool(gini.min() > 0.70 and entropy.min() > 0.35)
            ours = spread_out(task.P, task.start, horizon, task.terminal, policy)
            assert ours is expected
            verdicts.append(expected)
    assert 50 < sum(verdicts) < len(verdicts) - 50


@pytest.mark.parametrize(
    ("S", "n", "accepted"),
    [
        (8, 3, False),  # Gini impurity 1 - 1/3 = 0.667
        (8, 4, True),  # 0.75
        (128, 5, False),  # 0.8, but ln 5 / ln 128 = 0.332
        (128, 6, True),  # ln 6 / ln 128 = 0.369
    ],
)
def test_spread_out_by_hand(S, n, accepted):
    """Every state leads to each of n states with 1/n: Gini impurity 1 - 1/n, entropy ln n."""
    P = np.zeros((S, 1, S))
    P[:, 0, :n] = 1 / n
    assert spread_out(P, np.eye(S)[0], 100.0) is accepted


@pytest.mark.parametrize(
    ("horizon", "steps"), [(1.9, 2), (2.0, 4), (3.99, 4), (4.0, 8), (7.99, 8), (8.0, 16)]
)
def test_spread_out_looks_two_to_the_power_of_floor_log2_h_plus_one_steps_ahead(horizon, steps):
    """A corridor of n states, then one of four at random: wide if reached in time, else a single state."""
    for n, accepted in [(steps, True), (steps + 1, False)]:
        S = n + 4
        P = np.zeros((S, 1, S))
        P[np.arange(n - 1), 0, np.arange(1, n)] = 1.0
        P[n - 1 :, 0, n:] = 0.25
        assert spread_out(P, np.eye(S)[0], horizon) is accepted


def test_every_start_must_be_spread_out():
    # State 5 leads to the four, state 4 only to itself: refused as soon as it is a start.
    P = np.zeros((6, 1, 6))
    P[:, 0, :4] = 0.25
    P[4, 0] = np.eye(6)[4]
    assert spread_out(P, np.array([0, 0, 0, 0, 0, 1.0]), 50.0)
    assert not spread_out(P, np.array([0, 0, 0, 0, 0.01, 0.99]), 50.0)


@given(SEEDS, st.sampled_from([8, 16, 32]))
def test_the_last_live_rank_is_worth_more_than_every_start(seed, S):
    """The repair's second promise: V(last) >= max V(start) + U(2, 5) at gamma 0.99."""
    mdp = sample(seed, n_states=S, n_actions=4)
    v = solve(mdp, 0.99).v
    last = S - 2 if mdp.terminal[-1] else S - 1
    assert v[last] >= v[mdp.start > 0].max() + 2.0 - 1e-6


@given(SEEDS, st.sampled_from([8, 16]))
def test_reward_is_a_part_of_state_and_action_plus_a_part_of_the_next_state(seed, S):
    """R(s,a,i) - R(s,a,j) is one number for all (s, a) that reach both; so is N, the sum of two."""
    mdp = sample(seed, n_states=S, n_actions=4)
    reached = mdp.transition[~mdp.terminal] > 0
    both = reached[:, :, :, None] & reached[:, :, None, :]
    for dense in (mdp.reward, mdp.reward_noise):
        live = dense[~mdp.terminal]
        difference = live[:, :, :, None] - live[:, :, None, :]
        low = np.where(both, difference, np.inf).min((0, 1))
        high = np.where(both, difference, -np.inf).max((0, 1))
        pairs = np.isfinite(low)
        assert pairs.sum() > S
        assert np.allclose(low[pairs], high[pairs], rtol=0, atol=1e-9)


@given(SEEDS, st.integers(8, 40), st.integers(0, 6))
def test_position_reward_ascends_with_rank(seed, S, terminals):
    rng = np.random.default_rng(seed)
    terminal = np.zeros(S, bool)
    terminal[rng.permutation(S)[:terminals]] = True
    mean, noise = rewards.sample_position(stream("test", seed), terminal)
    assert (np.diff(mean[~terminal]) >= 0).all()
    assert (mean[terminal] == 0).all()
    assert (noise[terminal] == 0).all()
    assert (noise >= 0).all()
    if not terminal[-1]:
        assert mean[-1] > 0  # the baseline is at most 0.9 of the total


@given(SEEDS, st.integers(8, 40))
def test_start_is_a_distribution_on_three_ranks(seed, S):
    start = transitions.sample_start(stream("test", seed), S)
    assert start.shape == (S,)
    assert (start >= 0).all()
    assert (start[3:] == 0).all()
    assert start.sum() == pytest.approx(1, abs=1e-15)


@given(SEEDS, st.integers(8, 16), st.integers(16, 20))
def test_active_states_may_be_fewer_than_observable_ones(seed, least, S):
    mdp = sample(seed, n_states=S, n_actions=3, min_states=least)
    assert least <= mdp.n_states <= S == mdp.n_observations
    assert len(set(mdp.observation)) == mdp.n_states
    assert set(mdp.observation) <= set(range(S))
    assert max(4 * S, 100) < mdp.max_steps  # H belongs to the observable number


def test_the_active_number_is_uniform():
    sizes = [sample(k, n_states=12, n_actions=2, min_states=9).n_states for k in range(400)]
    counts = np.bincount(sizes, minlength=13)[9:]
    assert counts.sum() == 400
    assert stats.chisquare(counts).pvalue > 1e-3  # false-alarm rate; the seeds are fixed


def test_min_states_equal_to_n_states_changes_nothing():
    assert sample(3, n_states=12, n_actions=2, min_states=12) == sample(3, n_states=12, n_actions=2)


def test_every_observation_is_used_for_every_rank():
    """Chi-square of the id shown by the lowest and highest rank, at a false-alarm rate of 1e-3 each."""
    ids = np.array([sample(k, n_states=8, n_actions=2).observation for k in range(400)])
    for rank in (0, 7):
        assert stats.chisquare(np.bincount(ids[:, rank], minlength=8)).pvalue > 1e-3


@given(SEEDS)
def test_without_composite_reward_only_the_reward_changes(seed):
    whole = sample(seed, n_states=16, n_actions=4)
    plain = sample(seed, n_states=16, n_actions=4, composite_reward=False)
    assert plain.max_steps == whole.max_steps
    for name in ("transition", "reward_noise", "start", "terminal", "observation"):
        assert np.array_equal(getattr(plain, name), getattr(whole, name)), name
    assert not np.array_equal(plain.reward, whole.reward)


def test_without_composite_reward_rewards_are_standard_normal():
    drawn = [sample(k, n_states=16, n_actions=5, composite_reward=False) for k in range(20)]
    values = np.concatenate([mdp.reward[mdp.transition > 0] for mdp in drawn])
    assert len(values) > 5_000
    assert stats.kstest(values, "norm").pvalue > 1e-3  # false-alarm rate; the seeds are fixed


def test_seeds_give_unlike_tasks_and_the_same_seed_the_same_one():
    prints = [sample(seed, n_states=16, n_actions=5).fingerprint() for seed in range(30)]
    assert len(set(prints)) == 30
    assert sample(29, n_states=16, n_actions=5).fingerprint() == prints[29]
    assert sample(2**63, n_states=16, n_actions=5).fingerprint() not in prints


def test_sizes_are_part_of_the_seed():
    # No task is another's continuation: the horizons, drawn first, differ.
    horizons = [sample(0, n_states=16, n_actions=A).max_steps for A in range(2, 12)]
    assert len(set(horizons)) > 3


@pytest.mark.parametrize(
    "keywords",
    [
        {"n_states": 7},
        {"n_states": 2},
        {"n_states": 0},
        {"n_states": -16},
        {"n_states": 16.0},
        {"n_states": True},
        {"n_states": 1.0},
        {"n_states": "16"},
        {"n_actions": 1},
        {"n_actions": 2.5},
        {"min_states": 7},
        {"min_states": 17},
        {"min_states": 8.0},
    ],
)
def test_sizes_that_make_no_task(keywords):
    with pytest.raises(TaskError) as caught:
        sample(0, **{"n_states": 16, "n_actions": 5} | keywords)
    message = str(caught.value)
    (name,) = keywords
    assert message.startswith(f"{name} is ")
    assert "give an integer" in message
    assert "\n" not in message


def test_a_large_task_keeps_the_rules_too():
    mdp = sample(0, n_states=128, n_actions=5)
    assert mdp.n_states == 128
    assert 512 < mdp.max_steps <= 513
    assert (
        learning_gains(mdp.transition, mdp.reward, mdp.start, mdp.terminal, mdp.max_steps).min()
        >= 2
    )

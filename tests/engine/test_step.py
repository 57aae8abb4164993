"""Stepping through the tables of tasks."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from anymdp_bench.engine import step
from anymdp_bench.engine.alias_tables import stack_tables
from anymdp_bench.engine.rng import derive_streams, stream
from anymdp_bench.engine.shared_step import step_shared
from anymdp_bench.engine.threads import fixed_threads
from anymdp_bench.mdp import TabularMDP
from naive.random_tasks import random_task

ALPHA = 1e-3  # false-alarm rate of each statistical test below


def new_streams(n, task=0, seed=0):
    """(streams [n, 4], generator states [n]), every stream on `task`."""
    records = np.zeros((n, 4), np.int64)
    records[:, step.TASK] = task
    return records, derive_streams(stream("test", seed), np.arange(n, dtype=np.uint64))


class Call(NamedTuple):
    """What one call of `step_streams` returned and wrote; -7 and NaN mark what it did not write."""

    code: int
    obs: np.ndarray
    reward: np.ndarray
    ended: np.ndarray
    fresh: np.ndarray
    last: np.ndarray


def take(tables, records, rng, actions, n_actions, mode, kernel=step.step_streams):
    n = len(records)
    obs, reward, last = np.full(n, -7), np.full(n, np.nan), np.full(n, -7)
    ended, fresh = np.zeros((2, n), np.bool_), np.zeros(n, np.bool_)
    actions = np.broadcast_to(actions, n).astype(np.int64)
    code = kernel(records, rng, *tables, actions, n_actions, mode, obs, reward, ended, fresh, last)
    return Call(code, obs, reward, ended, fresh, last)


def start(tables, records, rng, mask=None):
    """Resets the streams of `mask` (all by default); returns the observations, -7 elsewhere."""
    obs = np.full(len(records), -7)
    mask = np.ones(len(records), bool) if mask is None else np.array(mask)
    step.reset_streams(records, rng, *tables[:2], mask, obs)
    return obs


def test_large_ids_survive_packing():
    P = np.full((2, 1, 2), 0.5)
    ids = [2**31 - 2, 5]
    mdp = TabularMDP(P, 0.0, start=[1, 0], terminal=np.zeros(2, bool), max_steps=3, observation=ids)
    records, rng = new_streams(50)
    assert set(start(mdp.step_tables, records, rng)) == {2**31 - 2}
    assert set(take(mdp.step_tables, records, rng, 0, 1, step.NEXT_STEP).obs) == set(ids)


def test_simulated_transitions_are_those_of_the_task():
    """Chi-square of next states given (s, a), over 200,000 steps; Bonferroni over the pairs."""
    task = random_task(np.random.default_rng(2), S=8, A=3, terminals=2, horizon=9)
    table = task.mdp().step_tables
    n, sweeps = 2_000, 100
    records, rng = new_streams(n)
    start(table, records, rng)
    counts, starts = np.zeros_like(task.P), np.zeros(8)
    np.add.at(starts, records[:, step.STATE], 1)
    chooser = np.random.default_rng(3)
    for _ in range(sweeps):
        before, done = records[:, step.STATE].copy(), records[:, step.DONE] != 0
        actions = chooser.integers(3, size=n)
        take(table, records, rng, actions, 3, step.NEXT_STEP)
        after = records[:, step.STATE]
        np.add.at(counts, (before[~done], actions[~done], after[~done]), 1)
        np.add.at(starts, after[done], 1)
    assert (counts[task.P == 0] == 0).all()
    assert (starts[task.start == 0] == 0).all()
    p_values = [
        stats.chisquare(starts[task.start > 0], (task.start * starts.sum())[task.start > 0])
    ]
    for s, a in np.ndindex(8, 3):
        live = task.P[s, a] > 0
        total = counts[s, a].sum()
        if not task.terminal[s] and live.sum() > 1:
            assert total > 300, "too few visits to say anything"
            p_values.append(stats.chisquare(counts[s, a, live], task.P[s, a, live] * total))
    assert len(p_values) > 10
    assert min(p.pvalue for p in p_values) > ALPHA / len(p_values)


def test_simulated_rewards_are_normal_about_their_mean():
    # One state that returns to itself: R = 2, N = 0.5 for action 0; R = -1 without noise for action 1.
    mdp = TabularMDP(
        np.ones((1, 2, 1)),
        np.array([2.0, -1.0]).reshape(1, 2, 1),
        reward_noise=np.array([0.5, 0.0]).reshape(1, 2, 1),
        start=[1.0],
        terminal=[False],
        max_steps=10,
    )
    n = 100_000
    records, rng = new_streams(n)
    start(mdp.step_tables, records, rng)
    reward = take(mdp.step_tables, records, rng, 0, 2, step.NEXT_STEP).reward
    assert stats.kstest((reward - 2.0) / 0.5, "norm").pvalue > ALPHA
    assert (take(mdp.step_tables, records, rng, 1, 2, step.NEXT_STEP).reward == -1.0).all()


def chain(length, horizon):
    """0 -> 1 -> ... -> length, the last terminal, reward s' for a step to s', ids 10 + s."""
    P = np.zeros((length + 1, 1, length + 1))
    P[np.arange(length), 0, np.arange(1, length + 1)] = 1.0
    return TabularMDP(
        P,
        np.arange(length + 1.0),
        start=np.eye(length + 1)[0],
        terminal=np.arange(length + 1) == length,
        max_steps=horizon,
        observation=10 + np.arange(length + 1),
    )


def play(mdp, mode, steps):
    """What one stream shows over `steps` calls: (obs, reward, terminated, truncated, was reset) each."""
    records, rng = new_streams(1)
    assert start(mdp.step_tables, records, rng) == 10
    seen = []
    for _ in range(steps):
        call = take(mdp.step_tables, records, rng, 0, 1, mode)
        assert call.code == call.fresh[0]
        seen.append((call.obs[0], call.reward[0], *call.ended[:, 0], call.fresh[0]))
    return seen


def test_next_step_mode_spends_a_call_on_the_reset():
    # Gymnasium's AutoresetMode.NEXT_STEP: the call after the end ignores the action, reward 0.
    assert play(chain(2, 5), step.NEXT_STEP, 4) == [
        (11, 1.0, False, False, False),
        (12, 2.0, True, False, False),
        (10, 0.0, False, False, True),
        (11, 1.0, False, False, False),
    ]


def test_same_step_mode_resets_at_once_and_keeps_the_last_observation():
    records, rng = new_streams(1)
    mdp = chain(2, 5)
    start(mdp.step_tables, records, rng)
    assert take(mdp.step_tables, records, rng, 0, 1, step.SAME_STEP).last[0] == -7
    assert take(mdp.step_tables, records, rng, 0, 1, step.SAME_STEP).last[0] == 12
    assert play(mdp, step.SAME_STEP, 4) == [
        (11, 1.0, False, False, False),
        (10, 2.0, True, False, True),
        (11, 1.0, False, False, False),
        (10, 2.0, True, False, True),
    ]


@pytest.mark.parametrize("mode", [step.NEXT_STEP, step.DISABLED])
def test_the_horizon_truncates(mode):
    ends = [row[2:4] for row in play(chain(5, 3), mode, 3)]
    assert ends == [(False, False), (False, False), (False, True)]


@pytest.mark.parametrize("mode", [step.NEXT_STEP, step.SAME_STEP, step.DISABLED])
def test_a_terminal_state_reached_on_the_last_step_terminates_and_does_not_truncate(mode):
    assert play(chain(2, 2), mode, 2)[-1][2:4] == (True, False)


def test_the_horizon_counts_anew_in_each_episode():
    assert [row[3] for row in play(chain(5, 3), step.SAME_STEP, 9)] == [False, False, True] * 3
    after_reset = [False, False, True, False]  # NEXT_STEP's reset is a call, but no step
    assert [row[3] for row in play(chain(5, 3), step.NEXT_STEP, 12)] == after_reset * 3


def test_refused_calls_change_nothing():
    mdp = chain(1, 5)
    records, rng = new_streams(4)
    start(mdp.step_tables, records, rng)
    records[2, step.DONE] = 1
    for actions, mode, expected in [
        ([0, 1, 0, -1], step.NEXT_STEP, -2),
        ([0, 0, 0, -1], step.SAME_STEP, -4),
        ([0, 0, 0, 0], step.DISABLED, -3),
    ]:
        before = records.copy(), rng.copy()
        call = take(mdp.step_tables, records, rng, actions, 1, mode)
        assert call.code == expected
        assert (records == before[0]).all()
        assert (rng == before[1]).all()
        assert (call.obs == -7).all()


def test_only_the_mask_is_reset():
    records, rng = new_streams(5)
    mdp = chain(3, 9)
    before = records.copy(), rng.copy()
    mask = np.array([True, False, True, True, False])
    assert start(mdp.step_tables, records, rng, mask).tolist() == [10, -7, 10, 10, -7]
    assert (records[~mask] == before[0][~mask]).all()
    assert (rng[~mask] == before[1][~mask]).all()
    assert (rng[mask] != before[1][mask]).all()


@pytest.mark.parametrize("mode", [step.NEXT_STEP, step.SAME_STEP])
def test_a_stream_does_not_depend_on_other_streams(mode):
    """1,100 streams (several blocks) give the same numbers together, in threads, and one by one."""
    task = random_task(np.random.default_rng(5), S=7, A=2, terminals=1, horizon=9)
    table = task.mdp().step_tables
    n, calls = 1_100, 25
    actions = np.random.default_rng(6).integers(2, size=(calls, n))
    together, threads = new_streams(n), new_streams(n)
    alone = [(records[None].copy(), rng) for records, rng in zip(*new_streams(n), strict=True)]
    picked = [0, 1, 511, 512, 1_023, 1_024, n - 1]
    alone = {i: (alone[i][0], np.array([alone[i][1]])) for i in picked}
    for records, rng in [together, threads, *alone.values()]:
        start(table, records, rng)
    on_three_threads = partial(step_shared, fixed_threads(3))
    for now in actions:
        call = take(table, *together, now, 2, mode)
        twin = take(table, *threads, now, 2, mode, kernel=on_three_threads)
        assert call.code == twin.code == call.fresh.sum()
        for ours, theirs in zip(call[1:], twin[1:], strict=True):
            assert np.array_equal(ours, theirs)
        for i, (records, rng) in alone.items():
            single = take(table, records, rng, now[i], 2, mode)
            assert [x[..., 0].tolist() for x in single[1:]] == [
                x[..., i].tolist() for x in call[1:]
            ]
    assert np.array_equal(together[0], threads[0])
    assert np.array_equal(together[1], threads[1])


def test_streams_play_their_own_task():
    table = stack_tables([mdp.step_tables for mdp in (chain(2, 9), chain(4, 9))])
    records, rng = new_streams(2)
    records[:, step.TASK] = [1, 0]
    start(table, records, rng)
    ended = [take(table, records, rng, 0, 1, step.NEXT_STEP).ended[0].tolist() for _ in range(4)]
    assert ended == [
        [False, False],
        [False, True],
        [False, False],  # the second stream is reset
        [True, False],
    ]


def test_streams_have_the_horizon_of_their_own_task():
    table = stack_tables([mdp.step_tables for mdp in (chain(9, 2), chain(8, 4))])
    records, rng = new_streams(2)
    records[:, step.TASK] = [1, 0]
    start(table, records, rng)
    cut = [take(table, records, rng, 0, 1, step.SAME_STEP).ended[1].tolist() for _ in range(4)]
    assert cut == [[False, False], [False, True], [False, False], [True, True]]


def test_one_stream_alone_is_the_first_of_many():
    task = random_task(np.random.default_rng(7), S=6, A=2, terminals=1, horizon=6)
    table = task.mdp().step_tables
    many, rng = new_streams(1)
    one, rng_one = many[0].copy(), rng.copy()
    assert step.reset_one(one, rng_one, *table[:2]) == start(table, many, rng)
    for action in np.random.default_rng(8).integers(2, size=200):
        call = take(table, many, rng, action, 2, step.DISABLED)
        answer = step.step_one(one, rng_one, *table, 2, action)
        assert answer == (call.obs[0], call.reward[0], *call.ended[:, 0])
        assert (one == many[0]).all()
        if call.ended.any():
            start(table, many, rng)
            step.reset_one(one, rng_one, *table[:2])

"""Uncertain values, against twins that go through the steps one by one."""

import math

import numpy as np
import pytest

from anymdp_baselines.planner.features import (
    MODELS,
    PRIOR,
    WIDEST_REWARD_SD,
    _write_uncertainty_features,
    allocate_features,
    compute_features,
)
from anymdp_baselines.planner.memory import empty_memory, write
from anymdp_baselines.planner.values import compute_outcome_moments

GAMMA, UNSEEN, N, A = MODELS[0][-1], 7.0, 6, 3
SEEN = [0, 2, 3, 5]  # acted in; the others were only met


def a_run(steps=300, seed=0):
    """(Memory, steps (o, a, r, o', terminated)) of a run that leaves slot (5, 2) untried."""
    rng, memory, log = np.random.default_rng(seed), empty_memory(1, N, A), []
    for _ in range(steps):
        o, a, following = SEEN[rng.integers(4)], rng.integers(A), rng.integers(N)
        if (o, a) == (5, 2):
            continue
        log.append((o, a, float(rng.normal(following, 0.3)), following, bool(rng.random() < 0.15)))
        write(memory, 0, *log[-1], False)
    return memory, log


@pytest.fixture
def known():
    rng = np.random.default_rng(1)
    model = rng.dirichlet(np.ones(len(SEEN)), (len(SEEN), A)) * 0.9
    q = rng.normal(size=(len(SEEN), A))
    place = np.full(N, -1)
    place[SEEN] = np.arange(len(SEEN))
    return model, q.argmax(1), q.max(1), q, place


def spread(log, o, a, value, place, unseen):
    """(Mean, variance, number) of the outcomes of (o, a); among those alike the reward still varies."""
    found = [(r, j, end) for s, b, r, j, end in log if (s, b) == (o, a)]
    paid = {}
    for r, j, end in found:
        paid.setdefault(-1 if end else j, []).append(r)
    ahead = {
        j: 0.0 if j < 0 else GAMMA * (value[place[j]] if place[j] >= 0 else unseen) for j in paid
    }
    worth = np.concatenate([[np.mean(rs) + ahead[j]] * len(rs) for j, rs in paid.items()])
    noise = sum(len(rs) * np.var(rs) for rs in paid.values()) / len(found)
    return worth.mean(), worth.var() + noise, len(found)


def test_outcomes_are_those_of_the_steps(known):
    memory, log = a_run()
    _, _, value, _, place = known
    for o in SEEN:
        for a in range(A):
            if (o, a) != (5, 2):
                mean, variance, _ = spread(log, o, a, value, place, UNSEEN)
                found = compute_outcome_moments(memory, 0, o, a, place, value, GAMMA, UNSEEN)
                assert found == pytest.approx((mean, variance), rel=1e-4, abs=1e-4)


def test_uncertain_values_are_those_of_the_equation_written_out(known):
    memory, log = a_run()
    model, policy, value, q, place = known
    slot, state = np.zeros((N, A, 24)), np.zeros((N, 25))
    level, unit, m = UNSEEN * (1.0 - GAMMA), 0.7, len(SEEN)
    _write_uncertainty_features(
        memory, 0, np.array(SEEN), place, model, policy, value, q, level, unit, slot, state
    )
    rows = {
        (k, a): spread(log, o, a, value, place, UNSEEN) if (o, a) != (5, 2) else (0.0, 0.0, 0)
        for k, o in enumerate(SEEN)
        for a in range(A)
    }
    wide = sum(n * (v + (c - value[k]) ** 2) for (k, _), (c, v, n) in rows.items()) / len(log)
    uncertainty = np.array(
        [
            [
                (rows[k, a][2] * rows[k, a][1] + PRIOR * wide) / (rows[k, a][2] + PRIOR)
                for a in range(A)
            ]
            for k in range(m)
        ]
    ) / (1.0 + np.array([[rows[k, a][2] for a in range(A)] for k in range(m)]))
    best = np.zeros(m)
    for _ in range(5000):  # sweeps, where the kernel solves
        best = np.array(
            [uncertainty[k, policy[k]] + GAMMA**2 * model[k, policy[k]] @ best for k in range(m)]
        )
    variance = uncertainty + GAMMA**2 * model @ best
    for k, o in enumerate(SEEN):
        assert state[o, 24] == pytest.approx(math.log1p(math.sqrt(best[k]) / unit), rel=1e-4)
        for a in range(A):
            other = max((b for b in range(A) if b != a), key=lambda b: q[k, b])
            lead, sd = q[k, a] - q[k, other], math.sqrt(variance[k, a] + variance[k, other])
            draws = lead + sd * np.random.default_rng(a).normal(size=400_000)
            assert slot[o, a, 21] == pytest.approx(
                math.log1p(math.sqrt(variance[k, a]) / unit), rel=1e-4
            )
            assert slot[o, a, 22] == pytest.approx(np.clip(lead / sd, -4.0, 4.0), rel=1e-4)
            gained = np.maximum(draws, 0.0)  # 6 standard errors: false alarms below 1e-8
            error = 6.0 * gained.std() / math.sqrt(len(draws))
            assert math.expm1(slot[o, a, 23]) * unit == pytest.approx(
                gained.mean(), abs=error + 1e-6
            )
    assert not slot[[1, 4]].any()


def features_of(factor):
    """(Features, sd of the rewards) of a run known to be AnyMDP's, whose rewards come times `factor`."""
    _, log = a_run()
    memory, features = empty_memory(1, N, A), allocate_features(1, N, A)
    memory.assumes_anymdp[:] = 1.0
    for o, a, r, following, ended in log:
        write(memory, 0, o, a, factor * r, following, ended, False)
    compute_features(memory, np.arange(1), features)
    return features, np.std([factor * step[2] for step in log])


def test_the_absolute_scale_is_read_within_the_range_of_anymdps_tasks_alone():
    (small, sd), (ten, ten_sd), (far, far_sd), (farther, _) = map(
        features_of, (1.0, 10.0, 1e3, 1e5)
    )
    assert sd < ten_sd < WIDEST_REWARD_SD < far_sd
    absolute = [20, 21, 22]
    assert (np.abs(ten.state - small.state)[0, :, absolute] > 1.0).all()
    np.testing.assert_allclose(
        np.delete(ten.state, absolute, -1), np.delete(small.state, absolute, -1), atol=1e-3
    )
    for one, other in zip(far, farther, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)

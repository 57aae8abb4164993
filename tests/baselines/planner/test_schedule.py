"""When a run explores, settles and explores anew, and what it plays by meanwhile."""

import itertools
from dataclasses import replace

import numpy as np

from anymdp_baselines.planner.checkpoint import find_shipped, load_weights
from anymdp_baselines.planner.policy import PlannedRuns
from anymdp_baselines.planner.schedule import RENEWALS, Schedule, draw_renewals, likely
from anymdp_baselines.training.temperature import COLDEST
from anymdp_bench.agents import Transition


def test_a_run_settles_after_its_visits_a_slot():
    schedule = Schedule(9.0, 0.0, familiar=True)
    visits, branching = np.array([0.0, 9.0, 18.0, 1e9]), np.full(4, 3.0)
    np.testing.assert_allclose(
        schedule.temperature(visits, branching, np.zeros((4, 4))), [1.0, 1.0, 1 / 16, COLDEST]
    )
    assert not schedule.scouting_visits(branching).any()


BEGIN = np.array([10.0, 20.0, 64.0, 160.0])


def test_a_settled_run_explores_anew_from_time_to_time():
    schedule = Schedule(8.0, 0.0, familiar=True, first=2.0, renews=True)
    visits = np.array([0.0, 9.9, 10.0, 15.1, 15.3, 20.0, 22.3, 22.5, 64.0, 71.9, 72.0, 1e9])
    renewed = np.array([0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0], bool)
    begin = np.tile(BEGIN, (12, 1))
    np.testing.assert_array_equal(schedule.is_renewed(visits, begin), renewed)
    temperature = schedule.temperature(visits, np.ones(12), begin)
    settled = 2.0 * np.minimum(1.0, 8.0 / np.maximum(visits, 1.0)) ** 4
    np.testing.assert_allclose(temperature, np.where(renewed, 2.0, np.maximum(settled, COLDEST)))
    assert not replace(schedule, renews=False).is_renewed(visits, begin).any()


def test_no_number_of_steps_is_special_to_the_times_of_exploring_anew():
    """A begin is log-uniform: over 4,000 runs every quarter of its span gets 1,000 +- 5 sd of 27."""
    seeds = np.random.default_rng(0).integers(2**63, size=4000).astype(np.uint64)
    drawn = draw_renewals(seeds.copy())
    np.testing.assert_array_equal(drawn[1:2], draw_renewals(seeds[1:2].copy()))  # by itself
    for k, (earliest, latest, _) in enumerate(RENEWALS):
        place = np.log(drawn[:, k] / earliest) / np.log(latest / earliest)
        counts, _ = np.histogram(place, 4, (0.0, 1.0))
        assert counts.sum() == 4000
        assert (abs(counts - 1000) < 140).all()
    for (_, latest, _), (earliest, _, _) in itertools.pairwise(RENEWALS):
        assert latest == earliest  # without a gap


def test_exploring_anew_leaves_out_what_is_far_less_likely_than_the_likeliest():
    chance = np.array([[[0.5, 0.02, 0.01, 0.47]]])
    out = np.exp(likely(np.log(chance)))
    np.testing.assert_allclose(out / out.sum(), [[[0.5, 0.02, 0.0, 0.47]]] / np.float64(0.99))


def test_exploring_anew_samples_by_the_network_alone_and_play_by_what_is_known_as_well():
    schedule = Schedule(8.0, 0.0, familiar=True, known=10.0, renews=True)
    planned = PlannedRuns(
        load_weights(find_shipped()).planner(True, 16),
        np.arange(1, dtype=np.uint64),
        4,
        3,
        schedule,
    )
    runs, rng = np.arange(1), np.random.default_rng(0)
    planned._renewal_begin[:] = 12.5
    for age in (120, 180):  # 10 and 15 visits a slot
        while planned._age[0] < age:
            o, j = rng.integers(4, size=(2, 1))
            none = np.zeros(1, bool)
            planned.learn(
                runs, Transition(o, rng.integers(3, size=1), rng.normal(j), j, none, none)
            )
        planned.plan(runs)
        arrays = planned.arrays()
        if age == 180:
            expected = likely(arrays["logit"])
        else:
            temperature = (8.0 / 10.0) ** 4
            expected = (
                arrays["logit"] + 10.0 * (1.0 - temperature) * arrays["known"]
            ) / temperature
        np.testing.assert_allclose(arrays["preference"], expected)


def test_elsewhere_the_number_of_outcomes_stretches_scouting_and_exploring():
    schedule = Schedule(7.0, 3.0, familiar=False)
    branching = np.array([1.0, 2.0, 2.0])
    visits = np.array([7.0, 56.0, 112.0])
    np.testing.assert_allclose(
        schedule.temperature(visits, branching, np.zeros((3, 4))), [1.0, 1.0, 1 / 16]
    )
    np.testing.assert_allclose(schedule.scouting_visits(branching), [3.0, 6.0, 6.0])

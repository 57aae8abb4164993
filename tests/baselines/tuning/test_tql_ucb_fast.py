"""The grid search of `tql-ucb-fast`: its grid, how the grid grows, and the file that it wrote."""

import json
from dataclasses import astuple
from pathlib import Path

import pytest

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, BONUS, FastTQLUCB, TQLSettings
from anymdp_baselines.tuning import tql_ucb_fast as search

SEARCH = json.loads(Path(search.__file__).with_suffix(".json").read_text(encoding="utf-8"))


def test_the_first_grid_holds_the_scale_of_the_authors_and_no_point_twice():
    bonus = list(search.make_grid(BONUS, search.START))
    boltzmann = list(search.make_grid(BOLTZMANN, search.START))
    assert (len(bonus), len(boltzmann)) == (4 * 3 * 3 * 2, 3 * 3 * 2)
    assert len({astuple(point) for point in bonus + boltzmann}) == 90
    assert all(any(p.m == 4000 and p.power == 0.5 for p in grid) for grid in (bonus, boltzmann))


def test_a_bonus_without_its_logarithm_is_played_once():
    axes = search.START | {"m": (0.0, 0.0), "c": (0.0, 3.0)}
    assert {point.c for point in search.make_grid(BONUS, axes)} == {0.0}


@pytest.mark.parametrize(
    ("best", "grown"),
    [
        (TQLSettings(c=0.3, alpha=0.5, m=400.0), None),
        (TQLSettings(c=0.3, alpha=1.0, m=400.0), None),  # a bound by nature
        (TQLSettings(c=3.0, alpha=0.5, m=400.0), {"c": (0.003, 30.0)}),
        (TQLSettings(c=0.003, alpha=0.5, m=400.0), {"c": (0.0003, 3.0)}),
        (TQLSettings(c=0.3, alpha=0.1, m=400.0), {"alpha": (0.03, 1.0)}),
        (TQLSettings(c=0.3, alpha=0.5, m=40.0), {"m": (4.0, 4000.0)}),
        (TQLSettings(c=3.0, alpha=0.1, m=40.0), {"c": (0.003, 30.0)}),  # one axis at a time
        (TQLSettings(variant=BOLTZMANN, c=0.0, alpha=1.0, m=400.0), None),  # it has no c
    ],
)
def test_the_grid_grows_where_the_best_lies_at_its_end(best, grown):
    expected = None if grown is None else search.START | grown
    assert search.widen_axes(best, search.START) == expected


def test_growth_ends_at_the_last_value_of_an_axis():
    axes = search.START | {"m": (0.0, 4000.0)}
    assert search.widen_axes(TQLSettings(c=0.3, m=0.0), axes) is None


def test_a_search_plays_what_is_missing_and_grows(tmp_path, monkeypatch):
    """A made-up landscape whose top lies one value outside the first grid."""
    played = []

    def score(runs, point):
        played.append(point)
        return -abs(point.m - 4.0) - abs(point.alpha - 0.5) - 10 * (point.variant == BONUS)

    monkeypatch.setattr(search, "score", score)
    path = tmp_path / "search.json"
    search.search("bandit", path, 2)
    chosen = json.loads(path.read_text())["chosen"]["bandit"]
    assert (chosen["variant"], chosen["alpha"], chosen["m"]) == (BOLTZMANN, 0.5, 4.0)
    assert len(played) == len(set(played)) == 90 + 2 * 6  # m = 4, then m = 0.4 beyond it
    search.search("bandit", path, 2)
    assert len(played) == 102


@pytest.mark.parametrize("family", search.FAMILIES)
def test_each_choice_is_the_best_of_its_points(family):
    points = {tuple(p[:-1]): p[-1] for p in SEARCH["scores"][family]["points"]}
    chosen = FastTQLUCB.settings_for(search.FAMILIES[family][0])
    assert points[astuple(chosen)] == max(points.values())
    assert len(points) >= 90


@pytest.mark.parametrize("family", search.FAMILIES)
def test_each_choice_is_inside_its_grid(family):
    points = [TQLSettings(*p[:-1]) for p in SEARCH["scores"][family]["points"]]
    chosen = FastTQLUCB.settings_for(search.FAMILIES[family][0])
    alike = [point for point in points if point.variant == chosen.variant]
    axes = {k: (min(v), max(v)) for k in search.START for v in [[getattr(p, k) for p in alike]]}
    assert search.widen_axes(chosen, axes) is None


@pytest.mark.parametrize("family", search.FAMILIES)
def test_the_file_has_the_scores_around_each_choice(family):
    """On each line through the choice no point is better; the choice is inside it or at a natural bound."""
    found, chosen = SEARCH["scores"][family], FastTQLUCB.settings_for(search.FAMILIES[family][0])
    scores = [point[-1] for point in found["points"]]
    assert found["points within 0.001 of the best"] == sum(s >= max(scores) - 0.001 for s in scores)
    lines = found["around the choice"]
    assert set(lines) == set(search.AXIS_VALUES) - ({"c"} if chosen.variant == BOLTZMANN else set())
    for axis, line in lines.items():
        values = [value for value, _ in line]
        value = getattr(chosen, axis)
        assert values == sorted(values)
        assert dict(line)[value] == max(score for _, score in line) == max(scores)
        assert values[0] < value < values[-1] or (axis, value) in search.BOUNDS

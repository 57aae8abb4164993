"""The search of TQL-UCB: its rounds, the order of points, that it resumes, and the file that it wrote."""

import json
from dataclasses import astuple, replace

import numpy as np
import pytest

from anymdp_baselines.tabular.tql_ucb import AUTHORS, BOLTZMANN, BONUS, TQLUCB
from anymdp_baselines.tuning import tql_ucb as search
from anymdp_baselines.tuning.search import rank, score_curves
from anymdp_bench.evaluation import Curve


def test_the_first_round_has_both_variants_and_no_point_twice():
    points = search.make_grid()
    assert len({astuple(point) for point in points}) == len(points) == 5 * 3 * 4 * 2
    assert {point.variant for point in points} == {BONUS, BOLTZMANN}
    assert {point.c for point in points if point.variant == BOLTZMANN} == {0.0}


def test_the_settings_of_the_authors_are_in_the_search():
    gammas = search.ROUNDS[1].gammas
    assert AUTHORS in [replace(point, gamma=g) for point in search.make_grid() for g in gammas]


@pytest.mark.parametrize("rounds", [search.ROUNDS, search.FEWER_RUNS])
def test_the_last_round_is_the_whole_budget(rounds):
    assert rounds[-1].episodes == 10_000
    assert [one.episodes for one in rounds] == sorted(one.episodes for one in rounds)


def test_the_end_ranks_and_speed_breaks_ties():
    scores = {1.0: (0.95, 0.9), 2.0: (0.98, 0.1), 3.0: (0.981, 0.5), 4.0: (0.981, 0.5)}
    assert rank(scores) == [3.0, 4.0, 2.0, 1.0]


def test_the_end_of_a_run_is_its_last_tenth():
    """Tests at 1 and at every 100 of 2,000 episodes: 0 up to 1,800, then 0.6 and 1."""
    episode = np.array([1, *range(100, 2001, 100)])
    score = np.where(episode > 1900, 1.0, np.where(episode > 1800, 0.6, 0.0))
    score[0] = -50.0  # counts for neither
    curve = Curve("exact", episode, episode, score, score, score, score)
    assert score_curves([curve, curve]) == (0.8, 0.08)


def test_the_discounts_come_in_with_the_second_round():
    before = {astuple(point): (point.alpha, 0.0) for point in search.make_grid()}
    one = search.Round(2, 10, 1, gammas=(0.9, 0.99))
    points = search.select_points(before, one)
    assert [point.gamma for point in points] == [0.9, 0.99, 0.9, 0.99]
    assert {point.alpha for point in points} == {1.0}
    again = {astuple(point): (point.gamma, 0.0) for point in points}
    later = search.select_points(again, search.Round(3, 10, 1))
    assert [point.gamma for point in later] == [0.99, 0.99, 0.9]


def test_a_stopped_search_continues_from_its_file(tmp_path, monkeypatch):
    played = []

    def score(runs, point, episodes):
        if len(played) == 7 and not tmp_path.joinpath("stopped").exists():
            tmp_path.joinpath("stopped").touch()
            raise KeyboardInterrupt
        played.append((point, episodes))
        return -abs(point.m - 40.0) - abs(point.gamma - 0.98), 0.0

    monkeypatch.setattr(search, "score", score)
    monkeypatch.setattr(search, "PATH", tmp_path / "search.json")
    with pytest.raises(KeyboardInterrupt):
        search.search("bandit", search.read_file(), search.PATH)
    search.search("bandit", search.read_file(), search.PATH)
    assert len(played) == len(set(played)) == 120 + 12 * 4 + 8 + 3
    chosen = search.read_file()["chosen"]["bandit"]
    assert (chosen["m"], chosen["gamma"]) == (40.0, 0.98)
    search.search("bandit", search.read_file(), search.PATH)
    assert len(played) == 120 + 12 * 4 + 8 + 3
    monkeypatch.setattr(search, "ROUNDS", search.ROUNDS[1:])
    assert search.read_file()["scores"] == {}  # other rounds, another search


def test_the_file_of_the_package_is_continued():
    assert search.read_file()["chosen"].keys() == search.FAMILIES.keys()


@pytest.mark.parametrize("family", search.FAMILIES)
def test_each_choice_is_the_best_of_the_whole_budget(family):
    found = json.loads(search.PATH.read_text(encoding="utf-8"))["scores"][family]
    last = {tuple(row[:-2]): tuple(row[-2:]) for row in found["rounds"][-1]}
    assert len(last) == search.ROUNDS[-1].kept == search.FEWER_RUNS[-1].kept
    assert astuple(TQLUCB.settings_for(search.FAMILIES[family][0])) == rank(last)[0]

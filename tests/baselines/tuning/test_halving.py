"""Successive halving: its rounds, the order of points, that it resumes; and the files of the package."""

import json
import math
from dataclasses import astuple, dataclass, replace

import numpy as np
import pytest

from anymdp_baselines.ppo.agent import PPO
from anymdp_baselines.tabular.tql_ucb import AUTHORS, TQLUCB
from anymdp_baselines.tuning import ppo, tql_ucb
from anymdp_baselines.tuning.halving import HalvingSearch, Round
from anymdp_baselines.tuning.search import FAMILIES, rank, score_curves
from anymdp_bench.evaluation import Curve

SEARCHES = {"ppo": (ppo.SEARCH, PPO), "tql_ucb": (tql_ucb.SEARCH, TQLUCB)}


@dataclass(frozen=True)
class Numbers:
    """Settings of an agent that ends at its `end`, minus its distance from gamma = 0.9."""

    end: float
    gamma: float = 0.5


def make_search(path, played):
    def play(point, run, episodes):
        played.append((point, run.task.seed, episodes))
        if len(played) == 9 and not path.with_name("stopped").exists():
            path.with_name("stopped").touch()
            played.pop()
            raise KeyboardInterrupt
        score = np.array([point.end - abs(point.gamma - 0.9)])
        at = np.array([episodes])
        return Curve("exact", at, at, score, score, score, score)

    rounds = (Round(0, 100, 2), Round(3, 200, 1, {"gamma": (0.1, 0.9)}), Round(2, 300, 3))
    return HalvingSearch(
        path, Numbers, lambda: [Numbers(x / 10) for x in range(5)], play, rounds, rounds[1:]
    )


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


def test_the_best_of_a_round_play_the_next_with_other_values(tmp_path):
    search = make_search(tmp_path / "x.json", [])
    assert search.select_points(None, search.rounds[0]) == search.grid()
    before = {astuple(Numbers(x / 10)): (x / 10, 0.0) for x in range(5)}
    points = search.select_points(before, search.rounds[1])
    assert points == [Numbers(x, g) for x in (0.4, 0.3, 0.2) for g in (0.1, 0.9)]
    scores = {astuple(point): (point.gamma, 0.0) for point in points}
    assert search.select_points(scores, search.rounds[2]) == [Numbers(0.2, 0.9), Numbers(0.3, 0.9)]


def test_a_stopped_search_continues_from_its_file(tmp_path):
    played = []
    search = make_search(tmp_path / "x.json", played)
    with pytest.raises(KeyboardInterrupt):
        search.search("bandit", search.read_file())
    search.search("bandit", search.read_file())
    assert len(played) == len(set(played)) == 5 * 2 + 3 * 2 * 1 + 2 * 3
    assert search.read_file()["chosen"] == {"bandit": {"end": 0.4, "gamma": 0.9}}
    search.search("bandit", search.read_file())  # nothing is left
    assert len(played) == 22
    other = make_search(tmp_path / "x.json", played)
    object.__setattr__(other, "rounds", other.rounds[1:])
    assert other.read_file()["scores"] == {}  # other rounds, another search


@pytest.mark.parametrize("search", [each for each, _ in SEARCHES.values()], ids=SEARCHES)
def test_grids_have_no_point_twice_and_the_last_round_is_the_whole_budget(search):
    assert len(set(search.grid())) == len(search.grid())
    for rounds in (search.rounds, search.fewer_runs):
        assert rounds[-1].episodes == 10_000
        assert [one.episodes for one in rounds] == sorted(one.episodes for one in rounds)


def test_published_settings_are_in_the_grids():
    assert ppo.SB3 in ppo.make_grid()
    assert AUTHORS in [
        replace(point, gamma=gamma)
        for point in tql_ucb.make_grid()
        for gamma in tql_ucb.DISCOUNTS["gamma"]
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", SEARCHES)
def test_each_choice_is_the_best_of_the_whole_budget(name, family):
    search, agent = SEARCHES[name]
    file = search.read_file()
    assert file["chosen"].keys() == FAMILIES.keys()
    last = {tuple(row[:-2]): tuple(row[-2:]) for row in file["scores"][family]["rounds"][-1]}
    one = search.rounds_of(family)[-1]
    assert len(last) == one.kept * math.prod(len(x) for x in one.values.values())
    assert astuple(agent.settings_for(FAMILIES[family][0])) == rank(last)[0]
    assert json.loads(search.path.read_text("utf-8")) == file

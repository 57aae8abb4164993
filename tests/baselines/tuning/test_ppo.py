"""The search of PPO's settings: which points continue, that it resumes, and the file that it wrote."""

import json
from dataclasses import asdict

import pytest

pytest.importorskip("stable_baselines3")

from anymdp_baselines.ppo.agent import PPO
from anymdp_baselines.tuning import ppo as search


def test_the_best_of_a_round_play_the_next(monkeypatch):
    monkeypatch.setattr(search, "RUNGS", ((32, 1), (3, 2), (2, 4)))
    assert search.select_points([{}, {}, {}], 0) == [str(i) for i in range(32)]
    first = {str(i): [0.1, 0.9, 0.5, 0.9][i % 4] - i // 8 for i in range(32)}
    assert search.select_points([first, {}, {}], 1) == ["1", "3", "5"]  # of equals the first
    assert search.select_points([first, {"1": 0.2, "3": 0.1, "5": 0.3}, {}], 2) == ["5", "1"]


def test_the_file_of_the_package_is_continued():
    assert search._read()["chosen"].keys() == search.FAMILIES.keys()


def test_a_stopped_search_continues_from_its_file(tmp_path, monkeypatch):
    played = []

    def score(settings, runs, steps):
        played.append((settings, steps))
        return settings.learning_rate + settings.n_steps + settings.norm_reward

    monkeypatch.setattr(search, "score", score)
    monkeypatch.setattr(search, "PATH", tmp_path / "ppo.json")
    first = search.search("bandit", search._read())
    for _ in range(7):  # stopped after seven points
        next(first)
    assert len(list(search.search("bandit", search._read()))) == 32 + 6 - 7
    assert len(played) == 38
    chosen = search._read()["chosen"]["bandit"]
    assert (chosen["learning_rate"], chosen["n_steps"], chosen["norm_reward"]) == (3e-2, 128, True)
    assert list(search.search("bandit", search._read())) == []
    monkeypatch.setattr(search, "TASKS", 5)
    assert search._read()["scores"] == {}  # other tasks, another search


@pytest.mark.parametrize("family", search.FAMILIES)
def test_each_choice_is_the_best_of_the_last_round(family):
    found = json.loads(search.PATH.read_text(encoding="utf-8"))
    last = found["scores"][family]["rounds"][-1]
    assert len(last) == search.RUNGS[-1][0]
    chosen = search.make_grid().index(PPO.settings_for(search.FAMILIES[family][0]))
    assert found["chosen"][family] == asdict(PPO.settings_for(search.FAMILIES[family][0]))
    assert last[str(chosen)] == max(last.values())

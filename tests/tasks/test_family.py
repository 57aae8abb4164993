"""Families are found, and an id and a seed always give the same task."""

import re
import sys

import numpy as np
import pytest

import anymdp_bench.tasks
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.family import families, sample_task, sample_tasks, task_source
from anymdp_bench.tasks.keywords import require_integer

PUBLISHED = (
    [f"AnyMDP-{s}s5a-v0" for s in (1, 16, 32, 64, 128)]
    + ["AnyMDP-v0"]
    + [f"Garnet-{s}s5a{b}b-v0" for s in (16, 32, 64, 128) for b in (2, 4)]
)


def test_every_published_id_has_a_family():
    known = {env_id for family in families().values() for env_id in family.ids}
    assert set(PUBLISHED) <= known


@pytest.mark.parametrize("env_id", [e for e in PUBLISHED if e != "AnyMDP-v0"])
def test_the_id_says_the_size(env_id):
    S, A = map(int, re.search(r"-(\d+)s(\d+)a", env_id).groups())
    mdp = sample_task(env_id, 0)
    assert mdp.n_observations == S
    assert mdp.n_actions == A
    if env_id.startswith("Garnet"):
        branching = int(re.search(r"(\d)b-", env_id)[1])
        assert ((mdp.transition > 0).sum(-1) == branching).all()


def test_the_general_id_takes_the_size_as_keywords():
    assert sample_task("AnyMDP-v0", 3, n_states=16, n_actions=5) == sample_task(
        "AnyMDP-16s5a-v0", 3
    )
    assert sample_task("AnyMDP-v0", 3, n_states=1, n_actions=5) == sample_task("AnyMDP-1s5a-v0", 3)
    assert sample_task("Garnet-v0", 3, n_states=16, n_actions=5, branching=2) == sample_task(
        "Garnet-16s5a2b-v0", 3
    )
    mdp = sample_task("AnyMDP-v0", 3, n_states=11, n_actions=3)
    assert (mdp.n_states, mdp.n_actions) == (11, 3)


def test_numpy_integers_name_the_same_task():
    plain = sample_task("AnyMDP-v0", 3, n_states=16, n_actions=5)
    assert sample_task("AnyMDP-v0", np.int64(3), n_states=16, n_actions=5) == plain
    assert sample_task("AnyMDP-v0", 3, n_states=np.int64(16), n_actions=np.int32(5)) == plain
    garnet = {"n_states": 8, "n_actions": 2}
    assert sample_task("Garnet-v0", 3, branching=np.int8(2), **garnet) == sample_task(
        "Garnet-v0", 3, branching=2, **garnet
    )


@pytest.mark.parametrize("env_id", ["AnyMDP-16s5a-v0", "Garnet-16s5a4b-v0", "AnyMDP-1s5a-v0"])
def test_many_at_once_are_the_same_as_one_by_one(env_id):
    seeds = [5, 3, 3, 2**40, 0, 11]
    alone = [sample_task(env_id, seed) for seed in seeds]
    for workers in (None, 1, 4):
        assert sample_tasks(env_id, seeds, workers=workers) == alone
    assert sample_tasks(env_id, iter(seeds)) == alone
    assert sample_tasks(env_id, []) == []


def test_many_at_once_take_the_keywords():
    mdps = sample_tasks("AnyMDP-v0", range(3), n_states=8, n_actions=2, composite_reward=False)
    assert mdps[2] == sample_task("AnyMDP-v0", 2, n_states=8, n_actions=2, composite_reward=False)


def test_unknown_ids_are_refused_with_the_known_ones():
    with pytest.raises(KeyError, match=r"'AnyMDP-17s5a-v0'.*AnyMDP-16s5a-v0"):
        task_source("AnyMDP-17s5a-v0")


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "7", None, True])
def test_seeds_that_are_none(seed):
    with pytest.raises(TaskError, match=r"^task_seed is .*; give an integer from 0 to") as caught:
        sample_task("AnyMDP-16s5a-v0", seed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({}, "n_states"),
        ({"n_states": 16}, "n_actions"),
        ({"n_states": 16, "n_actions": 5, "colour": 3}, "colour"),
        ({"n_states": 5, "n_actions": 5}, "n_states is 5"),
    ],
)
def test_keywords_that_make_no_task(keywords, says):
    with pytest.raises(TaskError, match=says) as caught:
        sample_task("AnyMDP-v0", 0, **keywords)
    assert "\n" not in str(caught.value)


def test_require_integer():
    require_integer("x", 3, 3)
    require_integer("x", np.uint8(3), 0, 3)
    with pytest.raises(TaskError, match=r"^x is 2; give an integer from 3 upward$"):
        require_integer("x", 2, 3)
    with pytest.raises(TaskError, match=r"^x is 5; give an integer from 3 to 4$"):
        require_integer("x", 5, 3, 4)


FOLDER = """
import numpy as np
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="Echo",
    sampler="anymdp_bench.tasks.echo:sample",
    ids={"Echo-v0": {"base": 3}},
    sampled=lambda keywords: SAMPLED and keywords["base"] != 9,
)


def sample(seed, *, base, fail=False):
    if fail:
        raise TypeError("a fault of the sampler's own")
    return TabularMDP(np.ones((1, 1, 1)), 0, start=[1], terminal=[False], max_steps=base + seed)
"""


@pytest.fixture(params=[True, False])
def sampled(request, tmp_path, monkeypatch):
    """A folder with a family, put where families are looked for; whether it is sampled or fixed."""
    (tmp_path / "echo").mkdir()
    (tmp_path / "echo" / "__init__.py").write_text(FOLDER.replace("SAMPLED", str(request.param)))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "__init__.py").write_text('"""A folder without a family."""')
    path = [*anymdp_bench.tasks.__path__, str(tmp_path)]
    monkeypatch.setattr(anymdp_bench.tasks, "__path__", path)
    families.cache_clear()
    yield request.param
    families.cache_clear()
    for name in ("echo", "plain"):
        sys.modules.pop(f"anymdp_bench.tasks.{name}", None)
        if hasattr(anymdp_bench.tasks, name):
            delattr(anymdp_bench.tasks, name)


def test_a_new_folder_is_a_new_family(sampled):
    assert {"AnyMDP", "Garnet", "Echo"} <= families().keys()
    assert "plain" not in {name.lower() for name in families()}
    assert sample_task("Echo-v0").max_steps == 3
    assert sample_task("Echo-v0", 4).max_steps == (7 if sampled else 3)
    assert sample_task("Echo-v0", 5, base=9).max_steps == 9  # fixed by its keywords
    assert task_source("Echo-v0").recorded_seed(5) == (5 if sampled else 0)
    assert task_source("Echo-v0", base=9).recorded_seed(5) == 0
    if sampled:
        assert [m.max_steps for m in sample_tasks("Echo-v0", range(4))] == [3, 4, 5, 6]


def test_a_samplers_own_type_error_is_not_hidden(sampled):
    with pytest.raises(TypeError, match="a fault of the sampler's own"):
        sample_task("Echo-v0", 0, fail=True)

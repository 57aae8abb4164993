"""Suites: their contents, their frozen hashes, and overrides."""

from importlib.resources import files

import pytest

from anymdp_bench.suites import (
    DEFAULT_SUITE,
    Limits,
    Row,
    SuiteError,
    custom_suite,
    find_suite,
    is_sampled,
    load_suite,
    read_suite,
    suite_names,
)

# A published suite never changes: a change is a new file under a new name, with a new line here.
PUBLISHED = {"smoke": "6a080f2ecb75", "quick": "9ae0c31b8bbf", "quick-v2": "27de30e843f1"}


def test_the_published_suites_are_there():
    assert {"quick", "smoke", "table1"} <= set(suite_names())
    for name in suite_names():
        suite = load_suite(name)
        assert suite.name == name
        assert suite.rows
        assert suite.description


@pytest.mark.parametrize(("name", "digest"), PUBLISHED.items())
def test_a_published_suite_is_frozen(name, digest):
    assert load_suite(name).hash == digest


def test_smoke_has_two_tasks_of_two_environments():
    suite = load_suite("smoke")
    assert suite.rows == (Row("AnyMDP-16s5a-v0", 2, 1), Row("Garnet-16s5a2b-v0", 2, 1))
    assert suite.training.episodes == suite.in_context.episodes == 300


def test_quick_has_eight_tasks_of_four_environments():
    suite = load_suite("quick")
    ids = ["AnyMDP-1s5a-v0", "AnyMDP-16s5a-v0", "AnyMDP-64s5a-v0", "Garnet-16s5a2b-v0"]
    assert suite.rows == tuple(Row(env_id, 8, 1) for env_id in ids)
    assert suite.training == Limits(1000, None)
    assert suite.in_context == Limits(None, 5000)


def test_the_default_suite_has_the_environments_of_quick_and_as_many_steps_for_everybody():
    suite = load_suite(DEFAULT_SUITE)
    assert suite.name == "quick-v2"
    assert suite.rows == load_suite("quick").rows
    assert suite.training == suite.in_context == Limits(None, 10_000)


def test_efficiency_gives_every_agent_the_same_steps():
    suite = load_suite("efficiency")
    assert suite.training == suite.in_context == Limits(None, 20_000)
    assert {row.tasks for row in suite.rows} == {32}


def test_table1_has_the_full_budget():
    suite = load_suite("table1")
    assert suite.training == Limits(10_000, None)
    assert suite.in_context == Limits(10_000, 100_000)
    assert all(row.tasks == 64 for row in suite.rows if is_sampled(row.env_id))


def test_the_smaller_tier_has_the_rows_of_table1():
    small, whole = load_suite("table1-small"), load_suite("table1")
    assert [row.env_id for row in small.rows] == [row.env_id for row in whole.rows]
    assert small.training == small.in_context == Limits(10_000, 100_000)
    assert {(row.tasks, row.runs) for row in small.rows} == {(4, 1), (1, 1)}


CLASSICS = (
    "CliffWalkingTerminal-v0",
    "FrozenLake4x4-v0",
    "FrozenLake4x4Slippery-v0",
    "DiscretePendulum-g1-v0",
    "DiscretePendulum-g5-v0",
    "DiscretePendulum-g9.8-v0",
    "Switch2-v0",
    "Darkroom-6x6-v0",
    "Darkroom-8x8-v0",
    "Darkroom-10x10-v0",
)


def test_table1_has_the_papers_17_rows_in_its_order():
    ids = [row.env_id for row in load_suite("table1").rows]
    assert len(ids) == 17
    assert ids[:5] == [f"AnyMDP-{s}s5a-v0" for s in (1, 16, 32, 64, 128)]
    assert ids[5:7] == ["Garnet-16s5a2b-v0", "Garnet-64s5a2b-v0"]
    assert tuple(ids[7:]) == CLASSICS


def test_classics_holds_every_classic_environment():
    suite = load_suite("classics")
    assert suite.rows == tuple(Row(env_id, 1, 3) for env_id in CLASSICS)
    assert suite.training == Limits(10_000, None)
    assert suite.in_context == Limits(10_000, 100_000)


def test_a_custom_suite_keeps_the_order_and_has_the_full_budget():
    suite = custom_suite(["Garnet-16s5a2b-v0", "AnyMDP-16s5a-v0"])
    assert suite.name == "custom"
    assert suite.rows == (Row("Garnet-16s5a2b-v0", 64, 1), Row("AnyMDP-16s5a-v0", 64, 1))
    assert suite.training == Limits(10_000, None)
    assert suite.in_context == Limits(10_000, 100_000)


def test_overrides_change_the_numbers_and_the_hash():
    suite = load_suite("smoke")
    assert suite.with_overrides() == suite
    changed = suite.with_overrides(tasks=1, runs=3, limits=Limits(None, 500))
    assert [(row.tasks, row.runs) for row in changed.rows] == [(1, 3), (1, 3)]
    assert changed.training == changed.in_context == Limits(None, 500)
    hashes = {
        s.hash
        for s in (suite, changed, suite.with_overrides(tasks=1), suite.with_overrides(runs=2))
    }
    assert len(hashes) == 4


def test_the_hash_is_of_the_definition_not_the_words():
    smoke = load_suite("smoke")
    same = custom_suite(["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"]).with_overrides(
        2, 1, Limits(300, None)
    )
    assert same.hash == smoke.hash
    assert len(smoke.hash) == 12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: load_suite("quik"),
            r"no suite 'quik'; did you mean 'quick'\? known: .*quick, quick-v2, smoke, table1",
        ),
        (
            lambda: find_suite("quik"),
            r"no suite 'quik'; did you mean 'quick'\? known: .*; or give an environment id",
        ),
        (lambda: load_suite("../suites/smoke"), "no suite"),
        (
            lambda: custom_suite(["CartPole-v1"]),
            "no tasks behind 'CartPole-v1'; known: .*AnyMDP-16s5a-v0",
        ),
        (lambda: custom_suite(["AnyMDP-1s5a-v0"] * 2), "AnyMDP-1s5a-v0 is named twice"),
        (
            lambda: find_suite(len),
            r'suite is the function len; .*"TabularMDP-v0\?mdp=file.py:function"',
        ),
    ],
)
def test_what_is_no_suite_is_refused_in_one_line(call, message):
    with pytest.raises(SuiteError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


MINE = """
description = "mine"
[training]
episodes = 100
[in_context]
steps = 500
[[rows]]
env_id = "AnyMDP-16s5a-v0"
tasks = 3
"""


def test_a_file_defines_a_suite_that_has_its_name(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    suite = read_suite(path)
    assert (suite.name, suite.rows, suite.in_context) == (
        "mine", (Row("AnyMDP-16s5a-v0", 3, 1),), Limits(None, 500)
    )  # fmt: skip
    assert read_suite(str(path)) == find_suite(path) == find_suite(str(path)) == suite
    assert find_suite("smoke") == load_suite("smoke")
    assert find_suite("AnyMDP-16s5a-v0") == custom_suite(["AnyMDP-16s5a-v0"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("smoke", MINE, "smoke is a published suite, and this file defines another one"),
        ("custom", MINE, "a suite cannot be called 'custom'; rename the file"),
        ("mine", "rows = [", "mine.toml cannot be read: "),
        (
            "mine",
            MINE.replace("steps", "step"),
            r"there is no setting 'step'; did you mean 'steps'\? known: episodes, ste",
        ),
        ("mine", MINE.replace("tasks", "runs_"), "there is no setting 'runs_'"),
        ("mine", MINE.replace("tasks = 3", "tasks = 0"), "tasks is 0; give a whole number"),
        ("mine", MINE.replace("AnyMDP-16s5a-v0", "Nothing-v0"), "no tasks behind 'Nothing-v0'"),
        ("mine", MINE.replace("steps = 500", ""), "sets no limit for a kind of agent"),
        ("mine", MINE.split("[[rows]]")[0], "'rows' is missing; add it"),
    ],
)
def test_files_that_define_no_suite_are_refused_in_one_line(tmp_path, name, text, message):
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    with pytest.raises(SuiteError, match=message) as caught:
        read_suite(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_copy_of_a_published_suite_is_that_suite(tmp_path):
    text = (files("anymdp_bench.suites") / "smoke.toml").read_text()
    (tmp_path / "smoke.toml").write_text(text)
    assert read_suite(tmp_path / "smoke.toml") == load_suite("smoke")

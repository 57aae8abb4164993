"""From a plan to a file: the same bytes whatever happens on the way."""

import json

import pytest
from slow_command import ENVIRONMENTS, SLOW

from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench.agents import AgentSpec
from anymdp_bench.results.records import COLUMNS, read_csv, read_header
from anymdp_bench.runner.executor import Executor
from anymdp_bench.runner.output import OutputError
from anymdp_bench.runner.plan import PlanError, make_plan
from anymdp_bench.runner.run import RunError, run_plan
from anymdp_bench.suites import Limits, custom_suite


def a_plan(agent="tql-ucb", episodes=12, tasks=2, **settings):
    suite = custom_suite(ENVIRONMENTS).with_overrides(tasks, None, Limits(episodes, None))
    return make_plan(suite, AgentSpec(agent), **settings)


def play(plan, out, workers=1, command="test"):
    return run_plan(plan, out, executor=Executor(workers), command=command)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def plan():
    return a_plan()


@pytest.fixture(scope="module")
def bytes_of_plan(plan, tmp_path_factory):
    return play(plan, tmp_path_factory.mktemp("whole")).csv.read_bytes()


# The plan


def test_a_plan_takes_one_run_a_unit_for_a_learner_that_trains(plan):
    assert [unit.env_id for unit in plan.units] == [e for e in ENVIRONMENTS for _ in range(2)]
    assert all(len(unit.runs) == 1 for unit in plan.units)
    assert (plan.context, plan.privileged) == ("none", False)
    assert plan.agent_version == TQLUCB.version
    assert (plan.budget.episodes, plan.budget.steps) == (12, None)


def test_a_plan_batches_all_runs_for_an_in_context_agent():
    suite = custom_suite(ENVIRONMENTS).with_overrides(2, 3)
    plan = make_plan(suite, AgentSpec("oracle"), seed=5, task_seed_start=10)
    assert [unit.env_id for unit in plan.units] == ENVIRONMENTS
    first = plan.units[0].runs
    assert [run_seed for _, run_seed in first] == [5, 6, 7, 5, 6, 7]
    assert all(task_seed >= 10 for task_seed, _ in first)
    assert (plan.context, plan.privileged) == ("empty", True)


def test_contexts_are_for_agents_that_do_not_train():
    with pytest.raises(PlanError, match="tql-ucb trains: it has no context"):
        a_plan(context="offline")
    plan = a_plan("random", context="imitation")
    assert plan.context == "imitation"
    assert {unit.context for unit in plan.units} == {"imitation"}


def test_tasks_beyond_the_public_seeds_are_refused():
    with pytest.raises(PlanError, match="start lower with --task-seed-start"):
        a_plan(task_seed_start=2**32 - 1)


# The file


def test_the_file_is_the_records_and_nothing_else_is_left(plan, tmp_path):
    outcome = play(plan, tmp_path / "a" / "b", command="the command")
    folder = tmp_path / "a" / "b"
    assert outcome.csv == folder / "custom-tql-ucb.csv"
    assert outcome.played == 4
    left = {"custom-tql-ucb.csv", "custom-tql-ucb.timing.json", ".custom-tql-ucb.lock"}
    assert set(names(folder)) == left
    frame = read_csv(outcome.csv)
    assert tuple(frame.columns) == COLUMNS
    assert frame.groupby(["env_id", "task_seed"], observed=True).size().tolist() == [12] * 4
    assert set(frame["measure"]) == {"exact"}
    header = read_header(outcome.csv)
    assert header["command"] == "the command"
    assert json.loads(header["settings"])["suite_hash"] == plan.suite.hash
    timing = json.loads((folder / "custom-tql-ucb.timing.json").read_text())
    assert (
        timing["steps"]
        == frame.groupby(["env_id", "task_seed"], observed=True)["steps"].max().sum()
    )
    assert timing["wall_seconds"] > 0


def test_workers_change_nothing(plan, bytes_of_plan, tmp_path):
    assert play(plan, tmp_path, workers=2).csv.read_bytes() == bytes_of_plan


def test_a_finished_result_is_left_as_it_is(plan, bytes_of_plan, tmp_path):
    csv = play(plan, tmp_path).csv
    before = csv.stat().st_mtime_ns
    again = play(plan, tmp_path)
    assert (again.csv, again.played) == (csv, 0)
    assert csv.stat().st_mtime_ns == before
    assert csv.read_bytes() == bytes_of_plan


def interrupted(plan, out, after):
    """Plays until `after` units are stored, and stops there as Ctrl-C would."""
    stored = set()

    def report(index, share, score):
        if share == 1.0:
            stored.add(index)
        if len(stored) > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, out, command="test", report=report)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_run_resumes_to_the_same_bytes(plan, bytes_of_plan, tmp_path, after):
    interrupted(plan, tmp_path, after)
    assert not list(tmp_path.rglob("*.csv"))
    counts = []
    outcome = run_plan(plan, tmp_path, command="test", begin=lambda *c: counts.append(c))
    assert counts == [(4, after)]
    assert outcome.played == 4 - after
    assert outcome.csv.read_bytes() == bytes_of_plan
    assert not (tmp_path / ".custom-tql-ucb").exists()


@pytest.mark.parametrize("damage", ["torn", "empty", "swapped"])
def test_damaged_parts_are_played_again(plan, bytes_of_plan, tmp_path, damage):
    interrupted(plan, tmp_path, 3)
    first, second, _ = sorted((tmp_path / ".custom-tql-ucb").glob("*.part"))
    if damage == "torn":
        first.write_bytes(first.read_bytes()[:-40])
    elif damage == "empty":
        first.write_bytes(b"")
    else:
        first.write_bytes(second.read_bytes())
    assert play(plan, tmp_path).csv.read_bytes() == bytes_of_plan


def test_what_a_dead_driver_left_half_written_is_swept_away(plan, tmp_path):
    (tmp_path / ".custom-tql-ucb.csv.999999.tmp").write_text("half a resul")
    play(plan, tmp_path)
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"episodes": 13}, "suite_hash"),
        ({"seed": 1}, "seed 0, this command 1"),
        ({"task_seed_start": 3}, "task_seed_start 0, this command 3"),
    ],
)
def test_other_settings_are_refused(plan, tmp_path, finished, settings, what):
    if finished:
        play(plan, tmp_path)
    else:
        interrupted(plan, tmp_path, 1)
    before = names(tmp_path)
    with pytest.raises(OutputError, match=what):
        play(a_plan(**settings), tmp_path)
    assert names(tmp_path) == before


def test_a_strangers_file_under_the_results_name_is_not_overwritten(plan, tmp_path):
    (tmp_path / "custom-tql-ucb.csv").write_text("my,notes\n1,2\n")
    with pytest.raises(OutputError, match="names no settings; move it away"):
        play(plan, tmp_path)
    assert (tmp_path / "custom-tql-ucb.csv").read_text() == "my,notes\n1,2\n"


def test_an_out_that_cannot_be_is_refused(plan, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"cannot write to .*file.*; give another --out"):
            play(plan, out)


def test_an_agent_that_breaks_ends_the_run_and_keeps_what_is_done(tmp_path, monkeypatch):
    (tmp_path / "breaking.py").write_text(SLOW.replace("sleep(0.5)", "sleep(0)"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for workers in (1, 2):
        with pytest.raises(RunError, match=r"agent breaking:Breaks on .*: OverflowError: too much"):
            play(a_plan("breaking:Breaks"), tmp_path, workers)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name[0] == "."]


def test_an_agent_that_kills_its_workers_is_tried_again_and_given_up(tmp_path, monkeypatch):
    (tmp_path / "dying.py").write_text(SLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    what = r"agent dying:Dies on AnyMDP-16s5a-v0, task seed 0.*: 3 worker processes died of it"
    with pytest.raises(RunError, match=what):
        play(a_plan("dying:Dies"), tmp_path, workers=2)

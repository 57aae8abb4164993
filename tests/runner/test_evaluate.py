"""`evaluate`: the command as a function, in every place where Python runs."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import anymdp_bench
from anymdp_baselines.tabular.random import Random
from anymdp_baselines.tabular.tql_ucb import TQLUCB
from anymdp_bench import Results, evaluate
from anymdp_bench.agents import AgentError
from anymdp_bench.cli.app import run
from anymdp_bench.leaderboard.validate import validate
from anymdp_bench.results.records import COLUMNS, read_csv
from anymdp_bench.results.schema import RecordError
from anymdp_bench.runner.agent_spec import explain_no_workers, make_spec
from anymdp_bench.runner.output import OutputError
from anymdp_bench.runner.plan import PlanError
from anymdp_bench.runner.run import RunError
from anymdp_bench.suites import SuiteError

BANDIT = "AnyMDP-1s5a-v0"
QUICKLY = {"tasks": 1, "episodes": 3, "workers": 1}
SUITE = f"""
description = "Two bandits."
training = {{ episodes = 100 }}
in_context = {{ steps = 4 }}

[[rows]]
env_id = "{BANDIT}"
tasks = 2
"""


class Eager(Random):
    """A random agent with a setting, which its version does not name."""

    version = "eager 1"

    def __init__(self, speed=1, checkpoint=None):
        self.speed, self.checkpoint = speed, checkpoint


class Named(Eager):
    name = "the eager one"


class Raises(Random):
    def act(self, observation, test=False):
        raise KeyError("what a\nsurprise")


def make_eager():
    return Eager(speed=2)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory of our own, which is the home directory too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    return tmp_path


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The file that the command writes for `tql-ucb` on suite smoke, and the table that it prints."""
    out = tmp_path_factory.mktemp("command")
    words = ["run", "--agent", "tql-ucb", "--suite", "smoke", "--tasks", "1", "--episodes", "20"]
    words += ["--workers", "1", "--quiet", "--out", str(out)]
    with open(out / "table", "w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        assert run(words) == 0
    return out / "smoke-tql-ucb.csv", (out / "table").read_text()


@pytest.fixture(scope="module")
def results():
    return evaluate("tql-ucb", "smoke", tasks=1, episodes=20, workers=1)


# The same as the command


def test_the_numbers_the_table_and_the_file_are_those_of_the_command(results, command, folder):
    csv, table = command
    pd.testing.assert_frame_equal(pd.DataFrame(results), read_csv(csv))
    assert results.table() == table
    assert results.save("again.csv").read_bytes() == csv.read_bytes()
    assert results.save(Path("~/below/again.csv")) == folder / "below" / "again.csv"
    assert (folder / "below" / "again.csv").read_bytes() == csv.read_bytes()


def test_without_out_nothing_is_left_and_with_out_it_resumes(command, folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    settings = {"tasks": 1, "episodes": 20, "workers": 1}
    assert evaluate("tql-ucb", "smoke", **settings).path is None
    assert list(folder.iterdir()) == []
    first = evaluate("tql-ucb", "smoke", **settings, out="~/results")
    assert first.path == folder / "results" / "smoke-tql-ucb.csv"
    assert first.path.read_bytes() == command[0].read_bytes()
    again = evaluate("tql-ucb", "smoke", **settings, out=folder / "results")
    assert (first.origin.played, again.origin.played) == (2, 0)
    with pytest.raises(OutputError, match="has seed 0, this command 1"):
        evaluate("tql-ucb", "smoke", **settings, out="results", seed=1)


def test_a_whole_published_suite_is_a_submission(folder):
    results = evaluate("random", "smoke", workers=1, progress=False)
    path = results.save(folder / "smoke-random.csv")
    assert validate(path)[0].agent == "random"


# Agents


def test_an_agent_is_a_name_a_class_a_function_or_an_instance(folder):
    (folder / "mine.py").write_text(
        "from anymdp_baselines.tabular.random import Random\nclass Mine(Random):\n    version = '7'\n"
    )
    agents = {
        "random": "random",
        "mine:Mine": "mine:Mine",
        f"{__name__}:Eager": Eager,
        f"{__name__}:make_eager": make_eager,
        "the eager one": Named,
        f"{__name__}:Raises": Raises.__new__(Raises),
    }
    agents[f"{__name__}:Raises"].act = Random.act.__get__(agents[f"{__name__}:Raises"])
    scores = []
    for name, agent in agents.items():
        found = evaluate(agent, BANDIT, **QUICKLY)
        assert set(found["agent"]) == {name}
        scores.append(found["score"].tolist())
    assert all(score == scores[0] for score in scores)
    found = evaluate(TQLUCB(), BANDIT, **QUICKLY, name="my own")  # a compiled one
    assert found["agent"].unique().tolist() == ["my own"]
    assert "tuned" not in found.header  # it was made without settings for the environment


def test_what_an_agent_says_of_its_training_is_in_the_result():
    class Trained(Random):
        n_parameters = 1_200
        training_cost = "3 minutes"

    header = evaluate(Trained, BANDIT, **QUICKLY).header
    assert (header["parameters"], header["training cost"]) == ("1200", "3 minutes")
    header = evaluate("random", BANDIT, **QUICKLY).header
    assert "parameters" not in header
    assert "training cost" not in header


def test_every_player_of_a_game_has_an_agent_of_its_own():
    """Though one instance is given."""
    settings = {"runs": 1, "episodes": 100, "workers": 1}
    by_class = evaluate(Learner, "Switch2-v0", **settings)
    by_instance = evaluate(Learner(), "Switch2-v0", **settings)
    pd.testing.assert_series_equal(by_class["score"], by_instance["score"])


class Learner(Random):
    trains = True


def test_arguments_are_settings(folder):
    plain = evaluate(Eager, BANDIT, **QUICKLY, out="out")
    assert "arguments" not in json.loads(plain.header["settings"])
    with pytest.raises(OutputError, match=r"has arguments None, this command \{'speed': 2\}"):
        evaluate(Eager, BANDIT, **QUICKLY, out="out", agent_args={"speed": 2})
    fast = evaluate(Eager, BANDIT, **QUICKLY, out="fast", agent_args={"speed": (1, 2)})
    assert json.loads(fast.header["settings"])["arguments"] == {"speed": [1, 2]}
    assert fast.header["command"].endswith("--agent-arg 'speed=[1, 2]'")
    same = evaluate(Eager, BANDIT, **QUICKLY, out="fast", agent_args={"speed": [1, 2]})
    assert same.origin.played == 0
    for other in ({}, {"speed": 3}):
        with pytest.raises(OutputError, match=r"has arguments \{'speed': \[1, 2\]\}"):
            evaluate(Eager, BANDIT, **QUICKLY, out="fast", agent_args=other)
    for wrong in (object(), float("nan")):
        with pytest.raises(AgentError, match=r"agent argument 'speed' is .* cannot be recorded"):
            evaluate(Eager, BANDIT, **QUICKLY, agent_args={"speed": wrong})
    with pytest.raises(AgentError, match="takes no argument 'height'"):
        evaluate(Eager, BANDIT, **QUICKLY, agent_args={"height": 1})


def test_a_checkpoint_may_be_a_path_in_the_home_directory(folder):
    (folder / "weights").write_text("1")
    seen = []

    def make(checkpoint):
        seen.append(checkpoint)
        return Eager()

    make.name = "weighted"
    found = evaluate(make, BANDIT, **QUICKLY, checkpoint=Path("~/weights"))
    assert set(seen) == {str(folder / "weights")}
    assert json.loads(found.header["settings"])["checkpoint"].startswith("sha256:")
    assert found.header["command"].endswith("--checkpoint '~/weights'")


# Workers


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("random", None),
        (Random, None),
        (TQLUCB, None),
        (Random(), "is an object that worker processes cannot make"),
        (lambda: Random(), "is not at the top level of a module"),
        (functools.partial(Eager, speed=3), "is an object that worker processes cannot make"),
    ],
)
def test_what_workers_can_make(agent, reason):
    found = explain_no_workers(make_spec(agent))
    assert found is None if reason is None else reason in found


def test_an_agent_that_no_worker_can_make_plays_here_and_says_so(capsys):
    settings = {"tasks": 2, "runs": 1, "episodes": 100, "workers": 2}
    found = evaluate(Learner(), [BANDIT], **settings)
    assert found["task_seed"].nunique() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("anymdp-bench: one worker plays, in this process: agent ")
    assert said.err.count("\n") == 1
    evaluate(Learner(), [BANDIT], **settings, progress=False)
    assert capsys.readouterr().err == ""
    with pytest.raises(PlanError, match="time_limit needs worker processes, but agent"):
        evaluate(Learner(), [BANDIT], **settings, time_limit=60.0)


PIDS = """
import os
from pathlib import Path
from anymdp_baselines.tabular.random import Random

class Pids(Random):
    trains = True

    def start(self, batch):
        super().start(batch)
        with open("pids", "a") as file:
            file.write(f"{os.getpid()}\\n")
"""
CALL = "evaluate({}, ['AnyMDP-1s5a-v0'], tasks=2, runs=1, episodes=100, workers=2)"
UNGUARDED = f"""{PIDS}
from anymdp_bench import evaluate
print("runs")
{CALL.format("Pids")}
print(Path("pids").read_text().split() == [str(os.getpid())] * 2)
os.remove("pids")
{CALL.format("'pids:Pids'")}
pids = Path("pids").read_text().split()
print(len(pids), str(os.getpid()) in pids)
"""
GUARDED = f"""{PIDS}
from anymdp_bench import evaluate
if __name__ == "__main__":
    results = {CALL.format("Pids")}
    print(set(results["agent"]), str(os.getpid()) in Path("pids").read_text())
"""


def play(words, folder, **keywords):
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=600, **keywords,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("source", ["a script", "a session"])
def test_without_a_guard_a_class_plays_here_and_a_module_in_workers(folder, source):
    (folder / "pids.py").write_text(PIDS)
    (folder / "script.py").write_text(UNGUARDED)
    how = (["script.py"], {}) if source == "a script" else (["-"], {"input": UNGUARDED})
    done = play(how[0], folder, **how[1])
    assert done.stdout.split("\n") == ["runs", "True", "2 False", ""]
    assert "agent __main__:Pids is defined in this session or script" in done.stderr
    assert done.stderr.count("\n") == 1


def test_under_a_guard_a_class_of_the_script_plays_in_workers(folder):
    (folder / "script.py").write_text(GUARDED)
    done = play(["script.py"], folder)
    assert (done.stdout, done.stderr) == ("{'__main__:Pids'} False\n", "")


# Suites


def test_a_suite_is_a_name_a_file_or_environments(folder, capsys):
    (folder / "two bandits.toml").write_text(SUITE)
    for suite in (folder / "two bandits.toml", "~/two bandits.toml"):
        found = evaluate("random", suite, workers=1)
        assert set(found["suite"]) == {"two bandits"}
        assert len(found) == 2 * 4
    words = ["run", "--agent", "random", "--suite", "two bandits.toml", "--workers", "1"]
    assert run([*words, "--out", "~/out"]) == 0
    assert "leaderboard validate" not in capsys.readouterr().err
    csv = folder / "out" / "two.bandits-random.csv"
    ours, theirs = (path.read_text().splitlines() for path in (found.save("x.csv"), csv))
    assert ours[2:] == theirs[2:]  # the first row has the command
    with pytest.raises(RecordError, match="'two bandits' is no published suite"):
        validate(csv)
    one = evaluate("random", BANDIT, **QUICKLY)
    several = evaluate("random", (each for each in [BANDIT]), **QUICKLY)
    pd.testing.assert_frame_equal(one, several)
    assert set(one["suite"]) == {"custom"}


# Progress


def test_progress_goes_to_a_function():
    reports = []
    evaluate("random", [BANDIT], **QUICKLY, progress=lambda *report: reports.append(report))
    shares = [share for share, _ in reports]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert np.isfinite(reports[-1][1])


# What comes back


def test_results_are_a_frame(results, tmp_path):
    assert isinstance(results, pd.DataFrame)
    assert tuple(results.columns) == COLUMNS
    part = results[(results["env_id"] == "AnyMDP-16s5a-v0").to_numpy()]
    assert isinstance(part, Results)
    assert "Garnet" not in part.table()
    with pytest.raises(RecordError, match=r"rows are left of .*save the whole, or use to_csv"):
        part.save(tmp_path / "part.csv")
    shuffled = results.sample(frac=1.0, random_state=0)
    assert shuffled.summary()["score"].sum() == results.summary()["score"].sum()
    cut = results[["steps", "score"]]
    assert type(cut) is pd.DataFrame
    assert callable(cut.plot.line)  # pandas' own
    assert callable(pd.DataFrame(results).plot.line)
    assert isinstance(results.groupby("env_id", observed=True)["score"].mean(), pd.Series)
    assert isinstance(pd.read_pickle(_pickled(results, tmp_path)), Results)


def _pickled(results, folder):
    results.to_pickle(folder / "pickle")
    return folder / "pickle"


def test_results_of_several_agents_stand_side_by_side(results, command, tmp_path):
    both = pd.concat([results, evaluate("random", "smoke", tasks=1, episodes=20, workers=1)])
    assert "random" in both.table()
    assert "tql-ucb" in both.table(overall=True)
    with pytest.raises(RecordError, match="the rows come from several evaluations"):
        both.save(tmp_path / "both.csv")
    with pytest.raises(RecordError, match="is there twice"):
        pd.concat([results, results]).table()
    again = Results.read(str(command[0]))
    assert again.table() == results.table()
    assert again.header == results.header


def test_tables_come_in_every_format(results, command, capsys):
    for style in ("text", "markdown", "csv", "latex", "html"):
        assert run(["table", str(command[0]), "--format", style, "--reference"]) == 0
        assert capsys.readouterr().out == results.table(style, reference=True)
        assert run(["table", str(command[0]), "--format", style, "--score", "raw"]) == 0
        assert capsys.readouterr().out == results.table(style, score="raw")


@pytest.mark.parametrize("kind", ["curves", "targets", "profiles", "context"])
def test_plots_of_every_kind(kind, tmp_path):
    results = evaluate("random", [BANDIT], tasks=2, episodes=20, workers=1)
    path = tmp_path / "plot.svg"
    figure = results.plot(kind, path)
    assert figure.axes
    assert path.stat().st_size > 0
    csv = results.save(tmp_path / "random.csv")
    assert run(["plot", str(csv), "--kind", kind, "--out", str(tmp_path / "other.svg")]) == 0
    assert (tmp_path / "other.svg").read_bytes() == path.read_bytes()


# Errors


@pytest.mark.parametrize(
    ("arguments", "settings", "kind", "message"),
    [
        (("nobody",), {}, AgentError, "no agent 'nobody'; known: "),
        ((3,), {}, AgentError, "agent 3 is a int; give a name, a class"),
        ((dict,), {}, AgentError, "agent builtins:dict is neither an Agent nor a CompiledAgent"),
        ((Eager(),), {"agent_args": {"speed": 1}}, AgentError, "is made already; give its class"),
        ((Eager,), {"agent_args": "speed"}, AgentError, "agent_args is 'speed'; give a dict"),
        (("random",), {"time_limit": "1"}, PlanError, "time_limit is '1'; give a number of sec"),
        ((Eager,), {"name": " "}, AgentError, "name ' ' cannot be recorded"),
        (("random", "nothing"), {}, SuiteError, "no suite 'nothing'; known: "),
        (("random", "nowhere.toml"), {}, SuiteError, "nowhere.toml: cannot be read: No such file"),
        (("random", "CartPole-v1"), {}, SuiteError, "no tasks behind 'CartPole-v1'"),
        (("random", []), {}, SuiteError, "no environment is named"),
        (("random", 5), {}, SuiteError, "suite is 5; give a suite's name, a file, or environment"),
        (("random", [BANDIT, 5]), {}, SuiteError, "give a suite's name, a file, or environment"),
        (("random",), {"tasks": 0}, PlanError, "tasks is 0; give a whole number from 1 to"),
        (("random",), {"steps": 1.5}, PlanError, "steps is 1.5; give a whole number"),
        (("random",), {"steps": 5, "episodes": 5}, PlanError, "episodes and steps are both given"),
        (("random",), {"seed": -1}, PlanError, "seed is -1; give a whole number from 0 to"),
        (("random",), {"context": "full"}, PlanError, "context is 'full'; known: empty"),
        (("psrl", BANDIT), {"context": "offline"}, PlanError, "agent psrl trains: it has no cont"),
        (("random",), {"score": "best"}, PlanError, "score is 'best'; known: corrected"),
        (("random",), {"executor": "cloud"}, PlanError, "executor is 'cloud'; known: local"),
        (("random", BANDIT), {"out": __file__}, OutputError, "cannot write to "),
        ((Raises, BANDIT), {"episodes": 1}, RunError, r"Raises on .*: KeyError: 'what a\\nsurprise'"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_one_line(arguments, settings, kind, message):
    with pytest.raises(kind, match=message) as caught:
        evaluate(*arguments, **{"tasks": 1, "workers": 1} | settings)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_runs_that_fail_are_named_and_the_rest_comes_back(capsys):
    class Picky(Random):
        tuned = True

        def __init__(self, settings=None):
            self.fails = settings == "Garnet-16s5a2b-v0"

        @staticmethod
        def settings_for(env_id):
            return env_id

        def act(self, observation, test=False):
            if self.fails:
                raise OverflowError("too much")
            return super().act(observation)

    found = evaluate(Picky, [BANDIT, "Garnet-16s5a2b-v0"], **QUICKLY, progress=False)
    assert set(found["env_id"]) == {BANDIT}
    assert len(found.failed) == 1
    assert "task seed 0, run seed 0: OverflowError: too much (" in found.failed[0]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0] == f"anymdp-bench: {found.failed[0]}"
    assert said[1] == "anymdp-bench: 1 of 2 runs failed and are not in the results"


def test_a_traceback_is_printed_for_who_debugs(capsys):
    with pytest.raises(RunError):
        evaluate(Raises, [BANDIT], **QUICKLY, debug=True)
    said = capsys.readouterr().err
    assert said.count("Traceback") == 1
    assert 'raise KeyError("what a\\nsurprise")' in said
    assert run(["run", "--agent", "json:dumps", "--env", BANDIT, "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "anymdp-bench: agent json:dumps cannot be made" in said


def test_the_names_of_the_package_lead_here():
    assert anymdp_bench.evaluate is evaluate
    assert anymdp_bench.Results is Results
    assert "evaluate" in dir(anymdp_bench)


# Options of the command that are the function's


def test_agent_arguments_of_the_command(folder, capsys):
    (folder / "given.py").write_text(
        "from pathlib import Path\n"
        "from anymdp_baselines.tabular.random import Random\n"
        "class Told(Random):\n"
        "    def __init__(self, **told):\n"
        "        Path('told').write_text(repr(told))\n"
    )
    words = ["run", "--agent", "given:Told", "--env", BANDIT, "--tasks", "1", "--episodes", "3"]
    words += ["--workers", "1", "--quiet"]
    given = ["--agent-arg", "lr=0.5", "--agent-arg", "mode=fast", "--agent-arg", "sizes=[1, 2]"]
    assert run([*words, *given, "--agent-arg", "limit=NaN"]) == 0
    told = "{'lr': 0.5, 'mode': 'fast', 'sizes': [1, 2], 'limit': 'NaN'}"
    assert (folder / "told").read_text() == told
    arguments = {"lr": 0.5, "mode": "fast", "sizes": [1, 2], "limit": "NaN"}
    found = evaluate("given:Told", BANDIT, **QUICKLY, agent_args=arguments)
    assert (
        found.save("x.csv").read_bytes()
        == (folder / "results" / "custom-given.Told.csv").read_bytes()
    )
    capsys.readouterr()
    assert run(words) == 2
    assert "has arguments {'limit': 'NaN', 'lr': 0.5" in capsys.readouterr().err
    for wrong in ("lr", "0=1", "=1"):
        assert run([*words, "--agent-arg", wrong]) == 2
        assert "is not KEY=VALUE" in capsys.readouterr().err
    assert run([*words, "--agent-arg", "a=1", "--agent-arg", "a=2"]) == 2
    assert "--agent-arg a is given twice" in capsys.readouterr().err


def test_paths_of_the_command_begin_at_home(folder, command, capsys):
    os.symlink(command[0], folder / "a.csv")
    assert run(["table", "~/a.csv"]) == 0
    assert run(["plot", "~/a.csv", "--out", "~/curves.svg"]) == 0
    assert (folder / "curves.svg").exists()
    assert run(["draw", "FrozenLake4x4-v0", "--out", "~/lake.svg"]) == 0
    assert (folder / "lake.svg").exists()

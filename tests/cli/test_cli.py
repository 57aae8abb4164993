"""The command line: its answers, its refusals, its exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from first_format import to_first_format

from anymdp_bench.cli.app import run
from anymdp_bench.results.records import CONTRACT, read_csv, read_header
from anymdp_bench.suites import suite_names
from anymdp_bench.tasks.family import families

GOLDEN = Path(__file__).parents[1] / "golden" / "smoke-tql-ucb-fast.csv"
QUICKLY = ["--tasks", "1", "--episodes", "30", "--workers", "1"]
SMOKE = ["run", "--agent", "tql-ucb-fast", "--suite", "smoke", *QUICKLY]
SCRIPT = Path(sys.executable).with_name("anymdp-bench")

AGENTS = """
from anymdp_baselines.tabular.random import Random

class Mine(Random):
    version = "mine 1"

class Breaks(Random):
    def act(self, observation, test=False):
        raise KeyError("what a\\nsurprise")

class Weighted(Random):
    def __init__(self, checkpoint=None):
        self.weights = checkpoint

class Untabled(Random):
    trains = True

class OutOfRange(Random):
    def act(self, observation, test=False):
        return super().act(observation) + 9
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    return tmp_path


@pytest.fixture
def strangers(folder, monkeypatch):
    """The name of a module with agents in the working directory."""
    name = "agents_of_" + "".join(c for c in folder.name if c.isalnum())
    (folder / f"{name}.py").write_text(AGENTS)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def call(capsys):
    """call(words) -> (exit code, stdout, stderr), in this process."""

    def call_(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call_


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A folder with the result of SMOKE, made by the installed script: (the folder, the process)."""
    out = tmp_path_factory.mktemp("smoke")
    done = subprocess.run(
        [SCRIPT, *SMOKE, "--out", "results"], cwd=out, capture_output=True, text=True, check=False
    )
    return out / "results", done


def script(*words, **keywords):
    return subprocess.run([SCRIPT, *words], capture_output=True, text=True, check=False, **keywords)


# What it answers


def test_a_run_prints_a_table_and_says_where_the_result_is(smoke):
    results, done = smoke
    assert done.returncode == 0, done.stderr
    assert "AnyMDP-16s5a-v0" in done.stdout
    assert "Garnet-16s5a2b-v0" in done.stdout
    assert "results/smoke-tql-ucb-fast.csv" in done.stderr
    assert "compare: anymdp-bench table results --reference" in done.stderr
    assert [path.name for path in results.rglob("*.csv")] == ["smoke-tql-ucb-fast.csv"]
    assert not [path for path in results.iterdir() if path.is_dir()]


def test_the_csv_starts_with_the_contract_and_has_no_blank_fields(smoke):
    path = smoke[0] / "smoke-tql-ucb-fast.csv"
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert tuple(rows[0][:13]) == CONTRACT
    names = "suite suite_hash agent agent_version env_id task_seed run_seed context"
    names += " episode steps return return_corrected score"
    assert rows[0][:13] == names.split()
    assert all(len(row) == len(rows[0]) and all(row) for row in rows)
    assert {row[7] for row in rows[1:]} == {"none"}


def test_the_numbers_are_the_golden_ones(smoke):
    """Exactly, but for the last digits of floats. ANYMDP_REGENERATE=1 writes the file anew: say why."""
    made = smoke[0] / "smoke-tql-ucb-fast.csv"
    if os.environ.get("ANYMDP_REGENERATE"):
        GOLDEN.write_bytes(to_first_format(made))
    ours, golden = (
        text.decode().splitlines() for text in (to_first_format(made), GOLDEN.read_bytes())
    )
    assert len(ours) == len(golden)
    for line, expected in zip(ours, golden, strict=True):
        if line == expected:
            continue
        for a, b in zip(line.split(","), expected.split(","), strict=True):
            assert a == b or float(a) == pytest.approx(float(b), rel=1e-9, abs=1e-9), line


def test_the_command_in_the_header_makes_the_file_again(smoke, call, folder):
    csv_path = smoke[0] / "smoke-tql-ucb-fast.csv"
    command = "anymdp-bench run --agent tql-ucb-fast --suite smoke --tasks 1 --episodes 30"
    assert read_header(csv_path)["command"] == command
    words = command.split()[1:]
    assert call(*words, "--out", "again", "--quiet")[0] == 0
    assert (folder / "again" / csv_path.name).read_bytes() == csv_path.read_bytes()


def test_the_same_command_again_plays_nothing_and_prints_the_same_table(smoke, call):
    code, out, err = call(*SMOKE, "--out", smoke[0])
    assert code == 0
    assert out == smoke[1].stdout
    assert "is complete: nothing to play" in err


def test_quiet_says_nothing_but_the_table(call):
    code, out, err = call("run", "--agent", "random", "--suite", "smoke", *QUICKLY, "--quiet")
    assert (code, err) == (0, "")
    assert "random" in out
    assert Path("results/smoke-random.csv").exists()


def test_environments_seeds_and_runs_are_as_told(call):
    words = ["--env", "Garnet-16s5a2b-v0", "--env", "AnyMDP-1s5a-v0", "--tasks", 2, "--runs", 2]
    words += ["--episodes", 3, "--seed", 7, "--task-seed-start", 5, "--out", "out", "--workers", 1]
    assert call("run", "--agent", "random", *words)[0] == 0
    frame = read_csv(Path("out/custom-random.csv"))
    assert frame["env_id"].unique().tolist() == ["Garnet-16s5a2b-v0", "AnyMDP-1s5a-v0"]
    assert set(frame["run_seed"]) == {7, 8}
    assert frame["task_seed"].min() >= 5
    assert len(frame) == 2 * 2 * 2 * 3
    assert set(frame["suite"]) == {"custom"}
    assert set(frame["context"]) == {"empty"}
    assert set(frame["measure"]) == {"episode"}


def test_steps_bound_every_run_and_cut_episodes_are_left_out(call):
    words = ["--env", "AnyMDP-16s5a-v0", "--tasks", 2, "--steps", 500, "--workers", 1]
    for agent in ("random", "tql-ucb"):
        assert call("run", "--agent", agent, *words, "--out", "out")[0] == 0
        frame = read_csv(Path(f"out/custom-{agent}.csv"))
        last = frame.groupby("task_seed")["steps"].max()
        assert (last <= 500).all()
        assert (last > 300).all()  # no episode of these tasks takes 200 steps


def test_an_agent_of_the_working_directory_is_found(strangers, folder):
    """By the installed script, which does not have the working directory on its path."""
    done = script(
        "run", "--agent", f"{strangers}:Mine", "--env", "AnyMDP-1s5a-v0", *QUICKLY, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    frame = read_csv(folder / "results" / f"custom-{strangers}.Mine.csv")
    assert set(frame["agent"]) == {f"{strangers}:Mine"}
    assert set(frame["agent_version"]) == {"mine 1"}


@pytest.mark.parametrize("kind", ["text", "markdown", "csv", "latex", "html"])
@pytest.mark.parametrize("reference", [False, True])
def test_table_prints_every_format_on_stdout(smoke, call, kind, reference):
    more = ["--reference"] if reference else []
    code, out, err = call("table", smoke[0], "--format", kind, *more)
    assert (code, err) == (0, "")
    sign = {"text": "───", "markdown": "| ", "csv": "suite,", "latex": r"\begin{", "html": "<t"}[
        kind
    ]
    assert sign in out
    assert "Garnet-16s5a2b-v0" in out
    assert out.endswith("\n")
    assert ("ublished" in out) == reference
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["env_id"] for row in rows] == ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"]


def test_table_takes_a_target_and_a_score(smoke, call):
    path = smoke[0] / "smoke-tql-ucb-fast.csv"
    tables = {
        call("table", path, "--format", "csv", *more)[1]
        for more in ([], ["--target", "0.5"], ["--score", "raw"], ["--score", "paper"])
    }
    assert len(tables) >= 3  # exact tests have no luck in them: raw is corrected


def test_json_is_the_table_for_machines(smoke, call):
    path = smoke[0] / "smoke-tql-ucb-fast.csv"
    rows = json.loads(call("table", path, "--json")[1])
    table = list(csv.DictReader(io.StringIO(call("table", path, "--format", "csv")[1])))
    for row, expected in zip(rows, table, strict=True):
        assert row["env_id"] == expected["env_id"]
        assert row["score"] == pytest.approx(float(expected["score"]))
    assert json.loads(call(*SMOKE, "--out", smoke[0], "--json", "--quiet")[1]) == rows
    assert json.loads(call("table", path, "--json", "--overall")[1])[0]["n_envs"] == 2
    listed = json.loads(call("list", "suites", "--json")[1])
    assert [row["suite"] for row in listed] == suite_names()
    assert json.loads(call("list", "agents", "--json")[1])
    assert json.loads(call("list", "envs", "--json")[1])


def test_overall_prints_every_format_on_stdout(smoke, call):
    for kind in ("text", "markdown", "csv", "latex", "html"):
        code, out, err = call("table", smoke[0], "--overall", "--format", kind)
        assert (code, err) == (0, "")
        assert "tql-ucb" in out


def test_the_end_says_what_to_run_next(smoke, call):
    said = smoke[1].stderr
    assert "draw:    anymdp-bench plot results --out results/curves.png" in said
    assert "submit:" not in said  # other settings than the suite's own
    whole = ["run", "--agent", "random", "--suite", "smoke", "--workers", "1"]
    assert "submit:  anymdp-bench leaderboard validate results/smoke-random.csv" in call(*whole)[2]


def test_the_shell_completes_names():
    def complete(words):
        environment = os.environ | {
            "_ANYMDP_BENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        return script(env=environment).stdout.split()

    assert "leaderboard" in complete("anymdp-bench l")
    assert complete("anymdp-bench run --suite smo") == ["smoke"]
    assert complete("anymdp-bench run --agent psrl-e") == ["psrl-episodic"]
    assert "Garnet-16s5a2b-v0" in complete("anymdp-bench run --env Gar")


def test_list_names_everything(call):
    code, out, err = call("list", "envs")
    assert (code, err) == (0, "")
    ids = [env_id for family in families().values() for env_id in family.ids]
    assert [line.split()[0] for line in out.splitlines()] == ids
    agents = call("list", "agents")[1]
    assert {"random", "oracle", "tql-ucb"} <= {line.split()[0] for line in agents.splitlines()}
    suites = call("list", "suites")[1]
    assert [line.split()[0] for line in suites.splitlines()] == suite_names()


def test_help_and_version(call):
    code, out, err = call("--help")
    assert (code, err) == (0, "")
    assert all(word in out for word in ("run", "table", "list", "study"))
    assert all(
        option in call("run", "--help")[1] for option in ("--agent", "--task-seed-start", "--out")
    )
    assert call("--version") == (0, "anymdp-bench 0.1.0\n", "")


def test_a_reader_that_leaves_early_is_no_error(smoke):
    done = subprocess.run(
        f"{SCRIPT} table {smoke[0]} | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


# What it refuses

RUN = ["run", "--agent", "random", "--env", "AnyMDP-1s5a-v0", *QUICKLY]
REFUSED = [
    ([], "Missing command"),
    (["ran"], "No such command 'ran'"),
    (["list"], "Missing command"),
    (["list", "nothing"], "No such command 'nothing'"),
    (["run"], "Missing option '--agent'"),
    (["run", "--agent", "nobody"], "no agent 'nobody'; known: "),
    (["run", "--agent", "no_such_module:Name"], "agent no_such_module:Name cannot be loaded"),
    (["run", "--agent", "json:dumps"], "agent json:dumps cannot be made"),
    (["run", "--agent", "json:JSONDecoder"], "is neither an Agent nor a CompiledAgent"),
    (["run", "--agent", "random", "--suite", "nothing"], "no suite 'nothing'; known: "),
    (["run", "--agent", "random", "--env", "CartPole-v1"], "no tasks behind 'CartPole-v1'"),
    (["run", "--agent", "random", "--env", "AnyMDP-v0"], "give n_states, n_actions by keyword"),
    ([*RUN, "--env", "AnyMDP-1s5a-v0"], "is named twice"),
    ([*RUN, "--suite", "smoke"], "give --suite or --env, not both"),
    ([*RUN, "--steps", "5"], "give --episodes or --steps, not both"),
    ([*RUN, "--colour", "red"], "No such option"),
    ([*RUN, "--tasks", "0"], "--tasks"),
    ([*RUN, "--tasks", "many"], "--tasks"),
    ([*RUN, "--runs", "-1"], "--runs"),
    ([*RUN, "--episodes", "1.5"], "--episodes"),
    ([*RUN, "--workers", "0"], "--workers"),
    ([*RUN, "--seed", "-1"], "--seed"),
    ([*RUN, "--task-seed-start", str(2**32)], "--task-seed-start"),
    ([*RUN, "--context", "full"], "--context"),
    (["run", "--agent", "psrl", "--context", "offline"], "agent psrl trains: it has no context"),
    ([*RUN, "--score", "best"], "--score"),
    ([*RUN, "--checkpoint", "weights"], "agent random takes no --checkpoint"),
    ([*RUN, "--executor", "cloud"], "--executor"),
    ([*RUN, "--out", f"{__file__}/below"], "cannot write to"),
    ([*RUN, "--out", __file__], "cannot write to"),
    (["table"], "Missing argument"),
    (["table", "nowhere"], "nowhere: cannot be read"),
    (["table", __file__], "line "),
    (["table", "."], "no result files found"),
    (["table", ".", "--format", "word"], "--format"),
    (["table", ".", "--target", "2"], "--target"),
    (["table", ".", "--overall", "--json"], "no result files found"),
    (["study", "nothing"], "no study 'nothing'"),
    (["plot", "."], "Missing option '--out'"),
    (["plot", ".", "--out", "a.png"], "no result files found"),
    (["leaderboard"], "Missing command"),
    (["leaderboard", "validate"], "Missing argument"),
    (["leaderboard", "validate", "nowhere.csv"], "nowhere.csv: cannot be read"),
    (["leaderboard", "validate", "."], "no submissions found"),
    (["leaderboard", "verify", "nowhere.csv"], "nowhere.csv: cannot be read"),
    (["leaderboard", "build", "."], "no submissions found"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[" ".join(w)[-40:] for w, _ in REFUSED])
def test_bad_arguments_are_refused_in_one_line(call, folder, words, message):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err.startswith("anymdp-bench: ")
    assert message in err
    assert err.count("\n") == 1
    assert not list(folder.rglob("*.csv"))


def test_other_settings_on_the_same_out_are_refused(smoke, call):
    before = (smoke[0] / "smoke-tql-ucb-fast.csv").read_bytes()
    code, out, err = call(*SMOKE, "--seed", "1", "--out", smoke[0])
    assert (code, out) == (2, "")
    assert err.startswith("anymdp-bench: ")
    assert "has seed 0, this command 1; give another --out, or remove it" in err
    assert err.count("\n") == 1
    assert (smoke[0] / "smoke-tql-ucb-fast.csv").read_bytes() == before


def test_other_weights_under_the_same_name_are_other_settings(call, strangers):
    words = ["run", "--agent", f"{strangers}:Weighted", "--env", "AnyMDP-1s5a-v0", *QUICKLY]
    Path("weights").write_text("1")
    assert call(*words, "--checkpoint", "weights")[0] == 0
    Path("the same").write_text("1")
    assert call(*words, "--checkpoint", "the same")[0] == 0  # content counts, not the path
    Path("weights").write_text("2")
    code, out, err = call(*words, "--checkpoint", "weights")
    assert (code, out) == (2, "")
    assert "has checkpoint 'sha256:" in err


def test_a_budget_short_of_the_first_sampled_test_is_tested_at_its_end(call, strangers, folder):
    words = ["run", "--agent", f"{strangers}:Untabled", "--env", "AnyMDP-1s5a-v0", *QUICKLY]
    assert call(*words)[0] == 0
    (path,) = folder.glob("results/*.csv")
    rows = [line for line in path.read_text().splitlines() if line[0] != "#"]
    episode = rows[0].split(",").index("episode")
    assert [row.split(",")[episode] for row in rows[1:]] == ["30"]


def test_a_study_that_cannot_write_says_so_in_one_line(call):
    Path("file").write_text("")
    for out in ("file", "file/below"):
        code, _, err = call("study", "stationary", "--scale", "tiny", "--out", out)
        assert code == 2
        assert f"cannot write to {out}" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("Breaks", "KeyError: 'what a\\nsurprise'"),
        ("OutOfRange", "act() returned an action outside 0..4"),
    ],
)
def test_an_agent_that_breaks_is_named_in_one_line(call, strangers, agent, message):
    name = f"{strangers}:{agent}"
    code, out, err = call("run", "--agent", name, "--env", "AnyMDP-1s5a-v0", *QUICKLY)
    assert (code, out) == (1, "")
    assert err.startswith(f"anymdp-bench: agent {name} on AnyMDP-1s5a-v0")
    assert message in err
    assert err.count("\n") == 1
    assert not list(Path("results").rglob("*.csv"))


def test_a_refusal_by_the_installed_script_is_the_same():
    done = script("run", "--agent", "random", "--tasks", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("anymdp-bench: Invalid value for '--tasks'")
    assert done.stderr.count("\n") == 1


def test_the_result_of_a_foreign_tool_is_told_apart_by_its_settings(call):
    Path("results").mkdir()
    Path("results/custom-random.csv").write_text(
        "# settings: " + json.dumps({"seed": 0}) + "\na,b\n"
    )
    code, _, err = call(*RUN)
    assert code == 2
    assert "has suite None, this command 'custom'" in err


# What a stranger sees


def every_command():
    import typer

    from anymdp_bench.cli.app import app

    def walk(command, words):
        inner = getattr(command, "commands", None)
        if not inner:
            yield words
        for name in inner or {}:
            yield from walk(inner[name], [*words, name])

    return list(walk(typer.main.get_command(app), []))


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_help_has_an_example(call, words):
    code, out, err = call(*words, "--help")
    assert (code, err) == (0, "")
    assert "Example" in out
    assert "anymdp-bench" in out


def test_help_in_a_narrow_terminal_cuts_nothing_off_and_has_no_boxes_in_a_pipe():
    done = subprocess.run(
        [sys.executable, "-m", "anymdp_bench", "run", "--help"],
        env=os.environ | {"COLUMNS": "50"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("Usage: anymdp-bench run ")
    assert done.stdout.isascii()
    assert "…" not in done.stdout
    assert "--task-seed-start" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 50


def test_no_colour_where_none_is_wanted(smoke):
    """Piped, and with NO_COLOR: no escape sequences."""
    for more in ({}, {"NO_COLOR": "1"}):
        done = script("table", smoke[0], env=os.environ | more)
        assert "\x1b" not in done.stdout + done.stderr

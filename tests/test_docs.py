"""The README and the docs: their code and their commands run as they stand, and their tables are current."""

import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cli_help
import pytest
import results_tables
import typer
from catalogue import overview, page

from anymdp_bench.cli.app import app, run
from anymdp_bench.tasks.family import families

ROOT = Path(__file__).parents[1]
SCRIPT = Path(sys.executable).with_name("anymdp-bench")
IN_PROCESS = {"run", "table", "plot", "list", "leaderboard"}
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def execute(line):
    """Runs one command line; returns its stdout.

    A command of `IN_PROCESS` runs in this process, where the kernels are compiled already, and on one worker.
    """
    words = shlex.split(line)
    if words[0] != "anymdp-bench" or words[1] not in IN_PROCESS:
        words[0] = str(SCRIPT) if words[0] == "anymdp-bench" else words[0]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout
    target = words[words.index(">") + 1] if ">" in words else None
    words = words[1 : words.index(">")] if target else words[1:]
    words += ["--workers", "1"] if words[0] == "run" else []
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run(words) == 0, line
    if target:
        Path(target).write_text(out.getvalue(), encoding="utf-8")
    return out.getvalue()


def blocks(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/index.md",
        "docs/tour.md",
        "docs/python.md",
        "docs/longcontext.md",
        "docs/studies.md",
        "docs/scale.md",
        "docs/gymnasium.md",
        "docs/dev/scale.md",
    ],
)
def test_snippets_run(path, tmp_path, monkeypatch):
    """Each page is one program; a warning is an error here."""
    assert blocks(path)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(path)), path, "exec"), {"__name__": "__main__"})


AGENT_GUIDE = "docs/guides/write-an-agent.md"


@pytest.mark.skipif(not (ROOT / AGENT_GUIDE).exists(), reason="the guide is not there yet")
def test_the_agent_of_the_tutorial_passes_the_kit_and_runs(tmp_path, monkeypatch):
    agent, kit = blocks(AGENT_GUIDE)
    (tmp_path / "greedy.py").write_text(agent, encoding="utf-8")
    (tmp_path / "test_greedy.py").write_text(kit, encoding="utf-8")
    tested = subprocess.run(
        [*PYTEST, "test_greedy.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    command = "anymdp-bench run --agent greedy:Greedy --env AnyMDP-16s5a-v0 --tasks 1 --steps 500"
    assert "greedy:Greedy" in execute(command)


def test_the_package_of_the_tutorial_is_installed_tested_and_run(tmp_path):
    """As a stranger would: pip builds and installs it, its tests pass, its agent is found by name."""
    package, target = tmp_path / "package", tmp_path / "site"
    shutil.copytree(ROOT / "docs" / "tutorial", package)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    run_agent = "run --agent optimist --env AnyMDP-16s5a-v0 --tasks 1 --steps 500 --workers 1"
    commands = [["list", "agents"], run_agent.split()]
    code = f"from anymdp_bench.cli.app import run; raise SystemExit(sum(map(run, {commands})))"
    for words, expected in (
        ([*pip, "--target", target, package], ""),
        ([*PYTEST, "tests"], "passed"),
        ([sys.executable, "-c", code], "optimist:Optimist"),
    ):
        done = subprocess.run(
            words, cwd=package, env=os.environ | {"PYTHONPATH": str(target)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout


def test_the_help_in_the_docs_is_the_programs_own():
    text = cli_help.commands()
    for command in ("run", "table", "plot", "study", "list envs", "leaderboard validate"):
        assert f"\n## anymdp-bench {command}\n" in text
    for word in (
        "`--task-seed-start`",
        "`--log-x, --linear-x`",
        "`--nonce`",
        "One of empty, offline",
    ):
        assert word in text
    assert cli_help.MARK in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_in_the_docs_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (path.parent / target).exists(), target


def test_links_in_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (ROOT / target).exists(), target


def test_the_pages_of_the_environments_are_what_the_code_says():
    """Written by `python docs/scripts/catalogue.py docs/environments`."""
    for family in families().values():
        committed = (ROOT / "docs" / "environments" / f"{family.name.lower()}.md").read_text(
            "utf-8"
        )
        assert committed == page(family), family.name
    listed = (ROOT / "docs" / "environments.md").read_text("utf-8")
    assert listed == overview()


# Commands

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(path):
    """The `anymdp-bench` lines of a page's indented blocks, without comments."""
    found = re.findall(r"^    (anymdp-bench .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.split("  #")[0].strip() for line in found]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_the_docs_name_options_that_exist(path):
    """Every command line of every page, in blocks and in the text: its words are the program's own."""
    text = path.read_text(encoding="utf-8").replace("\n", " ")
    inline = re.findall(r"`(anymdp-bench [^`|]+)`", text)
    for line in [*commands(path), *inline]:
        words = re.split(r"[>;]", line)[0].split()[1:]
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        known |= {name for parameter in command.params for name in parameter.secondary_opts}
        known |= {"--help", "--install-completion", "--show-completion"}
        given = {word.split("=")[0].rstrip(".,)") for word in words if word.startswith("--")}
        assert given <= known, line


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/tour.md", "docs/train.md"])
def test_commands_of_the_tour_run_in_order(page, tmp_path, monkeypatch):
    """As a reader would type them; those in ```text blocks take long, and are left to the reader."""
    if page == "docs/train.md" and importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch: pip install '.[torch]'")
    monkeypatch.chdir(tmp_path)
    lines = commands(ROOT / page)
    assert len(lines) >= 3
    for line in lines:
        execute(line)
    made = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert made >= ({".csv", ".png", ".svg", ".pdf", ".tex"} if "tour" in page else {".csv"})


@pytest.mark.slow
def test_commands_of_the_submit_page_run_in_order(tmp_path, monkeypatch):
    """With `tql-ucb` for the reader's own agent; `verify` plays only the beginnings of a few runs."""
    monkeypatch.chdir(tmp_path)
    Path("leaderboard/submissions").mkdir(parents=True)
    text = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    ((?:anymdp-bench|cp) .*)$", text, re.MULTILINE)
    assert sum(line.startswith("anymdp-bench") for line in lines) == 4
    for line in lines:
        command = line.replace("myagent", "tql-ucb").replace("SECRET", "0123")
        execute(command + (" --episodes 20 --tasks 1 --sample 1" if " verify " in command else ""))
    assert Path("leaderboard/submissions/quick-v2-tql-ucb.verified.json").exists()
    assert "tql-ucb" in Path("site/index.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the extra docs")
def test_the_site_builds_without_a_warning(tmp_path):
    """Broken links and anchors, docstrings that cannot be read, pages outside the menu: all are errors."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    api = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    assert "sample_tasks" in api
    assert "dense [S, A, S]" in api or "[S, A, S]" in api
    for html in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', html.read_text()
        )
        assert not loaded, html  # it works without a network


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("README.md", "| AnyMDP-128s5a-v0 | 36,300 |"),
        ("docs/results.md", "| AnyMDP-128s5a-v0 | 36,300 |"),
        ("docs/neural-planner.md", "| AnyMDP(64,5) | 7,700 |"),
        ("baselines/anymdp_baselines/planner/weights/README.md", "| AnyMDP(64,5) | 7,700 |"),
    ],
)
def test_the_tables_of_the_results_are_those_of_the_committed_files(page, line):
    """Written by `python docs/scripts/results_tables.py`."""
    assert ROOT / page in results_tables.PAGES
    committed = (ROOT / page).read_text("utf-8")
    assert line in committed
    assert results_tables.fill_tables(committed) == committed

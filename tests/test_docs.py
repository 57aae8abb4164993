"""The Python in the README and the docs runs as it stands."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalogue import overview, page

from anymdp_bench.tasks.family import families

ROOT = Path(__file__).parents[1]


def blocks(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/index.md",
        "docs/tour.md",
        "docs/longcontext.md",
        "docs/studies.md",
        "docs/scale.md",
    ],
)
def test_snippets_run(path, tmp_path):
    assert blocks(path)
    python = [sys.executable, "-W", "error", "-c", "\n".join(blocks(path))]
    subprocess.run(python, check=True, cwd=tmp_path)


def test_the_agent_of_the_tutorial_passes_the_kit_and_runs(tmp_path):
    agent, kit = blocks("docs/agents.md")
    (tmp_path / "greedy.py").write_text(agent, encoding="utf-8")
    (tmp_path / "test_greedy.py").write_text(kit, encoding="utf-8")
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tested = subprocess.run(
        [*pytest_command, "test_greedy.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stdout
    command = "from anymdp_bench.cli import main; main()"
    options = ["--agent", "greedy:Greedy", "--env", "AnyMDP-16s5a-v0", "--tasks", "1"]
    played = subprocess.run(
        [sys.executable, "-c", command, "run", *options, "--steps", "500", "--workers", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert played.returncode == 0, played.stderr
    assert "greedy:Greedy" in played.stdout


def test_the_package_of_the_tutorial_is_installed_tested_and_run(tmp_path):
    """As a stranger would: pip builds and installs it, its tests pass, its agent is found by name."""
    package, target = tmp_path / "package", tmp_path / "site"
    shutil.copytree(ROOT / "docs" / "tutorial", package)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--target", target, package], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    environment = os.environ | {"PYTHONPATH": str(target)}
    script = Path(sys.executable).with_name("anymdp-bench")
    for words, said in (
        ([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], "passed"),
        ([script, "list", "agents"], "optimist:Optimist"),
        (
            f"{script} run --agent optimist --env AnyMDP-16s5a-v0 --tasks 1 --steps 500"
            " --workers 1".split(),
            "optimist",
        ),
    ):
        done = subprocess.run(
            words, cwd=package, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert said in done.stdout


def test_the_help_in_the_docs_is_the_programs_own():
    sys.path.insert(0, str(ROOT / "docs"))
    import cli_help

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

SCRIPT = Path(sys.executable).with_name("anymdp-bench")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(path):
    """The `anymdp-bench` lines of a page's indented blocks, comments cut off."""
    found = re.findall(r"^    (anymdp-bench .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.split("  #")[0].strip() for line in found]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_the_docs_name_options_that_exist(path):
    """Every command line of every page, in blocks and in the text: its words are the program's own."""
    import typer

    from anymdp_bench.cli.app import app

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
def test_commands_of_the_tour_run_in_order(page, tmp_path):
    """As a reader would type them; those in ```text blocks take long, and are left to the reader."""
    if page == "docs/train.md" and importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch: pip install '.[torch]'")
    lines = commands(ROOT / page)
    assert len(lines) >= 3
    for line in lines:
        command = line.replace("anymdp-bench", shlex.quote(str(SCRIPT)), 1)
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
    made = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert made >= ({".csv", ".png", ".svg", ".pdf", ".tex"} if "tour" in page else {".csv"})


@pytest.mark.slow
def test_commands_of_the_submit_page_run_in_order(tmp_path):
    """With `tql-ucb` for the reader's own agent; `verify` plays the beginnings of a few runs only."""
    (tmp_path / "leaderboard" / "submissions").mkdir(parents=True)
    text = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    ((?:anymdp-bench|cp) .*)$", text, re.MULTILINE)
    assert sum(line.startswith("anymdp-bench") for line in lines) == 4
    for line in lines:
        command = line.replace("myagent", "tql-ucb").replace("SECRET", "0123")
        if " verify " in command:
            command += " --episodes 20 --tasks 1 --sample 1"
        command = command.replace("anymdp-bench", shlex.quote(str(SCRIPT)), 1)
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert (tmp_path / "leaderboard" / "submissions" / "quick-tql-ucb.verified.json").exists()
    assert "tql-ucb" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


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
        ("docs/results.md", "| AnyMDP-128s5a-v0 | psrl |"),
        ("docs/neural-planner.md", "| AnyMDP(64,5) | 7,700 |"),
        ("baselines/anymdp_baselines/planner/weights/README.md", "| AnyMDP(64,5) | 7,700 |"),
    ],
)
def test_the_tables_of_the_results_are_those_of_the_committed_files(page, line):
    """Written by `python docs/scripts/results_tables.py`."""
    sys.path.insert(0, str(ROOT / "docs"))
    import results_tables

    assert ROOT / page in results_tables.PAGES
    committed = (ROOT / page).read_text("utf-8")
    assert line in committed
    assert results_tables.filled(committed) == committed

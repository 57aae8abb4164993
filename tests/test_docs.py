"""The Python in the README and the docs runs as it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anymdp_bench.catalogue import page
from anymdp_bench.tasks.family import families

ROOT = Path(__file__).parents[1]


def blocks(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", ["README.md", "docs/index.md", "docs/tour.md"])
def test_snippets_run(path):
    assert blocks(path)
    subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(blocks(path))], check=True)


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
    """Written by `python -m anymdp_bench.catalogue docs/environments`."""
    for family in families().values():
        committed = (ROOT / "docs" / "environments" / f"{family.name.lower()}.md").read_text(
            "utf-8"
        )
        assert committed == page(family), family.name


def test_the_tables_of_the_results_are_those_of_the_committed_files():
    """Written by `python docs/results_tables.py`."""
    sys.path.insert(0, str(ROOT / "docs"))
    import results_tables

    committed = (ROOT / "docs" / "results.md").read_text("utf-8")
    assert "| AnyMDP-128s5a-v0 | psrl |" in committed
    assert results_tables.filled(committed) == committed

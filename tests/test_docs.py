"""The Python in the README and the docs runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def blocks(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", ["README.md", "docs/index.md"])
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


def test_links_in_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (ROOT / target).exists(), target

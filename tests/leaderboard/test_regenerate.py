"""`leaderboard/regenerate` in a tree of its own: to its end, resumable, and robust to an agent that fails."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def regenerate(tmp_path):
    """regenerate(agents) -> the finished process; its files are below tmp_path/leaderboard."""
    (tmp_path / "leaderboard").mkdir()
    shutil.copy(ROOT / "leaderboard" / "regenerate", tmp_path / "leaderboard")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "PATH": path,
        "SUITES": "smoke",
        "WORKERS": "1",
        "EPISODES": "20",
    }

    def call(*agents, **more):
        return subprocess.run(
            ["bash", tmp_path / "leaderboard" / "regenerate", *agents],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_to_its_end_and_again(regenerate, tmp_path):
    submissions = tmp_path / "leaderboard" / "submissions"
    once = regenerate("tql-ucb", "nobody")
    assert once.returncode == 1
    assert "failed: nobody on smoke: run ended with 2" in once.stderr
    assert "verified" in (tmp_path / "leaderboard" / "site" / "index.html").read_text("utf-8")
    files = {file.name: file.read_bytes() for file in submissions.iterdir()}
    assert set(files) == {"smoke-tql-ucb.csv.gz", "smoke-tql-ucb.verified.json"}

    again = regenerate("tql-ucb")
    assert again.returncode == 0, again.stderr
    assert "is up to date and verified" in again.stderr
    assert files == {file.name: file.read_bytes() for file in submissions.iterdir()}


def test_a_result_of_an_older_version_is_made_anew(regenerate, tmp_path):
    submissions = tmp_path / "leaderboard" / "submissions"
    assert regenerate("tql-ucb").returncode == 0
    path = submissions / "smoke-tql-ucb.csv.gz"
    current = path.read_bytes()
    old = gzip.decompress(current).replace(b'""agent_version"": ""', b'""agent_version"": ""0.')
    assert old != gzip.decompress(current)
    path.write_bytes(gzip.compress(old))
    shutil.rmtree(tmp_path / "leaderboard" / "work")
    done = regenerate("tql-ucb")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == current

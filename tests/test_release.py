"""The files of a release say the same as the package: citation, image and workflow."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anymdp_bench import __version__
from anymdp_bench.cli.app import run

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def load_yaml(path):
    yaml = pytest.importorskip("yaml", reason="needs the extra docs")
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_the_citation_is_complete_and_of_this_version():
    cited = load_yaml("CITATION.cff")
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= cited.keys()  # what the format demands
    assert str(cited["version"]) == PROJECT["version"] == __version__
    assert cited["license"] == PROJECT["license"]
    assert cited["authors"] == [{"name": "anymdp-bench contributors"}]
    [paper] = cited["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert paper["url"] == "https://arxiv.org/abs/2502.02869"


def docker_lines(word):
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)


def test_the_image_copies_what_the_package_is_built_from(tmp_path):
    """There is no Docker in the tests: a build from only the files that it copies takes its place."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert docker_lines("FROM") == ["python:3.13-slim"]
    for line in docker_lines("COPY"):
        *sources, target = line.split()
        for source in sources:
            assert f"!{source}" in ignored
            place = tmp_path / Path(target).relative_to("/source")
            if (ROOT / source).is_file():
                place = place / source
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(ROOT / source)
    pytest.importorskip("hatchling", reason="needs the extra dev")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert len(list((tmp_path / "out").glob("*.whl"))) == 1


def test_the_image_runs_as_a_user_and_its_commands_are_those_of_the_program(tmp_path, monkeypatch):
    assert docker_lines("USER") == ["bench"]
    assert docker_lines("ENTRYPOINT") == ['["anymdp-bench"]']
    monkeypatch.chdir(tmp_path)
    [line] = [line for line in docker_lines("RUN") if line.startswith("anymdp-bench")]
    words = shlex.split(line.split("&&")[0])[1:]
    words[words.index("--out") + 1] = str(tmp_path)
    assert run([*words, "--workers", "1"]) == 0
    assert (tmp_path / "smoke-tql-ucb.csv").is_file()


def test_the_workflow_builds_checks_and_publishes_only_where_a_maintainer_says_so():
    jobs = load_yaml(".github/workflows/release.yml")["jobs"]
    commands = "\n".join(step.get("run", "") for step in jobs["build"]["steps"])
    for command in ("python -m build", "twine check --strict", "anymdp-bench"):
        assert command in commands
    assert jobs["publish"]["needs"] == "build"
    assert "vars.PUBLISH_TO_PYPI == 'true'" in jobs["publish"]["if"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    line = re.search(r"anymdp-bench\" (run .*)", commands)[1]
    assert "--suite smoke" in line


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[(.*?)\]", text, re.MULTILINE)[1] == __version__

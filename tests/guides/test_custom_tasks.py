"""The guide to custom tasks: its files, its code and its commands, in the order of the page."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from anymdp_bench.cli.app import run
from anymdp_bench.results.results import Results

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "custom-tasks.md"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("chains", None)


def test_all_of_the_page_works_in_its_order(tmp_path, capsys):
    text = PAGE.read_text(encoding="utf-8")
    parts = re.findall(
        r"```(\w+)\n(.*?)```|^    (anymdp-bench [^\n]*)$", text, re.DOTALL | re.MULTILINE
    )
    names = {"__name__": "__main__"}
    for language, block, command in parts:
        if language == "toml":
            (tmp_path / "small.toml").write_text(block, encoding="utf-8")
        elif "def chain(" in block:
            (tmp_path / "chains.py").write_text(block, encoding="utf-8")
        elif language:
            exec(compile(block, str(PAGE), "exec"), names)
        else:
            words = shlex.split(command)[1:]
            words += ["--workers", "1"] if words[0] == "run" else []
            assert run(words) == 0, command
            if "--env" in words:
                [csv] = (tmp_path / words[words.index("--out") + 1]).glob("*.csv")
                assert set(Results.read(csv)["env_id"]) == {words[words.index("--env") + 1]}
    assert "Darkroom-v0?size=5" in capsys.readouterr().out  # the table of the suite
    own = f"TabularMDP-v0?fingerprint={names['mdp'].fingerprint()[:12]}"
    assert set(names["results"]["env_id"]) == {own, "AnyMDP-16s5a-v0"}

"""The README and the docs: code and commands run as they stand, links lead somewhere, tables are current.

A page is a program. Its blocks are played from top to bottom in a folder of their own:

    ```python                   is run, in one namespace for the whole page
    ```python title="mine.py"   is a file that is written for what follows; so is any titled block
    ```bash                     is run, on the pages of `PLAYED`; elsewhere its options are checked
    ```output                   was printed by the commands before it
    ```text, and indented       takes long, or another machine: its options are checked
"""

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import cli_help
import pytest
import typer

from anymdp_bench.cli.app import app, run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = DOCS / "guides"
SCRIPT = Path(sys.executable).with_name("anymdp-bench")
IN_PROCESS = {"run", "table", "plot", "list", "leaderboard"}
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
TEXTS = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [path for path in TEXTS if DOCS / "dev" not in path.parents]
LINKED = [*TEXTS, ROOT / "CONTRIBUTING.md", ROOT / "leaderboard" / "README.md"]
PLAYED = [
    DOCS / "getting-started.md",
    *(
        GUIDES / f"{name}.md"
        for name in (
            "evaluate",
            "write-an-agent",
            "custom-tasks",
            "train-your-own",
            "submit",
            "train-omnirl",
        )
    ),
]
MADE = {
    DOCS / "getting-started.md": ("table.tex", "targets.svg", "results/smoke-psrl.csv"),
    GUIDES / "custom-tasks.md": ("chain.safetensors",),
    GUIDES / "train-your-own.md": ("shards/000000.safetensors",),
    GUIDES / "submit.md": ("leaderboard/submissions/quick-v2-tql-ucb.verified.json",),
    GUIDES / "train-omnirl.md": ("training/first/log.csv", "training/first/state"),
}
"""Files that the pages promise, beside those that `--out` names."""
READER = {"myagent": "tql-ucb", "SECRET": "0123"}
"""What the reader puts in place of words of the pages."""
SHORTER = {" verify ": " --episodes 20 --tasks 1 --sample 1", " run ": " --workers 1"}
"""Options that the tests add to commands."""
WITHOUT = ("pip ", "git ", "cd ")
"""Commands of the reader that the tests do not run."""


class Block(NamedTuple):
    kind: str
    title: str
    text: str


def read(path):
    return path.read_text(encoding="utf-8")


def names(paths):
    return {"ids": [str(path.relative_to(ROOT)) for path in paths], "argvalues": paths}


def blocks(path):
    """The fenced blocks of a page."""
    fence = r"^( *)```(\w*)(?: +title=\"(.*?)\")?\n(.*?)^\1```$"
    found = re.findall(fence, read(path), flags=re.DOTALL | re.MULTILINE)
    return [Block(kind, title, textwrap.dedent(text)) for _, kind, title, text in found]


def lines_of(text):
    """The commands of a block or of a page, without comments."""
    found = re.findall(r"^[ \t]*(?:\$ )?(\w.*?)(?:  #.*)?$", text, flags=re.MULTILINE)
    return [line.strip() for line in found]


def execute(line):
    """Runs one command line; returns its stdout.

    A command of `IN_PROCESS` runs in this process, where the kernels are compiled already, and on one worker.
    """
    for word, option in SHORTER.items():
        line += option if line.startswith("anymdp-bench") and word in line else ""
    words = shlex.split(line)
    target = Path(words.pop(words.index(">") + 1)) if ">" in words else None
    words = [word for word in words if word != ">"]
    if words[0] == "anymdp-bench" and words[1] in IN_PROCESS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert run(words[1:]) == 0, line
        printed = out.getvalue()
    else:
        programs = {"anymdp-bench": [str(SCRIPT)], "pytest": PYTEST}
        words = [*programs.get(words[0], words[:1]), *words[1:]]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        printed = done.stdout
    if target:
        target.write_text(printed, encoding="utf-8")
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists(), line
    return printed


def play(path):
    """Plays a page in the working directory."""
    namespace = {"__name__": "__main__"}
    printed = ""
    for block in blocks(path):
        if block.title:
            file = Path(block.title)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
            if file.suffix == ".py":
                compile(block.text, block.title, "exec")
        elif block.kind == "python":
            exec(compile(block.text, str(path), "exec"), namespace)
        elif block.kind == "bash" and path in PLAYED:
            for line in lines_of(block.text):
                for word, own in READER.items():
                    line = line.replace(word, own)
                printed += "" if line.startswith(WITHOUT) else execute(line)
        elif block.kind == "output":
            lines = [set(line.split()) for line in printed.splitlines()]
            for line in block.text.splitlines():
                assert any(set(line.split()) <= words for words in lines), line


@pytest.mark.slow
@pytest.mark.parametrize("path", **names([path for path in PAGES if blocks(path)]))
def test_the_page_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    """As a reader would type it; a warning is an error here."""
    text = read(path)
    for name in ("torch", "pyarrow", "minari"):
        if f"import {name}" in text or (name == "torch" and "anymdp-bench train" in text):
            pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    if "leaderboard/submissions" in text:
        Path("leaderboard/submissions").mkdir(parents=True)
    before = set(sys.modules)
    play(path)
    assert all(Path(name).exists() for name in MADE.get(path, ()))
    for name in set(sys.modules) - before:  # the page's own files
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def test_there_are_commands_to_play():
    for path in PLAYED:
        played = [
            line for block in blocks(path) if block.kind == "bash" for line in lines_of(block.text)
        ]
        assert any(line.startswith("anymdp-bench") for line in played), path


@pytest.mark.slow
def test_the_package_of_the_guide_is_installed_and_found_by_name(tmp_path):
    """As a stranger would: pip builds and installs it, its tests pass, its agent is found by name."""
    package, target = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    for block in blocks(GUIDES / "write-an-agent.md"):
        if block.title:
            (package / block.title).write_text(block.text, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    run_agent = "run --agent optimist --env AnyMDP-16s5a-v0 --tasks 1 --steps 500 --workers 1"
    commands = [["list", "agents"], run_agent.split()]
    code = f"from anymdp_bench.cli.app import run; raise SystemExit(sum(map(run, {commands})))"
    for words, expected in (
        ([*pip, "--target", target, package], ""),
        ([sys.executable, "-c", code], "\noptimist "),
    ):
        done = subprocess.run(
            words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(target)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout


@pytest.mark.parametrize("path", **names(PAGES))
def test_commands_name_options_that_exist(path):
    """Every command line of every page, in blocks and in the text: its words are the program's own."""
    text = read(path)
    inline = re.findall(r"`(anymdp-bench [^`|]+)`", text.replace("\n", " "))
    for line in [*lines_of(text), *inline]:
        found = re.search(r"\banymdp-bench( .*)", line)
        if not found or (line not in inline and not line.startswith(("anymdp-bench", "torchrun"))):
            continue
        words = re.split(r"[>;|]", found[1])[0].split()
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        known |= {name for parameter in command.params for name in parameter.secondary_opts}
        known |= {"--help", "--version", "--install-completion", "--show-completion"}
        given = {word.split("=")[0].rstrip(".,)") for word in words if word.startswith("--")}
        assert given <= known, line


# Links


def anchors(path):
    """The anchors of a page that the site and a code host both know."""
    text = re.sub(r"^```.*?^```$", "", read(path), flags=re.DOTALL | re.MULTILINE)
    found = set(re.findall(r'<a id="(.+?)"', text))
    for title in re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE):
        words = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).replace("`", "").lower()
        host = re.sub(r"[^\w\s-]", "", words).replace(" ", "-")
        if host == re.sub(r"[-\s]+", "-", host):  # as MkDocs makes it
            found.add(host)
    return found


@pytest.mark.parametrize("path", **names(LINKED))
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```|`[^`]+`", "", read(path), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), target
        assert ROOT in file.parents, target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_the_code_names_pages_that_exist():
    folders = [ROOT / name for name in ("src", "baselines", "tests", "docs/scripts")]
    code = [file for folder in folders for file in folder.rglob("*.py")]
    for file in (ROOT / "pyproject.toml", *code, *LINKED):
        for name in re.findall(r"\bdocs/[a-z0-9_/-]+\.md\b", read(file)):
            assert (ROOT / name).exists(), f"{file}: {name}"


# What programs write


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
    assert cli_help.MARK in read(DOCS / "cli.md")


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

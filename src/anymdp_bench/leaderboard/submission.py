"""A submission: the CSV that `run` writes, as it is, or compressed with gzip.

Who made it may stand in `#` lines above the header line; all of them are optional:

    # author: Ada Lovelace
    # link: https://example.org/agent
    # description: Q-learning with a memory
    # parameters: 694573
    # training cost: 93M steps, 4.3 core-hours

The last two are what an agent brings along that was trained before its first run; `run` writes them where the
agent declares them.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from anymdp_bench.evaluation import test_points
from anymdp_bench.leaderboard.check_file import check_file
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.results.records import is_marked_tuned, read_file
from anymdp_bench.results.schema import (
    DEFAULT_PROTOCOL,
    PROTOCOL,
    RecordError,
    make_record_error,
)
from anymdp_bench.runner.plan import ARGUMENTS
from anymdp_bench.suites import CUSTOM, Limits, Suite, load_suite, suite_names

BARRED = frozenset({"oracle"})
"""Agents that look at the task."""

_LONGEST = {"author": 100, "link": 300, "description": 500, "command": 1000, "training cost": 100}
_NAME = 80  # characters of an agent's name or version
_AGENT = re.compile(r"[A-Za-z0-9._:-]+")
_LINK = re.compile(r"https?://[^\s\"'<>\\]+")


@dataclass(frozen=True, eq=False)
class Submission:
    """A file whose form is right: one agent, one version, one context, one published suite.

    `frame` is that of `records.read_csv`, `lines` [rows] the line that each row came from, `digest`
    the SHA-256 of the file's text and `header` what it says of its runs.
    """

    path: Path
    digest: str
    header: dict[str, str]
    frame: pd.DataFrame
    lines: npt.NDArray[np.intp]
    suite: Suite

    @property
    def agent(self) -> str:
        """The agent's name."""
        return str(self.frame["agent"].iloc[0])

    @property
    def version(self) -> str:
        """The agent's version."""
        return str(self.frame["agent_version"].iloc[0])

    @property
    def context(self) -> str:
        """What its runs start from."""
        return str(self.frame["context"].iloc[0])

    @property
    def command(self) -> str:
        """The command that makes it: the header's, or else what it must have been."""
        words = ["anymdp-bench", "run", "--agent", self.agent, "--suite", self.suite.name]
        if self.context not in ("none", "empty"):
            words += ["--context", self.context]
        return self.header.get("command") or shlex.join(words)

    @property
    def checkpoint(self) -> str | None:
        """The `--checkpoint` that the header names."""
        found = self._settings.get("checkpoint")
        return found if isinstance(found, str) else None

    @property
    def agent_arguments(self) -> dict[str, Any]:
        """The `--agent-arg`s that the header names."""
        found = self._settings.get(ARGUMENTS)
        return found if isinstance(found, dict) else {}

    @property
    def _settings(self) -> dict[str, Any]:
        try:
            found = json.loads(self.header.get("settings", "{}"))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def parameters(self) -> int | None:
        """The number of trained weights that the agent brings along, as its header says."""
        text = self.header.get("parameters")
        return None if text is None else int(text.replace(",", ""))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its runs, as its header says; those that the command line has names for."""
        shown = ("context", "checkpoint", "seed", "task_seed_start", ARGUMENTS)
        return {
            name: self._settings[name] for name in shown if self._settings.get(name) is not None
        }

    @property
    def is_tuned(self) -> bool:
        """Whether its header says that the agent's settings were chosen for each environment."""
        return is_marked_tuned(self.header)

    @property
    def limits(self) -> Limits:
        """The budget of its runs."""
        return self.suite.training if self.context == "none" else self.suite.in_context

    def fault(self, row: int, column: str, what: str, fix: str) -> RecordError:
        """Returns the complaint about one row of the frame."""
        return make_record_error(self.path, int(self.lines[row]), column, what, fix)

    def require(self, bad: npt.NDArray[np.bool_], column: str, what: str, fix: str) -> None:
        """Complains of the first row where `bad` [rows] holds, and quotes it.

        Raises:
            RecordError: there is one.
        """
        if bad.any():
            row = int(bad.argmax())
            value = str(self.frame[column].iloc[row])[:40]
            raise self.fault(row, column, f"{value} {what}", fix)


def read_submission(path: AnyPath) -> Submission:
    """Reads a submission and checks its form.

    Raises:
        RecordError: one line naming file, line, column and cure.
    """
    path = expand_home(path)
    digest = check_file(path, lambda suite, line: _most_rows(path, suite, line))
    frame, lines, header = read_file(path)
    found = Submission(path, digest, header, frame, lines, load_suite(str(frame["suite"].iloc[0])))
    for column in ("suite", "suite_hash", "agent", "agent_version", "context"):
        first = frame[column].iloc[0]
        other = (frame[column] != first).to_numpy()
        what = f"is not the file's first, {str(first)[:40]}"
        found.require(other, column, what, "submit one file for each")
    _check_names(found)
    _check_header(found)
    return found


def _check_names(found: Submission) -> None:
    if found.header.get(PROTOCOL, DEFAULT_PROTOCOL) != DEFAULT_PROTOCOL:
        raise RecordError(
            f"{found.path}: was played by protocol {found.header[PROTOCOL][:40]!r}, and the leaderboard"
            f" is for protocol {DEFAULT_PROTOCOL!r}; run the suite without --protocol"
        )
    if found.frame["suite_hash"].iloc[0] != found.suite.hash:
        what = f"is not suite {found.suite.name}, which is {found.suite.hash}"
        fix = "run the suite as it is, without --tasks, --runs, --episodes, --steps or --protocol"
        found.require(np.array([True]), "suite_hash", what, fix)
    for column, value in (("agent", found.agent), ("agent_version", found.version)):
        if len(value) > _NAME:
            what = f"{value[:20]!r}... has {len(value)} characters"
            raise found.fault(0, column, what, f"stay within {_NAME}")
    if not _AGENT.fullmatch(found.agent):
        what = f"{found.agent[:40]!r} has other characters than letters, digits and . _ - :"
        raise found.fault(0, "agent", what, "give it a plain name")
    if found.agent in BARRED or found.header.get("privileged", "no").startswith("yes"):
        what = f"{found.agent} looks at the task"
        raise found.fault(0, "agent", what, "the leaderboard is for agents that do not")


def _check_header(found: Submission) -> None:
    for key, value in found.header.items():
        if not (key + value).isprintable():
            raise RecordError(f"{found.path}: {key[:40]!r} has control characters; cut them")
    for key, longest in _LONGEST.items():
        if len(found.header.get(key, "")) > longest:
            raise RecordError(f"{found.path}: {key!r} is longer than {longest} characters; cut it")
    parameters = found.header.get("parameters", "0").replace(",", "")
    if not (parameters.isascii() and parameters.isdigit() and len(parameters) <= 15):
        raise RecordError(
            f"{found.path}: 'parameters' is no number; write it in digits, or leave it out"
        )
    link = found.header.get("link")
    if link and not _LINK.fullmatch(link):
        raise RecordError(f"{found.path}: 'link' is no address; write https://...")
    if "command" not in found.header:
        return
    try:
        words = shlex.split(found.header["command"])
    except ValueError:
        words = []
    if words[:2] != ["anymdp-bench", "run"]:
        raise RecordError(
            f"{found.path}: 'command' is not `anymdp-bench run ...`; leave it as `run` wrote it"
        )


def _most_rows(path: Path, name: str, line: int) -> int:
    """Returns how many rows a file of a suite can have."""
    published = [each for each in suite_names() if each != CUSTOM]
    if name not in published:
        what = f"{name[:40]!r} is no published suite"
        raise make_record_error(path, line, "suite", what, f"run one of {', '.join(published)}")
    suite = load_suite(name)
    runs = sum(row.tasks * row.runs for row in suite.rows)
    tested = len(test_points(suite.training.episodes or suite.training.steps))
    played = suite.in_context.episodes or suite.in_context.steps or 0
    return runs * max(tested, played)

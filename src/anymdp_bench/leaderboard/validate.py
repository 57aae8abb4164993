"""Validation: everything that a file can be held to without running an agent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from anymdp_bench.leaderboard.check_completeness import Tasks, check_completeness
from anymdp_bench.leaderboard.check_values import check_values
from anymdp_bench.leaderboard.submission import Submission, read_submission
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.results.csv_bytes import find_files
from anymdp_bench.results.schema import RecordError


def validate(path: AnyPath) -> tuple[Submission, Tasks]:
    """Reads a submission and checks its form, its completeness and its values.

    Returns:
        The submission, and its suite's tasks.

    Raises:
        RecordError: one line naming file, line, column and cure.
    """
    found = read_submission(path)
    tasks = check_completeness(found)
    check_values(found, tasks)
    return found, tasks


def submission_paths(paths: Iterable[AnyPath]) -> list[Path]:
    """Returns the result files among `paths`, and those of the folders among them, in order of name.

    Raises:
        RecordError: there is none.
    """
    files: list[Path] = []
    for path in map(expand_home, paths):
        files += find_files(path, deep=False) if path.is_dir() else [path]
    if not files:
        raise RecordError(
            "no submissions found; name a .csv or .csv.gz file, or a folder that holds some"
        )
    return list(dict.fromkeys(files))

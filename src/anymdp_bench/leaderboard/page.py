"""The page: one HTML file that needs no server, no network and no other file but the CSVs it links to.

Everything from a submission passes through the template's escaping, or through JSON that the page's script
reads as text. A content security policy allows the page's own style and script by their hashes
and nothing else, so that nothing in a submission could run even if an escape were missed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from anymdp_bench import __version__
from anymdp_bench.leaderboard.entries import TARGET, Board, make_board, receipt_of
from anymdp_bench.leaderboard.longcontext import board_rows, titles
from anymdp_bench.leaderboard.receipt import receipt_path
from anymdp_bench.leaderboard.submission import Submission
from anymdp_bench.longcontext import Result
from anymdp_bench.results.schema import RecordError
from anymdp_bench.suites import DEFAULT_SUITE

PAPER = "https://arxiv.org/abs/2502.02869"
CHOICES = ("suite", "family", "measure", "context")
"""What the page can be filtered by, each with the values that there are."""


def build(
    submissions: Sequence[Submission],
    out: Path,
    contexts: Sequence[tuple[Path, Result]] = (),
    docs: str = "",
) -> Path:
    """Writes `index.html` and copies of what it shows into `out`; returns the page's path.

    Args:
        submissions: what `validate` accepted.
        out: the folder of the site.
        contexts: results of the board of long contexts.
        docs: the address of the documentation, for a link; none if empty.

    Raises:
        RecordError: submissions that clash, or an `out` that cannot be written.
    """
    _check_names(submissions)
    text = render(make_board(submissions), board_rows(contexts), docs)
    try:
        receipts = [receipt_path(each.path) for each in submissions if receipt_of(each)]
        _copy([*(each.path for each in submissions), *receipts], out / "submissions")
        if contexts:
            _copy([path for path, _ in contexts], out / "longcontext")
        page = out / "index.html"
        fresh = out / ".index.html.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(page)
    except OSError as error:
        where = error.filename or out
        raise RecordError(
            f"cannot write to {where}: {error.strerror}; give another --out"
        ) from None
    return page


def _check_names(submissions: Sequence[Submission]) -> None:
    """The page links to files by name, so two submissions cannot share one."""
    known: dict[str, Path] = {}
    for path in (each.path for each in submissions):
        if path.name in known:
            raise RecordError(f"{path}: has the name of {known[path.name]}; rename one of them")
        known[path.name] = path


def _copy(paths: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        copy = folder / path.name
        if not (copy.exists() and copy.samefile(path)):
            shutil.copyfile(path, copy)


def render(board: Board, contexts: Sequence[dict[str, Any]] = (), docs: str = "") -> str:
    """Returns the page as text, the same for the same board.

    Args:
        board: what the page shows.
        contexts: rows of the board of long contexts.
        docs: as in `build`.
    """
    import jinja2

    assets = files("anymdp_bench.leaderboard") / "assets"
    style, script = ((assets / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((assets / "page.html").read_text("utf-8"))
    return template.render(
        board=board,
        long_contexts=contexts,
        positions=titles(contexts),
        choices={name: _distinct(board.rows, name) for name in CHOICES},
        default_suite=_default_suite(_distinct(board.rows, "suite")),
        docs=docs,
        paper=PAPER,
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}",
        data=_json(board.curves),
        target=round(100 * TARGET),
        version=__version__,
    )


def _default_suite(suites: list[str]) -> str:
    """Returns the suite that is shown first; the scores of several are not to be compared."""
    return DEFAULT_SUITE if DEFAULT_SUITE in suites else suites[0]


def _distinct(rows: list[dict[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(str(row[key]) for row in rows))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(value: object) -> str:
    """Returns JSON that can stand inside a script element: no character that HTML gives a meaning."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII only
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

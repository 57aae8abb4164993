"""`anymdp-bench leaderboard validate|verify|build`: checks submissions and shows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from anymdp_bench.cli.console import say
from anymdp_bench.cli.json_output import AsJson, print_value
from anymdp_bench.cli.paths import expand_home
from anymdp_bench.runner.progress import note

app = typer.Typer(help="Check results that others submit, and show them.")

SUBMISSIONS = Path("leaderboard/submissions")


@app.command("validate")
def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(callback=expand_home, help="Submissions, or folders of them."),
    ],
    as_json: AsJson = False,
) -> None:
    """Check form, completeness and plausibility; the first error is named by row and column, exit code 2.

    Example: `anymdp-bench leaderboard validate results/quick-v2-mine.csv`
    """
    from anymdp_bench.leaderboard.validate import submission_paths
    from anymdp_bench.leaderboard.validate import validate as check

    results = []
    for path in submission_paths(paths):
        note(f"checking {path}: its tasks are sampled again")
        found, tasks = check(path)
        results.append(
            {
                "file": str(path),
                "valid": True,
                "sha256": found.digest,
                "suite": found.suite.name,
                "agent": found.agent,
                "agent_version": found.version,
                "context": found.context,
                "tasks": len(tasks),
                "rows": len(found.frame),
            }
        )
        if not as_json:
            what = f"{found.agent} {found.version} on suite {found.suite.name}"
            print(f"{path}: valid: {what}, {len(tasks)} tasks, {len(found.frame)} rows")
    if as_json:
        print_value(results)


@app.command("verify")
def verify(
    path: Annotated[Path, typer.Argument(callback=expand_home, help="A submission.")],
    nonce: Annotated[
        str | None, typer.Option(help="The maintainers' secret; random if not given.")
    ] = None,
    tasks: Annotated[int, typer.Option(min=1, help="Fresh tasks per environment.")] = 2,
    sample: Annotated[int, typer.Option(min=1, help="Submitted runs per environment.")] = 2,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="Compare only so many first episodes of each run.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(callback=expand_home, help="The receipt; default: beside the submission."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the named agent again, on submitted and on fresh tasks; exit code 2 if the claims do not hold.

    The agent runs in a process of its own that sees observations only. That is no sandbox: run a
    stranger's code in a container. Example: `anymdp-bench leaderboard verify results/quick-v2-mine.csv`
    """
    import secrets

    from anymdp_bench.leaderboard.receipt import receipt_path
    from anymdp_bench.leaderboard.validate import validate as check
    from anymdp_bench.leaderboard.verify import verify as rerun
    from anymdp_bench.results.schema import RecordError

    found, known = check(path)
    receipt = rerun(
        found,
        known,
        nonce or secrets.token_hex(16),
        fresh=tasks,
        sample=sample,
        episodes=episodes,
        tell=note,
    )
    where = out or receipt_path(path)
    try:
        receipt.save(where)
    except OSError as error:
        raise RecordError(f"cannot write {where}: {error.strerror}; give another --out") from None
    if as_json:
        print(where.read_text(encoding="utf-8"), end="")
    else:
        for row in receipt.environments:
            print(
                f"{row.env_id:24} {row.reproduced}/{row.sampled} runs reproduced; final score"
                f" {row.claimed:.3f} claimed, {row.fresh:.3f} on {len(row.fresh_seeds)} fresh tasks"
            )
    if not receipt.holds:
        p = min(receipt.p_sampled, receipt.p_fresh)
        raise RecordError(
            f"{path}: column 'score': the claims do not hold, chance alone would do it with"
            f" p = {p:.2g}; see {where}"
        )
    say(f"the claims hold: {receipt.summary}\n{where}")


@app.command("build")
def build(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(callback=expand_home, help="Submissions, or folders of them."),
    ] = None,
    out: Annotated[Path, typer.Option(callback=expand_home, help="The site's folder.")] = Path(
        "leaderboard/site"
    ),
    as_json: AsJson = False,
    longcontext: Annotated[
        Path,
        typer.Option(
            callback=expand_home, help="Folder of long-context results; none if it is not there."
        ),
    ] = Path("leaderboard/longcontext"),
    docs: Annotated[
        str | None,
        typer.Option(
            help="Address of the documentation, for a link; default: docs/, if it is here."
        ),
    ] = None,
) -> None:
    """Write the leaderboard as a static site: one page that works from the file system.

    Example: `anymdp-bench leaderboard build leaderboard/submissions --out site`
    """
    from anymdp_bench.leaderboard.entries import receipt_of
    from anymdp_bench.leaderboard.longcontext import load_board
    from anymdp_bench.leaderboard.page import build as write
    from anymdp_bench.leaderboard.validate import submission_paths
    from anymdp_bench.leaderboard.validate import validate as check

    submissions = []
    for path in submission_paths(paths or [SUBMISSIONS]):
        note(f"checking {path}")
        submissions.append(check(path)[0])
    if docs is None:
        here = Path("docs/index.md")
        docs = os.path.relpath(here, out) if here.exists() else ""
    page = write(submissions, out, load_board(longcontext), docs)
    if as_json:
        entries = [
            {
                "file": str(found.path),
                "sha256": found.digest,
                "suite": found.suite.name,
                "agent": found.agent,
                "agent_version": found.version,
                "context": found.context,
                "verified": receipt_of(found) is not None,
            }
            for found in submissions
        ]
        print_value({"page": str(page), "submissions": entries})
        return
    print(page)
    say(f"{len(submissions)} submissions; open {page} in a browser")

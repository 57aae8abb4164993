"""`anymdp-bench list envs|agents|suites|studies|tasks`: lists what there is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from anymdp_bench.cli.json_output import AsJson, print_value
from anymdp_bench.spelling import offer

app = typer.Typer(help="List what there is.")
_WIDTH = 80  # columns of a line about an agent


def _print_rows(rows: list[dict[str, Any]], lines: list[str], as_json: bool) -> None:
    if as_json:
        print_value(rows)
    else:
        print("\n".join(lines))


@app.command("envs")
def envs(as_json: AsJson = False) -> None:
    """Environment ids, one a line.

    Example: `anymdp-bench list envs --json`
    """
    from anymdp_bench.tasks.family import families

    rows, lines = [], []
    for family in families().values():
        for env_id, keywords in family.ids.items():
            rows.append({"env_id": env_id, "family": family.name, "keywords": dict(keywords)})
            fixed = " ".join(f"{k}={v}" for k, v in keywords.items())
            sizes = "sizes by keywords" if len(family.ids) > 1 else ""
            lines.append(f"{env_id:26} {family.name:16} {fixed or sizes}".rstrip())
    _print_rows(rows, lines, as_json)


@app.command("agents")
def agents(as_json: AsJson = False) -> None:
    """Installed agents, one a line: what each is, and what has to be installed for it.

    The words are those of the docstring of the agent's class or function.

    Example: `anymdp-bench list agents`
    """
    from anymdp_bench.agents import installed_agents
    from anymdp_bench.agents.summary import summarise

    found = installed_agents()
    about = {name: summarise(point) for name, point in found.items()}
    rows = [
        {
            "agent": name,
            "object": point.value,
            "summary": about[name].text,
            "needs": about[name].needs,
        }
        for name, point in found.items()
    ]
    column = max(map(len, found), default=0)
    lines = []
    for name, (text, needs) in about.items():
        suffix = f" (needs {needs})" if needs else ""
        room = _WIDTH - column - 1 - len(suffix)
        short = text if len(text) <= room else f"{text[: room - 3].rstrip()}..."
        lines.append(f"{name:{column}} {short}{suffix}".rstrip())
    _print_rows(rows, lines, as_json)


@app.command("suites")
def suites(as_json: AsJson = False) -> None:
    """Suites, one a line.

    Example: `anymdp-bench list suites`
    """
    from anymdp_bench.suites import load_suite, suite_names

    rows, lines = [], []
    for name in suite_names():
        suite = load_suite(name)
        ids = [row.env_id for row in suite.rows]
        rows.append(
            {"suite": name, "hash": suite.hash, "env_ids": ids, "description": suite.description}
        )
        lines.append(f"{name:16} {len(ids)} environments  {suite.hash}  {suite.description}")
    _print_rows(rows, lines, as_json)


@app.command("studies")
def studies(as_json: AsJson = False) -> None:
    """Studies and what each one asks, one a line.

    Example: `anymdp-bench list studies`
    """
    from anymdp_bench.studies import study_names, study_question

    about = {name: study_question(name) for name in study_names()}
    rows = [{"study": name, "question": line} for name, line in about.items()]
    _print_rows(rows, [f"{name:16} {line}" for name, line in about.items()], as_json)


@app.command("tasks")
def tasks(
    env_id: Annotated[
        str,
        typer.Argument(
            help="The id of a tabular environment (see `list envs`), with or without parameters."
        ),
    ],
    n: Annotated[int, typer.Option("--tasks", min=1, help="How many task seeds.")] = 16,
    start: Annotated[int, typer.Option("--task-seed-start", min=0, help="The first of them.")] = 0,
    sort: Annotated[str, typer.Option(help="A column to sort by, the largest first.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for machines.")] = False,
) -> None:
    """Tasks with exact measures of how hard they are, to choose some by; `anymdp_bench.task_table` in Python.

    Example: `anymdp-bench list tasks AnyMDP-16s5a-v0 --tasks 100 --sort diameter`
    """
    from anymdp_bench.mdp import TaskError
    from anymdp_bench.tasks.family import task_source
    from anymdp_bench.tasks.hardness import task_table

    try:
        source = task_source(env_id)
    except KeyError as error:
        raise TaskError(str(error.args[0])) from None
    table = task_table(env_id, range(start, start + n) if source.is_sampled else [0])
    if sort and sort not in table:
        raise typer.BadParameter(f"no column {sort!r}; {offer(sort, map(str, table))}")
    if sort:
        table = table.sort_values(sort, ascending=False)
    if as_csv:
        print(table.to_csv(index=False, lineterminator="\n"), end="")
    else:
        print(table.to_string(index=False, float_format=lambda x: f"{x:.4g}"))

"""`anymdp-bench list envs|agents|suites`."""

from __future__ import annotations

import typer

app = typer.Typer(help="List what there is.")


@app.command("envs")
def envs() -> None:
    """Environment ids, one a line."""
    from anymdp_bench.tasks.family import families

    for family in families().values():
        for env_id, keywords in family.ids.items():
            fixed = " ".join(f"{k}={v}" for k, v in keywords.items())
            print(f"{env_id:24} {family.name:10} {fixed or 'sizes by keywords'}")


@app.command("agents")
def agents() -> None:
    """Installed agents, one a line."""
    from anymdp_bench.agents import installed_agents

    for name, point in installed_agents().items():
        print(f"{name:16} {point.value}")


@app.command("suites")
def suites() -> None:
    """Suites, one a line."""
    from anymdp_bench.suites import load_suite, suite_names

    for name in suite_names():
        suite = load_suite(name)
        print(f"{name:16} {len(suite.rows)} environments  {suite.hash}  {suite.description}")

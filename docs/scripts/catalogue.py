"""Writes the docs' page of each task family from the code: `python docs/scripts/catalogue.py FOLDER`.

Spaces, horizons and references are those of the environments. The texts come from the `About` of each family.
"""

from __future__ import annotations

import sys
from pathlib import Path

from anymdp_bench.mdp import TaskError
from anymdp_bench.results.published import PAPER_ORACLES
from anymdp_bench.tasks.family import TaskFamily, families, task_source
from anymdp_bench.tasks.pendulum.game import load_numbers


def page(family: TaskFamily) -> str:
    """Renders the page of one family in Markdown.

    Raises:
        ValueError: the family has no `About`.
    """
    about = family.about
    if about is None:
        raise ValueError(f"family {family.name} has no About; give it one")
    sources = [task_source(env_id) for env_id in family.ids if _is_complete(family, env_id)]
    is_sampled = any(source.is_sampled for source in sources)
    facts = [
        ("Observations", about.observations),
        ("Actions", about.actions),
        ("Rewards", about.rewards),
        ("Start", about.start),
        ("End", about.end),
        ("Oracle", about.oracle),
        ("Shaped reward of in-context agents", about.shaping),
    ]
    lines = [f"# {family.name}", "", about.summary, "", *_id_table(family), ""]
    lines += ["| | |", "| :-- | :-- |", *(f"| {name} | {text} |" for name, text in facts)]
    lines += ["", "## References", "", *_reference_table(family, is_sampled)]
    lines += ["", "## Versions", "", *(f"- {line}" for line in about.history), ""]
    return "\n".join(lines)


def _is_complete(family: TaskFamily, env_id: str) -> bool:
    """Returns whether the id gives a task without further keywords."""
    try:
        task_source(env_id).settings()
    except TaskError:
        return False
    return True


def _id_table(family: TaskFamily) -> list[str]:
    rows = ["| id | keywords | observations | actions |", "| :-- | :-- | --: | --: |"]
    for env_id, keywords in family.ids.items():
        given = ", ".join(f"{k}={v!r}" for k, v in keywords.items())
        if not _is_complete(family, env_id):
            rows.append(f"| `{env_id}` | sizes by keywords | | |")
            continue
        task = task_source(env_id).task(0)
        rows.append(f"| `{env_id}` | {given} | {task.n_observations} | {task.n_actions} |")
    return rows


def _reference_table(family: TaskFamily, is_sampled: bool) -> list[str]:
    rows = [
        "| id | horizon | oracle | its sd | random | the paper's oracle |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    note = ["Task seed 0 of each; every task has its own.", ""] if is_sampled else []
    for env_id in family.ids:
        if not _is_complete(family, env_id):
            continue
        task = task_source(env_id).task(0)
        references, horizon = task.references, task.max_steps
        paper = PAPER_ORACLES.get(env_id)
        rows.append(
            f"| `{env_id}` | {horizon} | {references.oracle:.4g} | {references.oracle_sd:.3g}"
            f" | {references.random:.4g} | {'' if paper is None else format(paper, 'g')} |"
        )
    return [*note, *rows, *_error_table(family)]


def _error_table(family: TaskFamily) -> list[str]:
    """Renders the errors of references that were measured by simulation; only the pendulum has them."""
    if family.name != "DiscretePendulum":
        return []
    known = load_numbers()
    rows = [
        "",
        f"Measured over {known['episodes']:,} episodes; a grid of {known['grid'][0]} angles x"
        f" {known['grid'][1]} speeds was computed, {known['stored'][0]} x {known['stored'][1]} of it"
        " is stored."
        " Standard errors, and what the oracle would gain from the whole grid:",
        "",
        "| g | oracle | standard error | gain from the whole grid | random's standard error |",
        "| --: | --: | --: | --: | --: |",
    ]
    for name, found in known["gravities"].items():
        rows.append(
            f"| {name} | {found['oracle']} | {found['oracle_standard_error']}"
            f" | {found['gain_from_whole_grid']} | {found['random_standard_error']} |"
        )
    return rows


_USE = """\
Every id works with `gym.make`, `gym.make_vec` and `--env`, and `sample_task` gives its table, with three
exceptions:

- `AnyMDP-v0`, `Garnet-v0` and `Darkroom-v0` take their sizes by keyword. `--env` takes them as parameters:
  `--env "AnyMDP-v0?n_states=24&n_actions=3"`.
- The true state of Discrete-Pendulum is continuous, so `sample_task` refuses it.
- Switch2 has two players. `gym.make("Switch2-v0")` is one environment that moves both: observations and
  actions are arrays of two. `anymdp_bench.switch2_parallel_env()` is the PettingZoo environment of it.

`anymdp-bench list envs` prints the ids. [With Gymnasium](gymnasium.md) says what holds for all of them. Each
family has a page with its spaces, rewards, references and versions.
"""


def overview() -> str:
    """Renders the page that lists all families, in Markdown; `anymdp-bench draw` makes its figure."""
    lines = [
        "# Environments",
        "",
        _USE,
        "| family | ids | |",
        "| :-- | :-- | :-- |",
    ]
    for family in families().values():
        if family.about is None:
            raise ValueError(f"family {family.name} has no About; give it one")
        ids = ", ".join(f"`{env_id}`" for env_id in family.ids)
        link = f"[{family.name}](environments/{family.name.lower()}.md)"
        lines.append(f"| {link} | {ids} | {family.about.summary} |")
    lines += [
        "",
        "![A task drawn](figures/task.png)",
        "",
        "*A task of AnyMDP with 64 states: `anymdp-bench draw AnyMDP-64s5a-v0 --task-seed 7 --out"
        " docs/figures/task.png`.*",
        "",
    ]
    return "\n".join(lines)


def write(folder: Path) -> list[Path]:
    """Writes the page of every family to `folder`, and the list of families beside it; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder.with_suffix(".md")
    listing.write_text(overview(), encoding="utf-8")
    paths = [listing]
    for family in families().values():
        path = folder / f"{family.name.lower()}.md"
        path.write_text(page(family), encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/environments")):
        print(path)

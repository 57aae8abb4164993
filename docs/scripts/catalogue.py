"""Writes the docs' page of each task family from the code: `python docs/scripts/catalogue.py FOLDER`.

Spaces, horizons and references are those of the environments. The texts come from the `About` of each family,
the arguments from the docstring of the function that makes its tasks.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
from row_tables import format_table

from anymdp_bench.results.published import PAPER_ORACLES
from anymdp_bench.tasks.family import About, TaskFamily, families, task_source
from anymdp_bench.tasks.pendulum.game import load_numbers


def page(family: TaskFamily) -> str:
    """Renders the page of one family in Markdown, with the headings of Gymnasium's pages.

    Raises:
        ValueError: the family has no `About`.
    """
    about = _about(family)
    shaping = f"In-context agents get a shaped reward: {about.shaping}"
    if about.shaping == About.shaping:
        shaping = "In-context agents get the same rewards."
    parts = {
        "Description": [about.summary, *_PICTURES.get(family.name, [])],
        "Action Space": [about.actions],
        "Observation Space": [about.observations],
        "Starting State": [about.start],
        "Rewards": [about.rewards, shaping],
        "Episode End": [about.end],
        "Arguments": _arguments(family),
        "References": [about.oracle, _reference_table(family)],
        "Version History": ["\n".join(f"- {line}" for line in about.history)],
    }
    text = [f"# {family.name}", _spaces(family)]
    for heading, paragraphs in parts.items():
        text += [f"## {heading}", *paragraphs]
    return "\n\n".join(text) + "\n"


def _about(family: TaskFamily) -> About:
    if family.about is None:
        raise ValueError(f"family {family.name} has no About; give it one")
    return family.about


def _function(family: TaskFamily) -> Callable[..., Any]:
    """The function that makes a task; its signature and its docstring have the arguments."""
    module, _, name = (family.task or family.sampler).partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _parameters(family: TaskFamily) -> dict[str, inspect.Parameter]:
    """The parameters of a family but for the task seed, by name."""
    found = inspect.signature(_function(family)).parameters
    named = {name: each for name, each in found.items() if each.kind != each.VAR_KEYWORD}
    return dict(list(named.items())[1:])


def _is_complete(family: TaskFamily, env_id: str) -> bool:
    """Whether the id gives a task without further keywords."""
    needed = {name for name, each in _parameters(family).items() if each.default is each.empty}
    return needed <= set(family.ids[env_id])


def _complete_ids(family: TaskFamily) -> list[str]:
    return [env_id for env_id in family.ids if _is_complete(family, env_id)]


def _spaces(family: TaskFamily) -> str:
    """The table at the head of a page: how to make one of the environments, and its spaces."""
    complete = _complete_ids(family)
    if not complete:
        return "Spaces, horizon and references are those of your task."
    env_id = complete[-1]
    env = gym.make(env_id).unwrapped
    rows = [
        ("Make", f'`gymnasium.make("anymdp_bench:{env_id}")`'),
        ("Action Space", f"`{env.action_space}`"),
        ("Observation Space", f"`{env.observation_space}`"),
    ]
    return format_table(["", ""], [list(row) for row in rows], left=2)


def _arguments(family: TaskFamily) -> list[str]:
    """The keywords of `gym.make`, and the ids with the keywords that each one fixes."""
    told = _describe_arguments(inspect.getdoc(_function(family)) or "")
    rows = [["`task_seed`", "`0`", _sentence(told["seed"])]]
    for name, each in _parameters(family).items():
        default = "" if each.default is each.empty else f"`{each.default!r}`"
        rows.append([f"`{name}`", default, _sentence(told[name])])
    common = "All environments also take the [common arguments](../gymnasium.md#arguments)."
    return [
        format_table(["argument", "default", "meaning"], rows, left=3),
        common,
        _id_table(family),
    ]


def _describe_arguments(docstring: str) -> dict[str, str]:
    """Reads the section `Args:` of a docstring: what it says of each argument."""
    section = re.split(r"\n(?=\w+:\n)", docstring.partition("Args:\n")[2])[0]
    found = re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _id_table(family: TaskFamily) -> str:
    rows = []
    for env_id, keywords in family.ids.items():
        given = ", ".join(f"`{k}={v!r}`" for k, v in keywords.items())
        sizes = ["", ""]
        if _is_complete(family, env_id):
            task = task_source(env_id).task(0)
            sizes = [str(task.n_observations), str(task.n_actions)]
        else:
            given = "give the arguments without a default"
        rows.append([f"`{env_id}`", given, *sizes])
    return format_table(["id", "fixes", "observations", "actions"], rows, left=2)


def _reference_table(family: TaskFamily) -> str:
    ids = _complete_ids(family)
    if not ids:
        return "`anymdp_bench.tasks.family.task_source` computes them for your task."
    heads = ["id", "horizon", "oracle", "its sd", "random"]
    heads += ["the paper's oracle"] if PAPER_ORACLES.keys() & ids else []
    is_sampled = any(task_source(env_id).is_sampled for env_id in ids)
    rows = []
    for env_id in ids:
        task = task_source(env_id).task(0)
        references = task.references
        paper = PAPER_ORACLES.get(env_id)
        cells = [f"`{env_id}`", str(task.max_steps), f"{references.oracle:.4g}"]
        cells += [f"{references.oracle_sd:.3g}", f"{references.random:.4g}"]
        rows.append([*cells, "" if paper is None else format(paper, "g")][: len(heads)])
    note = "Expected returns of an episode; the standard deviation is that of one oracle episode."
    note += " Task seed 0; every task has its own." if is_sampled else ""
    return "\n\n".join([note, format_table(heads, rows), *_error_table(family)])


def _error_table(family: TaskFamily) -> list[str]:
    """Renders the errors of references that were measured by simulation; only the pendulum has them."""
    if family.name != "DiscretePendulum":
        return []
    known = load_numbers()
    note = (
        f"The oracle was measured over {known['episodes']:,} episodes. A grid of {known['grid'][0]} angles"
        f" x {known['grid'][1]} speeds was computed; {known['stored'][0]} x {known['stored'][1]} are stored."
        " The table has the standard errors, and what the oracle would gain from the whole grid."
    )
    heads = ["g", "oracle", "standard error", "gain from the whole grid", "random's standard error"]
    rows = [
        [
            str(name),
            str(found["oracle"]),
            str(found["oracle_standard_error"]),
            str(found["gain_from_whole_grid"]),
            str(found["random_standard_error"]),
        ]
        for name, found in known["gravities"].items()
    ]
    return [note, format_table(heads, rows)]


_PICTURES = {
    "AnyMDP": [
        "![A task of AnyMDP with 64 states](../figures/task.png)",
        "*`anymdp-bench draw AnyMDP-64s5a-v0 --task-seed 7 --out task.png`: states by stationary probability,"
        " transitions, start, pitfalls, goal, V\\*.*",
    ]
}

_USE = """\
`gym.make`, `gym.make_vec`, `anymdp-bench run --env` and `sample_task` take every id, with these exceptions:

- `{incomplete}` need arguments: those without a default on their page.
  Commands and suite files take them as parameters: `--env "AnyMDP-v0?n_states=24&n_actions=3"`
  ([your own sizes and tasks](guides/custom-tasks.md)).
- `sample_task` refuses DiscretePendulum: its true state is continuous.
- Switch2 has two players. `gym.make("Switch2-v0")` moves both: observations and actions are arrays of two.
  `anymdp_bench.switch2_parallel_env()` is its PettingZoo environment.

[With Gymnasium](gymnasium.md) says what holds for all of them. `anymdp-bench list envs` prints the ids.
"""


def overview() -> str:
    """Renders the page that lists all families, in Markdown."""
    incomplete = [
        env_id
        for family in families().values()
        for env_id in family.ids
        if not _is_complete(family, env_id)
    ]
    rows = []
    for family in families().values():
        ids = ", ".join(f"`{env_id}`" for env_id in family.ids)
        link = f"[{family.name}](environments/{family.name.lower()}.md)"
        rows.append([link, _about(family).summary, ids])
    use = _USE.format(incomplete="`, `".join(incomplete))
    table = format_table(["family", "tasks", "ids"], rows, left=3)
    return f"# Environments\n\n{use}\n{table}\n"


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

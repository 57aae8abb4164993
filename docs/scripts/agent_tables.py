"""The tables of docs/agents.md: what the installed agents declare, and the settings of the tuned ones."""

from __future__ import annotations

from collections.abc import Callable

from row_tables import format_table

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, TQLUCB, FastTQLUCB
from anymdp_baselines.tuned_settings import chosen_settings
from anymdp_baselines.tuning import ppo, tql_ucb
from anymdp_baselines.tuning.search import FAMILIES
from anymdp_bench.agents import (
    AgentSpec,
    AnyAgent,
    CompiledAgent,
    installed_agents,
    is_privileged,
    is_shaped,
    is_trained,
    is_tuned,
)

PACKAGE = "anymdp_baselines"


def facts_table(_: str) -> str:
    """Every agent of this repository, by what it declares."""
    heads = ["agent", "version", "kind", "told besides sizes and a seed", "rewards"]
    names = [name for name, point in installed_agents().items() if point.value.startswith(PACKAGE)]
    lines = [_facts(name, AgentSpec(name)) for name in names]
    return format_table(heads, lines, left=5)


def _facts(name: str, spec: AgentSpec) -> list[str]:
    agent = spec.make()
    kind = "trains" if is_trained(agent) else "in context"
    kind += ", compiled" if isinstance(agent, CompiledAgent) else ""
    told = "settings for the environment †" if is_tuned(spec.load()) else "nothing"
    told = "**the task itself**" if is_privileged(agent) else told
    return [f"[`{name}`](#{_section(name)})", agent.version, kind, told, _rewards(agent)]


def _rewards(agent: AnyAgent) -> str:
    return "plain" if is_trained(agent) or not is_shaped(agent) else "shaped"


def _section(name: str) -> str:
    """The heading under which docs/agents.md describes an agent."""
    sections = {
        "random-and-oracle": ("random", "oracle"),
        "tql-ucb": ("tql-ucb",),
        "psrl": ("psrl",),
        "neural-planner": ("neural-planner", "planner-no-network"),
        "data-recipes": ("ad", "ad-eps", "dpt", "omnirl-re", "omnirl-untagged"),
        "omnirl": ("omnirl",),
        "bc-and-cql": ("bc", "cql"),
    }
    for section, starts in sections.items():
        if name.startswith(starts):
            return section
    return name


def settings_table(agent: str) -> str:
    """The settings that a search chose for each task family: `tql-ucb`, `ucbvi` or `ppo`."""
    tables: dict[str, Callable[[], str]] = {
        "tql-ucb": _tql_ucb_table,
        "ucbvi": _ucbvi_table,
        "ppo": _ppo_table,
    }
    return tables[agent]()


def _ucbvi_table() -> str:
    chosen = {family: chosen_settings("ucbvi", ids[0]) for family, ids in FAMILIES.items()}
    return format_table(["family", "c"], [[family, f"{c:g}"] for family, c in chosen.items()])


def _ppo_table() -> str:
    """With the scores of the search: at the end of 10,000 episodes, and by speed."""
    names = ("learning_rate", "n_envs", "n_steps", "batch_size", "n_epochs", "ent_coef", "gamma")
    names += ("norm_reward", "annealed_over")
    heads = ["family", *(f"`{name}`" for name in names), "end in the search", "speed"]
    lines, searched = [], ppo.SEARCH.read_file()["scores"]
    for family, (env_id, *_) in FAMILIES.items():
        chosen = chosen_settings("ppo", env_id)
        end, speed = searched[family]["rounds"][-1][0][-2:]
        shown = [_show(chosen[name]) for name in names]
        lines.append([family, *shown, f"{end:.3f}", f"{speed:.3f}"])
    return format_table(heads, lines)


def _show(value: float | bool) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:g}"


def _tql_ucb_table() -> str:
    """With the scores of the search: at the end of 10,000 episodes, and by speed."""
    heads = ["family", "agent", "exploration", "alpha", "M", "power", "gamma"]
    heads += ["end in the search", "speed"]
    lines = []
    searched = tql_ucb.SEARCH.read_file()["scores"]
    for family, (env_id, *_) in FAMILIES.items():
        end, speed = searched[family]["rounds"][-1][0][-2:]
        for name, agent in (("tql-ucb", TQLUCB), ("tql-ucb-fast", FastTQLUCB)):
            own = agent.settings_for(env_id)
            kind = "Boltzmann, no bonus" if own.variant == BOLTZMANN else f"bonus, c = {own.c:g}"
            kind = "greedy, no bonus" if own.variant != BOLTZMANN and own.bound == 0.0 else kind
            numbers = [f"{value:g}" for value in (own.alpha, own.m, own.power, own.gamma)]
            scores = [f"{end:.3f}", f"{speed:.3f}"] if agent is TQLUCB else ["—", "—"]
            lines.append([family, f"`{name}`", kind, *numbers, *scores])
    return format_table(heads, lines, left=3)

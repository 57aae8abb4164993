"""Shell completion of names; `--install-completion` sets it up."""

from __future__ import annotations


def agent_names(incomplete: str) -> list[str]:
    """Returns the installed agents whose names begin so."""
    from anymdp_bench.agents import installed_agents

    return [name for name in installed_agents() if name.startswith(incomplete)]


def known_suites(incomplete: str) -> list[str]:
    """Returns the published suites whose names begin so."""
    from anymdp_bench.suites import suite_names

    return [name for name in suite_names() if name.startswith(incomplete)]


def env_ids(incomplete: str) -> list[str]:
    """Returns the environment ids that begin so."""
    from anymdp_bench.tasks.family import env_ids as known

    return [env_id for env_id in known() if env_id.startswith(incomplete)]

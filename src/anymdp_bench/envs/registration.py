"""Registers every id of every task family with Gymnasium."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

from anymdp_bench.tasks.family import families


def register_all() -> None:
    """Registers all ids that are not registered yet. It is cheap and imports no environment."""
    for family in families().values():
        for env_id, keywords in family.ids.items():
            if family.env is not None and env_id not in registry:
                register(
                    id=env_id,
                    entry_point=family.env,
                    vector_entry_point=family.vector_env,
                    max_episode_steps=family.max_steps,
                    kwargs={"family": family.name, **keywords},
                )

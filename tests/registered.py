"""Every id that this package registers with Gymnasium, for the tests that hold for all of them."""

import gymnasium as gym

import anymdp_bench  # noqa: F401  registers the ids
from anymdp_bench.tasks.family import families

SIZES = {
    "AnyMDP-v0": {"n_states": 12, "n_actions": 3},
    "Darkroom-v0": {"size": 5},
    "Garnet-v0": {"n_states": 12, "n_actions": 3, "branching": 2},
}
FAMILIES = [family for family in families().values() if family.env is not None]
IDS = [env_id for family in FAMILIES for env_id in family.ids]
TABLES = [env_id for family in FAMILIES if family.task is None for env_id in family.ids]
GAMES = ["Switch2-v0"]
"""The ids of several players: spaces with one entry for each, no native vector, no privileged `info`."""
SOLO = [env_id for env_id in IDS if env_id not in GAMES]


def make(env_id, **keywords):
    return gym.make(env_id, **SIZES.get(env_id, {}), **keywords)


def make_vec(env_id, num_envs=3, **keywords):
    return gym.make_vec(env_id, num_envs=num_envs, **SIZES.get(env_id, {}), **keywords)

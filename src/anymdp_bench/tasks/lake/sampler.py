"""The FrozenLake task, made from Gymnasium's own transition table."""

from __future__ import annotations

import numpy as np
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

from anymdp_bench.engine.arrays import Bools, Float64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.keywords import require_integer

HORIZON = 100


def sample(seed: int, *, slippery: bool, max_steps: int = HORIZON) -> TabularMDP:
    """Makes the 4x4 FrozenLake of Gymnasium. Holes and the goal are terminal.

    Args:
        seed: it has no effect.
        slippery: whether the ice is slippery.
        max_steps: the longest episode. `gym.make` has a limit of its own, 100 steps, which its
            `max_episode_steps` changes; `anymdp_bench.make` changes it too.

    Raises:
        TaskError: `max_steps` is no integer from 1.
    """
    require_integer("max_steps", max_steps, 1)
    env = FrozenLakeEnv(map_name="4x4", is_slippery=slippery)
    cells = np.asarray(env.desc).ravel()
    n, n_actions = len(cells), len(env.P[0])
    prob, reward = np.zeros((n, n_actions, n)), np.zeros((n, n_actions, n))
    for s, actions in env.P.items():
        for a, outcomes in actions.items():
            for p, following, r, _ in outcomes:
                prob[s, a, following] += p
                reward[s, a, following] = r
    return TabularMDP(
        prob,
        reward,
        start=np.asarray(env.initial_state_distrib, np.float64),
        terminal=np.isin(cells, [b"H", b"G"]),
        max_steps=int(max_steps),
    )


def shape(
    reward: Float64s, terminated: Bools, *, slippery: bool, max_steps: int = HORIZON
) -> Float64s:
    """Shapes rewards [n] for in-context agents.

    The shaped reward is 1 at the goal and -1 in a hole. Elsewhere it is 0 on slippery ice, and -0.05
    otherwise.
    """
    end = np.where(reward > 0.0, 1.0, -1.0)
    out: Float64s = np.where(terminated, end, 0.0 if slippery else -0.05)
    return out

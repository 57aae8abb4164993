"""Switch2 as one joint MDP, in which one agent moves both players."""

from __future__ import annotations

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.switch2.game import make_switch2


def sample(seed: int) -> TabularMDP:
    """Returns the one joint task; `tasks.switch2.game` describes its states and actions.

    Args:
        seed: it has no effect.
    """
    return make_switch2().mdp

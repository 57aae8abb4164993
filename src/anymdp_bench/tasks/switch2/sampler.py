"""Switch2 as one joint MDP: what a single mind that moves both agents would face."""

from __future__ import annotations

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.switch2.game import make_switch2


def sample(seed: int) -> TabularMDP:
    """The one joint task; see `Switch2` for its states and actions."""
    return make_switch2().mdp

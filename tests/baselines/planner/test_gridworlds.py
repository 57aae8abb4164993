import numpy as np
import pytest

from anymdp_baselines.planner.gridworlds import GRIDWORLDS, sample
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import PUBLIC_SEEDS

SEEDS = range(PUBLIC_SEEDS, PUBLIC_SEEDS + 40)


@pytest.mark.parametrize("n_actions", [4, 5])
def test_worlds_are_tasks_that_count(n_actions):
    for seed in SEEDS:
        mdp = sample(seed, n_observations=30, n_actions=n_actions)
        assert mdp.n_observations == 30
        assert 9 <= mdp.n_states <= 30
        assert mdp.n_actions == n_actions
        assert compute_references(mdp).is_scorable


def test_no_world_is_an_open_grid():
    """Darkroom's kind: no wall, no pit, no slip."""
    for seed in SEEDS:
        mdp = sample(seed, n_observations=36, n_actions=4)
        live = ~mdp.terminal
        slips = (mdp.transition.max(-1) < 1.0 - 1e-9)[live].any()
        elsewhere = mdp.transition.sum(1) * (1.0 - np.eye(mdp.n_states))
        walls = (elsewhere.sum(0) == 0.0).any()  # cells that no other cell leads to
        assert slips or walls or mdp.terminal.sum() > 1


def test_the_same_seed_gives_the_same_world():
    first, again = (sample(SEEDS[0], n_observations=20, n_actions=4) for _ in range(2))
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != sample(SEEDS[1], n_observations=20, n_actions=4).fingerprint()
    assert GRIDWORLDS.sampler.endswith("gridworlds:sample")

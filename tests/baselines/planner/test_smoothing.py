import numpy as np
import pytest

from anymdp_baselines.planner.aliasing import PRIOR_VISITS
from anymdp_baselines.planner.memory import empty_memory, write_runs
from anymdp_baselines.planner.smoothing import GAMMA, smooth_advantages

ID_OBSERVATION = np.array([0, 1, 2, 3, 1, 1, 2, 3])  # 3 was never acted in


def remembered(steps, seed, n_actions=3):
    """One run over `ID_OBSERVATION`; actions of 2 are tried less, ids 6 and 2 are met but seldom."""
    rng = np.random.default_rng(seed)
    memory, run = empty_memory(1, len(ID_OBSERVATION), n_actions), np.zeros(1, int)
    for _ in range(steps):
        k, j = rng.choice([0, 0, 1, 4, 5, 2], 2)
        a = rng.integers(n_actions if ID_OBSERVATION[k] != 2 else 2)
        ended = np.array([rng.random() < 0.1])
        write_runs(
            memory, run, np.array([k]), np.array([a]), rng.normal(k / 4, 1.0, 1), np.array([j]),
            ended, np.zeros(1, bool),
        )  # fmt: skip
    return memory


def advantages(memory):
    """The docstring's model as whole arrays, its values by a thousand sweeps, and their unit."""
    visits, onward = memory.visits[0].astype(float), memory.onward[0].astype(float)
    reward = memory.reward[0].astype(float)
    member = (np.arange(ID_OBSERVATION.max() + 1)[:, None] == ID_OBSERVATION).astype(
        float
    )  # [O, ids]
    tried = member @ visits
    with np.errstate(invalid="ignore"):
        chance = np.einsum("ok,kaj->oaj", member, onward) / tried[..., None]
        paid = (member @ reward) / tried
    total = visits + PRIOR_VISITS
    p = (onward + PRIOR_VISITS * chance[ID_OBSERVATION]) / total[..., None]
    r = (reward + PRIOR_VISITS * paid[ID_OBSERVATION]) / total
    known = tried.sum(1)[ID_OBSERVATION] > 0
    value = np.zeros(len(ID_OBSERVATION))
    for _ in range(3000):
        q = r + GAMMA * p @ value
        value = np.where(known, np.where(np.isnan(q), -np.inf, q).max(1), 0.0)
    gap = np.where(known[:, None], q - value[:, None], 0.0)
    lowest = np.nanmin(gap, 1, keepdims=True)
    gap = np.where(np.isnan(gap), np.minimum(lowest, 0.0), gap)
    here = visits.sum(1)
    unit = -(here * gap.mean(1)).sum() / here.sum()
    return np.maximum(gap / unit, -2.0), value


@pytest.mark.parametrize(("steps", "seed"), [(5, 0), (40, 1), (2000, 2)])
def test_the_kernel_is_the_formula(steps, seed):
    memory = remembered(steps, seed)
    expected, value = advantages(memory)
    known, found = np.zeros((len(ID_OBSERVATION), 3)), np.zeros(len(ID_OBSERVATION))
    for _ in range(6):  # each plan's sweeps begin where the last one's ended
        smooth_advantages(memory, 0, ID_OBSERVATION, found, known)
    np.testing.assert_allclose(found, value, atol=1e-2 * np.ptp(value))
    np.testing.assert_allclose(known, expected, atol=0.05)
    assert (
        known[[3, 7]] == 0.0
    ).all()  # of an observation that was never acted in nothing is known


def test_two_ids_with_hand_made_values():
    """Observation 0 pays 1 for action 0 and ends; its second id saw it pay 4 once: (4 + 2 * 2) / 3."""
    id_observation, run = np.array([0, 0]), np.zeros(1, int)
    memory = empty_memory(1, 2, 2)
    end, no = np.ones(1, bool), np.zeros(1, bool)
    for k, a, pay in ((0, 0, 1.0), (0, 0, 1.0), (1, 0, 4.0), (0, 1, 0.0)):
        write_runs(memory, run, np.array([k]), np.array([a]), np.array([pay]), run, end, no)
    known, value = np.zeros((2, 2)), np.zeros(2)
    smooth_advantages(memory, 0, id_observation, value, known)
    np.testing.assert_allclose(value, [(2.0 + 2 * 2.0) / 4, (4.0 + 2 * 2.0) / 3])
    # unit: 3 visits of the first with mean gap 0.75, 1 of the second with 4 / 3
    unit = (3 * 0.75 + 4 / 3) / 4
    np.testing.assert_allclose(
        known, [[0.0, -1.5 / unit], [0.0, max(-8 / 3 / unit, -2.0)]], rtol=1e-6
    )

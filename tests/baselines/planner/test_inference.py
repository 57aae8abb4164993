import numpy as np
import pytest

from anymdp_baselines.planner.checkpoint import find_shipped, load_weights
from anymdp_baselines.planner.features import (
    SLOT_FEATURES,
    STATE_FEATURES,
    allocate_features,
    compute_features,
)
from anymdp_baselines.planner.inference import LEVELS, build_network, plan_runs
from anymdp_baselines.planner.memory import empty_memory, mark_demonstrated, write_runs


def remembered(n_observations, n_actions, steps, seed=0):
    """Four runs that met some states (the lower half of them in twos of three), and acted in fewer."""
    rng, runs = np.random.default_rng(seed), np.arange(4)
    memory = empty_memory(4, n_observations, n_actions)
    memory.assumes_anymdp[:2] = 1.0
    for _ in range(steps):
        seen = rng.integers(max(n_observations // 2, 1), size=4)
        following = np.minimum(rng.integers(n_observations, size=4) // 3 * 2, n_observations - 1)
        terminated = rng.random(4) < 0.1
        action = rng.integers(n_actions, size=4)
        write_runs(
            memory, runs, seen, action, rng.normal(size=4), following, terminated, ~terminated
        )
        mark_demonstrated(memory, runs[2:], seen[2:], action[2:])
    return memory


@pytest.mark.parametrize("steps", [0, 1, 30, 2000])
@pytest.mark.parametrize(("n_observations", "n_actions"), [(1, 5), (7, 3), (40, 2)])
def test_the_compiled_plan_is_that_of_the_network_that_is_trained(n_observations, n_actions, steps):
    torch = pytest.importorskip("torch")
    from anymdp_baselines.planner.model import Planner, PlannerSize

    torch.manual_seed(steps)
    memory = remembered(n_observations, n_actions, steps)
    trained = Planner(PlannerSize(12, 3))
    torch.nn.init.normal_(trained.trust.weight, std=0.1)  # 0 before it is trained
    torch.nn.init.constant_(trained.trust.bias, 0.2)
    features = allocate_features(4, n_observations, n_actions)
    compute_features(memory, np.arange(4), features)
    with torch.inference_mode():
        expected = trained(*(torch.from_numpy(array) for array in features)).logit.numpy()
    layers = {name: tensor.numpy() for name, tensor in trained.state_dict().items()}
    out = np.full((4, n_observations, n_actions), np.nan)
    scratch = allocate_features(1, n_observations, n_actions)
    plan_runs(
        build_network(layers, 12, 3), memory, np.array([3, 1]), scratch, out, np.empty_like(out)
    )
    np.testing.assert_allclose(out[[1, 3]], expected[[1, 3]], atol=1e-5)
    assert np.isnan(out[[0, 2]]).all()


def test_shipped_weights_plan_the_same_compiled():
    """Logits lie within 12 of 0; where they are large float32 itself is off by 1e-6."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from anymdp_baselines.planner.model import Planner, PlannerSize

    memory = remembered(32, 5, 1500)
    tensors = {k: v for k, v in load_file(find_shipped()).items() if "/" not in k}
    compiled = load_weights(find_shipped()).general
    trained = Planner(PlannerSize(compiled.head.shape[0], compiled.loops))
    trained.load_state_dict(tensors)
    features, out = allocate_features(4, 32, 5), np.empty((4, 32, 5))
    compute_features(memory, np.arange(4), features)
    with torch.inference_mode():
        expected = trained(*(torch.from_numpy(array) for array in features)).logit.numpy()
    plan_runs(compiled, memory, np.arange(4), allocate_features(1, 32, 5), out, np.empty_like(out))
    np.testing.assert_allclose(out, expected, atol=1e-4)
    assert np.ptp(expected) > 1.0


def layers(d=4):
    rng, levels = np.random.default_rng(0), 1 + len(LEVELS)
    shapes = {
        "slot_in": (d, SLOT_FEATURES), "slot_state": (d, STATE_FEATURES),
        "state_in": (d, STATE_FEATURES), "update": (d, 3 * d), "out_slot": (d, d),
        "head": (levels, d), "trust": (1, d),
    }  # fmt: skip
    out = {f"{k}.weight": rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    out |= {f"{k}.bias": np.zeros(s[0], np.float32) for k, s in shapes.items()}
    bare = {"from_state": d, "from_next": d, "out_state": d, "out_raw": SLOT_FEATURES}
    return out | {f"{k}.weight": np.ones((d, n), np.float32) for k, n in bare.items()}


def test_layers_that_do_not_fit_are_refused():
    assert build_network(layers(), 4, 2).loops == 2
    for name, wrong, message in (
        ("head.bias", np.zeros(3, np.float32), "shape"),
        ("head.bias", np.zeros(8), "not float32"),
        ("head.bias", np.full(8, np.inf, np.float32), "not finite"),
        ("more", np.zeros(3, np.float32), "not those of a planner"),
    ):
        with pytest.raises(ValueError, match=message):
            build_network(layers() | {name: wrong}, 4, 2)

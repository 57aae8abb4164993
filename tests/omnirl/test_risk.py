"""The risk of settling: its signs, its prediction, and what a mind does with it."""

import numpy as np
import pytest

from anymdp_baselines.omnirl.checkpoint import load_weights, shipped
from anymdp_baselines.omnirl.memory import empty_memory, write
from anymdp_baselines.omnirl.mind import Mind
from anymdp_baselines.omnirl.planning import SIGNS
from anymdp_baselines.omnirl.risk import predicted, signs
from anymdp_baselines.omnirl.schedule import RISKY, Schedule, likely

SCHEDULE = Schedule(2.0, 0.0, True, longest=4.0)


def a_memory(n=3, o=5, a=3, steps=60, seed=0):
    rng, memory = np.random.default_rng(seed), empty_memory(n, o, a)
    memory.familiar[:] = 1.0
    for i in range(n):
        for _ in range(steps):
            write(
                memory,
                i,
                rng.integers(o),
                rng.integers(a),
                rng.normal(),
                rng.integers(o),
                False,
                False,
            )
    return memory


def test_signs_do_not_depend_on_ids_or_on_other_runs():
    memory, rng = a_memory(), np.random.default_rng(1)
    logit, known = rng.normal(size=(2, 3, 5, 3))
    whole = signs(memory, np.arange(3), logit, known)
    assert whole.shape == (3, SIGNS)
    np.testing.assert_allclose(signs(memory, np.array([1]), logit[1:2], known[1:2]), whole[1:2])
    order, turned = rng.permutation(5), a_memory()
    for array in (turned.onward, turned.paid):
        array[:] = array[:, order][..., order]
    for array in (
        turned.visits,
        turned.reward,
        turned.square,
        turned.ends,
        turned.paid_end,
        turned.arrival,
    ):
        array[:] = array[:, order]
    np.testing.assert_allclose(
        signs(turned, np.arange(3), logit[:, order], known[:, order]), whole, rtol=1e-4, atol=1e-5
    )


def test_a_prediction_is_that_of_the_network_written_out():
    planner = load_weights(shipped()).planner(True, 16)
    looks = np.random.default_rng(2).normal(planner.risk_mean, planner.risk_sd, (4, SIGNS))
    for row, answer in zip(looks, predicted(planner, looks), strict=True):
        scaled = np.clip((row - planner.risk_mean) / planner.risk_sd, -6.0, 6.0)
        hidden = planner.risk_in.T @ scaled + planner.risk_in_bias
        hidden = hidden / (1.0 + np.exp(-hidden))
        total = (planner.risk_out.T @ hidden + planner.risk_out_bias)[0]
        assert answer == pytest.approx(1.0 / (1.0 + np.exp(-total)))


@pytest.mark.parametrize(("bias", "visits"), [(-12.0, 2.0), (12.0, 4.0)])
def test_a_run_settles_when_its_risk_is_low_and_at_the_latest_after_the_longest(bias, visits):
    planner = load_weights(shipped()).planner(True, 16)
    planner = planner._replace(
        risk_out=np.zeros_like(planner.risk_out), risk_out_bias=np.array([bias], np.float32)
    )
    mind = Mind(planner, np.arange(1, dtype=np.uint64), 4, 3, SCHEDULE)
    runs = np.arange(1)
    for age in range(0, 60, 3):
        mind.memory.visits[:] = age / 12
        mind._age[:] = age
        mind.plan(runs)
    assert mind.arrays()["since"][0] == visits


def test_a_planner_whose_risk_was_not_fitted_takes_none():
    general = load_weights(shipped()).general
    looks = np.random.default_rng(3).normal(size=(10, SIGNS)) * 100
    assert (predicted(general, looks) < RISKY).all()


def test_a_run_at_risk_leaves_unlikely_actions_out():
    chance = np.array([[[0.5, 0.16, 0.14, 0.2]]])
    out = np.exp(likely(np.log(chance)))
    np.testing.assert_allclose(out / out.sum(), [[[0.5, 0.16, 0.0, 0.2]]] / np.float64(0.86))


def test_the_risk_is_fitted_to_exact_losses(tmp_path):
    torch = pytest.importorskip("torch")
    from anymdp_baselines.omnirl.checkpoint import load_arrays
    from anymdp_baselines.omnirl.risk import examples, fit, main

    torch.set_num_threads(1)
    planner = load_weights(shipped()).general
    looks, losses = examples(planner, 3, 2**43)
    assert looks.shape == (12, SIGNS)
    assert ((losses >= 0.0) & (losses <= 1.0)).all()
    sorted_apart = fit(looks, (np.arange(12) % 2).astype(float))
    found = planner._replace(
        risk_mean=sorted_apart["risk_mean"], risk_sd=sorted_apart["risk_sd"],
        risk_in=sorted_apart["risk_in.weight"].T, risk_in_bias=sorted_apart["risk_in.bias"],
        risk_out=sorted_apart["risk_out.weight"].T, risk_out_bias=sorted_apart["risk_out.bias"],
    )  # fmt: skip
    answer = predicted(found, looks)
    assert answer[1::2].min() > answer[::2].max()  # twelve runs are easily told apart
    main(shipped("omnirl-anymdp"), tmp_path / "out.safetensors", 2, 2**43)
    before, after = (
        load_arrays(shipped("omnirl-anymdp"))[0],
        load_arrays(tmp_path / "out.safetensors")[0],
    )
    changed = {k for k in before if not np.array_equal(before[k], after[k])}
    assert changed == {k for k in before if k.startswith("risk_")}
    load_weights(tmp_path / "out.safetensors")

import numpy as np
import pytest
from numba import njit

from anymdp_baselines.planner.memory import empty_memory, write
from anymdp_baselines.planner.posterior_sampling import (
    LEAST_TOTAL,
    PRIOR,
    draw_gamma,
    estimate_reward_noise,
    estimate_unseen_total,
    sample_policies,
)
from anymdp_baselines.planner.schedule import blend
from anymdp_bench.engine.rng import stream
from anymdp_bench.mdp.solution import solve
from anymdp_bench.tasks.family import sample_task


@njit
def variates(shape, n, rng):
    return np.array([draw_gamma(rng, 0, shape) for _ in range(n)])


@pytest.mark.parametrize("shape", [0.05, 0.7, 1.0, 6.0])
def test_gamma_variates_have_mean_and_variance_of_their_shape(shape):
    """False alarms: each bound is five standard deviations, 6e-7."""
    n = 200_000
    x = variates(shape, n, stream("test gamma", int(100 * shape)))
    assert abs(x.mean() - shape) < 5 * np.sqrt(shape / n)
    spread = np.sqrt((6.0 / shape + 2.0) / n)  # relative sd of the variance's estimate
    assert abs(x.var() / shape - 1.0) < 5 * spread


def wander(mdp, steps, seed):
    """The memory of one run of random actions."""
    rng = np.random.default_rng(seed)
    memory = empty_memory(1, mdp.n_observations, mdp.n_actions)
    s, left = rng.choice(mdp.n_states, p=mdp.start), mdp.max_steps
    mean, noise = mdp.reward, mdp.reward_noise
    for _ in range(steps):
        a = rng.integers(mdp.n_actions)
        j = rng.choice(mdp.n_states, p=mdp.transition[s, a])
        reward = mean[s, a, j] + noise[s, a, j] * rng.normal()
        left -= 1
        ends = mdp.terminal[j]
        write(
            memory, 0, mdp.observation[s], a, reward, mdp.observation[j], ends, not ends and left == 0
        )  # fmt: skip
        if ends or left == 0:
            s, left = rng.choice(mdp.n_states, p=mdp.start), mdp.max_steps
        else:
            s = j
    return memory


def sampled_policy(memory, seed=0):
    policy = np.zeros(memory.visits.shape[:2], np.int64)
    sample_policies(memory, np.arange(len(policy)), stream("test scout", seed), policy)
    return policy[0]


def test_with_all_data_the_scout_follows_the_optimal_policy():
    """Bandits, whose slots are all met: the sampled means lie within their noise."""
    mdp = sample_task("AnyMDP-1s5a-v0", seed=3)
    best = mdp.reward[0, :, 1].argmax()
    memory = wander(mdp, 20_000, 0)
    assert {sampled_policy(memory, seed)[0] for seed in range(20)} == {best}


def test_without_data_the_scout_tries_everything():
    memory = empty_memory(1, 6, 4)
    tried = {int(a) for seed in range(50) for a in sampled_policy(memory, seed)}
    assert tried == {0, 1, 2, 3}


def test_with_much_data_the_sampled_policy_is_nearly_optimal():
    mdp = sample_task("Garnet-16s5a2b-v0", seed=1)
    memory = wander(mdp, 60_000, 1)
    sol = solve(mdp)
    chosen = sampled_policy(memory)[mdp.observation]
    loss = sol.v - sol.q[np.arange(mdp.n_states), chosen]
    assert loss.max() < 0.1 * (sol.v.max() - sol.v.min() + 0.1)


def test_reward_noise_is_the_spread_about_the_means_of_slots_and_successors():
    mdp = sample_task("AnyMDP-1s5a-v0", seed=3)
    memory = wander(mdp, 5000, 2)
    noise = mdp.reward_noise[0, :, 1]
    assert estimate_reward_noise(memory, 0) == pytest.approx(
        np.sqrt((noise**2).mean()), rel=0.05, abs=1e-3
    )


def test_blend_follows_the_scout_only_where_the_network_gives_it_a_chance():
    chance = np.array([[[0.70, 0.29, 0.01], [0.2, 0.3, 0.5]]] * 2)
    scouted_actions = np.array([[2, 0], [2, 0]])
    out = blend(np.log(chance), np.ones(2), scouted_actions, np.array([True, False]), 0.05)
    np.testing.assert_allclose(out[0, 0], np.log(chance[0, 0]))  # 0.01 is no chance
    assert out[0, 1].argmax() == 0
    assert np.exp(out[0, 1] - out[0, 1].max()).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(out[1], np.log(chance[1]))


def steps_of(outcomes, repeats, seed=0):
    """The memory of `repeats` visits to each of 40 slots, each with so many equally likely successors."""
    rng = np.random.default_rng(seed)
    memory = empty_memory(1, 20, 2)
    for o in range(20):
        for a in range(2):
            for _ in range(repeats):
                write(memory, 0, o, a, 0.0, (o + rng.integers(outcomes)) % 20, False, False)
    return memory


def test_without_data_the_unseen_share_is_the_priors():
    assert estimate_unseen_total(empty_memory(1, 20, 2), 0) == pytest.approx(PRIOR, rel=1e-3)


def test_slots_that_always_lead_to_the_same_place_leave_little_to_the_unseen():
    share = [estimate_unseen_total(steps_of(1, repeats), 0) for repeats in (1, 2, 8)]
    assert share[0] == pytest.approx(PRIOR, rel=1e-3)  # one visit says nothing
    assert PRIOR > share[1] > share[2] > LEAST_TOTAL


def test_the_unseen_share_is_the_one_under_which_the_successors_seen_are_expected():
    """Ewens (1972): n draws with total t have sum_i t / (t + i) different values in expectation."""
    memory = steps_of(4, 6)
    share = estimate_unseen_total(memory, 0)
    new = (memory.onward[0] > 0).sum() - 40 + 10 * PRIOR / (PRIOR + 1)
    expected = 40 * sum(share / (share + i) for i in range(1, 6)) + 10 * share / (share + 1)
    assert expected == pytest.approx(new, rel=1e-3)

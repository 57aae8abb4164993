"""The planning memory: its compiled form is the naive one, gradients too; its values are right by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anymdp_baselines.omnirl.agent import omnirl
from anymdp_baselines.omnirl.mixers.planning_memory import PlanningMemory, plan
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_baselines.omnirl.value_iteration import (
    CHAIN,
    MOST_SUCCESSORS,
    PLAN_HEADS,
    PlanWeights,
    backups,
    is_linear,
    is_sound,
    plan_size,
    plan_step,
)
from anymdp_baselines.training.checkpoint import load_arrays, save
from anymdp_bench.agents import RunBatch
from anymdp_bench.datasets.codes import NOTHING, TERMINATED, TRUNCATED, WENT_ON

O, A, P, B, T = 6, 3, 16, 2, 40  # noqa: E741
LINEAR = torch.tensor([c % 4 < 2 for c in range(P)])  # the first half of each head's four columns


def some_runs(seed):
    """Runs whose episodes go on, terminate and are truncated."""
    rng = np.random.default_rng(seed)
    seen, columns = rng.integers(O, size=B), []
    left, action, reward = np.zeros(B, int), np.zeros(B, int), np.zeros(B)
    ending, arrival, power = np.full(B, NOTHING), seen.copy(), np.zeros(B)
    for t in range(T):
        power = power + reward**2
        scale = np.sqrt(power / max(t, 1))
        columns.append((seen, left, action, reward, scale, ending, arrival, np.full(B, 7)))
        left, action, reward = seen, rng.integers(A, size=B), rng.normal(size=B)
        arrival = (left + action + (rng.random(B) < 0.3)) % O
        ending = rng.choice([WENT_ON, TERMINATED, TRUNCATED], size=B, p=[0.8, 0.1, 0.1])
        seen = np.where(ending == WENT_ON, arrival, rng.integers(O, size=B))
    out = [torch.from_numpy(np.stack(c, 1)) for c in zip(*columns, strict=True)]
    out[3], out[4] = out[3].float(), out[4].float()
    return StepInputs(*out)


def a_layer(seed=0):
    torch.manual_seed(seed)
    layer = PlanningMemory(12, 8, P, 5)
    with torch.no_grad():
        for own in (layer.sharpness, layer.prior, layer.pseudo):
            own.add_(0.3 * torch.randn_like(own))
    return layer


def addresses(steps):
    slot = torch.where(steps.ending == NOTHING, -1, steps.left * A + steps.action)
    over = (steps.ending == NOTHING) | (steps.ending == TERMINATED)
    return slot, torch.where(over, -1, steps.arrival)


def naive_run(written, weights, steps, b, in_turn):
    """Equations (1) and (2) of one run in plain PyTorch: M [T, A, P] and U [T, P] of the current states."""
    share, discount, prior, pseudo, sharpness = weights
    visits, count = np.zeros((O, A)), np.zeros((O, A, O))
    total = [[torch.zeros(P, dtype=torch.float64)] * A for _ in range(O)]
    rows = [[torch.zeros(P, dtype=torch.float64)] * A for _ in range(O)]
    value = [torch.zeros(P, dtype=torch.float64)] * O
    known, before, clock, out = [], {}, 0, []

    def discover(x):
        if x not in known:
            known.append(x)

    for t in range(T):
        seen, ending, left, arrival = int(steps.seen[b, t]), int(steps.ending[b, t]), -1, -1
        scale = float(steps.scale[b, t])
        unit = torch.where(LINEAR, scale, 1.0).double()
        inverse = torch.where(LINEAR, 1.0 / max(scale, 1e-6), 1.0).double()
        if ending != NOTHING:
            left, action = int(steps.left[b, t]), int(steps.action[b, t])
            visits[left, action] += 1
            total[left][action] = total[left][action] + written[b, t]
            discover(left)
            if ending != TERMINATED:
                arrival = int(steps.arrival[b, t])
                discover(arrival)
                before[arrival] = left
                count[left, action, arrival] += 1
        todo, x = [], left
        for j in range(CHAIN):
            if x < 0 or (j and x in (left, todo[-1])):
                break
            todo.append(x)
            x = before.get(x, -1)
        turn = min(in_turn, len(known))
        todo += [known[(clock + j) % len(known)] for j in range(turn)]
        clock = (clock + turn) % max(len(known), 1)
        todo += [arrival] if arrival >= 0 and arrival != seen else []
        discover(seen)
        for x in [*todo, seen]:
            rows[x] = [
                (
                    share * total[x][a]
                    + discount * sum(count[x, a, y] * value[y] for y in range(O))
                    + pseudo * prior * unit
                )
                / (visits[x, a] + pseudo)
                for a in range(A)
            ]
            own = torch.stack(rows[x]).view(A, PLAN_HEADS, -1)
            logit = (own.detach() * (sharpness * inverse).view(PLAN_HEADS, -1)).sum(-1)
            value[x] = (logit.softmax(0)[..., None] * own).sum(0).flatten()
        out.append((torch.stack(rows[seen]), value[seen]))
    return tuple(torch.stack(part) for part in zip(*out, strict=True))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 6))
def test_the_compiled_form_is_the_naive_one_with_all_gradients(seed, in_turn):
    steps, layer = some_runs(seed), a_layer(seed % 1000)
    slot, arrival = addresses(steps)
    weights = layer.weights().detach().requires_grad_()
    written = torch.randn(B, T, P, requires_grad=True)
    state = layer.initial_state(B, O, A)
    runs = slot, arrival, steps.seen, written, steps.scale
    read, value = plan(*runs, weights, state, (O, A), in_turn)[:2]
    d_read, d_value = torch.randn_like(read), torch.randn_like(value)
    loss = (read * d_read).sum() + (value * d_value).sum()
    found = torch.autograd.grad(loss, [written, weights])
    exact = [x.detach().double().requires_grad_() for x in (written, weights)]
    total = torch.zeros(())
    for b in range(B):
        rows, values = naive_run(exact[0], exact[1], steps, b, in_turn)
        torch.testing.assert_close(read[b].double(), rows, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(value[b].double(), values, atol=1e-4, rtol=1e-4)
        total = total + (rows * d_read[b]).sum() + (values * d_value[b]).sum()
    for mine, theirs in zip(found, torch.autograd.grad(total, exact), strict=True):
        assert (mine - theirs).abs().max() < 1e-3 * theirs.abs().max()


@pytest.mark.parametrize("length", [1, 7, T])
@torch.no_grad()
def test_a_run_can_be_read_in_parts(length):
    steps, layer, main = some_runs(0), a_layer(), torch.randn(B, T, 12)
    whole, after = layer(main, steps, layer.initial_state(B, O, A), O, A)
    state, parts = layer.initial_state(B, O, A), []
    for begin in range(0, T, length):
        part = slice(begin, begin + length)
        own = StepInputs(*(x[:, part] for x in steps))
        out, state = layer(main[:, part], own, state, O, A)
        parts.append(out.actions)
    torch.testing.assert_close(torch.cat(parts, 1), whole.actions, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, after)


def plain_weights(discount, pseudo=1e-6, prior=0.0, sharpness=100.0):
    numbers = (
        1.0,
        discount,
        prior,
        pseudo,
        sharpness,
    )  # a share of 1 keeps values in units of reward
    return PlanWeights(*(np.full(8, x, np.float32) for x in numbers))


def play(flat, weights, *steps, n_actions=2, n_observations=3):
    """Takes steps (left, action, arrival or -1, reward, seen): M [O, A], U [O] of the first column."""
    order, log = np.empty(backups(5), np.int64), np.empty((0, n_actions, 8), np.float32)
    for left, action, arrival, reward, seen in steps:
        slot, written = left * n_actions + action, np.full(8, reward, np.float32)
        _, rows, value = plan_step(
            flat, n_observations, n_actions, slot, arrival, seen, written, np.float32(1.0),
            weights, order, log,
        )  # fmt: skip
    return rows[:, 0].reshape(n_observations, n_actions), value[:, 0]


def test_a_reward_flows_back_along_the_way_that_led_to_it_in_one_step():
    """0 -> 1 -> 2 -> end with reward 8 at the end, discount 1/2: worth 8, 4 and 2 at once."""
    flat = np.zeros(plan_size(3, 2, 8), np.float32)
    rows, value = play(
        flat, plain_weights(0.5), (0, 0, 1, 0.0, 1), (1, 0, 2, 0.0, 2), (2, 0, -1, 8.0, 0)
    )
    np.testing.assert_allclose(rows[:, 0], [2.0, 4.0, 8.0], rtol=1e-4)
    np.testing.assert_allclose(value, [2.0, 4.0, 8.0], rtol=1e-4)


def test_values_are_those_of_the_frequencies_seen():
    """Action 0 led twice to 1 and once to 2, which end with 9 and 3: 7 in the mean. Action 1 ends with 5."""
    flat = np.zeros(plan_size(3, 2, 8), np.float32)
    ways = [(0, 0, 1, 0.0, 1), (1, 0, -1, 9.0, 0)] * 2
    ways += [(0, 0, 2, 0.0, 2), (2, 0, -1, 3.0, 0), (0, 1, -1, 5.0, 0)]
    rows, value = play(flat, plain_weights(1.0), *ways, *[(0, 1, -1, 5.0, 0)] * 3)
    np.testing.assert_allclose(rows[0], [7.0, 5.0], rtol=1e-4)
    assert value[0] == pytest.approx(7.0, rel=1e-4)  # a sharp policy takes the better


def test_a_prior_counts_as_so_many_visits():
    """Prior 4 that counts as 1 visit, and one visit with 0: 2. An action never taken is worth the prior."""
    flat = np.zeros(plan_size(3, 2, 8), np.float32)
    rows, _ = play(flat, plain_weights(0.5, pseudo=1.0, prior=4.0), (0, 0, -1, 0.0, 0))
    np.testing.assert_allclose(rows[0], [2.0, 4.0])


def test_with_equal_preferences_a_state_is_worth_the_mean_of_its_actions():
    flat = np.zeros(plan_size(3, 2, 8), np.float32)
    ways = (0, 0, -1, 1.0, 0), (0, 1, -1, 3.0, 0)
    _, value = play(flat, plain_weights(0.5, sharpness=0.0), *ways)
    assert value[0] == pytest.approx(2.0, rel=1e-4)


def test_more_successors_than_are_remembered_lead_nowhere():
    """All successors end with 1; those beyond the last remembered add nothing."""
    n = MOST_SUCCESSORS + 16
    flat = np.zeros(plan_size(n + 1, 1, 8), np.float32)
    ways = [w for x in range(1, n + 1) for w in ((0, 0, x, 0.0, x), (x, 0, -1, 1.0, 0))]
    rows, _ = play(flat, plain_weights(1.0), *ways, n_actions=1, n_observations=n + 1)
    assert rows[0, 0] == pytest.approx(MOST_SUCCESSORS / n, rel=1e-3)


def test_a_spoiled_memory_is_noticed():
    """Every number that compiled code takes for an index or a count; a sound memory passes."""
    flat = np.zeros(plan_size(3, 2, 8), np.float32)
    assert is_sound(flat, 3, 2, 8)
    play(flat, plain_weights(0.5), (0, 0, 1, 0.0, 1), (1, 0, 2, 0.0, 2), (2, 0, -1, 8.0, 0))
    assert is_sound(flat, 3, 2, 8)
    values = slice(2 * 6 + 2 * 6 * 3, -(3 * 3 + 2))  # V, M and U may be anything
    for place in set(range(len(flat))) - set(range(len(flat))[values]):
        for wrong in (-1.0, 1e9, 0.5, np.nan):
            spoiled = flat.copy()
            spoiled[place] = wrong
            assert not is_sound(spoiled, 3, 2, 8), (place, wrong)


@pytest.mark.parametrize("what", ["last", "plan"])
def test_a_context_with_indices_that_are_none_is_refused_in_one_line(what, tmp_path):
    agent = omnirl()
    agent.start(RunBatch(5, 3, np.arange(2, dtype=np.uint64)))
    agent.act(np.zeros(2, np.int64))
    agent.save_context(tmp_path / "good")
    agent.load_context(tmp_path / "good")
    tensors, numbers = load_arrays(tmp_path / "good")
    if what == "last":
        tensors["last"][0, 0] = 5
    else:
        tensors["memory.6"][0, -1] = 1e9
    save(tmp_path / "bad", tensors, numbers)
    with pytest.raises(ValueError, match="observations or actions that are none") as caught:
        agent.load_context(tmp_path / "bad")
    assert "\n" not in str(caught.value)


def test_half_of_each_head_s_columns_take_the_reward():
    assert [bool(is_linear(c, P)) for c in range(P)] == LINEAR.tolist()


def test_rewards_times_a_factor_change_no_policy():
    """Columns of rewards keep their meaning in units of the rewards' root mean square."""
    steps, layer = some_runs(3), a_layer()
    scaled = steps._replace(reward=100.0 * steps.reward, scale=100.0 * steps.scale)
    slot, arrival = addresses(steps)
    state, weights = layer.initial_state(B, O, A), layer.weights()
    with torch.no_grad():
        found = []
        for own in (steps, scaled):
            written = torch.where(LINEAR, own.reward[..., None], 0.0)
            runs = slot, arrival, own.seen, written, own.scale
            _, value = plan(*runs, weights, state, (O, A), 5)[:2]
            found.append(torch.where(LINEAR, value / own.scale.clamp(min=1e-6)[..., None], value))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)

"""The compiled AnyMDP sampler has the same distributions as its plain twin, `naive.anymdp`.

Two layers: each step of the text by itself, thousands of draws; and whole accepted tasks. Every
comparison is a two-sample test, Bonferroni within each layer, at an overall false-alarm rate of 1e-3 a layer;
seeds are fixed, so a pass stays a pass.
"""

import math

import numpy as np
import pytest

from anymdp_bench.engine.rng import stream
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.anymdp import rewards, transitions
from anymdp_bench.tasks.anymdp.bandit import sample_arms
from anymdp_bench.tasks.anymdp.sampler import sample_arrays
from anymdp_bench.tasks.random_parts import draw_permutation, sample_horizon
from naive import anymdp as twin
from naive.samples import same_distribution

ALPHA = 1e-3
S, A = 16, 5
DRAWS = 4_000
WHOLE, WHOLE_TWIN = 1_500, 250


def assert_same(ours, theirs):
    """Both: {statistic: sample}."""
    assert ours.keys() == theirs.keys()
    p_values = {name: same_distribution(ours[name], theirs[name]) for name in ours}
    worst = min(p_values, key=p_values.get)
    assert p_values[worst] > ALPHA / len(p_values), f"{worst}: p = {p_values[worst]:.1e}"


def tabulate(describe, draw, n):
    """{statistic: sample} of `describe(*draw())`, drawn n times; it gives a value or several for each."""
    rows = [describe(*draw()) for _ in range(n)]
    return {name: np.concatenate([np.atleast_1d(row[name]) for row in rows]) for name in rows[0]}


def compare(describe, ours, theirs, n=DRAWS):
    assert_same(tabulate(describe, ours, n), tabulate(describe, theirs, n))


@pytest.fixture
def state():
    """A stream of ours."""
    return stream("test", "twin")


@pytest.fixture
def rng():
    """The twin's generator."""
    return np.random.default_rng(20250210)


@pytest.mark.parametrize("size", [8, 16, 64, 128])
def test_horizon(state, rng, size):
    compare(
        lambda H: {"H": H},
        lambda: (sample_horizon(state, size),),
        lambda: (twin.horizon(rng, size),),
    )


def test_permutation(state, rng):
    compare(
        lambda order: (
            {str(k): order[k] for k in range(5)} | {"first pair": 5 * order[0] + order[1]}
        ),
        lambda: (draw_permutation(state, 5),),
        lambda: (rng.permutation(5),),
    )


def test_start(state, rng):
    compare(
        lambda start: {"count": (start > 0).sum(), "zeroth": start[0], "second": start[2]},
        lambda: (transitions.sample_start(state, S),),
        lambda: (twin.start_weights(rng, S),),
    )


def test_terminals(state, rng):
    start = np.zeros(S)
    start[[0, 2]] = 0.5

    def describe(terminal):
        return {
            "count": terminal.sum(),
            "beside a start": terminal[1],
            "goal": terminal[-1],
            "next to last": terminal[-2],
        }

    compare(
        describe,
        lambda: (transitions.sample_terminals(state, start)[0],),
        lambda: (twin.terminals(rng, start),),
    )


@pytest.mark.parametrize("size", [8, 16, 33])
def test_bands(state, rng, size):
    terminal = np.zeros(size, bool)
    terminal[[3, 4, size - 2]] = True
    for s in [0, 1, 2, 5, size // 2 + 1, size - 3, size - 1]:
        compare(
            lambda begin, end: {"from": begin, "to": end, "width": end - begin},
            lambda s=s: transitions.sample_band(state, s, terminal),
            lambda s=s: twin.band(rng, s, terminal),
            n=1_500,
        )


def compare_rows(state, rng, describe, A, n):
    """Compares `describe(rows [live, A, S], their states)` of whole transition arrays."""
    terminal = np.zeros(S, bool)
    terminal[[4, 12]] = True
    live = np.flatnonzero(~terminal)
    keywords = {"start": np.eye(S)[0], "terminal": terminal, "max_steps": 1}

    def ours():
        bands = transitions.sample_transitions(state, terminal, A)
        return TabularMDP.from_bands(bands, **keywords).transition[live], live

    compare(describe, ours, lambda: (twin.transitions(rng, terminal, A)[0][live], live), n)


def test_state_weights(state, rng):
    """With a single action its row is the state weights themselves, normalised."""

    def describe(rows, live):
        rows = rows[:, 0]
        own = rows[np.arange(len(live)), live]
        rest = np.where(np.arange(S) == live[:, None], 0, rows)
        least = np.where(rest > 0, rest, 1).min(1)
        most = rest.max(1)
        return {
            "stays": own,
            "stays, to the most": own / most,
            "least to most": least / most,
            "at the floor": (rest > 0).sum(1) * 0 + (abs(rest - least[:, None]) < 1e-12).sum(1),
            "at the cap": (abs(rest - most[:, None]) < 1e-12).sum(1),
            "last stays": own[-1:],
        }

    compare_rows(state, rng, describe, A=1, n=500)


def test_two_actions(state, rng):
    """log P(j|s,0) / P(j|s,1) is linear in j: its slope is 2 (w0 - w1) / sigma^2."""

    def describe(rows, live):
        slope, middle = [], []
        for first, second in rows:
            # Where neither is tiny, so that no action was put first by hand.
            fair = np.flatnonzero((first > 1e-5) & (second > 1e-5))
            if len(fair) > 1 and (np.diff(fair) == 1).all():
                ratio = np.log(first[fair] / second[fair])
                slope.append(abs(ratio[-1] - ratio[0]) / (len(fair) - 1))
                middle.append(ratio.mean())
        return {"slope": slope, "middle": middle}

    compare_rows(state, rng, describe, A=2, n=500)


def test_transitions(state, rng):
    def describe(rows, live):
        above = np.arange(S) > live[:, None]
        up = (rows * above[:, None]).sum(-1)
        return {
            "entropy": -(rows[:, 0] * np.log(np.where(rows[:, 0] > 0, rows[:, 0], 1))).sum(-1),
            "largest in a row": rows[:, 1].max(-1),
            "stays": rows[np.arange(len(live)), 2, live],
            "up": up[:, 3],
            "best action up": up.max(1),
            "actions differ": rows.std(1).max(-1),
            "width": (rows > 0).any(1).sum(-1),
            "tiny entries": ((rows > 0) & (rows < 1e-6)).sum((1, 2)),
        }

    compare_rows(state, rng, describe, A=A, n=400)


def test_potential(state, rng):
    def describe(v):
        width = np.ptp(v)
        shape = [] if width == 0 else v / width
        return {
            "none": (v == 0).all(),
            "range": [] if width == 0 else width,
            "first": [] if width == 0 else abs(v[0]),
            "centre": [] if width == 0 else abs(np.mean(shape)),
            "rise": [] if width == 0 else abs(shape[-1] - shape[0]),
            "bend": [] if width == 0 else abs(shape[0] - 2 * shape[8] + shape[15]),
            "turns": [] if width == 0 else (np.diff(np.sign(np.diff(v))) != 0).sum(),
            "highest": [] if width == 0 else v.argmax(),
        }

    compare(
        describe,
        lambda: (rewards.sample_potential(state, S),),
        lambda: (twin.potential(rng, S),),
        n=20_000,
    )


def test_position(state, rng):
    terminal = np.zeros(S, bool)
    terminal[[4, 15]] = True
    compare(
        lambda r, noise: {
            "lowest": r[0],
            "highest": r[14],
            "rise": r[14] - r[0],
            "jumps": (np.diff(r[5:15]) == 0).sum(),
            "terminal": r[4],
            "quiet states": (noise == 0).sum(),
            "noise": noise.max(),
            "relative noise": noise[2] / (r[14] - r[0]) if r[14] > r[0] else 0.0,
        },
        lambda: rewards.sample_position(state, terminal),
        lambda: twin.position(rng, terminal),
    )
    # The last state's extra 0.20 shows where it is no goal.
    compare(
        lambda r, _: {"last step": (r[15] - r[14]) / (r[15] - r[0])},
        lambda: rewards.sample_position(state, np.zeros(S, bool)),
        lambda: twin.position(rng, np.zeros(S, bool)),
    )


def test_cost(state, rng):
    compare(
        lambda r, noise: {
            "paid": (r != 0).sum(),
            "noisy": (noise != 0).sum(),
            "noisy but not paid": ((noise != 0) & (r == 0)).sum(),
            "mean": r.mean(),
            "sd": r.std(),
            "noise": noise.max(),
            "relative noise": noise.sum() / abs(r).sum(),
            "one": r[3, 2],
        },
        lambda: rewards.sample_cost(state, S, A),
        lambda: twin.cost(rng, S, A),
    )


@pytest.mark.parametrize("terminals", [[], [3], [15], [3, 15]])
def test_step_reward(state, rng, terminals):
    terminal = np.zeros(S, bool)
    terminal[terminals] = True
    compare(
        lambda r: {"r": r, "none": r == 0},
        lambda: (rewards.sample_step_reward(state, terminal, terminal[-1]),),
        lambda: (twin.step_reward(rng, terminal),),
        n=30_000,
    )


@pytest.mark.parametrize("goal", [True, False])
def test_terminal_term(state, rng, goal):
    """On one and the same task of 8 states: the repair's rounds, drops and rises."""
    maker = np.random.default_rng(7)
    terminal = np.array([False, False, False, True, False, True, False, goal])
    P, _ = twin.transitions(maker, terminal, 2)
    by_pair = 0.05 * maker.standard_normal((8, 2))
    by_next = np.where(terminal, 0, np.linspace(-0.1, 0.1, 8))
    start = np.eye(8)[1]
    R = by_pair[:, :, None] + by_next
    mdp = TabularMDP(P, R, start=start, terminal=terminal, max_steps=1)

    def ours():
        policy = np.zeros(8, np.int64)
        term, repaired = rewards.sample_terminal_term(
            state, mdp.bands, by_pair, by_next, start, terminal, goal, policy
        )
        return (term if repaired else None,)

    def describe(term):
        if term is None:
            return {"refused": 1, "pitfall": 0, "other pitfall": 0, "last": 0, "rest": 0}
        return {
            "refused": 0,
            "pitfall": term[3],
            "other pitfall": term[5] - term[3],
            "last": term[-1],
            "rest": abs(term[[0, 1, 2, 4, 6]]).max(),
        }

    theirs = lambda: (twin.repaired_term(rng, P, R, start, terminal),)  # noqa: E731
    compare(describe, ours, theirs, n=1_500)


def test_bandit(state, rng):
    compare(
        lambda mean, noise: {
            "best": mean.max(),
            "worst": mean.min(),
            "worst of best": mean.min() / mean.max(),
            "spread": mean.std(),
            "first": mean[0],
            "relative noise": noise[0] / mean[0],
            "noise ratio": np.isclose(noise / mean, noise[0] / mean[0]).all(),
            "quiet": noise.max() == 0,
        },
        lambda: sample_arms(state, A),
        lambda: twin.bandit(rng, A),
    )


def describe_task(mdp, horizon, attempts):
    """The statistics of a whole task that are compared."""
    P, R, N = mdp.transition, mdp.reward, mdp.reward_noise
    ends = compute_references(mdp)
    possible = P > 0
    widths = possible.any(1)[~mdp.terminal].sum(1)
    step_entropy = -(P * np.log(np.where(possible, P, 1))).sum(-1)[~mdp.terminal]
    return {
        "H": horizon,
        "terminals": mdp.terminal.sum(),
        "goal": mdp.terminal[-1],
        "oracle": ends.oracle,
        "random": ends.random,
        "gap": ends.gap,
        "oracle sd": ends.oracle_sd,
        "transition entropy": step_entropy.mean(),
        "largest reward": R[possible].max(),
        "smallest reward": R[possible].min(),
        "mean reward": R[possible].mean(),
        "largest noise": N[possible].max(),
        "starts": (mdp.start > 0).sum(),
        "mean width": widths.mean(),
        "largest width": widths.max(),
        "attempts": attempts,
    }


@pytest.mark.slow
def test_whole_tasks(rng):
    seeds = iter(range(WHOLE))

    def ours():
        bands, start, terminal, H, _, attempts = sample_arrays(
            stream("test", "whole", next(seeds)), S, S, A, True
        )
        ends = {"start": start, "terminal": terminal, "max_steps": math.ceil(H)}
        return TabularMDP.from_bands(bands, **ends), H, attempts

    def theirs():
        P, R, N, start, terminal, H, _, attempts = twin.sample(rng, S, A)
        ends = {"start": start, "terminal": terminal, "max_steps": math.ceil(H)}
        return TabularMDP(P, R, reward_noise=N, **ends), H, attempts

    assert_same(tabulate(describe_task, ours, WHOLE), tabulate(describe_task, theirs, WHOLE_TWIN))

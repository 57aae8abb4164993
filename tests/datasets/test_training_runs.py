"""Endless labelled runs: whose tasks they are, that labels are the oracle's, that parts repeat nothing."""

import pickle
from itertools import islice

import numpy as np
import pytest

from anymdp_bench.agents import Agent, RunBatch
from anymdp_bench.datasets import BEHAVIOURS, Mixture, TrainingRuns, show_demonstrations
from anymdp_bench.datasets.codes import SHARES, TAG_UNKNOWN
from anymdp_bench.datasets.sequences import synthesise
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import PUBLIC_SEEDS, sample_task

FAMILIES = [
    "AnyMDP-v0?n_states=8&n_actions=3",
    "AnyMDP-v0?n_states=12&n_actions=3&min_states=8",
    "AnyMDP-v0?n_states=8&n_actions=2&composite_reward=False",
    "AnyMDP-1s5a-v0",
    "Garnet-v0?n_states=6&n_actions=2&branching=2",
    "Darkroom-6x6-training-v0",
]


def runs_of(env_id, **changes):
    return TrainingRuns(env_id, **({"length": 120, "batch_size": 4, "seed": 5} | changes))


def assert_same(one, two):
    for name, x, y in zip(one._fields, one, two, strict=True):
        np.testing.assert_array_equal(x, y, name)
        assert x.dtype == y.dtype, name


@pytest.fixture(scope="module", params=FAMILIES)
def recorded(request):
    batch = runs_of(request.param, runs_per_task=2).batch(1)
    return batch, [sample_task(request.param, int(seed)) for seed in batch.task_seed]


def test_shapes_and_types_are_those_of_the_docstring(recorded):
    batch, mdps = recorded
    integers = ("observation", "action", "next_observation", "tag", "oracle_action")
    for name in integers:
        assert (getattr(batch, name).shape, getattr(batch, name).dtype) == ((4, 120), np.int64)
    for name in ("reward", "entropy"):
        assert (getattr(batch, name).shape, getattr(batch, name).dtype) == ((4, 120), np.float32)
    assert batch.terminated.dtype == batch.truncated.dtype == np.bool_
    assert batch.advantage.shape == (4, 120, mdps[0].n_actions)
    assert batch.advantage.dtype == np.float32
    assert (batch.task_seed.shape, batch.task_seed.dtype) == ((4,), np.int64)


def test_every_step_is_one_of_its_task_with_the_oracles_labels(recorded):
    batch, mdps = recorded
    for row, mdp in enumerate(mdps):
        live = np.flatnonzero(~mdp.terminal)
        inner = np.full(mdp.n_observations, -1)
        inner[mdp.observation[live]] = live
        s, a = inner[batch.observation[row]], batch.action[row]
        assert (s >= 0).all()
        possible = np.zeros((mdp.n_states, mdp.n_actions, mdp.n_observations))
        for j, shown in enumerate(mdp.observation):
            possible[:, :, shown] += mdp.transition[:, :, j]
        assert (possible[s, a, batch.next_observation[row]] > 0).all()
        scale, q = compute_references(mdp), solve(mdp).q
        unit = max(scale.gap, 0.5 * scale.oracle_sd) / mdp.max_steps
        expected = (q - q.max(axis=1, keepdims=True))[s] / unit
        np.testing.assert_allclose(batch.advantage[row], expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(batch.oracle_action[row], batch.advantage[row].argmax(-1))
        chance = mdp.transition[s, a]
        entropy = -(chance * np.log(np.maximum(chance, 1e-300))).sum(-1)
        np.testing.assert_allclose(batch.entropy[row], entropy, atol=1e-5)


def test_flags_end_episodes_and_the_next_step_starts_one(recorded):
    batch, mdps = recorded
    for row, mdp in enumerate(mdps):
        over = batch.terminated[row] | batch.truncated[row]
        assert not (batch.terminated[row] & batch.truncated[row]).any()
        on = ~over[:-1]
        seen, arrived = batch.observation[row][1:], batch.next_observation[row][:-1]
        np.testing.assert_array_equal(seen[on], arrived[on])
        assert set(seen[~on]) <= set(mdp.observation[mdp.start > 0])
        lengths = np.diff(np.concatenate([[-1], np.flatnonzero(over)]))
        assert (lengths <= mdp.max_steps).all()


def test_no_seed_is_public_and_no_task_comes_twice():
    parts = [runs_of(FAMILIES[0], seed=seed).split(rank, 2) for seed in (0, 1) for rank in (0, 1)]
    seeds = np.concatenate([b.task_seed for part in parts for b in islice(part, 3)])
    assert seeds.min() >= PUBLIC_SEEDS
    assert len(set(seeds.tolist())) == len(seeds)


@pytest.mark.parametrize("env_id", FAMILIES)
def test_the_same_arguments_give_the_same_batches(env_id):
    one = list(islice(runs_of(env_id), 3))
    again = pickle.loads(pickle.dumps(runs_of(env_id, threads=2)))
    for mine, other in zip(one, islice(again, 3), strict=True):
        assert_same(mine, other)
    assert_same(one[2], next(runs_of(env_id).batches(2)))
    assert not np.array_equal(one[0].reward, runs_of(env_id, seed=6).batch(0).reward)


def test_parts_have_the_batches_of_the_whole_once_each():
    whole = list(islice(runs_of(FAMILIES[0]), 12))
    for world in (1, 2, 3):
        for rank in range(world):
            part = runs_of(FAMILIES[0], rank=rank, world=world)
            assert part == runs_of(FAMILIES[0]).split(rank, world)
            for k, batch in enumerate(islice(part, 2)):
                assert_same(batch, whole[rank + world * k])
    nested = runs_of(FAMILIES[0]).split(1, 2).split(2, 3)
    assert_same(nested.batch(0), whole[1 + 2 * 2])
    assert_same(nested.batch(1), whole[1 + 2 * 5])


def test_they_are_the_runs_that_data_write_writes():
    batch = TrainingRuns(FAMILIES[0], length=120, batch_size=4).batch(1)
    data = synthesise(8, 3, range(PUBLIC_SEEDS + 4, PUBLIC_SEEDS + 8), 120)
    np.testing.assert_array_equal(batch.reward, data.reward)
    np.testing.assert_array_equal(batch.tag, data.tag)


def test_runs_of_one_task_differ():
    batch = runs_of(FAMILIES[0], runs_per_task=4).batch(0)
    assert len(set(batch.task_seed.tolist())) == 1
    assert len({row.tobytes() for row in batch.action}) == 4
    alone = runs_of(FAMILIES[0]).batch(0)
    np.testing.assert_array_equal(batch.action[0], alone.action[0])


def test_ids_and_keywords_say_the_same():
    one, two = runs_of(FAMILIES[0]), runs_of("AnyMDP-v0", n_actions=np.int64(3), n_states=8)
    assert_same(one.batch(0), two.batch(0))


def test_a_mixture_of_one_behaviour_has_its_tags_alone():
    for name, tags in (("random", {6}), ("oracle-0.994", {3}), ("q-learning", {5, 6})):
        batch = runs_of(FAMILIES[0], mixture=Mixture.of({name: 2}), batch_size=16).batch(0)
        assert set(np.unique(batch.tag)) <= tags | {TAG_UNKNOWN}
    assert (batch.tag != TAG_UNKNOWN).any()
    optimal = runs_of(FAMILIES[0], mixture=Mixture.of({"oracle-0.994": 1})).batch(0)
    np.testing.assert_array_equal(optimal.action, optimal.oracle_action)
    assert (runs_of(FAMILIES[0], tags=False).batch(0).tag == TAG_UNKNOWN).all()


def test_the_runs_of_a_learner_are_its_histories_and_improve():
    runs = runs_of(FAMILIES[0], learner="psrl", keep_every=2, length=1500, batch_size=8)
    batch = runs.batch(0)
    assert (batch.tag == TAG_UNKNOWN).all()
    is_best = batch.action == batch.oracle_action
    assert is_best[:, -300:].mean() > is_best[:, :100].mean() + 0.1
    assert_same(runs.split(1, 2).batch(0), runs.batch(1))


def test_the_names_of_the_behaviours_are_those_of_the_paper():
    assert len(BEHAVIOURS) == len(SHARES) == len(set(BEHAVIOURS))
    assert Mixture.of(dict(zip(BEHAVIOURS, SHARES, strict=True))).shares == pytest.approx(SHARES)


def test_soft_labels_are_a_softmax_of_the_advantages():
    batch = runs_of(FAMILIES[0]).batch(0)
    labels = batch.soft_labels(0.5)
    np.testing.assert_allclose(labels.sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(labels.argmax(-1), batch.oracle_action)
    ratio = labels / labels.max(-1, keepdims=True)
    np.testing.assert_allclose(ratio, np.exp(batch.advantage / 0.5), rtol=1e-4, atol=1e-6)


class Listener(Agent):
    def act(self, observation, test=False):
        self.asked.append(observation)
        return observation

    def start(self, batch):
        self.asked, self.shown = [], []

    def learn(self, transition):
        raise AssertionError

    def demonstrate(self, transition, demonstrated):
        assert demonstrated.all()
        self.shown.append(transition)


def test_demonstrations_are_shown_step_by_step():
    batch, agent = runs_of(FAMILIES[0], length=7).batch(0), Listener()
    agent.start(RunBatch(8, 3, np.arange(4, dtype=np.uint64)))
    show_demonstrations(agent, batch)
    np.testing.assert_array_equal(np.stack(agent.asked, 1), batch.observation)
    for name in agent.shown[0]._fields:
        columns = np.stack([getattr(step, name) for step in agent.shown], 1)
        np.testing.assert_array_equal(columns, getattr(batch, name))
    assert agent.shown[0].reward.dtype == np.float64


@pytest.mark.parametrize(
    ("env_id", "changes", "said"),
    [
        ("AnyMDP-17s5a-v0", {}, "no tasks behind"),
        ("AnyMDP-v0", {}, "give n_states, n_actions"),
        ("AnyMDP-v0?n_states=7&n_actions=3", {}, "integer from 8"),
        ("CliffWalkingTerminal-v0", {}, "has one task"),
        ("Darkroom-8x8-v0", {}, "has one task"),
        ("Darkroom-8x8-heldout-v0", {}, "held out"),
        ("DiscretePendulum-g1-v0", {}, "no table"),
        ("Switch2-v0", {}, "no table"),
        (FAMILIES[0], {"length": 0}, "length is 0"),
        (FAMILIES[0], {"batch_size": 2.5}, "batch_size is 2.5"),
        (FAMILIES[0], {"runs_per_task": 3}, "whole tasks"),
        (FAMILIES[0], {"seed": -1}, "seed is -1"),
        (FAMILIES[0], {"rank": 2, "world": 2}, "rank is 2"),
        (FAMILIES[0], {"mixture": (SHARES, 2.0, 1.0)}, "redrawn is 2.0"),
        (FAMILIES[0], {"mixture": ((1.0,), 0.5, 1.0)}, "1 shares; give 12"),
        (FAMILIES[0], {"colour": "red"}, "colour"),
        (FAMILIES[0], {"learner": "psrll"}, "did you mean 'psrl'"),
        (FAMILIES[0], {"learner": "bc"}, "no compiled learner"),
        (FAMILIES[0], {"learner": "psrl", "keep_every": 0}, "keep_every is 0"),
        (FAMILIES[0], {"keep_every": 2}, "keep_every is for a learner"),
        (FAMILIES[0], {"learner": "psrl", "runs_per_task": 2}, "leave runs_per_task out"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(env_id, changes, said):
    with pytest.raises((ValueError, TypeError), match=said) as caught:
        runs_of(env_id, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", [{}, {"random": 0}, {"random": -1, "q-learning": 2}])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="not all 0"):
        Mixture.of(weights)
    with pytest.raises(ValueError, match="no behaviour 'oracle'"):
        Mixture.of({"oracle": 1})


def test_tasks_too_large_to_record_are_refused():
    with pytest.raises(ValueError, match="too large to record"):
        runs_of("AnyMDP-v0?n_states=1&n_actions=200").batch(0)

"""The long-context streams: they never change, models are causal, and losses are those worked by hand."""

import json

import numpy as np
import pytest

from anymdp_bench.longcontext import (
    STREAMS,
    counting,
    load_result,
    save_result,
    score,
    stream,
    training,
)  # fmt: skip
from anymdp_bench.longcontext.losses import edges
from anymdp_bench.results.schema import RecordError
from anymdp_bench.tasks.family import PUBLIC_SEEDS, sample_task

DIGESTS = {
    "tau8-v1": "d685d7e724d038ea75084fbfd82a3b85ebe9d985d1d8e11ec2530f57e933ed68",
    "tau16-v1": "c4601f1d0831132ce0b1e18b863e432669dfacc8041afa8d09d0c5c18778e72f",
    "tau64-v1": "a2a44ae4dc67336fd67af5eaee618d6fe24c8b78bae6c5fb3c345f2d6a27dec8",
}


@pytest.fixture(scope="module")
def data():
    return stream("tau8-v1", 4, 2048)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_published_streams_never_change(name):
    assert stream(name).digest() == DIGESTS[name]


def test_a_part_of_a_stream_is_its_beginning(data):
    whole = stream("tau8-v1")
    for part, x in zip(data.steps, whole.steps, strict=True):
        np.testing.assert_array_equal(part, x[:4, :2048])
    assert (data.name, whole.name) == ("", "tau8-v1")


def test_each_step_tells_what_led_to_it(data):
    steps, following = data.steps, data.following
    assert (steps.ending[:, 0] == 3).all()
    np.testing.assert_array_equal(steps.left[:, 1:], steps.seen[:, :-1])
    np.testing.assert_array_equal(steps.did[:, 1:], steps.action[:, :-1])
    np.testing.assert_array_equal(steps.arrival[:, 1:], following[:, :-1])
    went_on = steps.ending[:, 1:] == 0
    np.testing.assert_array_equal(steps.seen[:, 1:][went_on], following[:, :-1][went_on])


def test_its_tasks_are_public_and_its_floor_is_theirs(data):
    mdp = sample_task("AnyMDP-v0", seed=3 << 30, n_states=8, n_actions=3)
    inner = {int(o): s for s, o in enumerate(mdp.observation)}
    for t in range(0, 2048, 97):
        p = mdp.transition[inner[int(data.steps.seen[0, t])], int(data.steps.action[0, t])]
        assert p[inner[int(data.following[0, t])]] > 0.0
        entropy = -np.sum(p[p > 0] * np.log(p[p > 0]))
        assert data.floor[0, t] == pytest.approx(entropy, abs=1e-5)


def test_training_runs_are_other_tasks_and_draws_are_other_runs():
    with pytest.raises(ValueError, match="public"):
        training(8, 3, [PUBLIC_SEEDS - 1], 16)
    twice = training(8, 3, [PUBLIC_SEEDS, PUBLIC_SEEDS], 64, [0, 1])
    assert (twice.steps.action[0] != twice.steps.action[1]).any()
    again = training(8, 3, [PUBLIC_SEEDS], 64)
    np.testing.assert_array_equal(again.steps.action[0], twice.steps.action[0])


def test_counts_are_the_naive_counts(data):
    alpha = 0.1
    found = score(data, counting(8, 3), segment=300)
    counts: dict[tuple[int, int], np.ndarray] = {}
    for t in range(400):
        key = int(data.steps.seen[2, t]), int(data.steps.action[2, t])
        seen = counts.setdefault(key, np.zeros(8))
        p = (seen[data.following[2, t]] + alpha) / (seen.sum() + 8 * alpha)
        assert found.following[2, t] == pytest.approx(-np.log(p))
        seen[data.following[2, t]] += 1
    assert found.following[:, :64].mean() > found.following[:, 1024:].mean() > data.floor.mean()


def test_logits_are_normalised(data):
    def certain(state, steps):
        n, length = steps.seen.shape
        return None, np.zeros((n, length, 8)), np.full((n, length, 3), 100.0)

    found = score(data, certain)
    np.testing.assert_allclose(found.following, np.log(8))
    np.testing.assert_allclose(found.policy, np.log(3))


def test_the_policy_may_be_left_out(data):
    def silent(state, steps):
        return None, np.zeros((*steps.seen.shape, 8)), None

    found = score(data, silent)
    assert found.policy is None
    assert found.buckets()[0]["policy"] is None


def test_looking_ahead_is_refused(data):
    def ahead(state, steps):
        return None, np.eye(8)[np.roll(steps.seen, -1, 1)], None

    with pytest.raises(ValueError, match="later steps"):
        score(data, ahead)

    def knows_the_action(state, steps):
        return None, np.zeros((*steps.seen.shape, 8)), np.eye(3)[steps.action]

    with pytest.raises(ValueError, match="its own step's action"):
        score(data, knows_the_action)


@pytest.mark.parametrize("fault", ["shape", "nan"])
def test_predictions_that_cannot_be_are_refused(data, fault):
    def wrong(state, steps):
        logits = np.zeros((*steps.seen.shape, 7 if fault == "shape" else 8))
        return None, logits + (np.nan if fault == "nan" else 0.0), None

    with pytest.raises(ValueError, match="following: logits"):
        score(data, wrong)


def test_buckets_double():
    assert edges(300) == [(0, 64), (64, 128), (128, 256), (256, 300)]
    assert edges(40) == [(0, 40)]
    assert edges(32768)[-1] == (16384, 32768)


def test_names_and_sizes_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no stream 'tau9'"):
        stream("tau9")
    with pytest.raises(ValueError, match="has 16 runs of 32768 steps, not 17 of 5"):
        stream("tau8-v1", 17, 5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("result") / "counts.json"
    whole = stream("tau8-v1")
    made = save_result(path, score(whole, counting(8, 3)), model="counts", version="1", author="us")
    return path, made


def test_a_result_is_read_as_it_was_written(saved):
    path, made = saved
    assert load_result(path) == made
    assert made.buckets[-1]["stop"] == 32768


def test_a_part_of_a_stream_is_no_result(data, tmp_path):
    with pytest.raises(ValueError, match="whole published stream"):
        save_result(tmp_path / "x.json", score(data, counting(8, 3)), model="m", version="1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(digest="0" * 64), "'digest'"),
        (lambda r: r.update(stream="tau9-v1"), "no stream 'tau9-v1'"),
        (lambda r: r.update(model=""), "must say something"),
        (lambda r: r.update(model="a\nb"), "'model'"),
        (lambda r: r.update(link="javascript:alert(1)"), "'link'"),
        (lambda r: r.update(parameters=-1), "'parameters'"),
        (lambda r: r.update(extra=1), "no result file"),
        (lambda r: r["buckets"].pop(), "'buckets'"),
        (lambda r: r["buckets"][1].update(following="0.1"), "bucket 1: losses"),
        (lambda r: r["buckets"][1].update(following=-0.1), "bucket 1: losses"),
        (lambda r: r["buckets"][2].update(floor=0.0), "bucket 2: floor"),
        (lambda r: r["buckets"][2].update(stop=300), "bucket 2: expected steps"),
    ],
)
def test_damaged_results_are_refused_in_one_line(saved, tmp_path, change, said):
    result = json.loads(saved[0].read_text())
    change(result)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(result))
    with pytest.raises(RecordError, match=said) as caught:
        load_result(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 50_000, "\xff"])
def test_files_that_are_no_results_are_refused(tmp_path, text):
    path = tmp_path / "no.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RecordError):
        load_result(path)

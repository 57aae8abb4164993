"""Long contexts and task scaling, tiny; what their settings and tables promise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

import torch

from anymdp_baselines.studies import long_context, long_context_tables, task_scaling
from anymdp_baselines.studies.context_config import ContextConfig
from anymdp_baselines.studies.context_model import count_parameters, make_network
from anymdp_baselines.studies.context_network import ContextSize, reader
from anymdp_baselines.studies.context_objective import train_context_model
from anymdp_baselines.studies.context_planning import PLANNING, scales
from anymdp_baselines.studies.long_context import equal_sizes
from anymdp_bench.leaderboard.longcontext import board_rows, load_board
from anymdp_bench.longcontext import score, stream
from anymdp_bench.studies.files import ResultCache

CONFIG = ContextConfig(8, 3, 2, 32, 64, 4, 3e-3)
SIZE = ContextSize("gated", 8, 3, 16, 1, 1, 32)


def test_no_model_of_a_context_looks_ahead():
    """`score` itself checks it, for every mixer."""
    data = stream("tau8-v1", 2, 128)
    for name in (*long_context.MIXERS, PLANNING):
        torch.manual_seed(0)
        model = make_network(ContextSize(name, 8, 3, 16, 1, 1, 32))
        whole, parts = score(data, reader(model), 128), score(data, reader(model), 50)
        np.testing.assert_allclose(whole.following, parts.following, atol=1e-4)


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
def test_parameters_are_equal(scale):
    counts = [count_parameters(size) for size in equal_sizes(long_context.SCALES[scale]).values()]
    assert max(counts) / min(counts) < 1.01


def test_a_config_gives_all_the_same_runs():
    a, b = CONFIG.make_data(1), CONFIG.make_data(1)
    np.testing.assert_array_equal(a.steps.action, b.steps.action)
    assert (a.steps.action != CONFIG.make_data(0).steps.action).any()
    assert (CONFIG.steps, CONFIG.sequences) == (256, 4)


def test_few_tasks_are_met_equally_often_and_each_time_anew():
    config = ContextConfig(8, 3, 4, 32, 32, 8, 1e-3, tasks=2)
    data = config.make_data(0)
    assert len({tuple(row) for row in data.steps.action}) == 4
    tables = [set(zip(s, f, strict=True)) for s, f in zip(data.steps.seen, data.label, strict=True)]
    same = sum(len(dict(a | b)) == len(a | b) for k, a in enumerate(tables) for b in tables[:k])
    assert same == 2  # of six pairs: runs of one task agree on every state's label


def test_training_goes_on_where_it_was_killed(tmp_path):
    whole = train_context_model(CONFIG, SIZE, tmp_path / "whole").model

    class KilledError(Exception):
        pass

    def kill(update, model):
        if update == 2 and not (tmp_path / "mark").exists():
            (tmp_path / "mark").touch()
            raise KilledError

    for _ in range(2):
        try:
            parts = train_context_model(CONFIG, SIZE, tmp_path / "parts", kill, 2).model
        except KilledError:
            continue
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)
    done = train_context_model(CONFIG, SIZE, tmp_path / "parts").model  # nothing left to do
    assert torch.equal(done.to_policy.weight, whole.to_policy.weight)
    with pytest.raises(ValueError, match="parts was trained with other settings"):
        train_context_model(replace(CONFIG, updates=6), SIZE, tmp_path / "parts")


def test_a_trained_mixer_is_listed_on_the_board(tmp_path):
    model = train_context_model(CONFIG, SIZE, tmp_path / "state").model
    found = score(stream("tau8-v1"), reader(model))
    scale = long_context.SCALES["tiny"]
    more = {"parameters": count_parameters(SIZE), "learning_rate": CONFIG.rate}
    long_context._submission(tmp_path / "gated.json", "gated", scale, found, more)
    [row] = board_rows(load_board(tmp_path))
    assert row["label"] == "gated DeltaNet (long-context study) 3"
    assert row["loss_key"] == pytest.approx(found.following.mean(), abs=1e-4)
    assert (row["parameters_key"], row["trained_key"]) == (
        count_parameters(SIZE),
        scale.config.steps,
    )


def test_long_context_tiny(tmp_path, capsys):
    paths = long_context.run("tiny", tmp_path)
    assert [path.name for path in paths] == [
        f"long-context.{kind}" for kind in ("csv", "md", "png")
    ]
    table = pd.read_csv(paths[0])
    assert len(table) == 9  # seven mixers, counts, entropy
    floor = table.iloc[-1]["1,024-2,048"]
    assert (table["1,024-2,048"][:-1] >= floor).all()
    assert "RWKV-7" in capsys.readouterr().out
    names = [f"long-context.{part}.csv" for part in ("rows", "rates", "costs")]
    before = [(tmp_path / name).read_bytes() for name in names]
    long_context.run("tiny", tmp_path)
    assert [(tmp_path / name).read_bytes() for name in names] == before
    text = paths[1].read_text()
    for length in long_context.SCALES["tiny"].lengths:
        assert text.count(f"| runs of {length} ") == 2


def test_a_mixer_has_the_learning_rate_that_is_best_on_held_out_runs(tmp_path):
    """The search's rows say which: here, by hand, the second of two."""
    scale = long_context.SCALES["tiny"]
    key = ("scale", "length", "search", "mixer", "learning_rate")
    found = ResultCache(tmp_path / "rates.csv", key)
    for rate, following, policy in zip(scale.rates, (1.0, 1.2), (1.0, 0.7), strict=True):
        part = ("tiny", scale.main_length, scale.search, "lstm", rate)
        found.add(part, [{"following": following, "policy": policy}])
    assert long_context.find_rate("lstm", "tiny", tmp_path, found) == scale.rates[1]
    assert not (tmp_path / "tiny").exists()  # nothing was trained


def test_held_out_runs_are_of_tasks_of_no_training():
    """Their seeds are above those of any training, and public seeds are below those."""
    for scale in long_context.SCALES.values():
        assert scale.config.sequences < 2**39
    data = long_context.held_out_runs(long_context.SCALES["tiny"], 64)
    again = long_context.held_out_runs(long_context.SCALES["tiny"], 64)
    np.testing.assert_array_equal(data.label, again.label)


def test_the_change_with_position_by_hand():
    """Two runs; above the entropy the loss falls by 0.1 and 0.3 after the bucket that ends at 128."""
    rows = pd.DataFrame(
        [
            {
                "run": run,
                "start": start,
                "stop": stop,
                "following": loss,
                "policy": 0.5,
                "floor": floor,
            }
            for run, losses in ((0, (1.0, 0.9, 1.0)), (1, (1.0, 1.1, 1.0)))
            for (start, stop, floor), loss in zip(
                ((0, 64, 0.1), (64, 128, 0.2), (128, 256, 0.4)), losses, strict=True
            )
        ]
    )
    mean, error = long_context_tables.change(rows, "following", 128)
    assert mean == pytest.approx(-0.2)
    assert error == pytest.approx(0.1)
    assert long_context_tables.change(rows, "policy", 128) == (0.0, 0.0)


def test_task_scaling_tiny(tmp_path):
    paths = task_scaling.run("tiny", tmp_path)
    table = pd.read_csv(paths[0])
    assert list(table.columns) == ["network", "runs of", "measure", "2 tasks", "16 tasks"]
    lines = ["max d_t", "first t with d_t >= 80%"] * 2 + ["best at update"]
    assert list(table["measure"]) == lines * 2
    assert list(table["network"].unique()) == ["planning memory", "gated DeltaNet"]
    last = pd.read_csv(tmp_path / "task-scaling.last.csv")
    assert list(last["tasks"].unique()) == [2, 16]
    text = paths[1].read_text()
    assert "At the end of the training, on 8 new runs of each set:" in text
    assert "| unseen | first t with d_t >= 80% | - | - | 3.9K | 5.1K |" in text  # the paper's
    rows = pd.read_csv(tmp_path / "task-scaling.rows.csv")
    assert set(rows[rows["mixer"] == "planning"]["update"]) == {0, 2, 4}
    assert set(rows[rows["mixer"] == "gated"]["update"]) == {0, 4, 8}


def test_a_scale_has_as_many_runs_as_tasks():
    """Every number of tasks is met by equally many runs, each task at least once."""
    for settings in task_scaling.SCALES.values():
        for setting in settings:
            for tasks in filter(None, setting.tasks):
                assert setting.config.sequences >= tasks
                assert setting.config.updates % setting.looks == 0


def test_the_planning_network_scales_rewards_by_those_of_the_whole_run():
    """In parts as in one: the root mean square of the rewards so far is carried on."""
    data = stream("tau8-v1", 2, 96)
    torch.manual_seed(0)
    model = make_network(ContextSize(PLANNING, 8, 3, 16, 1, 1, 0))
    whole, parts = score(data, reader(model), 96), score(data, reader(model), 7)
    np.testing.assert_allclose(whole.policy, parts.policy, atol=1e-4)
    reward = torch.tensor([[0.0, 3.0, 4.0]])
    is_known = torch.tensor([[False, True, True]])
    scale, power = scales(reward, is_known, torch.zeros(1, 2, dtype=torch.float64))
    np.testing.assert_allclose(scale, [[0.0, 3.0, 12.5**0.5]], rtol=1e-6)
    np.testing.assert_allclose(power, [[25.0, 2.0]])


def test_the_table_of_task_scaling_by_hand():
    """L_0 = 1 in both looks; the second is better, and passes 80% at step 4."""
    rows = pd.DataFrame(
        [
            {
                "mixer": "gated",
                "tasks": "10",
                "update": u,
                "set": s,
                "start": a,
                "stop": b,
                "loss": x,
            }
            for s in ("seen", "unseen")
            for u, losses in ((1, (1.0, 0.9, 0.5)), (2, (1.0, 0.4, 0.1)))
            for (a, b), x in zip(((0, 1), (1, 4), (4, 8)), losses, strict=True)
        ]
    )
    table = task_scaling.table(task_scaling.advances(rows))
    assert list(table["10 tasks"]) == ["90.0%", "4", "90.0%", "4", "2"]


def test_places_cover_every_step_once():
    for length in (1, 3, 100, 512, 8192):
        found = task_scaling.places(length)
        assert found[0] == (0, 1)
        assert [stop for _, stop in found[:-1]] == [start for start, _ in found[1:]]
        assert found[-1][1] == length

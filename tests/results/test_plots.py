"""Plots: every kind in every format, the same bytes twice, and text that is large enough to read."""

import re

import numpy as np
import pandas as pd
import pytest

from anymdp_bench.results.plots import SUFFIXES, draw, save
from anymdp_bench.results.plots.style import COLOURS, agent_labels, line_styles
from anymdp_bench.results.records import RunRecord, to_frame, write_csv
from anymdp_bench.results.schema import RecordError


def a_run(env_id, agent, context, seed, best):
    """120 in-context episodes, or test points, of 20 steps each, that rise towards `best`."""
    trains = context == "none"
    episode = np.arange(1, 121) * (100 if trains else 1)
    score = best * (1 - np.exp(-np.arange(120) / 30.0))
    return RunRecord(
        "quick", "c0ffee", agent, "1", env_id, seed, 0, context, "test" if trains else "episode", 2.0,
        episode, episode * 20, score * 2, score * 2, score, np.cumsum(2 - 2 * score),
    )  # fmt: skip


RECORDS = [
    a_run(env, agent, context, seed, best + 0.01 * seed)
    for env in ("AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0")
    for agent, context, best in (
        ("tql-ucb", "none", 0.7), ("omnirl", "empty", 0.94), ("omnirl", "imitation", 0.97)
    )
    for seed in range(4)
]  # fmt: skip


@pytest.fixture(scope="module")
def frame():
    return to_frame(RECORDS)


@pytest.mark.parametrize("kind", ["curves", "targets", "profiles", "context"])
def test_every_kind_is_drawn_with_its_names_as_text(frame, tmp_path, kind):
    path = tmp_path / "picture.svg"
    save(draw(frame, kind), path)
    text = path.read_text(encoding="utf-8")
    words = ["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0", "imitation"]
    words += ["tql-ucb"] if kind != "context" else []
    assert all(word in text for word in words)
    assert not re.search(r"font: [0-6](\.\d+)?px", text)  # at least 7 points
    save(draw(frame, kind), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == path.read_bytes()


def test_every_format_is_written(frame, tmp_path):
    figure = draw(frame)
    begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for suffix in SUFFIXES:
        save(figure, tmp_path / f"a{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(begins[suffix])


def test_curves_show_the_mean_of_the_runs(frame):
    axis = draw(frame, "curves", unit="episode", log=False).axes[0]
    lines = {line.get_label(): line for line in axis.get_lines()}
    x, y = lines["tql-ucb, test"].get_data()
    assert (x[0], x[-1]) == (200, 12_000)  # two sampled tests are averaged
    best = np.mean([0.70, 0.71, 0.72, 0.73])
    last = 1 - (np.exp(-118 / 30) + np.exp(-119 / 30)) / 2
    assert y[-1] == pytest.approx(100 * best * last)
    assert axis.get_xscale() == "linear"
    assert draw(frame, "curves").axes[0].get_xscale() == "log"


def test_runs_that_never_reach_the_target_are_hatched(frame):
    axis = draw(frame, "targets", target=0.9).axes[0]
    hatched = [bar.get_hatch() is not None for bar in axis.patches]
    assert hatched == [True, False, False]
    assert [text.get_text().strip() for text in axis.texts] == ["0/4", "4/4", "4/4"]


def test_eight_agents_differ_in_colour_dash_and_marker():
    found = line_styles(f"agent {k}" for k in range(8))
    for part in ("color", "dash", "marker"):
        assert len({getattr(line, part) for line in found.values()}) == 8
    assert len(set(COLOURS)) == 8


def test_versions_are_named_where_there_are_several(frame):
    assert set(agent_labels(frame)) == {
        "tql-ucb, test",
        "omnirl, online",
        "omnirl (imitation), online",
    }
    newer = frame.assign(agent_version="2")
    both = pd.concat([frame.astype({"agent_version": "str"}), newer], ignore_index=True)
    assert "tql-ucb 2, test" in set(agent_labels(both))


def test_bad_input_is_refused_in_one_line(frame, tmp_path, capsys):
    from anymdp_bench.cli.app import run

    csv = tmp_path / "a.csv"
    write_csv(csv, [r for r in RECORDS if r.context == "none"], {})
    out = tmp_path / "a.png"
    cases = [
        (["plot", str(csv), "--out", str(tmp_path / "a.docx")], "pictures are .png, .svg, .pdf"),
        (["plot", str(csv), "--out", f"{__file__}/a.png"], "cannot write"),
        (["plot", str(csv), "--out", str(out), "--env", "Nowhere-v0"], "no results on Nowhere-v0"),
        (["plot", str(csv), "--out", str(out), "--kind", "context"], "no in-context results"),
        (["plot", str(csv), "--out", str(out), "--kind", "pie"], "--kind"),
        (["plot", str(csv)], "Missing option '--out'"),
        (["plot", str(tmp_path / "none"), "--out", str(out)], "cannot be read"),
    ]
    for words, message in cases:
        assert run(words) == 2, words
        said = capsys.readouterr()
        assert said.out == ""
        assert message in said.err
        assert said.err.count("\n") == 1
    assert not out.exists()
    with pytest.raises(RecordError):
        draw(frame[(frame["context"] == "none").to_numpy()], "context")
    assert run(["plot", str(csv), "--out", str(out)]) == 0
    assert out.exists()

"""Plots: every kind in every format, the same bytes twice, and text that is large enough to read."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from anymdp_bench.results.plots import SUFFIXES, draw, save
from anymdp_bench.results.plots.lettering import label_agents
from anymdp_bench.results.plots.style import COLOURS, line_styles
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
    x, y = lines["tql-ucb, test, 240K steps"].get_data()
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


def test_labels_say_what_tells_agents_apart_and_the_title_what_is_common(frame):
    labels = label_agents(frame)
    assert set(labels.rows) == {
        "tql-ucb, test, 240K steps",
        "omnirl, online, 2.4K steps",
        "omnirl (imitation), online, 2.4K steps",
    }
    assert labels.common == ""
    newer = frame.assign(agent_version="2")
    both = pd.concat([frame.astype({"agent_version": "str"}), newer], ignore_index=True)
    assert "tql-ucb 2, test, 240K steps" in set(label_agents(both).rows)
    alone = frame[(frame["context"] != "none").to_numpy()]
    assert label_agents(alone).common == "measure: online; budget: 2.4K steps"
    assert set(label_agents(alone).rows) == {"omnirl", "omnirl (imitation)"}
    assert draw(alone).legends[0].get_title().get_text() == label_agents(alone).common


def test_a_budget_is_said_in_what_is_equal_in_all_environments(frame):
    """Steps that differ by a tenth are one budget: runs end with their last whole episode."""

    def budget(steps, episodes):
        is_first = frame["env_id"] == "AnyMDP-16s5a-v0"
        changed = frame.assign(
            steps=frame["steps"].where(~is_first, frame["steps"] * steps).astype(int),
            episode=frame["episode"].where(~is_first, frame["episode"] * episodes).astype(int),
        )
        return label_agents(changed[(frame["context"] == "empty").to_numpy()]).common

    assert budget(0.95, 0.5).endswith("budget: 2.4K steps")
    assert budget(0.5, 1).endswith("budget: 120 episodes")
    assert budget(0.5, 0.7).endswith("budget: up to 2.4K steps")


def is_inside(box, edge):
    """Whether a box lies inside another, to a pixel."""
    return (box.min >= edge.min - 1).all() and (box.max <= edge.max + 1).all()


def find_faults(figure):
    """What reaches over the figure's edge, and the legends and counts that lie over a panel's data."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    shown = [axis for axis in figure.axes if axis.get_visible()]
    drawn = [*shown, *figure.legends, *(text for text in figure.texts if text.get_text())]
    found = [each for each in drawn if not is_inside(each.get_tightbbox(renderer), figure.bbox)]
    for axis in shown:
        panel = axis.get_window_extent(renderer)
        assert panel.width > 0.9 * figure.dpi  # it was not squeezed by what is around it
        assert panel.height > 0.9 * figure.dpi
        counts = [text for text in axis.texts if "/" in text.get_text()]
        over = [text for text in counts if text.get_window_extent(renderer).x0 < panel.x1]
        over += [each for each in figure.legends if each.get_window_extent().overlaps(panel)]
        found += over
        assert axis.get_legend() is None
    return found


@pytest.mark.parametrize("kind", ["curves", "targets", "profiles", "context"])
@pytest.mark.parametrize(
    ("name", "n_environments"), [(None, 4), ("module:Agent-with-a-long-name", 1), (78 * "w", 2)]
)
def test_nothing_is_cut_off_and_nothing_lies_over_the_data(frame, kind, name, n_environments):
    rows = frame if name is None else frame.assign(agent=name + "-" + frame["agent"].astype(str))
    first = rows[(rows["env_id"] == "AnyMDP-16s5a-v0").to_numpy()]
    ids = ["FrozenLake4x4Slippery-v0", *(f"AnyMDP-v0?n_states={k}" for k in range(8, 11))]
    parts = [first.assign(env_id=each) for each in ids[:n_environments]]
    assert find_faults(draw(pd.concat(parts), kind)) == []


def test_a_profile_over_environments_says_how_many_and_leaves_no_agent_out(frame):
    """Six environments of which one agent played four: all agents are averaged over those four."""
    first = frame[(frame["env_id"] == "AnyMDP-16s5a-v0").to_numpy()]
    parts = [first.assign(env_id=f"AnyMDP-{n}s5a-v0") for n in range(16, 22)]
    parts[4:] = [part[(part["agent"] != "tql-ucb").to_numpy()] for part in parts[4:]]
    axis = draw(pd.concat(parts), "profiles").axes[0]
    assert axis.get_title().replace("\n", " ") == "4 environments of 6, those of all agents"
    assert len(axis.get_lines()) == 3
    assert draw(frame, "profiles").axes[0].get_title() == "2 environments together"
    apart = pd.concat([parts[0], parts[5].assign(agent="other")])
    assert [axis.get_title() for axis in draw(apart, "profiles").axes] == [
        "AnyMDP-16s5a-v0",
        "AnyMDP-21s5a-v0",
    ]


def test_one_environment_in_two_suites_counts_as_two(frame):
    first = frame[(frame["env_id"] == "AnyMDP-16s5a-v0").to_numpy()]
    low = first.assign(suite="other", score=first["score"] - 0.5)
    both = draw(pd.concat([first.astype({"suite": "str"}), low]), "profiles").axes[0]
    assert both.get_title() == "2 environments together"
    assert both.get_lines()[0].get_ydata()[60] == pytest.approx(50)


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

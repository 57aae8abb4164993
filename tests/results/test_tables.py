"""Golden tables: `ANYMDP_UPDATE_GOLDEN=1 pytest tests/results/test_tables.py` writes them again."""

import io
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymdp_bench.results import tables
from anymdp_bench.results.published import PublishedResult, find_published, paper_environment
from anymdp_bench.results.statistics import median_time

GOLDEN = Path(__file__).parents[1] / "golden"


def a_row(
    env_id: str, agent: str, score: float, half: float, **changes: object
) -> dict[str, object]:
    """One summary row; half the width of the interval is `half`."""
    row: dict[str, object] = {
        "suite": "quick",
        "suite_hash": "c0ffee00c0ffee00",
        "env_id": env_id,
        "agent": agent,
        "agent_version": "1.0",
        "context": "none",
        "target": 0.9,
        "score_mode": "corrected",
        "measure": "test",
        "n_tasks": 8,
        "n_runs": 8,
        "score": score,
        "score_low": score - half,
        "score_high": score + half,
        "median": score,
        "iqm": score,
        "iqm_low": score - half,
        "iqm_high": score + half,
        "optimality_gap": max(1 - score, 0.0),
        "reached": 5,
        "steps_median": 297_123.0,
        "steps_mean": 300_000.5,
        "steps_limit": 1_100_000.0,
        "episodes_median": 4_712.0,
        "episodes_mean": 5_000.0,
        "episodes_limit": 10_000.0,
        "budget_steps": 1_200_000.0,
        "budget_episodes": 10_000.0,
        "paper_score": score + 0.01,
        "paper_steps": 99_300.0,
        "paper_episodes": 29.0,
        "regret": 12.5,
    }
    return row | changes


@pytest.fixture
def summary() -> pd.DataFrame:
    never = {"steps_median": np.inf, "episodes_median": np.inf, "reached": 3}
    unpaid = never | {"reached": 0, "paper_score": -0.0001}
    unpaid |= {"paper_steps": np.nan, "paper_episodes": np.nan}
    anymdp, lake = "AnyMDP-16s5a-v0", "FrozenLake4x4Slippery-v0"
    return pd.DataFrame(
        [
            a_row(anymdp, "omnirl", 0.953, 0.01, context="empty", measure="online"),
            a_row(anymdp, "omnirl", 0.97, 0.01, context="offline", measure="online"),
            a_row(anymdp, "tql-ucb", 0.92, 0.04),
            a_row(anymdp, "ppo", 0.7, 0.1, **never),
            a_row(anymdp, "oracle", 1.0, 0.0),
            a_row(lake, "tql-ucb", 0.96, np.nan, n_tasks=1, n_runs=1, reached=1),
            a_row(lake, "my:Agent_2 <50%>|&", -0.2, np.nan, n_tasks=1, n_runs=1, **unpaid),
        ]
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("table.txt", {"format": "text"}),
        ("table_reference.txt", {"format": "text", "reference": True}),
        ("table_narrow.txt", {"format": "text", "reference": True, "width": 60}),
        ("table.md", {"format": "markdown", "reference": True}),
        ("table.tex", {"format": "latex", "reference": True}),
        ("table.html", {"format": "html"}),
        ("table.csv", {"format": "csv", "reference": True}),
    ],
)
def test_golden(summary: pd.DataFrame, name: str, options: dict[str, object]) -> None:
    found = tables.render(summary, **options)  # type: ignore[arg-type]
    if os.environ.get("ANYMDP_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(found, encoding="utf-8")
    assert found == (GOLDEN / name).read_text(encoding="utf-8")


def test_best_are_those_whose_interval_holds_the_highest_mean(summary: pd.DataFrame) -> None:
    # The oracle does not compete; what is online, or starts from demonstrations, competes with its like.
    assert tables.best_rows(summary).tolist() == [True, True, True, False, False, True, False]
    everyone = tables.best_rows(summary, privileged=())
    assert everyone.tolist() == [True, True, False, False, True, True, False]


def test_rows_of_another_budget_are_marked_and_compete_apart(summary: pd.DataFrame) -> None:
    """Ten thousand episodes, and 5,000 steps, which end with episodes of different lengths."""
    limits = {"budget_steps": [5e6, 4.1e6, 4_990.0, 4_700.0, 5.2e6, 900.0, 1_100.0]}
    limits["budget_episodes"] = [10_000.0, 10_000.0, 40.0, 31.0, 10_000.0, 100.0, 100.0]
    other = summary.assign(**limits)
    assert tables.budget_classes(other).tolist() == [0, 0, 1, 1, 0, 0, 0]
    text = tables.render(other)
    assert [line.count("\N{DOUBLE DAGGER}") for line in text.splitlines()[2:6]] == [0, 0, 1, 1]
    assert "Another budget than that of most rows" in text
    assert "\N{DOUBLE DAGGER}" not in tables.render(summary)
    rivals = summary.assign(context="empty", measure="test", score_high=summary["score"])
    assert tables.best_rows(rivals)[2:4].tolist() == [False, False]
    assert tables.best_rows(rivals.assign(**limits))[2:4].tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (29, "29"),
        (999.4, "999"),
        (999.6, "1.0K"),
        (2000, "2.0K"),
        (36_300, "36.3K"),
        (99_949, "99.9K"),
        (99_960, "100K"),
        (297_000, "297K"),
        (999_600, "1.0M"),
        (1_100_000, "1.1M"),
        (250_000_000, "250M"),
        (None, "—"),
        (np.nan, "—"),
        (np.inf, "—"),
    ],
)
def test_counts_read_as_in_the_paper(value: float | None, text: str) -> None:
    assert tables.human(value) == text


def test_percent() -> None:
    assert [tables.percent(x) for x in (0.9128, 1, -0.0001, np.nan)] == [
        "91.3",
        "100.0",
        "0.0",
        "—",
    ]


@pytest.mark.parametrize("width", [30, 60, 80, 100, 130, 200, None])
@pytest.mark.parametrize("color", [False, True])
def test_text_fits_and_loses_nothing(summary: pd.DataFrame, width: int | None, color: bool) -> None:
    text = tables.render(summary, width=width, color=color)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert (plain != text) == color
    assert width is None or max(map(len, plain.splitlines())) <= width
    words = plain.split()
    for cell in ("AnyMDP-16s5a-v0", "FrozenLake4x4Slippery-v0", "95.3", "96.3]", "297K", "3/8"):
        assert any(cell in word for word in words)
    assert "…" not in plain


@pytest.mark.parametrize("width", [60, 80, 110])
@pytest.mark.parametrize("agent", ["my", "team.module:AgentWithALongName-v2", 40 * "x"])
def test_a_wide_table_is_folded_in_whole_cells(summary, width, agent):
    """Two suites, versions, contexts and the paper's figures: no cell is broken or out of its column."""
    other = summary.assign(suite="table1-small", agent=agent, agent_version="1.1")
    rows = pd.concat([summary, other])
    lines = tables.render(rows, reference=True, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("AnyMDP-16s5a-v0 [table1-small]" in line for line in lines) == 1
    assert sum(agent in line for line in lines) >= len(other)
    assert sum("95.3 [94.3, 96.3] *" in line for line in lines) == 2
    assert sum("> 1.1M" in line for line in lines) == 4
    for heading, cell in (("reached", "3/8"), ("published", "95.3 / 2.0K / 29")):
        place = next(k for k, line in enumerate(lines) if heading in line)
        end = lines[place].index(heading) + len(heading)
        found = [line for line in lines[place + 1 :] if cell in line]
        assert found
        assert all(line[:end].endswith(cell) for line in found)


def test_a_name_longer_than_the_terminal_is_the_only_thing_that_is_broken(summary):
    text = tables.render(summary.assign(agent=80 * "x"), width=50)
    assert max(map(len, text.splitlines())) <= 50
    assert text.count("x" * 48) == len(summary)
    assert "95.3 [94.3, 96.3] *" in text


def test_suites_and_versions_show_only_where_there_are_several(summary: pd.DataFrame) -> None:
    assert "quick" not in tables.render(summary)
    assert "omnirl 1.0" not in tables.render(summary)
    other = summary.assign(suite="smoke", agent_version="1.1")
    text = tables.render(pd.concat([summary, other]))
    assert "AnyMDP-16s5a-v0 [quick]" in text
    assert "AnyMDP-16s5a-v0 [smoke]" in text
    assert "omnirl 1.1 (offline)" in text
    text = tables.render(pd.concat([summary, summary.assign(suite_hash="deadbeefdead")]))
    assert "AnyMDP-16s5a-v0 [quick c0ffee00]" in text
    assert "AnyMDP-16s5a-v0 [quick deadbeef]" in text


def test_csv_keeps_the_summary(summary: pd.DataFrame) -> None:
    frame = pd.read_csv(io.StringIO(tables.render(summary, "csv", reference=True)))
    for name in summary.columns:
        expected = summary[name]
        if name == "agent_version":
            expected = expected.astype(float)
        pd.testing.assert_series_equal(frame[name], expected, check_dtype=False, rtol=1e-12)
    assert frame["published_steps"].fillna(0).tolist() == [2000, 0, 297_000, 476_000, 0, 208_000, 0]
    assert frame["best"].tolist() == tables.best_rows(summary).tolist()


def test_latex_rows_have_as_many_cells_as_columns(summary: pd.DataFrame) -> None:
    latex = tables.render(summary, "latex", reference=True)
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(summary)
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {9}
    body = latex.replace(r"\{", "").replace(r"\}", "")
    assert body.count("{") == body.count("}")
    assert latex.isascii()
    assert not re.search(r"(?<!\\)[%#_]", latex.split("\n", 1)[1])


def test_html_is_well_formed_and_escaped(summary: pd.DataFrame) -> None:
    html = tables.render(summary, "html")
    root = ElementTree.fromstring(html)
    assert [len(row) for row in root.iter("tr")] == [8] * (1 + len(summary))
    assert "<50%>" not in html
    assert "my:Agent_2 <50%>|&" in [cell.text for cell in root.iter("td")]


def test_what_cannot_be_rendered_is_refused(summary: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="unknown format 'pdf'; known: text, markdown, csv"):
        tables.render(summary, "pdf")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nothing to tabulate"):
        tables.render(summary.iloc[:0])


class TestPublished:
    @pytest.mark.parametrize(
        ("env_id", "name"),
        [
            ("AnyMDP-128s5a-v0", "AnyMDP(128,5)"),
            ("Garnet-64s5a2b-v0", "Garnet(64,5,2)"),
            ("CliffWalkingTerminal-v0", "CliffWalking"),
            ("FrozenLake4x4-v0", "FrozenLake (non-slippery)"),
            ("FrozenLake4x4Slippery-v0", "FrozenLake (slippery)"),
            ("DiscretePendulum-g9.8-v0", "Discrete-Pendulum (g=9.8)"),
            ("Switch2-v0", "Switch2 (multi-agent)"),
            ("Darkroom-10x10-v0", "Darkroom (10x10)"),
            ("AnyMDP-16s5a-v1", None),
            ("CartPole-v1", None),
        ],
    )
    def test_environment_names(self, env_id: str, name: str | None) -> None:
        assert paper_environment(env_id) == name

    def test_figures(self) -> None:
        assert find_published("AnyMDP-16s5a-v0", "omnirl") == PublishedResult(95.3, 2000, 29)
        assert find_published("DiscretePendulum-g1-v0", "omnirl-garnet") == PublishedResult(
            0.0, None, None
        )

    def test_what_the_paper_lacks(self) -> None:
        assert find_published("Switch2-v0", "ppo") is None
        assert find_published("AnyMDP-16s5a-v0", "psrl") is None
        assert find_published("Garnet-16s5a4b-v0", "tql-ucb") is None

    def test_every_line_of_the_paper_is_found_by_our_ids(self) -> None:
        sizes = (1, 16, 32, 64, 128)
        ids = [f"AnyMDP-{size}s5a-v0" for size in sizes]
        ids += [f"Garnet-{size}s5a2b-v0" for size in (16, 64)]
        ids += [f"Darkroom-{side}x{side}-v0" for side in (6, 8, 10)]
        ids += [f"DiscretePendulum-g{g}-v0" for g in ("1", "5", "9.8")]
        ids += ["CliffWalkingTerminal-v0", "FrozenLake4x4-v0", "FrozenLake4x4Slippery-v0"]
        ids += ["Switch2-v0"]
        agents = ("tql-ucb", "ppo", "omnirl", "omnirl-garnet")
        found = [find_published(env_id, agent) for env_id in ids for agent in agents]
        assert len(ids) == 17
        assert sum(each is not None for each in found) == 66


@pytest.mark.parametrize(
    ("style", "cell"),
    [
        ("text", "tql-ucb †"),
        ("markdown", "| tql-ucb † |"),
        ("latex", r"tql-ucb $\dagger$"),
        ("html", "<td>tql-ucb †</td>"),
    ],
)
def test_tuned_agents_are_marked_and_the_caption_says_so(summary, style, cell):
    tuned = summary.assign(tuned=summary["agent"] == "tql-ucb")
    table = tables.render(tuned, style)
    assert cell in table
    assert "Settings tuned per environment." in table.replace("\n", " ")
    assert "omnirl †" not in table
    nobody = summary.assign(tuned=False)
    assert tables.render(nobody, style) == tables.render(summary, style)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=12).map(
        lambda runs: tuple(map(np.array, zip(*runs, strict=True)))
    )
)
def test_more_than_stands_only_where_fewer_than_half_of_the_runs_reached_the_target(
    runs: tuple[np.ndarray, np.ndarray],
) -> None:
    """So `> ` and `reached n/m` agree with the legend, whatever the lengths of the runs."""
    times, reached = runs
    if not np.isfinite(median_time(times.astype(float), reached)):
        assert 2 * reached.sum() < len(reached)
    if (
        times[~reached] == times.max()
    ).all():  # all runs have one length: then the converse holds too
        is_known = np.isfinite(median_time(times.astype(float), reached))
        assert is_known == (2 * reached.sum() >= len(reached))

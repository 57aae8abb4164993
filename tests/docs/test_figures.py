"""What the pages say of the tables beside it: counted from the files of `docs/results`."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import score_tables
import table_one
from row_tables import read_rows

from anymdp_bench.results.published import PAPER_ORACLES, find_published, paper_environment
from anymdp_bench.tasks.family import sample_task, task_source

ROOT = Path(__file__).parents[2]


def page(name):
    return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())


def rows(agent):
    """The scores of an agent (ours, and by the paper's measure) by environment and steps."""
    return {
        (row["env_id"], int(row["steps"])): (float(row["score"]), float(row.get("paper") or "nan"))
        for row in read_rows(agent).to_dict("records")
        if row["context"] == "empty"
    }


def paper_rows():
    """The row of omnirl nearest to the steps of the paper's, for each of its 17 environments."""
    found = {}
    for env_id, steps in rows("omnirl"):
        paper = find_published(env_id, "omnirl").steps
        if env_id not in found or abs(steps - paper) < abs(found[env_id] - paper):
            found[env_id] = steps
    return found


def test_on_how_many_rows_omnirl_reaches_the_papers_column():
    chosen = paper_rows()
    assert len(chosen) == 17
    reached = [
        sum(
            rows("omnirl")[env_id, steps][measure] >= find_published(env_id, "omnirl").percent / 100
            for env_id, steps in chosen.items()
        )
        for measure in (0, 1)
    ]
    assert f"above the paper's column on {reached[0]} of the 17 rows" in page("omnirl.md")
    assert f"By the paper's measure it is on {reached[1]}." in page("omnirl.md")


def test_where_omnirl_loses():
    omnirl, planner = rows("omnirl"), rows("neural-planner")
    better = {key[0] for key in planner if key in omnirl and planner[key] > omnirl[key]}
    assert "AnyMDP-32s5a-v0" in better
    assert {"CliffWalkingTerminal-v0", "FrozenLake4x4-v0", "FrozenLake4x4Slippery-v0"} < better
    assert {env_id for env_id in better if env_id.startswith(("Garnet", "Darkroom"))} == {
        *(f"Garnet-{s}s5a2b-v0" for s in (16, 64)),
        *(f"Darkroom-{d}x{d}-v0" for d in (6, 8, 10)),
    }
    sixteen = "AnyMDP-16s5a-v0", 2_000
    assert planner[sixteen] > omnirl[sixteen]
    below = "AnyMDP-64s5a-v0", 7_700
    assert planner[below][0] < find_published(below[0], "omnirl").percent / 100


def test_on_how_many_rows_tql_ucb_reaches_the_published_figure():
    frame = score_tables.summary("table1")
    ours = frame[frame["agent"] == "tql-ucb"].set_index("env_id")["paper_score"] * 100
    below = [
        env_id
        for env_id in ours.index
        if round(ours[env_id], 1) < find_published(env_id, "tql-ucb").percent
    ]
    assert below == ["FrozenLake4x4Slippery-v0"]
    text = page("results.md")
    assert f"published figure on {len(ours) - len(below)} of the {len(ours)} rows" in text
    assert f"reach the published {find_published(below[0], 'tql-ucb').percent}." in text
    optimum = best_return(sample_task(below[0]))
    random = task_source(below[0]).task(0).references.random
    share = 100 * (optimum - random) / (PAPER_ORACLES[below[0]] - random)
    assert f"Gymnasium's 100 steps is {share:.1f} by this measure" in text


def best_return(mdp):
    """The most that a policy can get that knows the steps left, by backward induction."""
    value = np.zeros(mdp.n_states)
    for _ in range(mdp.max_steps):
        value = np.where(mdp.terminal, 0.0, (mdp.transition * (mdp.reward + value)).sum(-1).max(-1))
    return mdp.start @ value


def test_where_the_scales_differ():
    ours = {env_id: task_source(env_id).task(0).references for env_id in PAPER_ORACLES}
    gaps = {e: (ours[e].oracle - PAPER_ORACLES[e]) / ours[e].gap for e in PAPER_ORACLES}
    assert {env_id for env_id, gap in gaps.items() if gap > 0.05} == {
        "DiscretePendulum-g5-v0",
        "DiscretePendulum-g9.8-v0",
    }
    lake = "FrozenLake4x4Slippery-v0"
    assert best_return(sample_task(lake)) < PAPER_ORACLES[lake]


def test_who_loses_where_in_table1():
    rows = score_tables.summary("table1").set_index(["agent", "env_id"])
    for agent in ("psrl", "ucbvi"):
        weak = set(rows.loc[agent].query("score < 0.9").index)
        assert weak == {"DiscretePendulum-g5-v0", "DiscretePendulum-g9.8-v0"}
    tql_ucb = rows.loc["tql-ucb", "AnyMDP-64s5a-v0"]
    assert tql_ucb["median"] - tql_ucb["score"] > 0.1
    assert rows.loc["tql-ucb-authors", "Switch2-v0"]["score"] < 0.1


def test_ppo_beside_the_published_ppo():
    rows = score_tables.summary("table1").query("agent == 'ppo'").set_index("env_id")
    assert (rows["agent_version"] == "4").all()
    published = {e: find_published(e, "ppo") for e in rows.index}
    known = {e: found.percent for e, found in published.items() if found}
    below = {e for e, percent in known.items() if 100 * rows.loc[e, "paper_score"] < percent}
    assert len(known) == 16
    assert below == {"AnyMDP-16s5a-v0", "FrozenLake4x4Slippery-v0"}
    lake = "FrozenLake4x4Slippery-v0"
    scale = task_source(lake).task(0).references
    most = best_return(sample_task(lake)) - scale.random
    assert f"{100 * most / (PAPER_ORACLES[lake] - scale.random):.1f}" == "89.2"
    assert "89.2 that any policy can reach" in page("results.md")


def test_where_ucbvi_ends_as_the_notes_say():
    for suite in ("table1", "efficiency"):
        frame = score_tables.summary(suite).set_index("agent")
        assert set(frame.loc["ucbvi", "agent_version"]) == {"3"}
    rows = score_tables.summary("table1").set_index(["agent", "env_id"]).loc["ucbvi"]
    sampled = rows[rows.index.str.startswith(("AnyMDP", "Garnet"))]
    assert len(sampled) == 7
    assert sampled["score"].min() > 0.985
    assert "ends at 99% and more on all AnyMDP and Garnet rows" in page("results.md")


@pytest.mark.parametrize("suite", ["table1", "efficiency"])
def test_every_row_of_a_table_has_the_budget_that_its_caption_names(suite):
    """A run ends at the limit of its suite, or at the first episode's end before it."""
    limits = score_tables.load_suite(suite).training
    frame = score_tables.summary(suite)
    if limits.episodes:
        assert frame["budget_episodes"].max() == limits.episodes
    if limits.steps:
        assert frame["budget_steps"].max() <= limits.steps
        assert frame["budget_steps"].min() > 0.5 * min(
            limits.steps, limits.episodes or limits.steps
        )


def test_the_tables_name_the_number_of_tasks_of_each_row():
    text = page("results.md")
    assert re.search(r"\| AnyMDP-16s5a-v0 \| 1,000 \| 256 \|", text)
    assert re.search(r"\| AnyMDP-128s5a-v0 \| 36,300 \| 16 \|", text)


def test_every_figure_below_the_published_one_has_its_reason():
    below = table_one.find_below()
    assert below == list(table_one.read_reasons())
    assert {agent for agent, _ in below} <= set(table_one.PUBLISHED)
    for reason in table_one.read_reasons().values():
        assert reason.endswith(".")
        assert len(reason) < 200


def test_the_learners_reach_the_published_figures_by_the_papers_protocol():
    """`ppo` has two rows by the default protocol, as the page says."""
    for agent, left in (("tql-ucb", set()), ("ppo", {"AnyMDP-128s5a-v0", "Garnet-64s5a2b-v0"})):
        figures = table_one.read_column(agent).figures
        assert len(figures) == 17
        usual = {name for name, figure in figures.items() if math.isnan(figure.low)}
        assert usual == {paper_environment(env_id) for env_id in left}
        assert agent not in {of for of, _ in table_one.find_below()}
    text = page("results.md")
    assert "`tql-ucb` and `ppo` are at or above the published figure on every row" in text
    assert (
        "`ppo` was not played by the paper's protocol on tau(128, 5) and Garnet(64, 5, 2)" in text
    )


def test_omnirl_by_the_papers_protocol():
    text = page("omnirl.md")
    below = [env_id for agent, env_id in table_one.find_below() if agent == "omnirl"]
    assert f"at or above the published figure on {17 - len(below)} of the 17 rows" in text

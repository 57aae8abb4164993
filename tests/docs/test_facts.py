"""What the pages say of the software, tried."""

import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from safetensors.numpy import load_file

import anymdp_bench
from anymdp_baselines.omnirl.agent import omnirl
from anymdp_baselines.omnirl.value_iteration import backups
from anymdp_baselines.tabular.psrl import PSRL, episodic
from anymdp_baselines.training.temperature import SETTLING
from anymdp_bench.agents import RunBatch, installed_agents
from anymdp_bench.mdp import TaskError
from anymdp_bench.results.schema import COLUMNS, CONTRACT
from anymdp_bench.tasks.family import env_ids, families, sample_tasks, task_source

ROOT = Path(__file__).parents[2]
ARGUMENTS = {"n_states": 16, "n_actions": 5, "branching": 2, "size": 6, "gravity": 5.0}
ARGUMENTS |= {"mdp": anymdp_bench.sample_task("AnyMDP-16s5a-v0")}


def page(name):
    return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())


# Environments


def incomplete_ids():
    """The ids that docs/environments.md says need arguments."""
    line = re.search(r"^- (`[^\n]*) need arguments", read("environments.md"), flags=re.MULTILINE)
    return re.findall(r"`([^`]+)`", line[1])


def read(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("env_id", env_ids())
def test_every_listed_id_works_with_what_the_page_says(env_id):
    assert f"`{env_id}`" in read("environments.md")
    keywords = {}
    if env_id in incomplete_ids():
        with pytest.raises(TaskError):
            task_source(env_id).task(0)
        text = page(f"environments/{env_id.partition('-')[0].lower()}.md")
        needed = re.findall(r"\| `(\w+)` \| \|", text)
        assert needed
        keywords = {name: ARGUMENTS[name] for name in needed}
    gym.make(env_id, **keywords).reset(seed=0)
    gym.make_vec(env_id, num_envs=2, **keywords).reset(seed=0)
    assert task_source(env_id, **keywords).task(0).references.oracle  # what --env plays
    if env_id.startswith("DiscretePendulum"):
        with pytest.raises(TaskError):
            anymdp_bench.sample_task(env_id)
    else:
        assert anymdp_bench.sample_task(env_id, **keywords).max_steps


@pytest.mark.parametrize(
    ("n_states", "first", "last"), [(16, 101, 128), (32, 129, 256), (64, 257, 500)]
)
def test_the_horizons_of_anymdp(n_states, first, last):
    tasks = sample_tasks("AnyMDP-v0", range(60), n_states=n_states, n_actions=5, workers=1)
    found = [mdp.max_steps for mdp in tasks]
    assert first <= min(found) <= max(found) <= last
    span = last - first
    assert min(found) < first + 0.2 * span
    assert max(found) > last - 0.2 * span
    assert re.search(
        rf"{first} to {last}( steps)? with {n_states}\b", page("environments/anymdp.md")
    )


def test_the_longest_horizon_of_anymdp():
    found = {mdp.max_steps for mdp in sample_tasks("AnyMDP-128s5a-v0", range(8), workers=1)}
    assert found == {513}
    assert "513 with 128" in page("environments/anymdp.md")
    assert anymdp_bench.sample_task("AnyMDP-1s5a-v0").max_steps == 1


def test_the_arguments_of_gymnasium_that_the_page_lists():
    single = gym.make("AnyMDP-16s5a-v0", privileged_info=True)
    assert {"task_seed", "optimal_action", "regret"} <= set(single.reset(seed=0)[1])
    assert set(gym.make("Switch2-v0").reset(seed=0)[1]) == {"task_seed", "rewards"}
    with pytest.raises((TaskError, TypeError)):
        gym.make("Switch2-v0", privileged_info=True)
    vector = gym.make_vec("AnyMDP-16s5a-v0", num_envs=2, task_seeds=[3, 4])
    assert vector.reset(options={"task_seed": 8})[1]["task_seed"].tolist() == [8, 8]
    with pytest.raises(ValueError, match="options has the unknown key 'task_seeds'"):
        vector.reset(options={"task_seeds": [1, 2]})


# Agents

WITHOUT_EXTRAS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "stable_baselines3"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run_without_extras(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS + code],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.split("\n"), done.stderr


def test_no_agent_needs_an_extra_to_play(tmp_path):
    code = """
from anymdp_bench.agents import AgentError, AgentSpec, installed_agents

for name, point in installed_agents().items():
    if point.value.startswith("anymdp_baselines"):
        try:
            AgentSpec(name).make()
        except AgentError as error:
            print(name, error)
"""
    lines, _ = run_without_extras(code, tmp_path)
    assert [line for line in lines if line] == []
    assert "None of them needs an extra to play." in page("agents.md")


def test_the_studies_that_need_an_extra_say_so_before_they_begin(tmp_path):
    extras = dict(
        re.findall(
            r"^\| \[`([\w-]+)`\]\([^)]*\) \| [^|]* \| (torch) \|",
            read("studies.md"),
            re.MULTILINE,
        )
    )
    assert set(extras) == {"icrl-methods", "long-context", "task-scaling"}
    code = f"""
from anymdp_bench.cli.app import run
from anymdp_bench.studies import study_names, study_question

for name in study_names():
    print(name, study_question(name))
for name in {sorted(extras)}:
    assert run(["study", name, "--scale", "tiny", "--out", "studies"]) == 2, name
"""
    lines, errors = run_without_extras(code, tmp_path)
    told = {line.split()[0]: line for line in lines if line}
    for name, line in told.items():
        assert line.endswith(f"Needs the extra {extras[name]}." if name in extras else line[-1]), (
            line
        )
        assert ("Needs the extra" in line) == (name in extras)
    refusals = errors.strip().splitlines()
    assert len(refusals) == len(extras), errors
    for name, line in zip(sorted(extras), refusals, strict=True):
        assert f"anymdp-bench[{extras[name]}]" in line
    assert not list((tmp_path / "studies").glob("*.csv"))


def test_every_agent_of_the_package_is_described():
    text = read("agents.md")
    table = text[text.index("<!-- agents: all -->") : text.index("<!-- end -->")]
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    for name, point in installed_agents().items():
        if point.value.startswith("anymdp_baselines"):
            row = re.search(rf"\| \[`{name}`\]\(#([\w-]+)\)", table)
            assert row, name
            assert row[1] in anchors, name


def test_the_settings_of_psrl():
    assert "prior 0.1, discount 0.994" in page("agents.md")
    batch = RunBatch(4, 2, np.zeros(1, np.uint64))
    assert PSRL().settings(batch)[2:4].tolist() == [0.994, 0.1]
    assert "Prior 0.5, samples solved at discount 0.97" in page("agents.md")
    assert episodic().settings(batch)[2:4].tolist() == [0.97, 0.5]


def test_the_sizes_of_the_networks():
    weights = ROOT / "baselines" / "anymdp_baselines"
    count = [
        sum(array.size for array in load_file(path).values())
        for path in sorted((weights / "omnirl" / "weights" / "omnirl").glob("*.safetensors"))
    ]
    assert f"{sum(count) / 1e6:.2f} million" in page("omnirl.md")
    size = omnirl()._network.size
    assert (size.blocks, size.slot_size, size.plan_columns) == (6, 48, 32)
    assert "Each of the six blocks keeps 48 numbers" in page("omnirl.md")
    assert "updates 32 value functions" in page("omnirl.md")
    assert size.plan_turns == 24
    assert "up to 30 states: those just visited, and 24 others in turn" in page("omnirl.md")
    assert backups(size.plan_turns) == 30
    planner = load_file(weights / "planner" / "weights" / "neural-planner-garnet.safetensors")
    assert round(sum(array.size for array in planner.values()), -3) == 36_000
    assert "36,000 parameters" in page("neural-planner.md")


def test_how_omnirl_acts():
    first, settled, coldest, untried = omnirl()._how
    text = page("omnirl.md")
    assert f"starts at {first:g}. After {settled:g} visits a slot" in text
    assert SETTLING == 4
    assert f"with the fourth power of the age, down to {coldest:g}." in text
    assert f"gets {untried:g} nats more, and after n tries {untried:g} / (1 + n)²" in text


# Result files


def test_the_columns_of_the_result_file():
    text = read("result-files.md")
    tables = re.findall(r"\| column \| content \|\n\| --- \| --- \|\n((?:\|.*\n)+)", text)
    named = [re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE) for table in tables]
    assert tuple(named[0]) == CONTRACT
    assert tuple(named[1]) == (*COLUMNS[len(CONTRACT) :], "metadata")


def test_the_families_have_a_page_each():
    for name in families():
        assert (ROOT / "docs" / "environments" / f"{name.lower()}.md").exists()

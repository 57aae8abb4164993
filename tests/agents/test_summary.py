"""`list agents`: a line for each agent, from its source, of which nothing is run."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from anymdp_bench.agents import GROUP, installed_agents
from anymdp_bench.agents.summary import AgentSummary, summarise

PACKAGE = '''"""Agents of a stranger.

They need `pip install "strange-agents[gpu]"`.
"""

raise SystemExit("this must not run")


class Wise:
    """Knows what
    to do.

    More about it.
    """

    class Inner:
        """Is inside. Needs pip install other[a,b]."""


def make():
    """Makes a Wise"""


class Silent:
    pass
'''


@pytest.fixture
def summary(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("strange_one", "strange_two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('nor this')")
        (tmp_path / name / "agents.py").write_text(PACKAGE)
    (tmp_path / "strange_two" / "agents.py").write_text("class Wise")  # no Python
    return lambda value: summarise(EntryPoint("x", value, GROUP))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("strange_one.agents:Wise", ("Knows what to do", "strange-agents[gpu]")),
        (
            "strange_one.agents:Wise.Inner",
            ("Is inside. Needs pip install other[a,b]", "other[a,b]"),
        ),
        ("strange_one.agents:make", ("Makes a Wise", "strange-agents[gpu]")),
        ("strange_one.agents:Silent", ("", "strange-agents[gpu]")),
        ("strange_one.agents:Missing", ("", "strange-agents[gpu]")),
        ("strange_one:Wise", ("", None)),
        ("strange_two.agents:Wise", ("", None)),
        ("strange_two.missing:Wise", ("", None)),
        ("no_such_package_anywhere.agents:Wise", ("", None)),
        ("math:sqrt", ("", None)),
    ],
)
def test_the_summary_is_read_from_the_source_without_running_it(summary, value, found):
    assert summary(value) == AgentSummary(*found)


def test_every_agent_of_ours_says_in_one_line_what_it_is():
    about = {name: summarise(point) for name, point in installed_agents().items()}
    assert about["ppo"] == ("Proximal policy optimisation", None)
    assert len({each.text for each in about.values()}) == len(about)
    assert all(each.text for each in about.values())


def test_list_agents_fits_80_columns_and_cuts_none_of_our_own():
    command = [sys.executable, "-m", "anymdp_bench", "list", "agents"]
    environment = os.environ | {"COLUMNS": "40"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(installed_agents())
    assert max(map(len, lines)) <= 80
    assert "..." not in shown.stdout
    rows = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)
    assert {row["agent"]: row["object"] for row in rows} == {
        name: point.value for name, point in installed_agents().items()
    }
    assert rows[0].keys() == {"agent", "object", "summary", "needs"}

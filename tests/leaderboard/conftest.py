"""Two real submissions, made once: a learner that trains and an in-context agent on suite smoke."""

import csv

import pytest
from first_format import to_first_format

from anymdp_bench.agents import AgentSpec
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import run_plan
from anymdp_bench.suites import load_suite


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """made(agent) -> the CSV of that agent on suite smoke."""
    known = {}

    def make(agent):
        if agent not in known:
            out = tmp_path_factory.mktemp("made")
            command = f"anymdp-bench run --agent {agent} --suite smoke"
            plan = make_plan(load_suite("smoke"), AgentSpec(agent))
            known[agent] = run_plan(plan, out, command=command).csv
        return known[agent]

    return make


class Sheet:
    """A result file of the first format in pieces, to be spoilt: `comments`, `names`, `rows` of strings."""

    def __init__(self, path):
        lines = to_first_format(path).decode().splitlines()
        self.comments = [line for line in lines if line.startswith("#")]
        self.names, *self.rows = csv.reader(lines[len(self.comments) :])

    def line(self, row):
        """The line of the file that a row is on."""
        return len(self.comments) + 2 + row

    def column(self, name):
        return self.names.index(name)

    def set(self, row, name, value):
        self.rows[row][self.column(name)] = str(value)

    def get(self, row, name):
        return self.rows[row][self.column(name)]

    def write(self, path):
        table = [",".join(fields) for fields in (self.names, *self.rows)]
        path.write_text("\n".join([*self.comments, *table]) + "\n", encoding="utf-8")
        return path


@pytest.fixture
def sheet(made):
    """sheet(agent) -> its result file in pieces."""
    return lambda agent="tql-ucb": Sheet(made(agent))


@pytest.fixture
def sheet_of():
    """sheet_of(path) -> a result file in pieces."""
    return Sheet

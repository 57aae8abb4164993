"""Agents that fail are named and the rest goes on; the same command completes the result later."""

import json
import re
import sys

import pytest

from anymdp_bench.agents import AgentSpec
from anymdp_bench.results.records import read_csv, read_header
from anymdp_bench.runner.executor import Executor
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import run_plan
from anymdp_bench.suites import Limits, custom_suite

AGENT = """
import os, time
import numpy as np

class Faulty:
    version, trains, privileged, tuned = "1", True, False, True

    @staticmethod
    def settings_for(env_id):
        return "Garnet" in env_id

    def __init__(self, settings=False):
        self.is_garnet = settings

    def start(self, streams):
        self.bad = self.is_garnet and os.environ.get("FAULT") or ""
        self.n = streams.n_observations

    def act(self, observation, test=False):
        if self.bad == "hangs":
            time.sleep(1000)
        if self.bad == "exits":
            raise SystemExit(0)
        return {"shape": np.zeros((2, 2), int), "range": np.array([99])}.get(
            self.bad, np.zeros(1, int))

    def learn(self, step):
        if self.bad == "raises":
            raise OverflowError("too much")

    def policy(self):
        return np.zeros((1, self.n), int)
"""


ASKS = """
import os
from anymdp_baselines.tabular.random import Random

class Asks(Random):
    def start(self, batch):
        super().start(batch)
        with open(f"{os.environ['FAULT']}.txt", "w"):
            pass
"""


def test_workers_see_the_environment_variables_of_the_moment(tmp_path, monkeypatch):
    """Workers are forked from one process, which is older than the second of these values."""
    (tmp_path / "asks.py").write_text(ASKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    suite = custom_suite(["AnyMDP-1s5a-v0"]).with_overrides(2, None, Limits(None, 5))
    plan = make_plan(suite, AgentSpec("asks:Asks"))
    for value in ("first", "second"):
        monkeypatch.setenv("FAULT", value)
        run_plan(plan, tmp_path / value, executor=Executor(2, time_limit=60.0), command="test")
        assert (tmp_path / f"{value}.txt").exists()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raises", "OverflowError: too much"),
        ("hangs", "longer than the time limit, 15 s"),
        ("exits", "SystemExit: 0"),
        ("shape", r"act\(\) returned shape \[2, 2\]"),
        ("range", "an action outside 0..4"),
    ],
)
def test_failed_runs_are_named_and_the_rest_goes_on(tmp_path, monkeypatch, fault, reason):
    (tmp_path / "faulty.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    monkeypatch.setenv("FAULT", fault)
    suite = custom_suite(["AnyMDP-16s5a-v0", "Garnet-16s5a2b-v0"]).with_overrides(
        1, None, Limits(5, None)
    )
    plan = make_plan(suite, AgentSpec("faulty:Faulty"))
    executor = Executor(1, time_limit=15.0 if fault == "hangs" else None)
    outcome = run_plan(plan, tmp_path / "out", executor=executor, command="test")
    assert (outcome.failed_runs, outcome.runs, len(outcome.failed)) == (1, 2, 1)
    assert set(read_csv(outcome.csv)["env_id"]) == {"AnyMDP-16s5a-v0"}
    assert list(json.loads(read_header(outcome.csv)["failed"])) == ["Garnet-16s5a2b-v0"]
    assert re.search(reason, outcome.failed[0])
    monkeypatch.setenv("FAULT", "")
    again = run_plan(plan, tmp_path / "out", command="test")
    assert (again.played, again.failed) == (1, ())
    whole = run_plan(plan, tmp_path / "whole", command="test")
    assert again.csv.read_bytes() == whole.csv.read_bytes()

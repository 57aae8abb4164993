"""When a run has reached the end of a budget of episodes, of steps, or of both."""

import numpy as np
import pytest

from anymdp_bench.agents import AgentSpec
from anymdp_bench.leaderboard.check_completeness import _is_whole
from anymdp_bench.leaderboard.validate import validate
from anymdp_bench.results.schema import RecordError
from anymdp_bench.runner.executor import Executor
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import run_plan
from anymdp_bench.suites import Limits, load_suite

DUE = np.array([1, 2, 3, 100])
BOTH = Limits(100, 1_000)


@pytest.mark.parametrize(
    ("limits", "last", "steps", "at_once", "whole"),
    [
        (Limits(100, None), 100, 5_000, 1, True),
        (Limits(100, None), 3, 5_000, 1, False),  # no steps to run out of
        (BOTH, 100, 500, 1, True),  # all episodes, steps to spare
        (BOTH, 3, 31, 1, True),  # 97 more of up to 10 steps: 1,001
        (BOTH, 3, 30, 1, False),  # they fit in any case
        (BOTH, 2, 990, 1, False),  # one more fits
        (BOTH, 2, 991, 1, True),
        (BOTH, 2, 961, 4, True),  # three other streams may have spent 30 steps
        (BOTH, 2, 960, 4, False),
        (Limits(None, 1_000), 100, 995, 1, True),  # every episode counts until the steps are out
        (Limits(None, 1_000), 100, 990, 1, False),
    ],
)
def test_a_run_is_whole_when_its_budget_may_be_spent(limits, last, steps, at_once, whole):
    """Tested after episodes 1, 2, 3 and 100, of at most 10 steps each."""
    episode = DUE[last >= DUE]
    taken = np.linspace(1, steps, len(episode)).astype(int)
    assert _is_whole(limits, episode, taken, DUE, 10, at_once) is whole


@pytest.mark.slow
def test_a_suite_with_both_budgets_is_validated(tmp_path, sheet_of):
    """`table1-small` as `run` writes it; and with a run's last ten rows cut off."""
    plan = make_plan(load_suite("table1-small"), AgentSpec("tql-ucb-fast"))
    path = run_plan(
        plan, tmp_path / "out", executor=Executor(workers=1), command="anymdp-bench run"
    ).csv
    assert len(validate(path)[1]) == 38
    sheet = sheet_of(path)
    ends = [
        k for k, row in enumerate(sheet.rows) if row[sheet.column("env_id")] == "AnyMDP-16s5a-v0"
    ][-1]
    del sheet.rows[ends - 9 : ends + 1]
    with pytest.raises(RecordError, match=f"line {sheet.line(ends - 10)}, column 'episode'"):
        validate(sheet.write(tmp_path / "cut.csv"))

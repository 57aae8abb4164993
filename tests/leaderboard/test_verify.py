"""Verification: honest claims hold, forged ones do not, and the agent sees observations only."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from anymdp_bench.agents import AgentError, AgentSpec, RunBatch
from anymdp_bench.cli.app import run
from anymdp_bench.evaluation import Budget, Run, play_in_context, play_training
from anymdp_bench.leaderboard.permutation_test import p_fresh, p_of_pairs
from anymdp_bench.leaderboard.receipt import load_receipt
from anymdp_bench.leaderboard.rerun import remote, remote_players, replay
from anymdp_bench.leaderboard.submission import Submission, read_submission
from anymdp_bench.leaderboard.validate import validate
from anymdp_bench.leaderboard.verify import verify
from anymdp_bench.results.records import read_file
from anymdp_bench.results.schema import RecordError
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import run_plan
from anymdp_bench.suites import Limits, Row, Suite
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

AGENTS = """
import json, os, sys, time
import numpy as np
from anymdp_baselines.tabular.random import Random

class Talks(Random):
    def start(self, streams):
        print("hello on stdout")
        assert streams.tasks is None
        known = sorted(k for k, v in vars(streams).items() if v is not None)
        with open(os.environ["TOLD"], "w") as file:
            json.dump(known, file)
        super().start(streams)

class Breaks(Random):
    def act(self, observation, test=False):
        raise KeyError("no such thing")

class Vanishes(Random):
    def act(self, observation, test=False):
        os._exit(3)

class Sleeps(Random):
    def act(self, observation, test=False):
        time.sleep(60)

class Rambles(Random):
    def act(self, observation, test=False):
        return ["north"]

class Peeks(Random):
    privileged = True

class Chosen(Random):
    def __init__(self, action):
        self.action = action

    def act(self, observation, test=False):
        return np.full(len(observation), self.action)
"""


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    name = "strangers_of_verify"
    (tmp_path / f"{name}.py").write_text(AGENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield name
    sys.modules.pop(name, None)


def a_run():
    task = select_tasks(task_source("AnyMDP-1s5a-v0"), 1)[0][0]
    return [Run("AnyMDP-1s5a-v0", task, 0)]


@pytest.mark.parametrize("agent", ["tql-ucb", "random"])
def test_honest_claims_hold_and_reproduce_row_by_row(made, agent):
    found, tasks = validate(made(agent))
    receipt = verify(found, tasks, "a nonce", fresh=1, sample=1, episodes=20)
    assert receipt.holds
    assert [row.reproduced for row in receipt.environments] == [1, 1]
    assert all(seed < 2**32 for row in receipt.environments for seed in row.fresh_seeds)
    again = verify(found, tasks, "another nonce", fresh=1, sample=1, episodes=5)
    assert again.environments[0].fresh_seeds != receipt.environments[0].fresh_seeds


def test_forged_scores_do_not_hold(made, sheet, tmp_path, capsys):
    """The learner's file with every score lifted towards the oracle, as far as is possible: form is right."""
    forged = sheet()
    for row in range(len(forged.rows)):
        score, gap = (float(forged.get(row, name)) for name in ("score", "gap"))
        lift = max(1.0 - score, 0.0)
        forged.set(row, "score", score + lift)
        for name in ("return", "return_corrected"):
            forged.set(row, name, float(forged.get(row, name)) + lift * gap)
    path = forged.write(tmp_path / "forged.csv")
    validate(path)
    words = ["--nonce", "x", "--tasks", "8", "--sample", "2", "--episodes", "20"]
    code = run(["leaderboard", "verify", str(path), *words])
    out, err = capsys.readouterr()
    assert code == 2
    assert "the claims do not hold" in err
    assert err.count("\n") == 1
    assert "0/2 runs reproduced" in out
    assert not json.loads((tmp_path / "forged.verified.json").read_text())["holds"]


def test_the_receipt_is_kept_beside_the_submission(sheet, tmp_path, capsys):
    path = sheet().write(tmp_path / "mine.csv")
    words = ["--nonce", "n", "--tasks", "1", "--sample", "1", "--episodes", "3", "--json"]
    assert run(["leaderboard", "verify", str(path), *words]) == 0
    receipt = load_receipt(tmp_path / "mine.verified.json")
    assert json.loads(capsys.readouterr().out)["sha256"] == receipt.sha256
    assert (receipt.nonce, receipt.agent, receipt.episodes) == ("n", "tql-ucb", 3)
    (tmp_path / "mine.verified.json").write_text("{}")
    with pytest.raises(RecordError, match="is no receipt"):
        load_receipt(tmp_path / "mine.verified.json")


def test_the_agent_is_told_what_the_contract_says_and_no_more(strangers, tmp_path, monkeypatch):
    monkeypatch.setenv("TOLD", str(tmp_path / "told.json"))
    with remote(AgentSpec(f"{strangers}:Talks")) as agent:
        curve = replay([agent], a_run(), Budget(3, None), "empty")[0]
    assert curve.episode.tolist() == [1, 2, 3]
    told = json.loads((tmp_path / "told.json").read_text())
    assert told == ["n_actions", "n_observations", "seeds"]


def test_an_agent_that_runs_again_gets_the_arguments_it_was_run_with(strangers, tmp_path):
    """`--agent-arg` is part of what a submission claims, so `verify` gives it to the agent."""
    words = ["--suite", "smoke", "--agent", f"{strangers}:Chosen", "--agent-arg", "action=1"]
    assert run(["run", *words, "--out", str(tmp_path), "--quiet"]) == 0
    found = read_submission(next(tmp_path.glob("smoke-*.csv")))
    assert found.agent_arguments == {"action": 1}
    with remote(AgentSpec(found.agent, None, tuple(found.agent_arguments.items()))) as agent:
        agent.env_id = "AnyMDP-1s5a-v0"
        agent.start(RunBatch(1, 5, np.zeros(2, np.uint64)))
        assert agent.act(np.zeros(2, np.int64)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Breaks", "KeyError: 'no such thing'"),
        ("Vanishes", "process ended"),
        ("Sleeps", "no answer for 2 s"),
        ("Rambles", "something that is no array"),
    ],
)
def test_an_agent_that_misbehaves_is_one_clear_error(strangers, name, words):
    with remote(AgentSpec(f"{strangers}:{name}")) as agent:
        agent.patience = 2 if name == "Sleeps" else agent.patience
        with pytest.raises(AgentError, match=words):
            replay([agent], a_run(), Budget(3, None), "empty")


@pytest.mark.parametrize(
    ("name", "words"), [("Peeks", "looks at the task"), ("Nobody", "cannot be loaded")]
)
def test_an_agent_that_cannot_be_rerun_is_refused(strangers, name, words):
    with pytest.raises(AgentError, match=words), remote(AgentSpec(f"{strangers}:{name}")):
        pass


def test_another_version_of_the_agent_is_refused(sheet, tmp_path):
    newer = sheet()
    for row in range(len(newer.rows)):
        newer.set(row, "agent_version", "99")
    found, tasks = validate(newer.write(tmp_path / "newer.csv"))
    with pytest.raises(AgentError, match=r"is version .* here and '99' in the submission"):
        verify(found, tasks, "n")


def test_p_values_by_hand():
    """Two against two, the claims the largest: of the 6 ways to split, 1 is as large. Signs: 1 of 4."""
    ours, theirs = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    assert p_fresh([ours], [theirs]) == pytest.approx(1 / 6, abs=0.02)
    assert p_fresh([theirs], [ours]) == pytest.approx(1.0)
    assert p_of_pairs(ours, theirs) == pytest.approx(1 / 4, abs=0.02)
    assert p_of_pairs(ours, ours) == 1.0


def test_the_host_tells_the_version_of_a_compiled_agent():
    from anymdp_baselines.tabular.psrl import PSRL
    from anymdp_bench.leaderboard.host import Host

    told = {"version": PSRL.version, "trains": True, "tuned": False, "parallel": 1, "shaped": True}
    assert Host(AgentSpec("psrl")).describe() == told
    assert PSRL.version != "1"


SIXTEEN = """
import numpy as np
from anymdp_baselines.tabular.random import Random

class Sixteen(Random):
    trains, parallel = True, 16

    def act(self, observation, test=False):  # a test is a single stream
        return super().act(observation)[: len(observation)]
"""


def test_a_learner_of_several_streams_is_rerun_with_as_many(monkeypatch, tmp_path):
    """The same curve as in this process, all streams' steps on its account."""
    (tmp_path / "many.py").write_text(SIXTEEN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    run = Run("FrozenLake4x4-v0", task_source("FrozenLake4x4-v0").task(0), 0)
    budget = Budget(episodes=200)
    here = play_training(AgentSpec("many:Sixteen").make(), run, budget)
    with remote_players(AgentSpec("many:Sixteen"), 1) as agents:
        assert agents[0].parallel == 16
        [there] = replay(agents, [run], budget, "none")
    assert here.steps.tolist() == there.steps.tolist()
    assert here.score.tolist() == there.score.tolist()


def test_a_tuned_learner_is_rerun_with_the_streams_of_its_environment():
    """PPO steps 64 copies of the lake where its settings of another environment have 16."""
    env_id = "FrozenLake4x4Slippery-v0"
    run, budget = Run(env_id, task_source(env_id).task(0), 0), Budget(episodes=100)
    here = play_training(AgentSpec("ppo").make(env_id), run, budget)
    with remote_players(AgentSpec("ppo"), 1) as agents:
        before = agents[0].parallel
        [there] = replay(agents, [run], budget, "none")
        assert agents[0].parallel == AgentSpec("ppo").make(env_id).parallel != before
    assert here.steps.tolist() == there.steps.tolist()
    assert here.score.tolist() == there.score.tolist()


REWARDED = """
import numpy as np
import numpy as np
from anymdp_baselines.tabular.random import Random

class Shaped(Random):
    trains = False

    def start(self, streams):
        super().start(streams)
        self.paid, self.actions = np.zeros(streams.n), streams.n_actions

    def act(self, observation, test=False):  # by all that it was paid
        return (observation + np.round(1001 * self.paid).astype(int)) % self.actions

    def learn(self, step):
        observation, action, reward, *rest = step
        self.paid += reward

class Plain(Shaped):
    shaped = False
"""


@pytest.mark.parametrize("name", ["rewarded:Shaped", "rewarded:Plain"])
def test_an_agent_is_rerun_with_the_rewards_that_it_asks_for(monkeypatch, tmp_path, name):
    """Shaped ones, as the paper gives, or the environment's own."""
    (tmp_path / "rewarded.py").write_text(REWARDED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    env_id = "FrozenLake4x4Slippery-v0"
    run = Run(env_id, task_source(env_id).task(0), 0)
    budget = Budget(steps=3000)
    [here] = play_in_context(AgentSpec(name).make(), [run], budget)
    with remote_players(AgentSpec(name), 1) as agents:
        [there] = replay(agents, [run], budget, "empty")
    assert here.steps.tolist() == there.steps.tolist()
    assert here.score.tolist() == there.score.tolist()
    if name.endswith("Plain"):
        [other] = play_in_context(AgentSpec("rewarded:Shaped").make(), [run], budget)
        assert here.steps.tolist() != other.steps.tolist()  # the two are told apart


def test_too_few_episodes_to_compare_are_refused(made):
    """Sampled tests come every 100 episodes: with less there is nothing to compare."""
    found, tasks = validate(made("tql-ucb"))
    rows = (found.frame["episode"] >= 100).to_numpy()
    sampled = dataclasses.replace(found, frame=found.frame[rows], lines=found.lines[rows])
    with pytest.raises(RecordError, match="first scored after episode 100; give --episodes 100"):
        verify(sampled, tasks, "nonce", episodes=30)


CHEAT = """
class ByHeart:
    version, trains, privileged = "1", False, False

    def start(self, batch):
        self.moves = {0: 1, 4: 1, 8: 2, 9: 1, 13: 2, 14: 2}

    def act(self, observation, test=False):
        return [self.moves.get(int(seen), 0) for seen in observation]

    def learn(self, transition):
        pass

    def policy(self):
        return None
"""
LAKE = "FrozenLake4x4-v0"
LAKES = Suite("lakes", "", (Row(LAKE, 1, 12),), Limits(60, None), Limits(30, None))


def lake_submission(agent, out):
    """(A submission of suite LAKES, its tasks)."""
    command = f"anymdp-bench run --agent {agent} --env {LAKE}"
    path = run_plan(make_plan(LAKES, AgentSpec(agent)), out, command=command).csv
    frame, lines, header = read_file(path)
    found = Submission(path, "0" * 64, header, frame, lines, LAKES)
    return found, {(LAKE, 0): task_source(LAKE).task(0)}


def test_an_agent_that_knows_a_fixed_task_by_heart_is_refused(monkeypatch, tmp_path):
    (tmp_path / "cheat.py").write_text(CHEAT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    found, tasks = lake_submission("cheat:ByHeart", tmp_path / "out")
    assert (found.frame["score"] > 1.0 - 1e-9).all()  # from its first episode on
    receipt = verify(found, tasks, "a nonce", fresh=8, sample=2)
    assert receipt.environments[0].reproduced == 2
    assert receipt.environments[0].renumbered
    assert receipt.environments[0].fresh < 0.5
    assert not receipt.holds
    assert "Fixed tasks were renumbered." in receipt.summary


@pytest.mark.parametrize("agent", ["psrl", "tql-ucb"])
def test_an_honest_learner_passes_on_a_fixed_task(agent, tmp_path):
    found, tasks = lake_submission(agent, tmp_path)
    receipt = verify(found, tasks, "a nonce", fresh=4, sample=1)
    assert receipt.environments[0].reproduced == 1
    assert receipt.holds
    receipt.save(tmp_path / "receipt.json")
    assert load_receipt(tmp_path / "receipt.json") == receipt


def test_a_tuned_agent_whose_header_hides_it_is_refused(made):
    found, tasks = validate(made("tql-ucb"))
    assert found.is_tuned
    hidden = {key: value for key, value in found.header.items() if key != "tuned"}
    with pytest.raises(AgentError, match="tuned per environment, and the header does not say so"):
        verify(dataclasses.replace(found, header=hidden), tasks, "n")

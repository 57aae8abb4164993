"""A task family that is one folder outside the package works everywhere.

Gym, run, table, record, leaderboard.
"""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np

import anymdp_bench
from anymdp_bench.agents import AgentSpec
from anymdp_bench.cli.app import run
from anymdp_bench.evaluation import Budget, Run
from anymdp_bench.leaderboard.rerun import remote_players, replay
from anymdp_bench.tasks.family import task_source

ID, out = "WindyPair-v0", Path(sys.argv[1])

env = gym.make(ID, render_mode="rgb_array")
seen, info = env.reset(seed=1)
assert env.observation_space.contains(seen) and seen.tolist() == [8, 8]
total, over = 0.0, False
while not over:
    seen, reward, terminated, truncated, info = env.step(np.array([0, 3]))
    assert reward == info["rewards"].sum()
    total, over = total + reward, terminated or truncated
assert total == sum([-0.1] * 80) or abs(total + 8) < 1e-9  # neither arrives
assert env.render().shape == (48, 64, 3)
envs = gym.make_vec(ID, num_envs=3)
assert envs.reset(seed=0)[0].shape == (3, 2)
assert envs.step(np.zeros((3, 2), int))[1].tolist() == [-0.2] * 3

assert run(["list", "envs"]) == 0
for agent in ("psrl", "random", "oracle"):
    line = ["run", "--agent", agent, "--env", ID, "--episodes", "100", "--out", str(out)]
    assert run([*line, "--workers", "2", "--quiet"]) == 0
assert run(["table", str(out)]) == 0
assert run(["record", ID, "--agent", "psrl", "--after", "50", "--out", str(out / "w.gif")]) == 0

play = Run(ID, task_source(ID).task(0), 0)
with remote_players(AgentSpec("psrl"), 2) as agents:
    [curve] = replay(agents, [play], Budget(episodes=100), "none")
low, high = play.task.corrected_range("exact")
assert curve.measure == "exact" and curve.score[-1] > 0.9
assert ((low <= curve.return_corrected) & (curve.return_corrected <= high)).all()
"""

PLUGINS = Path(__file__).parents[1] / "plugins"


def test_a_family_of_two_players_in_one_folder_works_everywhere(tmp_path):
    path = os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WindyPair-v0" in done.stdout
    assert (tmp_path / "w.gif").stat().st_size > 0
    assert (tmp_path / "custom-psrl.csv").read_text().count("WindyPair-v0,0,") > 100

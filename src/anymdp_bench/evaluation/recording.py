"""Records an agent at play to a film: GIF or MP4, through Gymnasium's RecordVideo."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from anymdp_bench.agents import Agent, AgentSpec, FusedAgent, Streams, begin, is_privileged
from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.evaluation import Company, Unfused
from anymdp_bench.evaluation.simulator import checked_actions
from anymdp_bench.tasks.family import TaskSource, task_source
from anymdp_bench.tasks.pendulum.env import DiscretePendulumEnv
from anymdp_bench.tasks.pendulum.game import Pendulum
from anymdp_bench.tasks.selection import ScoredTask, scored_task
from anymdp_bench.tasks.switch2.game import Switch2
from anymdp_bench.tasks.switch2.joint_env import JointView

FORMATS = (".gif", ".mp4")
_ENDLESS = 2**31


class RecordingError(ValueError):
    """A film that cannot be made: the message says why, and how to mend it."""


def record_video(
    env_id: str,
    spec: AgentSpec,
    out: Path,
    *,
    task_seed: int = 0,
    seed: int = 0,
    episodes: int = 1,
    after: int = 0,
) -> list[float]:
    """Films `episodes` episodes of a fresh agent that has played `after` before them; their returns.

    In-context agents are given shaped rewards, as in `anymdp-bench run`; the returns are plain.

    Raises:
        AgentError: there is no such agent, or it broke the contract.
        RecordingError: `out` is neither .gif nor .mp4, or a library is missing.
    """
    if out.suffix.lower() not in FORMATS:
        raise RecordingError(f"--out {out} ends in {out.suffix!r}; give a name in .gif or .mp4")
    source = task_source(env_id)
    task = scored_task(source, task_seed)
    env = _rendered(env_id, task, task_seed)
    with tempfile.TemporaryDirectory() as folder:
        try:
            film = gym.wrappers.RecordVideo(
                env, f"{folder}/film", episode_trigger=lambda k: k == after, video_length=_ENDLESS,
                name_prefix="film", disable_logger=True,
            )  # fmt: skip
        except gym.error.DependencyNotInstalled as error:
            raise RecordingError(
                f"films need moviepy ({error}); pip install 'anymdp-bench[video]'"
            ) from None
        returns = _play(film, source, task, _agent(spec, task), env_id, seed, after + episodes)
        frames, rate = list(film.recorded_frames), int(film.frames_per_sec)
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.lower() == ".gif":
            film.recorded_frames = []
            _write_gif(frames, rate, out)
            film.recording = False
            film.env.close()
        else:
            film.stop_recording()  # type: ignore[no-untyped-call]
            film.env.close()
            [made] = Path(folder).glob("film/*.mp4")
            shutil.move(made, out)
    return returns[after:]


def _rendered(env_id: str, task: ScoredTask, task_seed: int) -> gym.Env[Any, Any]:
    if isinstance(task.game, Switch2):
        return JointView("rgb_array")
    return gym.make(env_id, task_seed=task_seed, render_mode="rgb_array", disable_env_checker=True)


def _agent(spec: AgentSpec, task: ScoredTask) -> Agent:
    """The agent as one in plain Python, a copy a player where it trains."""
    plain: list[Agent] = []
    for _ in range(task.players):
        agent = spec.make()
        plain.append(Unfused(agent) if isinstance(agent, FusedAgent) else agent)
    return plain[0] if len(plain) == 1 or not plain[0].trains else Company(plain)


def _oracle(env: gym.Env[Any, Any], task: ScoredTask) -> Callable[[], Int64s]:
    """The oracle's actions in the true states of games that are no table."""

    def ask() -> Int64s:
        inner = env.unwrapped
        if isinstance(inner, DiscretePendulumEnv) and isinstance(task.game, Pendulum):
            return task.game.oracle_actions(np.array([inner.true_state]))
        if isinstance(inner, JointView):
            joint = task.references.policy[inner.joint_state]
            return np.array(divmod(int(joint), 5), np.int64)
        raise TypeError(f"{type(inner).__name__} has no oracle")

    return ask


def _play(
    env: gym.Env[Any, Any],
    source: TaskSource,
    task: ScoredTask,
    agent: Agent,
    env_id: str,
    seed: int,
    episodes: int,
) -> list[float]:
    game, players = task.game, task.players
    table = not isinstance(game, (Pendulum, Switch2))
    privileged = is_privileged(agent)
    seeds = [stream("film", env_id, task.seed, seed, i) for i in range(players)]
    begin(
        agent,
        Streams(
            env_id,
            game.n_observations,
            game.n_actions,
            np.concatenate(seeds),
            (task.mdp,) if privileged and table else None,
            _oracle(env, task) if privileged and not table else None,
        ),
    )
    returns = []
    for k in range(episodes):
        seen, _ = env.reset(seed=seed if k == 0 else None)
        total, over = 0.0, False
        while not over:
            before: Int64s = np.atleast_1d(np.asarray(seen, np.int64))
            action = checked_actions(agent.act(before), players, game.n_actions)
            seen, reward, terminated, truncated, info = env.step(
                action if players > 1 else action[0]
            )
            total += float(reward)
            over = terminated or truncated
            given: Float64s = np.asarray(info.get("rewards", [reward]), np.float64)
            ends = np.full(players, terminated), np.full(players, truncated)
            if not agent.trains:
                given = _shaped(source, task, before, action, given, ends[0])
            arrived: Int64s = np.atleast_1d(np.asarray(seen, np.int64))
            agent.learn(before, action, given, arrived, *ends)
        returns.append(total)
    return returns


def _shaped(
    source: TaskSource,
    task: ScoredTask,
    seen: Int64s,
    action: Int64s,
    reward: Float64s,
    terminated: Any,
) -> Float64s:
    """What an in-context agent is given in place of `reward`."""
    if isinstance(task.game, Switch2):
        return task.game.shaped_of(seen, action)
    shape = source.shaping()
    out: Float64s = reward if shape is None else shape(reward, terminated)
    return out


def _write_gif(frames: list[Any], rate: int, out: Path) -> None:
    from PIL import Image

    pictures = [Image.fromarray(np.asarray(frame, np.uint8)) for frame in frames]
    if not pictures:
        raise RecordingError("nothing was recorded; give at least 1 --episodes")
    pictures[0].save(
        out, save_all=True, append_images=pictures[1:], duration=max(20, 1000 // rate), loop=0
    )

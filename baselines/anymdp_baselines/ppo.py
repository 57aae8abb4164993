"""PPO (Schulman et al. 2017): Stable-Baselines3's networks, buffer and update, on streams stepped natively.

The protocol steps `parallel` streams of one task in one compiled call, and this class takes the place of
SB3's collecting loop. Since observations are ids, the network is asked for all of them at once after each
update: between updates acting is a look-up, and the policy that is tested is a table. As in SB3, where an
episode is truncated the discounted value of the state reached is added to its last reward, and rewards
may be divided by the running spread of discounted returns (as by its `VecNormalize`).

Needs `pip install 'anymdp-bench[sb3]'`. The settings in use were searched per task family:
`anymdp_baselines/searches/ppo.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt

try:
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.running_mean_std import RunningMeanStd
except ModuleNotFoundError as error:
    what = "it needs Stable-Baselines3: pip install 'anymdp-bench[sb3]'"
    raise ModuleNotFoundError(what, name=error.name) from None

from anymdp_bench.agents import Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


@dataclass(frozen=True)
class PPOSettings:
    """Hyper-parameters by SB3's names; one update takes `n_steps` steps of each of the `parallel` streams."""

    learning_rate: float = 1e-3
    n_steps: int = 128
    ent_coef: float = 0.01
    gamma: float = 0.99
    gae_lambda: float = 0.95
    batch_size: int = 512
    n_epochs: int = 4
    norm_reward: bool = True


@cache
def searched() -> dict[str, PPOSettings]:
    """The chosen settings by task family, from the search's own file."""
    path = files("anymdp_baselines") / "searches" / "ppo.json"
    if not path.is_file():
        return {}
    chosen = json.loads(path.read_text(encoding="utf-8"))["chosen"]
    return {family: PPOSettings(**values) for family, values in chosen.items()}


class Returns:
    """The running spread of `n` streams' discounted returns, which rewards are divided by."""

    def __init__(self, n: int, gamma: float) -> None:
        self._gamma, self._so_far = gamma, np.zeros(n)
        self._seen = RunningMeanStd(shape=())

    def scaled(self, reward: Float64s, ended: Bools) -> Float64s:
        """Takes in a step's rewards [n]; gives them in units of the spread, within -10 and 10."""
        self._so_far = self._gamma * self._so_far + reward
        self._seen.update(self._so_far)
        self._so_far[ended] = 0.0
        out: Float64s = np.clip(reward / np.sqrt(self._seen.var + 1e-8), -10.0, 10.0)
        return out


class PPO:
    """Proximal policy optimisation.

    Args:
        settings: hyper-parameters; by default those searched for the environment's family (the part of its id
            before the first "-", bandits apart).
    """

    version: ClassVar[str] = "2"
    trains: ClassVar[bool] = True
    privileged: ClassVar[bool] = False
    parallel: ClassVar[int] = 16

    def __init__(self, settings: PPOSettings | None = None) -> None:
        self._settings = settings

    def start(self, streams: Streams) -> None:
        """A new network and an empty buffer, all random numbers from the first stream's seed."""
        torch.set_num_threads(1)  # the networks are tiny; runs are what is played in parallel
        family = "bandit" if streams.n_observations == 1 else streams.env_id.partition("-")[0]
        chosen = self._settings or searched().get(family, PPOSettings())
        seed = int(streams.seeds[0] % np.uint64(2**31))
        self._rng = np.random.default_rng(seed)
        self._n = streams.n
        self._model = _model(chosen, streams.n_observations, streams.n_actions, streams.n, seed)
        self._gamma = chosen.gamma
        self._returns = Returns(streams.n, chosen.gamma) if chosen.norm_reward else None
        self._fresh: Bools = np.ones(streams.n, np.bool_)
        self._look()

    def _look(self) -> None:
        """Asks the network for every id's action probabilities [O, A] and value [O]."""
        space = self._model.observation_space
        assert isinstance(space, gym.spaces.Discrete)
        ids = torch.arange(int(space.n)).reshape(-1, 1)
        with torch.no_grad():
            distribution = self._model.policy.get_distribution(ids).distribution
            values = self._model.policy.predict_values(ids)
        assert isinstance(distribution, torch.distributions.Categorical)
        self._log_table = distribution.logits.numpy().astype(np.float64)
        table = np.exp(self._log_table)
        self._table: Float64s = table / table.sum(axis=1, keepdims=True)
        self._summed = self._table.cumsum(axis=1)
        self._values: Float64s = values.numpy().astype(np.float64).ravel()

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Draws from the policy; in tests takes its likeliest action."""
        if test:
            likeliest: Int64s = self._table[observation].argmax(axis=1)
            return likeliest
        draw = self._rng.random((len(observation), 1))
        action: Int64s = (self._summed[observation] <= draw).sum(axis=1)
        within: Int64s = np.minimum(action, self._table.shape[1] - 1)
        return within

    def learn(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
    ) -> None:
        """Keeps one step of every stream; updates the network when the buffer is full."""
        buffer = self._model.rollout_buffer
        if self._returns is not None:
            reward = self._returns.scaled(reward, terminated | truncated)
        credit = reward + self._gamma * self._values[next_observation] * truncated
        buffer.add(
            observation.reshape(-1, 1),
            action.reshape(-1, 1),
            credit,
            self._fresh,
            torch.from_numpy(self._values[observation]),
            torch.from_numpy(self._log_table[observation, action]),
        )
        self._fresh = terminated | truncated
        if buffer.full:
            last = torch.from_numpy(self._values[next_observation])
            buffer.compute_returns_and_advantage(last, self._fresh)
            self._model.train()
            buffer.reset()
            self._look()

    def policy(self) -> npt.NDArray[Any]:
        """The likeliest action of each id, int64 [1, O]."""
        likeliest: Int64s = self._table.argmax(axis=1)[None]
        return likeliest


def _model(
    settings: PPOSettings, n_observations: int, n_actions: int, n_envs: int, seed: int
) -> sb3.PPO:
    """SB3's learner without an environment of its own."""
    size = settings.n_steps * n_envs
    model = sb3.PPO(
        "MlpPolicy",
        None,  # type: ignore[arg-type]  # its spaces are set below
        learning_rate=settings.learning_rate,
        n_steps=settings.n_steps,
        batch_size=min(settings.batch_size, size),
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        ent_coef=settings.ent_coef,
        seed=seed,
        device="cpu",
        _init_setup_model=False,
    )
    model.observation_space = gym.spaces.Discrete(n_observations)
    model.action_space = gym.spaces.Discrete(n_actions)
    model.n_envs = n_envs
    model._setup_model()
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model

"""Switch2 as a PettingZoo parallel environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from pettingzoo import ParallelEnv

from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.tasks.env_arguments import (
    check_options,
    check_render_mode,
    parse_action,
    parse_seed,
)
from anymdp_bench.tasks.keywords import parse_task_seed
from anymdp_bench.tasks.switch2.game import draw, joint_states, make_switch2, write

AGENTS = ("agent_1", "agent_2")


class Switch2Env(ParallelEnv[str, np.int64, np.int64]):
    """Two agents change sides through a corridor that is one cell wide.

    `tasks.switch2.game` has the rules. An agent observes 15 * the other's column + its own cell,
    Discrete(105). The actions are down, left, up, right and no-op. Nothing is random, so `reset(seed=)`
    changes nothing. The episode ends for both agents at once. It is terminated when both have arrived, and
    truncated after 50 steps.

    Args:
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"name": "Switch2-v0", "render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = check_render_mode(render_mode, ("ansi", "rgb_array"))
        self._game = make_switch2()
        self.possible_agents = list(AGENTS)
        self.agents: list[str] = []
        self._state = int(self._game.mdp.start.argmax())
        self._elapsed = 0
        spaces = [
            (
                gym.spaces.Discrete(self._game.n_observations),
                gym.spaces.Discrete(self._game.n_actions),
            )
            for _ in AGENTS
        ]
        self.observation_spaces = {
            agent: seen for agent, (seen, _) in zip(AGENTS, spaces, strict=True)
        }
        self.action_spaces = {agent: act for agent, (_, act) in zip(AGENTS, spaces, strict=True)}

    def observation_space(self, agent: str) -> gym.spaces.Space[Any]:
        """Returns Discrete(105), the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gym.spaces.Space[Any]:
        """Returns Discrete(5), the same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.int64], dict[str, dict[str, Any]]]:
        """Starts an episode with both agents on their own sides.

        The option "task_seed" is allowed, and changes nothing.

        Raises:
            SeedError: the seed is no integer from 0.
            ValueError: the options have an unknown key.
        """
        parse_seed(seed)
        parse_task_seed(check_options(options, ("task_seed",)).get("task_seed", 0))
        self.agents = list(AGENTS)
        self._state, self._elapsed = int(self._game.mdp.start.argmax()), 0
        return self._observe(), {agent: {} for agent in AGENTS}

    def step(
        self, actions: dict[str, np.int64]
    ) -> tuple[
        dict[str, np.int64],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Moves both agents, in the order of their numbers.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over.
            ValueError: an agent has no action, or one outside 0..4. Nothing has changed then.
        """
        if not self.agents:
            raise gym.error.ResetNeeded("the episode is over; call reset() before step()")
        joint, n = 0, self._game.n_actions
        for agent in AGENTS:
            played = parse_action(actions.get(agent), n, f"the action of {agent}")
            joint = joint * n + played
        reward = self._game.reward[self._state, joint]
        self._state = int(self._game.next_state[self._state, joint])
        self._elapsed += 1
        terminated = bool(self._game.mdp.terminal[self._state])
        truncated = not terminated and self._elapsed == self._game.mdp.max_steps
        if terminated or truncated:
            self.agents = []
        return (
            self._observe(),
            {agent: float(r) for agent, r in zip(AGENTS, reward, strict=True)},
            dict.fromkeys(AGENTS, terminated),
            dict.fromkeys(AGENTS, truncated),
            {agent: {} for agent in AGENTS},
        )

    def _observe(self) -> dict[str, np.int64]:
        return dict(zip(AGENTS, self._game.observation[self._state], strict=True))

    @property
    def joint_state(self) -> int:
        """The index of the joint state (see `tasks.switch2.game`)."""
        return self._state

    def state(self) -> Int64s:
        """Returns the cells of both agents, int64 [2], which are the joint state."""
        return np.array(joint_states()[self._state], np.int64)

    def render(self) -> Any:
        """Shows the grid, as a string ("ansi") or a frame ("rgb_array")."""
        if self.render_mode is None:
            gym.logger.warn("render() needs switch2_parallel_env(render_mode=...)")
            return None
        if self.render_mode == "ansi":
            return write(joint_states()[self._state])
        return draw(joint_states()[self._state])

    def close(self) -> None:
        """Does nothing, because the environment holds no resources."""


def switch2_parallel_env(render_mode: str | None = None) -> Switch2Env:
    """Makes a new `Switch2Env`.

    Args:
        render_mode: None, "ansi" or "rgb_array".
    """
    return Switch2Env(render_mode)

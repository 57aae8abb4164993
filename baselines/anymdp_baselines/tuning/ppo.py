"""The search of PPO's settings per task family: successive halving that ends with the whole budget.

    python -m anymdp_baselines.tuning.ppo [FAMILY ...]

The grid has the settings of Stable-Baselines3 (SB3), with the 64 environments of 32 steps that the paper's
authors give it. The second round tries two discounts. The last has the 10,000 episodes of suite `table1`, and
there the learning rate may fall over the whole run. Where that takes hours, one point alone plays it.
`halving` has the rest; `ppo.json` beside this file holds every score and the choices.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from anymdp_baselines.ppo.agent import PPO, PPOSettings
from anymdp_baselines.tuning.halving import HalvingSearch, Round
from anymdp_bench.evaluation import Budget, Curve, IndependentLearners, Run, play_training

EPISODES = 10_000
SHAPES = ((64, 32), (16, 128))
"""(n_envs, n_steps) of an update; the first is the authors'."""
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
SB3 = PPOSettings(
    learning_rate=3e-4, n_envs=64, n_steps=32, ent_coef=0.0, batch_size=64, n_epochs=10, norm_reward=False
)  # fmt: skip
"""SB3's defaults, at the authors' number of environments and steps."""


def make_grid() -> list[PPOSettings]:
    """Returns the points of the first round: 32 with large minibatches, and `SB3` with 7 like it."""
    switches = list(itertools.product((0.0, 0.01), (False, True)))  # ent_coef, norm_reward
    large = [
        PPOSettings(
            learning_rate=rate, n_envs=n_envs, n_steps=n_steps, ent_coef=ent_coef,
            batch_size=512, n_epochs=4, norm_reward=norm_reward,
        )
        for (n_envs, n_steps), rate, (ent_coef, norm_reward) in itertools.product(
            SHAPES, RATES, switches
        )
    ]  # fmt: skip
    small = [
        replace(SB3, learning_rate=rate, ent_coef=ent_coef, norm_reward=norm_reward)
        for rate, (ent_coef, norm_reward) in itertools.product(RATES[:2], switches)
    ]
    return large + small


def play(settings: PPOSettings, run: Run, episodes: int) -> Curve:
    """Plays a run by settings, with a learner for each player."""
    copies = [PPO(settings) for _ in range(run.task.players)]
    agent = copies[0] if len(copies) == 1 else IndependentLearners(copies)
    return play_training(agent, run, Budget(episodes))


DISCOUNTS, ANNEALED = {"gamma": (0.99, 0.998)}, {"annealed_over": (0, EPISODES)}
SEARCH = HalvingSearch(
    Path(__file__).with_suffix(".json"),
    PPOSettings,
    make_grid,
    play,
    rounds=(
        Round(0, 1000, 2),
        Round(10, 2500, 2, DISCOUNTS),
        Round(6, 5000, 4),
        Round(3, EPISODES, 8, ANNEALED),
    ),
    fewer_runs=(
        Round(0, 1000, 1),
        Round(10, 2500, 1, DISCOUNTS),
        Round(6, 5000, 2),
        Round(3, EPISODES, 3, ANNEALED),
    ),
    costly=("AnyMDP", "DiscretePendulum"),
)

if __name__ == "__main__":
    SEARCH.main(__doc__)

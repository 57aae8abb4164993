"""Makes the oracles of the pendulum: `python -m anymdp_bench.tasks.pendulum.make_oracle`.

The program solves the pendulum by value iteration on a fine grid of the continuous state. It thins the grid
for storage. Then it measures the mean return of the stored oracle and of uniform play over many episodes,
each with its standard error, and how much the return would gain from the whole grid. It takes a few minutes
on one core. The result is the same every time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.tasks.pendulum.dynamics import play_random_episodes
from anymdp_bench.tasks.pendulum.game import GAMMA, GRIDS, NUMBERS, find_first_state
from anymdp_bench.tasks.pendulum.pendulum_oracle import draw_starts, oracle_returns, value_iteration

GRAVITIES = (1.0, 5.0, 9.8)
GRID, EVERY = (
    (1024, 513),
    4,
)  # (angles, speeds) of the grid; every 4th node along each axis is stored
TOLERANCE = 1e-4
EPISODES = 100_000


def make(
    gravity: float,
    grid: tuple[int, int] = GRID,
    every: int = EVERY,
    episodes: int = EPISODES,
) -> tuple[Float64s, dict[str, Any]]:
    """Makes the oracle of one gravity and measures it.

    Args:
        gravity: g in m/s^2.
        grid: the numbers of angles and of speeds of the grid.
        every: every so many nodes along each axis are stored.
        episodes: the number of episodes that are played.

    Returns:
        (the values to store, float16; the numbers that were measured).
    """
    whole, sweeps = value_iteration(gravity, GAMMA, *grid, TOLERANCE)
    stored = whole[::every, ::every].astype(np.float16)
    value = stored.astype(np.float64)
    begin = draw_starts(stream("DiscretePendulum", "oracle", 0), episodes)
    returns = oracle_returns(value, GAMMA, gravity, begin)
    gain = oracle_returns(whole, GAMMA, gravity, begin) - returns
    drawn = find_first_state("uniform")
    uniform = play_random_episodes(
        gravity, drawn, stream("DiscretePendulum", "random", 0), episodes
    )
    root = float(np.sqrt(episodes))
    return stored, {
        "oracle": round(float(returns.mean()), 4),
        "oracle_sd": round(float(returns.std()), 4),
        "oracle_standard_error": round(float(returns.std()) / root, 4),
        "gain_from_whole_grid": round(float(gain.mean()), 4),
        "random": round(float(uniform.mean()), 4),
        "random_standard_error": round(float(uniform.std()) / root, 4),
        "sweeps": int(sweeps),
        "fixed_start": measure_fixed_start(gravity, value, episodes),
    }


def measure_fixed_start(gravity: float, value: Float64s, episodes: int) -> dict[str, float]:
    """Measures the oracle, whose episode is always the same, and uniform play from the fixed start.

    Args:
        gravity: g in m/s^2.
        value: the stored values, float64 [n, m].
        episodes: the number of episodes of uniform play.
    """
    first = find_first_state("fixed")
    rng = stream("DiscretePendulum", "random from the fixed start", 0)
    uniform = play_random_episodes(gravity, first, rng, episodes)
    return {
        "oracle": round(float(oracle_returns(value, GAMMA, gravity, first[None])[0]), 4),
        "random": round(float(uniform.mean()), 4),
        "random_standard_error": round(float(uniform.std() / np.sqrt(episodes)), 4),
    }


def main(folder: Path = Path(__file__).parent) -> None:
    """Writes the values and the numbers into `folder`, by default beside this module."""
    made = {f"{g:g}": make(g) for g in GRAVITIES}
    arrays: dict[str, Any] = {f"g{name}": stored for name, (stored, _) in made.items()}
    np.savez_compressed(folder / GRIDS, **arrays)
    measured = {
        "command": "python -m anymdp_bench.tasks.pendulum.make_oracle",
        "gamma": GAMMA,
        "grid": list(GRID),
        "stored": list(arrays["g1"].shape),
        "episodes": EPISODES,
        "gravities": {name: numbers for name, (_, numbers) in made.items()},
    }
    (folder / NUMBERS).write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

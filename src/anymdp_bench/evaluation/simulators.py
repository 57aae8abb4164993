"""Which arena a game is played in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from anymdp_bench.evaluation.pendulum import PendulumArena
from anymdp_bench.evaluation.runs import Run
from anymdp_bench.evaluation.simulator import Arena
from anymdp_bench.evaluation.switch2 import Switch2Arena
from anymdp_bench.tasks.pendulum.game import Pendulum
from anymdp_bench.tasks.switch2.game import Switch2

AnyArena: TypeAlias = Arena | PendulumArena | Switch2Arena


def make_arena(runs: Sequence[Run], purpose: str = "environment", shaped: bool = False) -> AnyArena:
    """The arena of the runs' game, all of one environment; `shaped`: agents are given shaped rewards."""
    game = runs[0].task.game
    if isinstance(game, Pendulum):
        return PendulumArena(runs, purpose, shaped)
    if isinstance(game, Switch2):
        return Switch2Arena(runs, purpose, shaped)
    return Arena(runs, purpose, shaped)

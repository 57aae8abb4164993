"""Pictures of a tabular task: its band, starts, pitfalls, goal, values, and where the agent is.

"rgb_array" draws states along both axes by rank: a pixel block at (s, s') is as dark as the most likely
action makes s' from s; above it a strip of V* by colour, with starts, pitfalls, the goal and the
current state marked.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve

_SIDE = 384  # pixels of the matrix's side, at least
_STRIP = 28  # pixels of each strip's height
_INK = np.array([23, 37, 84], np.uint8)
_START = np.array([37, 99, 235], np.uint8)
_PIT = np.array([213, 94, 0], np.uint8)
_GOAL = np.array([0, 158, 115], np.uint8)
_HERE = np.array([204, 121, 167], np.uint8)
_LOW_VALUE, _HIGH_VALUE = np.array([68.0, 1.0, 84.0]), np.array([253.0, 231.0, 37.0])


def find_goal(mdp: TabularMDP) -> int | None:
    """The last rank where it is terminal and rewarded more than any pitfall is, else None."""
    last = mdp.n_states - 1
    if not mdp.terminal[last]:
        return None
    arriving = mdp.reward[:, :, mdp.terminal].max(axis=(0, 1))
    return last if arriving[-1] >= arriving.max() else None


def render_ansi(mdp: TabularMDP, state: int, elapsed: int, last: tuple[int, float] | None) -> str:
    """A line of ranks (S start, x pitfall, G goal, . other, [] the current), a line of facts."""
    goal = find_goal(mdp)
    marks = []
    for s in range(mdp.n_states):
        mark = "G" if s == goal else "x" if mdp.terminal[s] else "S" if mdp.start[s] > 0 else "."
        marks.append(f"[{mark}]" if s == state else mark)
    move = "" if last is None else f"  action {last[0]}  reward {last[1]:+.3f}"
    facts = f"step {elapsed}/{mdp.max_steps}  observation {mdp.observation[state]}{move}"
    return "".join(marks) + "\n" + facts + "\n"


@lru_cache(maxsize=8)
def _background(mdp: TabularMDP) -> tuple[npt.NDArray[np.uint8], int]:
    """(the picture without the agent, pixels a state)."""
    n = mdp.n_states
    cell = max(2, -(-_SIDE // n))
    reach: Float64s = mdp.transition.max(axis=1)
    shade = (1.0 - np.sqrt(reach))[..., None]
    matrix = (255 * shade + _INK * (1 - shade)).astype(np.uint8)
    matrix = matrix.repeat(cell, axis=0).repeat(cell, axis=1)
    value = solve(mdp).v
    live = value[~mdp.terminal]
    scale = np.clip((value - live.min()) / max(float(np.ptp(live)), 1e-12), 0, 1)[:, None]
    values = (_LOW_VALUE + (_HIGH_VALUE - _LOW_VALUE) * scale).astype(np.uint8)
    kinds = np.full((n, 3), 235, np.uint8)
    kinds[mdp.start > 0] = _START
    kinds[mdp.terminal] = _PIT
    goal = find_goal(mdp)
    if goal is not None:
        kinds[goal] = _GOAL
    strips = [
        np.broadcast_to(colours.repeat(cell, axis=0), (_STRIP, n * cell, 3))
        for colours in (values, kinds)
    ]
    return np.concatenate([*strips, matrix]), cell


def render_rgb(
    mdp: TabularMDP, state: int, elapsed: int, last: tuple[int, float] | None
) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3]: V* strip, strip of kinds, transition matrix; the current state framed."""
    background, cell = _background(mdp)
    frame = background.copy()
    left, right = state * cell, (state + 1) * cell
    top = 2 * _STRIP
    edge = max(1, cell // 8)
    frame[:top, left : left + edge] = _HERE
    frame[:top, right - edge : right] = _HERE
    frame[top + left : top + left + edge] = _HERE
    frame[top + right - edge : top + right] = _HERE
    played = 0 if last is None else round(frame.shape[1] * elapsed / mdp.max_steps)
    frame[:3, :played] = _HERE  # how much of the horizon is gone
    return frame

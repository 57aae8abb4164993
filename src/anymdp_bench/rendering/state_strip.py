"""Frames of a tabular task: its transitions, starts, pitfalls, goal and values, and where the agent is.

The frame "rgb_array" has the states along both axes, from the worst rank to the best. The block of pixels at
(s, s') is as dark as the largest probability of reaching s' from s by any action. Above it one strip shows V*
by colour. Another strip shows the starts, the pitfalls and the goal. The current state is framed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Frame
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve

_SIDE = 384  # the least side of the matrix, in pixels
_STRIP = 28  # the height of each strip, in pixels
_INK = np.array([23, 37, 84], np.uint8)
_KINDS = {"S": (37, 99, 235), "x": (213, 94, 0), "G": (0, 158, 115), ".": (235, 235, 235)}
_HERE = np.array([204, 121, 167], np.uint8)
_LOW_VALUE, _HIGH_VALUE = np.array([68.0, 1.0, 84.0]), np.array([253.0, 231.0, 37.0])


def find_goal(mdp: TabularMDP) -> int | None:
    """Returns the last rank if it is terminal and no pitfall pays more on arrival, else None.

    A terminal state of another rank is a goal if it is the only one and nothing in the task pays more.
    """
    last = mdp.n_states - 1
    if not mdp.terminal[last]:
        ends = np.flatnonzero(mdp.terminal)
        if len(ends) == 1 and mdp.reward[:, :, ends[0]].max() >= mdp.reward.max():
            return int(ends[0])
        return None
    arriving = mdp.reward[:, :, mdp.terminal].max(axis=(0, 1))
    return last if arriving[-1] >= arriving.max() else None


def classify_states(mdp: TabularMDP) -> list[str]:
    """Returns the kind of each state: G goal, x pitfall, S start, or . other."""
    goal = find_goal(mdp)
    return [
        "G" if s == goal else "x" if mdp.terminal[s] else "S" if mdp.start[s] > 0 else "."
        for s in range(mdp.n_states)
    ]


def scale_values(mdp: TabularMDP) -> Float64s:
    """Returns V* of each state, scaled to 0..1 over the live states, float64 [S]."""
    value = solve(mdp).v
    live = value[~mdp.terminal]
    out: Float64s = np.clip((value - live.min()) / max(float(np.ptp(live)), 1e-12), 0, 1)
    return out


def colour_values(scale: Float64s | float) -> Float64s:
    """Returns the colours of values in 0..1, from dark to bright, float64 [..., 3]."""
    out: Float64s = _LOW_VALUE + (_HIGH_VALUE - _LOW_VALUE) * scale
    return out


def describe_step(mdp: TabularMDP, state: int, elapsed: int, last: tuple[int, float] | None) -> str:
    """Writes a line with the step, the observation, and the latest action and reward.

    Args:
        mdp: the task.
        state: the current inner state.
        elapsed: the number of steps since the episode began.
        last: (action, reward) of the latest step, or None.
    """
    move = "" if last is None else f"  action {last[0]}  reward {last[1]:+.3f}"
    return f"step {elapsed}/{mdp.max_steps}  observation {mdp.observation[state]}{move}\n"


def render_ansi(mdp: TabularMDP, state: int, elapsed: int, last: tuple[int, float] | None) -> str:
    """Writes a line with the kind of each rank, the current rank in brackets, and a line of facts.

    The arguments are those of `describe_step`.
    """
    marks = classify_states(mdp)
    marks[state] = f"[{marks[state]}]"
    return "".join(marks) + "\n" + describe_step(mdp, state, elapsed, last)


@lru_cache(maxsize=8)
def _draw_background(mdp: TabularMDP) -> tuple[Frame, int]:
    """Returns (the frame without the agent, the number of pixels along a state)."""
    n = mdp.n_states
    cell = max(2, -(-_SIDE // n))
    reach: Float64s = mdp.transition.max(axis=1)
    shade = (1.0 - np.sqrt(reach))[..., None]
    matrix = (255 * shade + _INK * (1 - shade)).astype(np.uint8)
    matrix = matrix.repeat(cell, axis=0).repeat(cell, axis=1)
    values = colour_values(scale_values(mdp)[:, None]).astype(np.uint8)
    kinds = np.array([_KINDS[kind] for kind in classify_states(mdp)], np.uint8)
    strips = [
        np.broadcast_to(colours.repeat(cell, axis=0), (_STRIP, n * cell, 3))
        for colours in (values, kinds)
    ]
    return np.concatenate([*strips, matrix]), cell


def render_rgb(mdp: TabularMDP, state: int, elapsed: int, last: tuple[int, float] | None) -> Frame:
    """Draws the strip of values, the strip of kinds and the matrix, with the current state framed.

    The arguments are those of `describe_step`. With `last`, a line at the top shows how much of the horizon
    is over.

    Returns:
        A frame, uint8 [height, width, 3].
    """
    background, cell = _draw_background(mdp)
    frame = background.copy()
    left, right = state * cell, (state + 1) * cell
    top = 2 * _STRIP
    edge = max(1, cell // 8)
    frame[:top, left : left + edge] = _HERE
    frame[:top, right - edge : right] = _HERE
    frame[top + left : top + left + edge] = _HERE
    frame[top + right - edge : top + right] = _HERE
    played = 0 if last is None else round(frame.shape[1] * elapsed / mdp.max_steps)
    frame[:3, :played] = _HERE
    return frame

"""The frame of the Pendulum: the rod over the bins of the angle, the bins of the speed, and the torque."""

from __future__ import annotations

import math

import numpy as np

from anymdp_bench.engine.arrays import Frame
from anymdp_bench.tasks.pendulum.dynamics import ANGLE_BINS, MAX_SPEED, SPEED_BINS

SIDE = 384  # pixels
_PAPER, _LINE = (250, 250, 250), (205, 209, 216)
_BIN, _ROD, _PUSH = (214, 228, 255), (180, 60, 60), (37, 99, 235)
_TURN = 2 * math.pi


def draw_pendulum(theta: float, speed: float, action: int | None) -> Frame:
    """Draws the pendulum over its bins. The bins of the current state are tinted.

    Args:
        theta: the angle from upright in rad, counter-clockwise, as Gymnasium draws it.
        speed: the speed in rad/s.
        action: the action that was played, or None. Its place at the top is filled.

    Returns:
        A frame, uint8 [384, 384, 3].
    """
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    x, y = x - SIDE / 2, SIDE / 2 - 20 - y
    radius, angle = np.hypot(x, y), np.arctan2(-x, y) % _TURN
    picture = np.full((SIDE, SIDE, 3), _PAPER, np.uint8)
    dial = radius < 150
    width = _TURN / ANGLE_BINS
    here = int((theta % _TURN) / width)
    picture[dial & ((angle / width).astype(int) == here)] = _BIN
    edge = np.abs((angle + width / 2) % width - width / 2) * radius < 0.8
    picture[(dial & edge) | (np.abs(radius - 150) < 1)] = _LINE
    along = -x * math.sin(theta) + y * math.cos(theta)
    across = x * math.cos(theta) + y * math.sin(theta)
    picture[(along > 0) & (along < 130) & (np.abs(across) < 9)] = _ROD
    picture[radius < 6] = 0
    _draw_speed_bar(picture, speed)
    if action is not None:
        _draw_torque(picture, action)
    return picture


def _draw_speed_bar(picture: Frame, speed: float) -> None:
    """Draws the five bins of the speed along the bottom, tints the current one, and marks the speed."""
    top, bottom, left, right = SIDE - 36, SIDE - 14, 42, SIDE - 42
    step = (right - left) / SPEED_BINS
    here = min(int((speed + MAX_SPEED) / (2 * MAX_SPEED) * SPEED_BINS), SPEED_BINS - 1)
    for k in range(SPEED_BINS):
        begin, end = round(left + k * step), round(left + (k + 1) * step)
        picture[top:bottom, begin:end] = _LINE
        picture[top + 1 : bottom - 1, begin + 1 : end - 1] = _BIN if k == here else _PAPER
    mark = round(left + (speed + MAX_SPEED) / (2 * MAX_SPEED) * (right - left))
    picture[top - 4 : bottom + 4, max(mark - 2, 0) : mark + 2] = _ROD


def _draw_torque(picture: Frame, action: int) -> None:
    """Draws five places along the top, and fills the place of the torque."""
    for k in range(5):
        centre = SIDE // 2 + (k - 2) * 24
        picture[6:16, centre - 5 : centre + 5] = _PUSH if k == action else _LINE

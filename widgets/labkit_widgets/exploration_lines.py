"""The lines of a network's graph: straight, bowed where several saddles join the same minima, and loops.

The first saddle of a pair keeps its straight line when a second one arrives.
"""

from __future__ import annotations

import numpy as np

_BOW = 0.2
_LOOP = 0.42
_GOLDEN = np.pi * (3 - np.sqrt(5))


def line_of(start: np.ndarray, end: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the line (m, 2) of saddle number `order` of a pair of minima, and the place of its mark in the middle."""
    if np.array_equal(start, end):
        return _loop(start, order)
    along = end - start
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
    bow = _BOW * ((order + 1) // 2) * (1 if order % 2 else -1)
    if bow == 0:
        return np.stack([start, end]), (start + end) / 2
    t = np.linspace(0, 1, 9)[:, None]
    line = start + t * along + 4 * t * (1 - t) * bow * across
    return line, line[4]


def _loop(place: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """A drop that hangs at a minimum; the next one points elsewhere."""
    angle = -np.pi / 2 + order * _GOLDEN
    t = np.linspace(0, np.pi, 13)
    radius = _LOOP * np.sin(t)
    turn = angle + (t - np.pi / 2) * 0.45
    line = place + np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    return line, line[6]

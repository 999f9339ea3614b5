"""The frame of a linear molecule, which Eckart's conditions leave free to turn about the molecule's own axis.

It is carried along without turning about that axis (parallel transport). A best fit of each frame by itself would
choose the angle at random, and the bending modes, two of each frequency, would lose their lines.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

#: Atoms (Å, root sum of squares) this close to a line are on it: relaxed linear molecules are straight to this.
OFF_AXIS_A = 0.02


def axis_of(fixed: np.ndarray) -> np.ndarray | None:
    """Unit vector (3,) of the line on which centred positions (n, 3) in Å lie; None where they do not."""
    _, sizes, directions = np.linalg.svd(fixed)
    return directions[0] if sizes[0] > OFF_AXIS_A and (len(sizes) == 1 or sizes[1] < OFF_AXIS_A) else None


def carried(axis: np.ndarray, pointing: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) that turn each direction `pointing` (T, 3) onto `axis`, by the least turn from one to the
    next.
    """
    pointing = pointing / np.linalg.norm(pointing, axis=1, keepdims=True)
    steps = _least_turns(pointing, np.concatenate([axis[None], pointing[:-1]]))
    for before, step in pairwise(steps):
        step[:] = before @ step
    return steps


def _least_turns(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """1 + K + K²/(1 + a.b) with K v = (a × b) × v: turns each unit vector a (T, 3) onto b (T, 3)."""
    cosine = np.einsum("ta,ta->t", one, other)
    cross = np.cross(one, other)
    K = np.cross(cross[:, None], np.eye(3)).transpose(0, 2, 1)
    turns = np.eye(3) + K + K @ K / np.maximum(1 + cosine, 1e-12)[:, None, None]
    for at in np.flatnonzero(cosine < -1 + 1e-9):  # half a turn, about anything across
        across = np.cross(one[at], np.eye(3)[np.argmin(np.abs(one[at]))])
        across /= np.linalg.norm(across)
        turns[at] = 2 * np.outer(across, across) - np.eye(3)
    return turns

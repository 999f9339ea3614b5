"""Neighbour lists for the peers that take edges, by matscipy: both MACE and NequIP depend on it."""

from __future__ import annotations

import numpy as np
from matscipy.neighbours import neighbour_list

from tests.benchmarks.train_peers.data import Frame


def edges(frame: Frame, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First atom (E,), second atom (E,) and image (E, 3) of every directed pair: D = x[second] - x[first] + image cell.

    A molecule gets a box that holds all of it, since matscipy sorts atoms into one.
    """
    if frame.pbc.any():
        cell, positions = frame.cell, frame.positions
    else:
        positions = frame.positions - frame.positions.min(axis=0) + 1.0
        cell = np.diag(positions.max(axis=0) + 1.0)
    return neighbour_list("ijS", cutoff=cutoff, positions=positions, cell=cell, pbc=frame.pbc)

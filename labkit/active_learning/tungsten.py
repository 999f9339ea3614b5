"""The spread and the error of a real committee on 94,516 atoms of tungsten: what calibration is tested and shown on.

Six universal potentials against DFT (Liu et al., npj Comput. Mater. 2025, MIT); data/SOURCE.txt says how it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "data" / "tungsten_spread.npz"
MEMBERS = (
    "9-MACE-omat",
    "13-esen-omat",
    "18-7net-omat",
    "19-7net-omat-2",
    "0-GRACE-2L-OMAT",
    "14-orb-omat-c-inf-conf",
)


@dataclass(frozen=True)
class TungstenSpread:
    """Of B configurations: spreads and errors, B arrays (n_b,) eV/Å, as `atom_spread` and `atom_error` define them."""

    spread: list[np.ndarray]
    error: list[np.ndarray]

    def split(self, n_calibration: int = 200, seed: int = 0) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """(spread, error) of `n_calibration` configurations drawn at random, and of the others."""
        order = np.random.default_rng(seed).permutation(len(self.spread))
        return tuple(
            (np.concatenate([self.spread[i] for i in part]), np.concatenate([self.error[i] for i in part]))
            for part in (order[:n_calibration], order[n_calibration:])
        )


def tungsten_spread() -> TungstenSpread:
    """Read the shipped numbers."""
    with np.load(FILE, allow_pickle=False) as stored:
        ends = np.cumsum(stored["natoms"].astype(int))[:-1]
        return TungstenSpread(
            np.split(stored["spread"].astype(float), ends), np.split(stored["error"].astype(float), ends)
        )

"""What a saddle search found, and the proof.

A point counts as a saddle when its full Hessian has exactly one negative eigenvalue, and every other end has a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from labkit.landscapes.hessian import NormalModes

State = Literal["saddle", "minimum", "higher order", "flat", "not converged", "refused", "too high", "known"]


@dataclass(frozen=True)
class Saddle:
    """What one search found; `found` says whether it is a proven saddle, else `state` and `reason` say what it is.

    positions (n, 3) Å; mode (n, 3) the unit vector of the unstable direction and curvature_eV_A2 along it; modes: all
    normal modes, hessian (3n, 3n) eV/Å^2: None where the search ended before them. evaluations: of this search alone.
    """

    positions: np.ndarray
    energy_eV: float
    state: State
    reason: str = ""
    mode: np.ndarray | None = None
    curvature_eV_A2: float = float("nan")
    force_eV_A: float = float("nan")
    modes: NormalModes | None = field(default=None, repr=False)
    hessian: np.ndarray | None = field(default=None, repr=False)
    steps: int = 0
    evaluations: int = 0

    @property
    def found(self) -> bool:
        """Whether it is a proven saddle of first order."""
        return self.state == "saddle"

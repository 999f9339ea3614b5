"""One period of a phonon in a cell that holds its wave, for any amplitude: laid out once, scaled after that."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from .phonon_model import Mode

if TYPE_CHECKING:
    from ase import Atoms

    from labkit.simulators.phonons_result import HarmonicCrystal

FRAMES = 16
#: The picture holds at most so many atoms, and is repeated until it is so wide (Å).
MOST_ATOMS, WIDE_A = 400, 7.0
_MOST_CELLS = 12


@dataclass(frozen=True)
class Wave:
    """A mode in space: atoms at rest, and displacements (FRAMES, n, 3) whose largest is 1 Å; `fits` says whether the
    wave closes over the borders of the cell.
    """

    mode: Mode
    rest: Atoms
    pattern: np.ndarray
    fits: bool

    @classmethod
    def of(cls, crystal: HarmonicCrystal, mode: Mode, supercell: tuple[int, int, int], *, fits: bool = True) -> Wave:
        """Lay out the mode in `supercell` primitive cells."""
        frames = crystal.frames(mode.qpoint, mode.branch, amplitude_A=1.0, count=FRAMES, supercell=supercell)
        places = np.stack([frame.positions for frame in frames])
        rest = frames[0].copy()
        rest.positions = places.mean(axis=0)
        return cls(mode, rest, places - rest.positions, fits)

    @property
    def motion(self) -> np.ndarray:
        """How far each atom goes (n,), as a part of the largest."""
        far = np.linalg.norm(self.pattern, axis=2).max(axis=0)
        return far / max(far.max(), 1e-12)

    def frame(self, phase: int, amplitude_A: float) -> Atoms:
        """The atoms at one phase of the period."""
        made = self.rest.copy()
        made.positions += amplitude_A * self.pattern[phase]
        made.info["name"] = f"{self.mode.name} along {self.mode.place}, branch {self.mode.branch}"
        return made

    def frames(self, amplitude_A: float) -> list[Atoms]:
        """One period."""
        return [self.frame(phase, amplitude_A) for phase in range(FRAMES)]

    def farthest(self, amplitude_A: float) -> Atoms:
        """The frame whose atoms are farthest from rest."""
        return self.frame(int((self.pattern**2).sum(axis=(1, 2)).argmax()), amplitude_A)


def smallest_cell(qpoint: tuple[float, float, float]) -> tuple[int, int, int] | None:
    """How many primitive cells along each axis hold the wave; None when it takes more than a dozen."""
    parts = [Fraction(float(x)).limit_denominator(_MOST_CELLS) for x in qpoint]
    if max(abs(float(part) - x) for part, x in zip(parts, qpoint, strict=True)) > 1e-5:
        return None
    return tuple(part.denominator for part in parts)


def drawn_cell(atoms: Atoms, qpoint: tuple[float, float, float]) -> tuple[tuple[int, int, int], bool]:
    """Return the cells to draw, and whether the wave closes over their borders.

    A wave of a few cells is drawn whole and repeated until the picture is wide; of a longer one, a stretch.
    """
    exact = smallest_cell(qpoint)
    fits = exact is not None and np.prod(exact) * len(atoms) <= MOST_ATOMS
    steps = exact if fits else (1, 1, 1)
    counts = list(steps)
    widths = atoms.cell.volume / np.linalg.norm(np.cross(*_others(atoms)), axis=1)
    goal = np.full(3, WIDE_A) if fits else np.where(np.abs(qpoint) > 1e-6, 4 * WIDE_A, 0.8 * WIDE_A)
    while True:
        short = [axis for axis in range(3) if counts[axis] * widths[axis] < goal[axis]]
        short.sort(key=lambda axis: counts[axis] * widths[axis] / goal[axis])
        for axis in short:
            grown = [count + step * (at == axis) for at, (count, step) in enumerate(zip(counts, steps, strict=True))]
            if np.prod(grown) * len(atoms) <= MOST_ATOMS:
                counts = grown
                break
        else:
            return (counts[0], counts[1], counts[2]), bool(fits)


def _others(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = atoms.cell.array
    return np.array([b, c, a]), np.array([c, a, b])

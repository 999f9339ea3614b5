"""A mode in motion: structures over one period, in a cell that the wave fits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from labkit.errors import InvalidTask

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import HarmonicCrystal

#: Longest repetition of the cell along one vector that is made to fit a wave.
MOST_CELLS = 12


def frames(
    crystal: HarmonicCrystal,
    qpoint: Sequence[float],
    branch: int,
    amplitude_A: float,
    count: int,
    supercell: Sequence[int] | None,
) -> list[Atoms]:
    """u_jl(t) = A Re[e_j / sqrt(m_j) exp(i (q.r_jl - 2 pi t))]; see `HarmonicCrystal.frames`.

    Raises InvalidTask for a branch that does not exist.
    """
    modes = crystal.modes([qpoint])
    branches = modes.frequencies_THz.shape[1]
    if not 0 <= branch < branches:
        raise InvalidTask(f"there is no branch {branch}; this crystal has {branches}, counted from 0.")
    if count < 1:
        raise InvalidTask(f"a period needs at least one frame, not {count}.")
    point = modes.qpoints[0]
    repeat = tuple(int(number) for number in (fitting_cell(point) if supercell is None else supercell))
    rest = _repeated(crystal.atoms, repeat)
    vectors = modes.eigenvectors[0, branch] / np.sqrt(crystal.atoms.get_masses())[:, None]
    phases = np.exp(2j * np.pi * (rest.positions @ np.linalg.inv(np.asarray(crystal.atoms.cell)) @ point))
    waves = np.tile(vectors, (len(rest) // len(vectors), 1)) * phases[:, None]
    # The atom that moves most is at its turning point in the first frame: there Re(w)^2 is largest over the phase.
    turns = -np.angle((waves**2).sum(axis=1)) / 2
    widest = np.linalg.norm((waves * np.exp(1j * turns)[:, None]).real, axis=1)
    most = int(widest.argmax())
    waves *= np.exp(1j * turns[most]) * amplitude_A / widest[most]
    made = []
    for step in range(count):
        frame = rest.copy()
        frame.positions += (waves * np.exp(-2j * np.pi * step / count)).real
        made.append(frame)
    return made


def fitting_cell(qpoint: Sequence[float] | np.ndarray) -> tuple[int, int, int]:
    """The smallest repetition of the cell that a wave fits, at most `MOST_CELLS` along each vector.

    A wave between the fitting ones meets itself with a small step at the border of that cell.
    """
    cells = [Fraction(float(number)).limit_denominator(MOST_CELLS).denominator for number in qpoint]
    return cells[0], cells[1], cells[2]


def _repeated(atoms: Atoms, repeat: Sequence[int]) -> Atoms:
    if len(repeat) != 3 or min(repeat) < 1:
        raise InvalidTask(f"a supercell is three numbers of at least 1, not {list(repeat)}.")
    made = atoms.repeat(tuple(repeat))
    made.info = {key: value for key, value in atoms.info.items() if key == "name"}
    return made

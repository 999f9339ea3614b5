"""Relaxation of crystals that keeps their symmetry, many in one batch: an unstable crystal stays on its saddle.

Forces and stress are averaged over the space group before every step. Without that the rounding of a network grows
along each imaginary mode, and the phonons would be those of another structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms, units

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential
from labkit.simulators.cell_filter import RelaxationCoordinates
from labkit.simulators.fire import FireState

#: A relaxation that changes the volume by more than this factor has left its basin.
MAX_VOLUME_RATIO = 2.0


class RestingCrystal:
    """One crystal on its way to rest; `state` is active, converged, not converged or failed.

    cell: "free" (at `pressure_GPa`), "volume" (the shape relaxes at constant volume) or "fixed".
    """

    def __init__(self, atoms: Atoms, *, cell: str = "free", symprec_A: float = 1e-3, pressure_GPa: float = 0.0) -> None:
        from ase.spacegroup.symmetrize import prep_symmetry

        self.cell, self.steps = cell, 0
        pressure = pressure_GPa * units.GPa
        self.coordinates = RelaxationCoordinates(atoms, relax_cell=cell != "fixed", pressure_eV_A3=pressure)
        self.fire = FireState()
        self.atoms = atoms.copy()
        self.energy = self.largest = float("nan")
        self.state, self.reason = "active", ""
        try:
            self._symmetry = prep_symmetry(atoms, symprec_A)
        except Exception:  # spglib's own error, or none found: the identity is a symmetry of everything
            self._symmetry = (np.eye(3, dtype=int)[None], np.zeros((1, 3)), [np.arange(len(atoms))])

    def absorb(self, energy: float, forces: np.ndarray, stress: np.ndarray | None, fmax_eV_A: float, most: int) -> None:
        """Judge one evaluation and, if that was not good enough, move."""
        rest, forces, stress = self.coordinates, *self._symmetrised(forces, stress)
        generalised = rest.forces(self.atoms, forces, stress)
        if self.cell == "volume":
            generalised[-3:] = self._without_volume(generalised[-3:])
        self.energy, self.largest = energy, float(np.sqrt((generalised**2).sum(axis=1).max()))
        if not np.isfinite(self.largest) or not np.isfinite(energy):
            self.fail(f"the energy, a force or the stress is no longer a finite number after {self.steps} steps")
        elif self.largest <= fmax_eV_A:
            self.state = "converged"
        elif self.steps >= most:
            self.state = "not converged"
            self.reason = f"the largest force is {self.largest:.4f} eV/Å after {most} steps, wanted {fmax_eV_A:g}"
        elif not 1 / MAX_VOLUME_RATIO < self.atoms.get_volume() / rest.start.get_volume() < MAX_VOLUME_RATIO:
            advice = "is the potential right for this material?"
            if rest.pressure:
                advice = "give a smaller pressure, or begin with a cell of nearly the right volume"
            self.fail(f"the cell more than doubled or halved its volume; {advice}")
        else:
            rest.rows = rest.rows + self.fire.displacement(generalised)
            if self.cell == "volume":
                rest.rows[-3:] /= np.cbrt(np.linalg.det(rest.rows[-3:] / rest.scale))
            self.steps += 1
            self.atoms = rest.atoms()

    def fail(self, reason: str) -> None:
        """Leave the batch; the others go on."""
        self.state, self.reason = "failed", reason

    def restore(self, rows: np.ndarray, steps: int) -> None:
        """Go on from coordinates that an earlier attempt reached."""
        self.coordinates.rows, self.steps = np.array(rows), steps
        self.atoms = self.coordinates.atoms()

    def _symmetrised(self, forces: np.ndarray, stress: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        from ase.spacegroup.symmetrize import symmetrize_rank1, symmetrize_rank2

        rotations, translations, images = self._symmetry
        lattice = np.asarray(self.atoms.cell)
        inverse = np.linalg.inv(lattice)
        forces = symmetrize_rank1(lattice, inverse, np.asarray(forces, dtype=float), rotations, translations, images)
        if stress is not None:
            stress = symmetrize_rank2(lattice, inverse, np.asarray(stress, dtype=float), rotations)
        return forces, stress

    def _without_volume(self, rows: np.ndarray) -> np.ndarray:
        """Take the part out that would change det F: d det F / dF = det F F^-T."""
        normal = np.linalg.inv(self.coordinates.rows[-3:] / self.coordinates.scale).T
        normal /= np.linalg.norm(normal)
        return rows - (rows * normal).sum() * normal


def relax_together(
    crystals: Sequence[RestingCrystal],
    potential: Potential,
    fmax_eV_A: float,
    max_steps: int,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Step all active crystals in one batch until none is active; `watch` is called after each step."""
    while active := [crystal for crystal in crystals if crystal.state == "active"]:
        _step(active, potential, fmax_eV_A, max_steps)
        watch()


def _step(active: Sequence[RestingCrystal], potential: Potential, fmax_eV_A: float, max_steps: int) -> None:
    try:
        wanted = tuple(name for name in DEFAULT_PROPERTIES if name in potential.implemented)
        found = potential.predict([crystal.atoms for crystal in active], wanted)
    except Exception as error:
        if len(active) == 1:
            active[0].fail(f"{potential.name} refuses it: {' '.join(str(error).split())}")
            return
        for crystal in active:  # one bad crystal must not take the others along
            _step([crystal], potential, fmax_eV_A, max_steps)
        return
    for place, crystal in enumerate(active):
        stress = None if found.stresses is None else found.stresses[place]
        if crystal.cell != "fixed" and (stress is None or not np.isfinite(stress).all()):
            crystal.fail(f"{potential.name} gives no stress for it; relax the positions only")
            continue
        crystal.absorb(float(found.energies[place]), found.forces[place], stress, fmax_eV_A, max_steps)

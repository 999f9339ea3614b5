"""One crystal in a run of phonons: its cells, its displaced supercells, the forces that came back, its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidTask, LabkitError
from labkit.simulators.phonons_cell import (
    PERSONAL,
    atom_count,
    describe,
    primitive,
    require_crystal,
    supercell,
    unequal_spins,
)
from labkit.simulators.phonons_data import percent
from labkit.simulators.phonons_phonopy import ase_cell, bare_phonopy, has_isotopes, less_symmetric, symmetric_forces
from labkit.simulators.phonons_relax import RestingCrystal
from labkit.simulators.phonons_result import HarmonicCrystal, IMAGINARY_THz

if TYPE_CHECKING:
    from labkit.simulators.neb_batch import Answer
    from labkit.simulators.phonons import Phonons

#: Forces at rest above this (eV/Å) are worth a warning.
STILL_eV_A = 0.01
#: Translations with a frequency above this (THz) are worth a warning.
DRIFT_THz = 0.5
LESS_SYMMETRIC = (
    "the shape of the supercell breaks the symmetry of the crystal: modes that should be equal may differ; repeat "
    "equal cell vectors equally often"
)
UNEQUAL = (
    "atoms of one element differ in magnetic moment or charge, which the symmetry used here does not see: for a "
    "potential that reads them set use_symmetry = False"
)
#: Beyond this many atoms the exact projector takes minutes; sums and permutations are then made right in turns.
PROJECTOR_ATOMS = 1000


class Member:
    """`stage` is relaxing, forces, done or failed; `words` is what was done, `warnings` what to beware of."""

    def __init__(self, index: int, atoms: Atoms, task: Phonons) -> None:
        self.index, self.task = index, task
        self.name = str(atoms.info.get("name") or atoms.get_chemical_formula())
        self.stage, self.reason, self.drift_THz = "relaxing", "", 0.0
        self.words: list[str] = []
        self.warnings: list[str] = []
        self.group = ""
        self.phonon: Any = None
        self.supercells: list[Atoms] = []
        self.forces: list[np.ndarray | None] = []
        self._known: dict[int, np.ndarray] = {}
        self.summary: dict[str, Any] = {}
        self.atoms = atoms
        self.rest: RestingCrystal | None = None
        try:
            if task.primitive:
                self.atoms, self.group, said = primitive(atoms, task.symprec_A)
                self.words.append(said)
            else:
                require_crystal(atoms)
                self.words.append(f"the cell of {atom_count(atoms)} is used as given")
            self.atoms.info["name"] = self.name
            cell = {"cell": "free", "positions": "fixed"}.get(task.relax, "fixed")
            self.rest = RestingCrystal(self.atoms, cell=cell)
        except LabkitError as error:
            self.fail(str(error))

    def fail(self, reason: str) -> None:
        """Leave the run; the others go on."""
        self.stage, self.reason = "failed", reason
        self.supercells, self.phonon = [], None

    def relaxed(self) -> None:
        """Take over the relaxed structure; one that is nearly at rest goes on with a warning."""
        if self.rest.state == "failed":
            self.fail(self.rest.reason)
            return
        self.atoms = self.rest.atoms
        if self.rest.state == "not converged":
            if self.rest.largest > STILL_eV_A:
                self.fail(f"{self.rest.reason}; raise max_steps or fmax_eV_A")
                return
            self.warnings.append(self.rest.reason)

    def displace(self) -> None:
        """Choose the supercell and displace it: the cell at rest comes first, then one supercell each."""
        task = self.task
        matrix, said = supercell(self.atoms, task.supercell, task.supercell_length_A, task.max_atoms)
        self.words.append(said)
        self.phonon = bare_phonopy(self.atoms, matrix, symmetry=task.use_symmetry)
        if len(self.phonon.supercell) == 1:
            raise InvalidTask("one atom alone feels no force wherever it is; take a supercell of several cells.")
        if task.use_symmetry and less_symmetric(self.phonon) and LESS_SYMMETRIC not in self.warnings:
            self.warnings.append(LESS_SYMMETRIC)
        if task.use_symmetry and unequal_spins(self.atoms) and UNEQUAL not in self.warnings:
            self.warnings.append(UNEQUAL)
        self.phonon.generate_displacements(distance=task.displacement_A)
        self.supercells = [self.atoms.copy()]
        self.supercells += [self._as_given(cell) for cell in self.phonon.supercells_with_displacements]
        self.forces = [self._known.get(place) for place in range(len(self.supercells))]
        count = len(self.supercells) - 1
        self.words.append(f"{count} displacement{'s' if count > 1 else ''} of {task.displacement_A:g} Å")
        self.stage = "forces"

    def _as_given(self, cell: Any) -> Atoms:
        """A displaced supercell, with the magnetic moments, charges and tags of the atoms it is made of."""
        made = ase_cell(cell)
        for name in (name for name in PERSONAL if name in self.atoms.arrays and name != "masses"):
            made.set_array(name, np.repeat(self.atoms.arrays[name], len(made) // len(self.atoms), axis=0))
        return made

    def waiting(self) -> list[int]:
        """The supercells whose forces are not known yet."""
        if self.stage != "forces":
            return []
        return [place for place, forces in enumerate(self.forces) if forces is None]

    def take(self, place: int, answer: Answer) -> None:
        """Keep the forces of one supercell, or fail with the reason why there are none."""
        if self.stage != "forces":
            return
        what = "the cell at rest" if place == 0 else f"displacement {place}"
        if isinstance(answer, str):
            self.fail(f"no forces for {what}: {answer}")
            return
        forces = np.asarray(answer[1], dtype=float)
        if not np.isfinite(forces).all():
            atom = int(np.flatnonzero(~np.isfinite(forces).all(axis=1))[0])
            self.fail(
                f"the force on atom {atom} of {what} is not a finite number; is {self.task.potential} made for this "
                "material?"
            )
            return
        self.forces[place] = forces

    def crystal(self) -> HarmonicCrystal:
        """The force constants from all forces, what acts on the crystal at rest taken off."""
        phonon, rest = self.phonon, np.asarray(self.forces[0])
        size = len(phonon.supercell) // len(self.atoms)
        largest = float(np.linalg.norm(rest, axis=1).max())
        if largest > STILL_eV_A:
            self.warnings.append(
                f"a force of {largest:.3f} eV/Å acts on the crystal at rest, which is no stationary point of "
                f"{self.task.potential}: relax it first"
            )
        phonon.forces = np.array([forces - np.repeat(rest, size, axis=0) for forces in self.forces[1:]])
        phonon.produce_force_constants(show_drift=False)
        at_gamma = phonon.run_qpoints([[0.0, 0.0, 0.0]]).frequencies[0]
        self.drift_THz = float(np.sort(np.abs(at_gamma))[2])
        if self.task.sum_rule:
            if self.drift_THz > DRIFT_THz:
                self.warnings.append(
                    f"before the acoustic sum rule was imposed, moving the whole crystal had a frequency of "
                    f"{self.drift_THz:.2f} THz instead of 0: the forces are not smooth over "
                    f"{self.task.displacement_A:g} Å, frequencies may be wrong by as much; try displacement_A = 0.03"
                )
            exact = len(phonon.supercell) <= PROJECTOR_ATOMS
            phonon.symmetrize_force_constants(level=5, show_drift=False, use_symfc_projector=exact)
        crystal = HarmonicCrystal(self.atoms, phonon.supercell_matrix, phonon.force_constants)
        if not has_isotopes(self.atoms) and symmetric_forces(phonon):
            vars(crystal)["phonopy"] = phonon  # the very object that it would make, and that takes a second to make
        return crystal

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What a resumed run should not compute again: coordinates, forces, and the summary."""
        arrays = {} if self.rest is None else {f"rows-{self.index}": self.rest.coordinates.rows}
        if self.stage == "forces":
            known = {place: forces for place, forces in enumerate(self.forces) if forces is not None}
            arrays |= {f"forces-{self.index}-{place}": forces for place, forces in known.items()}
        values = {"stage": self.stage, "reason": self.reason, "summary": self.summary, "warnings": self.warnings}
        return arrays, {**values, "steps": self.rest.steps if self.rest else 0}

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any], *, at_rest: bool) -> None:
        """Take `state()` over; `at_rest` when relaxations are over. Forces are kept until `displace` asks for them."""
        self.summary, self.reason, self.warnings = values["summary"], values["reason"], list(values["warnings"])
        rows = arrays.get(f"rows-{self.index}")
        if self.rest is not None and rows is not None:
            self.rest.restore(rows, values["steps"])
            self.atoms = self.rest.atoms if at_rest else self.atoms
        if values["stage"] in ("done", "failed"):
            self.stage = values["stage"]
        prefix = f"forces-{self.index}-"
        self._known = {int(name[len(prefix) :]): value for name, value in arrays.items() if name.startswith(prefix)}

    def finish(self) -> HarmonicCrystal:
        """The result and its summary."""
        crystal = self.crystal()
        thermal = crystal.thermal(self.task.temperatures_K, self.task.mesh_A)
        unstable = crystal.imaginary()
        if unstable:
            self.warnings.append(_instability(unstable, thermal.imaginary_fraction))
        elif thermal.imaginary_fraction > 0:
            self.warnings.append(_unnamed(thermal.imaginary_fraction, float(crystal.phonopy.mesh.frequencies.min())))
        on_mesh = crystal.phonopy.mesh.frequencies
        self.summary = {
            "index": self.index,
            "name": self.name,
            "formula": self.atoms.get_chemical_formula(),
            "space_group": self.group,
            "supercell": describe(crystal.supercell_matrix),
            "supercell_atoms": len(self.phonon.supercell),
            "displacements": len(self.supercells) - 1,
            "cell_lengths_A": self.atoms.cell.lengths().tolist(),
            "volume_A3": float(self.atoms.get_volume()),
            "lowest_THz": float(on_mesh.min()),
            "highest_THz": float(on_mesh.max()),
            "imaginary": [vars(mode) for mode in unstable],
            "drift_THz": self.drift_THz,
            "imaginary_fraction": thermal.imaginary_fraction,
            "zero_point_eV": thermal.zero_point_eV,
            "temperatures_K": thermal.temperatures_K.tolist(),
            "free_energy_eV": thermal.free_energy_eV.tolist(),
            "entropy_eV_K": thermal.entropy_eV_K.tolist(),
            "heat_capacity_eV_K": thermal.heat_capacity_eV_K.tolist(),
            "words": self.words,
            "warnings": self.warnings,
        }
        self.stage, self.supercells, self.phonon = "done", [], None
        return crystal


def _unnamed(part: float, lowest_THz: float) -> str:
    return (
        f"thermal functions leave {percent(part)} of all modes out, which are imaginary (down to "
        f"{-lowest_THz:.2f}i THz), though none is by more than {IMAGINARY_THz:g} THz at a wave vector that fits the "
        "supercell: noise of the forces, or interpolation, which a larger supercell mends"
    )


def _instability(unstable: list[Any], part: float) -> str:
    count = sum(mode.degeneracy for mode in unstable)
    places = " ".join(mode.text for mode in unstable[:4])
    more = f" And {len(unstable) - 4} more." if len(unstable) > 4 else ""
    left = f" Thermal functions leave {percent(part)} of all modes out." if part > 0 else ""
    return (
        f"{count} imaginary mode{'s' if count > 1 else ''}: the energy falls along {'them' if count > 1 else 'it'}, so "
        f"this is not a stable structure at 0 K. {places}{more}{left}"
    )

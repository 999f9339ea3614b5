"""Thermal expansion and the free energy of a crystal: its phonons at several volumes, all volumes in one batch.

The crystal is relaxed at the pressure, stretched to the other volumes, and at each of them its shape and its atoms
relax, with the symmetry kept.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from labkit.errors import NotConverged
from labkit.potentials.interface import Potential
from labkit.runs import RunContext, Task, quantity
from labkit.simulators.phonons_cell import primitive, require_crystal, supercell, supercell_matrix
from labkit.simulators.phonons_quasi_harmonic_result import FILE, QuasiHarmonicResult, quasi_harmonic
from labkit.simulators.phonons_relax import RestingCrystal, relax_together
from labkit.structures import StructureField
from labkit.structures.field import from_dict, to_dict

#: The file that keeps the relaxed volumes for a resume.
VOLUMES = "volumes"


class QuasiHarmonic(Task):
    """Find how a crystal expands when it is heated, and its free energy at every temperature."""

    structure: StructureField = Field("Cu", description="The crystal", validate_default=True)
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    volumes: int = quantity(7, "", "Volumes at which the phonons are found", ge=5, le=41)
    smallest_volume: float = quantity(0.96, "", "Smallest volume, of the one relaxed at the pressure", gt=0.5, lt=1)
    largest_volume: float = quantity(1.08, "", "Largest volume, of the one relaxed at the pressure", gt=1, lt=2)
    max_temperature_K: float = quantity(1000.0, "K", "Highest temperature", gt=0, le=20_000)
    temperature_step_K: float = quantity(20.0, "K", "Step of the temperatures", gt=0, le=1000)
    pressure_GPa: float = quantity(0.0, "GPa", "External pressure", ge=-20, le=1000)
    equation: Literal["vinet", "birch_murnaghan", "murnaghan"] = Field("vinet", description="Equation of state")
    fmax_eV_A: float = quantity(1e-4, "eV/Å", "Largest force of a relaxed crystal", gt=0, le=1, label="Largest force")
    max_steps: int = quantity(1000, "steps", "Give a relaxation up after so many steps", ge=1, le=1_000_000)
    symprec_A: float = quantity(0.01, "Å", "Atoms closer than this to a symmetric place are put there", gt=0, le=0.5)
    supercell: list[int] | None = Field(
        None,
        description="Three numbers of primitive cells, or nine (a matrix row by row, its columns the new vectors); "
        "empty: chosen by the length below",
    )
    supercell_length_A: float = quantity(10.0, "Å", "No lattice vector of the supercell shorter", gt=0, le=60)
    max_atoms: int = quantity(400, "atoms", "Supercells chosen here hold at most so many", ge=1, le=20_000)
    displacement_A: float = quantity(0.01, "Å", "How far atoms are displaced for the forces", gt=0, le=0.5)
    mesh_A: float = quantity(
        60.0, "Å", "Mesh of wave vectors: one for each 1/length", gt=0, le=500, label="Mesh length"
    )
    batch_atoms: int | None = Field(
        None, ge=1, description="Atoms in a batch at most; empty: found by trying", json_schema_extra={"unit": "atoms"}
    )
    processes: int = quantity(1, "", "Processes that share the forces (on a CPU; one core each)", ge=1, le=256)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        require_crystal(self.structure)
        if self.supercell is not None:
            supercell_matrix(self.supercell)
        if self.max_temperature_K < 2 * self.temperature_step_K:
            raise ValueError(
                f"steps of {self.temperature_step_K:g} K up to {self.max_temperature_K:g} K are fewer than two; lower "
                "temperature_step_K."
            )
        return self

    def label(self) -> str:
        """What expands."""
        return f"Expansion of {self.structure.info.get('name') or self.structure.get_chemical_formula()}"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Relax, stretch, find all phonons, join them; tables: those of `Phonons`, and quasi_harmonic with one row for
        each temperature. Raises NotConverged when fewer than five volumes are left.
        """
        from labkit.potentials import load
        from labkit.simulators.phonons_run import PhononRun

        context.progress(0, 1, f"loading {self.potential}")
        potential = load(self.potential, self.device)
        stored = context.folder / f"{VOLUMES}.json"
        if not stored.exists():
            self._stretch(context, potential)
        from labkit.runs.atomic import read_json

        known = read_json(stored) or {}
        members = PhononRun(self._phonons(known), context, potential).run()
        done = [member for member in members if member.stage == "done"]
        for member in members:
            if member.stage == "failed":
                context.log(f"volume {member.index}: {member.reason}")
        if len(done) < 5:
            reasons = "; ".join(member.reason for member in members if member.stage == "failed")
            raise NotConverged(f"only {len(done)} of {len(members)} volumes have phonons: {reasons}")
        lost = [f"volume {member.index} is left out: {member.reason}" for member in members if member.stage == "failed"]
        return self._join(context, [member.index for member in done], known["energies_eV"], lost)

    def _stretch(self, context: RunContext, potential: Potential) -> None:
        """Relax the crystal, then its shape and atoms at every volume; keep what comes out."""
        atoms, group, said = primitive(self.structure, self.symprec_A)
        context.log(said)
        free = RestingCrystal(atoms, cell="free", pressure_GPa=self.pressure_GPa)
        at = f" at {self.pressure_GPa:g} GPa" if self.pressure_GPa else ""
        rest = self._relaxed([free], potential, context, f"relaxing the crystal{at}")[0].atoms
        factors = np.linspace(self.smallest_volume, self.largest_volume, self.volumes)
        stretched = []
        for factor in factors:
            one = rest.copy()
            one.set_cell(np.asarray(rest.cell) * np.cbrt(factor), scale_atoms=True)
            stretched.append(RestingCrystal(one, cell="volume"))
        found = self._relaxed(stretched, potential, context, f"relaxing {len(factors)} volumes")
        matrix, said = supercell(rest, self.supercell, self.supercell_length_A, self.max_atoms)
        context.log(f"{group}: {said}")
        kept = {
            "structures": [to_dict(_named(one.atoms, factor)) for one, factor in zip(found, factors, strict=True)],
            "energies_eV": [one.energy for one in found],
            "supercell": matrix.ravel().tolist(),
        }
        context.save_json(VOLUMES, kept)

    def _relaxed(
        self, crystals: list[RestingCrystal], potential: Potential, context: RunContext, stage: str
    ) -> list[RestingCrystal]:
        def watch() -> None:
            resting = sum(crystal.state != "active" for crystal in crystals)
            context.progress(0, 1000, f"{stage}: {resting} of {len(crystals)} at rest")
            context.raise_if_stopped()

        relax_together(crystals, potential, self.fmax_eV_A, self.max_steps, watch)
        for crystal in crystals:
            if crystal.state == "failed":
                raise NotConverged(f"{stage}: {crystal.reason}")
            if crystal.state != "converged":
                raise NotConverged(f"{stage}: {crystal.reason}; raise max_steps or fmax_eV_A, or narrow the volumes.")
        return crystals

    def _phonons(self, known: dict[str, Any]) -> Any:
        from labkit.simulators.phonons import Phonons

        same = ("potential", "displacement_A", "mesh_A", "batch_atoms", "processes", "device")
        return Phonons(
            structures=[from_dict(data) for data in known["structures"]],
            relax="nothing",
            primitive=False,
            supercell=known["supercell"],
            temperatures_K=[0.0, self.max_temperature_K],
            **{name: getattr(self, name) for name in same},
        )

    def _join(self, context: RunContext, indices: list[int], energies: list[float], lost: list[str]) -> dict[str, Any]:
        from labkit.simulators.phonons_result import read

        crystals = [read(context.folder, index) for index in indices]
        temperatures = np.arange(0.0, self.max_temperature_K + 1e-9, self.temperature_step_K)
        result = quasi_harmonic(
            crystals,
            [energies[index] for index in indices],
            temperatures,
            pressure_GPa=self.pressure_GPa,
            equation=self.equation,
            mesh=self.mesh_A,
        )
        context.save_json(FILE, result.to_dict())
        for step, row in enumerate(result.table().to_dict("records")):
            context.row("quasi_harmonic", step, **row)
        said = lost + _beware(result, temperatures[-1])
        for sentence in said:
            context.log(f"beware: {sentence}")
        room = int(np.argmin(abs(result.temperatures_K - 300.0)))
        return {
            "temperature_K": float(result.temperatures_K[room]),
            "volume_A3": float(result.volume_A3[room]),
            "thermal_expansion_1_K": float(result.thermal_expansion_1_K[room]),
            "bulk_modulus_GPa": float(result.bulk_modulus_GPa[room]),
            "bulk_modulus_error_GPa": float(result.bulk_modulus_error_GPa[room]),
            "grueneisen": float(result.grueneisen[room]),
            "warnings": said,
        }


def _named(atoms: Atoms, factor: float) -> Atoms:
    atoms.info["name"] = f"{atoms.info.get('name', atoms.get_chemical_formula())} at {factor:.3f} V0"
    return atoms


def _beware(result: QuasiHarmonicResult, wanted_K: float) -> list[str]:
    said = result.warnings
    reached_K = result.temperatures_K[-1]
    if reached_K < wanted_K - 1e-6:
        said.append(
            f"above {reached_K:g} K the crystal expands beyond the largest volume; for {wanted_K:g} K raise "
            "largest_volume"
        )
    return said

"""Phonons of many crystals at once: every displaced supercell of every crystal goes through one stream of batches.

The force constants are kept in one file for each crystal; bands, densities of states, thermal functions and mode
animations are asked of them later (`labkit.simulators.phonons_result.read(run)`). Polar insulators get no LO-TO
splitting: their longitudinal optical bands lie too low near Γ.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from labkit.errors import NotConverged
from labkit.runs import RunContext, Task, quantity
from labkit.simulators.phonons_cell import require_crystal, supercell_matrix
from labkit.structures import StructureField
from labkit.structures.field import to_dict


class Phonons(Task):
    """Find how the atoms of a crystal vibrate, and whether it is stable; many crystals at once."""

    structures: list[StructureField] = Field(
        ["Si"], description="Crystals whose vibrations are wanted", min_length=1, validate_default=True
    )
    potential: str = Field("chgnet", description="Name or path of the potential that gives the forces")
    relax: Literal["cell", "positions", "nothing"] = Field(
        "cell", description="What is relaxed before; the symmetry is kept, so an unstable crystal stays what it is"
    )
    fmax_eV_A: float = quantity(
        1e-4, "eV/Å", "At rest when no generalised force is larger than this", gt=0, le=1, label="Largest force"
    )
    max_steps: int = quantity(1000, "steps", "Give a relaxation up after so many steps", ge=1, le=1_000_000)
    primitive: bool = Field(True, description="Find the primitive cell first (spglib); its modes are the ones wanted")
    symprec_A: float = quantity(0.01, "Å", "Atoms closer than this to a symmetric place are put there", gt=0, le=0.5)
    supercell: list[int] | None = Field(
        None,
        description="Three numbers of primitive cells, or nine (a matrix row by row, its columns the new vectors); "
        "empty: chosen by the length below",
    )
    supercell_length_A: float = quantity(
        10.0, "Å", "No lattice vector of the supercell shorter than this, unless that takes too many atoms", gt=0, le=60
    )
    max_atoms: int = quantity(400, "atoms", "Supercells chosen here hold at most so many", ge=1, le=20_000)
    displacement_A: float = quantity(
        0.01, "Å", "Smaller: rounding of the forces shows; larger: anharmonicity does", gt=0, le=0.5
    )
    use_symmetry: bool = Field(True, description="Displace only what symmetry does not tell")
    sum_rule: bool = Field(
        True, description="Make the force constants obey the acoustic sum rule, permutations and the space group"
    )
    mesh_A: float = quantity(
        60.0, "Å", "Mesh of wave vectors for sums over modes: one for each 1/length", gt=0, le=500, label="Mesh length"
    )
    temperatures_K: list[float] = Field(
        [float(T) for T in range(0, 1001, 50)],
        description="Temperatures of the thermal functions in the result",
        min_length=1,
        json_schema_extra={"unit": "K"},
    )
    batch_atoms: int | None = Field(
        None, ge=1, description="Atoms in a batch at most; empty: found by trying", json_schema_extra={"unit": "atoms"}
    )
    processes: int = quantity(1, "", "Processes that share the forces (on a CPU; one core each)", ge=1, le=256)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for atoms in self.structures:
            require_crystal(atoms)
        if self.supercell is not None:
            supercell_matrix(self.supercell)
        if not all(0 <= temperature < float("inf") for temperature in self.temperatures_K):
            raise ValueError("temperatures are finite and not below 0 K.")
        return self

    def label(self) -> str:
        """Formula, or the number of crystals."""
        first = self.structures[0]
        name = first.info.get("name") or first.get_chemical_formula()
        return f"Phonons of {name}" if len(self.structures) == 1 else f"Phonons of {len(self.structures)} crystals"

    def execute(self, context: RunContext) -> dict[str, Any]:
        """Find the phonons; tables: relaxation and forces (every batch), structures (one row each); files
        phonons-<index>.npz. Raises NotConverged when there are phonons of none.
        """
        from labkit.potentials import load
        from labkit.simulators.phonons_run import PhononRun

        context.progress(0, 1, f"loading {self.potential}")
        members = PhononRun(self, context, load(self.potential, self.device)).run()
        failed = {str(member.index): member.reason for member in members if member.stage == "failed"}
        if len(failed) == len(members):
            raise NotConverged(
                f"there are phonons of none of {len(members)} structures: "
                + "; ".join(f"{member.name}: {member.reason}" for member in members[:5])
            )
        context.progress(1000, 1000, "done")
        return {
            "crystals": [member.summary for member in members],
            "failed": failed,
            "structures": [to_dict(member.atoms) for member in members],
            "warnings": [f"{member.summary['name']}: {text}" for member in members for text in _warnings(member)],
        }


def _warnings(member: Any) -> list[str]:
    return [member.reason] if member.stage == "failed" else member.summary["warnings"]

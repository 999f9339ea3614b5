"""A ladder of quality: on each rung a reference method, a size of network, a pool, temperatures and thresholds.

The one idea: what is cheap finds out where the truth is needed, and labels of two rungs are never in one training set;
a rung is left when a sweep over its pool selects nothing (methods B 2.3, after arXiv 2407.04126).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from labkit.errors import InvalidTask
from labkit.potentials.camp.settings import CAMPSettings
from labkit.runs import quantity
from labkit.runs.explain import explain
from labkit.structures import StructureField, bare

if TYPE_CHECKING:
    from ase import Atoms

#: A copy whose atoms come too close is drawn again so often.
REDRAWS = 20


class QualityLevel(BaseModel):
    """One rung: which reference labels, how large the networks are, what is explored how hot, and when it is enough."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str = Field("", description="What this level is called; empty: after its reference")
    reference: str = Field(
        "gfn2-xtb",
        description="The reference method that labels, by name",
        json_schema_extra={"suggestions": ("gfn1-xtb", "gfn2-xtb", "ccsd(t)/cc-pvdz", "gpaw-pbe", "chgnet")},
    )
    options: dict[str, JsonValue] = Field({}, description="Options of the reference")
    model: CAMPSettings = Field(CAMPSettings(), description="The networks of this level")
    structures: list[StructureField] = Field([], description="Explored from this level on, beside those before it")
    temperatures_K: list[float] = quantity([300.0], "K", "Temperatures of the exploring dynamics", min_length=1)
    select_eV_A: float = quantity(
        0.1, "eV/Å", "Structures whose worst atom has at least this predicted error are labelled", gt=0, label="Select"
    )
    break_eV_A: float = quantity(
        1.0,
        "eV/Å",
        "From this predicted error on a structure is nonsense and its exploration ends",
        gt=0,
        label="Break",
    )
    max_rounds: int = quantity(5, "rounds", "Rounds of exploration at this level at most", ge=1, le=10_000)

    def __init__(self, /, **parameters: Any) -> None:
        """Check the parameters; raises InvalidTask with one sentence for each that is wrong."""
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            raise InvalidTask(explain(error, type(self))) from error

    @model_validator(mode="after")
    def _fits_together(self) -> QualityLevel:
        if not self.select_eV_A < self.break_eV_A:
            raise InvalidTask(
                f"select_eV_A ({self.select_eV_A:g}) is not below break_eV_A ({self.break_eV_A:g}): between the two "
                "lie the structures that are labelled."
            )
        if wrong := [one for one in self.temperatures_K if not 0 < one <= 10_000]:
            raise InvalidTask(f"a temperature is above 0 and at most 10000 K, not {wrong[0]:g}.")
        if not self.reference.strip():
            raise InvalidTask("a quality level needs a reference that labels, such as gfn2-xtb.")
        return self

    @property
    def title(self) -> str:
        """Its name, or its reference's."""
        return self.name or self.reference

    def labels_as(self, other: QualityLevel) -> bool:
        """Whether the labels of the other level count here as well: the same reference with the same options."""
        return (self.reference, self.options) == (other.reference, other.options)


def own_pool(structures: Sequence[Atoms], levels: Sequence[QualityLevel], level: int) -> list[Atoms]:
    """What level number `level` brings along; `structures` belong to the first."""
    return [*(structures if level == 0 else ()), *levels[level].structures]


def pool(structures: Sequence[Atoms], levels: Sequence[QualityLevel], level: int) -> list[Atoms]:
    """Everything that is explored at level number `level`."""
    return [atoms for index in range(level + 1) for atoms in own_pool(structures, levels, index)]


def rattled(
    structures: Sequence[Atoms], count: int, rattle_A: float, strain: float, seed: Sequence[int]
) -> list[Atoms]:
    """`count` copies, of each structure in turn, with normal displacements of 0.5 to 1.5 times `rattle_A` (Å).

    The cell of a crystal is strained too, each component normal with `strain`. Copies whose atoms come nearer than 0.6
    of their covalent radii are drawn again, at last with a tenth of the displacement.
    """
    from labkit.active_learning.adversarial import Guards

    made = []
    for number in range(count if structures else 0):
        index = number % len(structures)
        generator = np.random.default_rng([*seed, number])
        for attempt in range(REDRAWS):
            atoms = bare(structures[index])
            size = generator.uniform(0.5, 1.5) * (1 if attempt < REDRAWS - 1 else 0.1)
            if atoms.pbc.all() and strain > 0:
                change = generator.normal(scale=strain * size, size=(3, 3))
                atoms.set_cell(atoms.cell.array @ (np.eye(3) + (change + change.T) / 2), scale_atoms=True)
            atoms.positions += generator.normal(scale=rattle_A * size, size=atoms.positions.shape)
            if not Guards().contact(atoms):
                break
        atoms.info |= {"source": f"rattled copy of {index}", "structure": index}
        made.append(atoms)
    return made

"""What every potential promises: a batch of structures in, energies, forces and stresses with stated units out.

One contract for networks, tight binding and classical models alike; `tests/potentials/test_contract.py` holds each of
them to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from labkit.errors import InvalidStructure, UnsupportedElement

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.potentials.calculator import PotentialCalculator

#: What `predict` computes unless told otherwise.
DEFAULT_PROPERTIES = ("energy", "forces", "stress")
PROPERTIES = ("energy", "forces", "stress", "magmoms")
#: Beyond this extent (Å) neighbour lists run out of cells: vesin 0.6 ends the process at 10^6 Å.
LARGEST_EXTENT_A = 1e5


@dataclass(frozen=True)
class Prediction:
    """What a potential says of B structures with n_b atoms each.

    energies: (B,) eV. forces: B arrays (n_b, 3) eV/Å, or None when not asked for. stresses: (B, 3, 3) eV/Å^3, tension
    positive, NaN for a structure without a three-dimensional cell, or None. magmoms, charges: B arrays (n_b,) in µ_B
    and e, or None. uncertainty: (B,) in the potential's own stated unit, or None.
    """

    energies: np.ndarray
    forces: list[np.ndarray] | None = None
    stresses: np.ndarray | None = None
    magmoms: list[np.ndarray] | None = None
    charges: list[np.ndarray] | None = None
    uncertainty: np.ndarray | None = None
    units: dict[str, str] = field(
        default_factory=lambda: {
            "energies": "eV",
            "forces": "eV/Å",
            "stresses": "eV/Å^3",
            "magmoms": "µ_B",
            "charges": "e",
        },
        repr=False,
    )

    def __len__(self) -> int:
        return len(self.energies)


class Potential(ABC):
    """A map from structures to energy, forces and stress.

    `name` is what `labkit.potentials.load` opens; `level_of_theory` is what the energies approximate, and energies
    of two different levels are never compared; `elements` are the chemical symbols it knows, None for no limit.
    """

    name: str
    level_of_theory: str
    elements: frozenset[str] | None = None
    implemented: tuple[str, ...] = DEFAULT_PROPERTIES

    @abstractmethod
    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """Energies (eV), forces (eV/Å) and stresses (eV/Å^3, tension positive) of B structures; inputs stay untouched.

        Raises UnsupportedElement or InvalidStructure for a structure outside of the potential's domain.
        """

    def calculator(self) -> PotentialCalculator:
        """An ASE calculator of this potential."""
        from labkit.potentials.calculator import PotentialCalculator

        return PotentialCalculator(self)

    def save(self, path: str | Path) -> Path:
        """Write the potential without pickle; `labkit.potentials.load(path)` opens it again."""
        raise NotImplementedError(f"{self.name} has no parameters of its own to save; its name is enough to load it.")

    def require(self, structures: Sequence[Atoms], properties: Sequence[str]) -> None:
        """Refuse what this potential cannot answer, in a sentence that says what to do instead."""
        unknown = [name for name in properties if name not in self.implemented]
        if unknown:
            raise ValueError(
                f"{self.name} does not compute {', '.join(unknown)}; it knows {', '.join(self.implemented)}."
            )
        for index, atoms in enumerate(structures):
            label = atoms.info.get("name") or f"structure {index} ({atoms.get_chemical_formula()})"
            if len(atoms) == 0:
                raise InvalidStructure(f"{label} has no atoms. Pick or upload a structure first.")
            if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
                raise InvalidStructure(
                    f"{label} has positions or a cell that are not finite numbers. Reload it from its source."
                )
            if np.ptp(atoms.positions, axis=0).max() > LARGEST_EXTENT_A:
                raise InvalidStructure(
                    f"{label} extends over {np.ptp(atoms.positions, axis=0).max():.0e} Å; nothing above "
                    f"{LARGEST_EXTENT_A:.0e} Å is computed. Have atoms flown apart, or is the unit not Å?"
                )
            if self.elements is not None:
                symbols = {chemical_symbols[number] for number in np.unique(atoms.numbers)}
                missing = sorted(symbols - self.elements, key=atomic_numbers.get)
                if missing:
                    raise UnsupportedElement(
                        f"{label} holds {', '.join(missing)}, which {self.name} was never trained on. "
                        "Substitute the element or choose another potential."
                    )

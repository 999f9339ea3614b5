"""A potential times a number: the softening correction, E -> c E + Σ shift_Z, F -> c F, σ -> c σ.

The one idea: a factor moves no minimum and no saddle point; barriers are multiplied by c, phonon frequencies by its
root. `labkit.training.softening.correct` finds c from a few labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

BASE = "base"


class CorrectedPotential(Potential):
    """`base` with energies, forces and stresses times `scale`, and energies shifted by `shifts` (eV, by element)."""

    def __init__(
        self,
        base: Potential,
        scale: float,
        shifts: Mapping[str, float] | None = None,
        *,
        level_of_theory: str = "",
        n_labels: int = 0,
    ) -> None:
        """Raises ValueError for a scale that is not a positive number or shifts that are not numbers."""
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"a correction multiplies forces by {scale}; it must be a positive number.")
        self.base, self.scale = base, float(scale)
        self.shifts = {str(element): float(value) for element, value in (shifts or {}).items()}
        if not all(math.isfinite(value) for value in self.shifts.values()):
            raise ValueError(f"the shifts of the energies {self.shifts} must be finite numbers, in eV.")
        self.name = f"{base.name}-corrected"
        self.level_of_theory = level_of_theory or base.level_of_theory
        self.elements, self.implemented, self.n_labels = base.elements, base.implemented, n_labels
        self.provenance: dict[str, Any] = {}

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; moments and charges are the base's, an uncertainty is scaled with the energy."""
        said = self.base.predict(structures, properties)
        shift = np.array([sum(self.shifts.get(symbol, 0.0) for symbol in atoms.symbols) for atoms in structures])
        return Prediction(
            energies=self.scale * said.energies + shift,
            forces=None if said.forces is None else [self.scale * one for one in said.forces],
            stresses=None if said.stresses is None else self.scale * said.stresses,
            magmoms=said.magmoms,
            charges=said.charges,
            uncertainty=None if said.uncertainty is None else self.scale * said.uncertainty,
            units=said.units,
        )

    def save(self, path: str | Path) -> Path:
        """Write a folder: the numbers, and the name of the base or the base itself when it has no name."""
        from labkit.potentials.registry import names
        from labkit.potentials.storage import write_with_parts

        named = self.base.name in names()
        description = {
            "kind": "corrected",
            "name": self.name,
            "level_of_theory": self.level_of_theory,
            "elements": None if self.elements is None else sorted(self.elements),
            "base": self.base.name if named else None,
            "scale": self.scale,
            "shifts": self.shifts,
            "n_labels": self.n_labels,
            "units": {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å^3", "shifts": "eV"},
            "provenance": self.provenance,
        }
        return write_with_parts(path, description, {} if named else {BASE: self.base})

    @classmethod
    def from_folder(cls, folder: Path, device: str = "auto") -> CorrectedPotential:
        """Open a potential that `save` wrote; raises ValueError for a description that is not one."""
        from labkit.potentials.registry import load, names

        folder = Path(folder)
        said = json.loads((folder / "potential.json").read_text(encoding="utf-8"))
        name, scale, shifts = said.get("base"), said.get("scale"), said.get("shifts") or {}
        if name is not None and name not in names():
            # Any other text would be an address to import, or a path out of the folder: not from a file.
            raise ValueError(f"{folder} corrects {str(name)[:60]!r}, which is not a potential that this labkit knows.")
        if not isinstance(scale, int | float) or not isinstance(shifts, dict):
            raise ValueError(f"{folder} has the scale {scale!r} and the shifts {shifts!r}, which are not numbers.")
        base = load(folder / BASE if name is None else name, device)
        level = str(said.get("level_of_theory") or "")
        made = cls(base, scale, shifts, level_of_theory=level, n_labels=int(said.get("n_labels") or 0))
        made.provenance = dict(said.get("provenance") or {})
        return made

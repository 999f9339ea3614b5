"""Delta-learning: a cheap baseline plus a learned, short-ranged correction, together one potential.

The one idea: E = E_low + Delta. The baseline brings what reaches far (dispersion, charges) and the rough shape of every
bond; the difference to the expensive method is smooth, small and local, so few labels teach it.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from labkit.errors import UnreadableFile
from labkit.potentials.interface import DEFAULT_PROPERTIES, Potential, Prediction

BASELINE, CORRECTION = "baseline", "correction"
#: Where reference methods are opened by name. Their room lies behind this one, so it is named here and not imported.
REFERENCES = "labkit.references.registry"
SUMMED = ("energy", "forces", "stress")


class DeltaPotential(Potential):
    """E(R) = E_low(R) + Delta(R) + sum_Z n_Z shift_Z; forces and stresses are sums too.

    R. Ramakrishnan et al., J. Chem. Theory Comput. 11, 2087 (2015); on tight binding, local: arXiv:2508.14306.

    baseline: any potential, or a reference method as one (`labkit.references.load("gfn2-xtb").potential()`).
    correction: a potential trained on E_high - E_low. shifts: eV by element, what the correction does not hold itself.
    An uncertainty is that of the correction, in its own unit: the baseline makes the same error every time.
    """

    def __init__(
        self,
        baseline: Potential,
        correction: Potential,
        shifts: Mapping[str, float] | None = None,
        *,
        name: str = "",
        level_of_theory: str = "",
    ) -> None:
        """Raises ValueError for two potentials without a common element, or for shifts that are not numbers."""
        self.baseline, self.correction = baseline, correction
        self.shifts = {str(element): float(value) for element, value in (shifts or {}).items()}
        if not all(math.isfinite(value) for value in self.shifts.values()):
            raise ValueError(f"the shifts of the energies {self.shifts} must be finite numbers, in eV.")
        known = [one.elements for one in (baseline, correction) if one.elements is not None]
        self.elements = frozenset.intersection(*known) if known else None
        if self.elements is not None and not self.elements:
            raise ValueError(f"{baseline.name} and {correction.name} have no element in common.")
        self.name = name or f"{baseline.name}+{correction.name}"
        self.level_of_theory = level_of_theory or f"{baseline.level_of_theory} + ({correction.level_of_theory})"
        both = set(baseline.implemented) & set(correction.implemented)
        self.implemented = tuple(one for one in SUMMED if one in both)
        self.provenance: dict[str, Any] = {}

    @property
    def cutoff_A(self) -> float | None:
        """The cut-off of the correction (Å), None when it states none; the baseline may reach further."""
        return getattr(self.correction, "cutoff_A", None)

    def predict(self, structures: Sequence[Atoms], properties: Sequence[str] = DEFAULT_PROPERTIES) -> Prediction:
        """See `Potential.predict`; charges are the baseline's. Raises what the baseline raises, NotConverged say."""
        self.require(structures, properties)
        low, delta = self.baseline.predict(structures, properties), self.correction.predict(structures, properties)
        shift = np.array([sum(self.shifts.get(symbol, 0.0) for symbol in atoms.symbols) for atoms in structures])
        both = low.forces is not None and delta.forces is not None
        return Prediction(
            energies=low.energies + delta.energies + shift,
            forces=[a + b for a, b in zip(low.forces, delta.forces, strict=True)] if both else None,
            stresses=None if low.stresses is None or delta.stresses is None else low.stresses + delta.stresses,
            charges=low.charges,
            uncertainty=delta.uncertainty,
            units={**low.units, **delta.units},
        )

    def save(self, path: str | Path) -> Path:
        """Write a folder without pickle: the correction inside, the baseline by name, or inside when it has none.

        Raises ValueError for a reference that was opened with settings that cannot be written down.
        """
        from labkit.potentials.storage import write_with_parts

        said = _description(self.baseline)
        description = {
            "kind": "delta",
            "name": self.name,
            "level_of_theory": self.level_of_theory,
            "elements": None if self.elements is None else sorted(self.elements),
            "baseline": said,
            "shifts": self.shifts,
            "units": {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å^3", "shifts": "eV"},
            "provenance": self.provenance,
        }
        inside = {BASELINE: self.baseline} if said is None else {}
        return write_with_parts(path, description, {CORRECTION: self.correction, **inside})

    @classmethod
    def from_folder(cls, folder: str | Path, device: str = "auto") -> DeltaPotential:
        """Open a potential that `save` wrote.

        Raises UnreadableFile for a description that is not one or names a baseline that labkit does not know,
        ModuleNotFoundError, with the command, when the package of the baseline is missing.
        """
        from labkit.potentials.cards import read_description
        from labkit.potentials.registry import load

        folder = Path(folder)
        try:
            said = json.loads((folder / "potential.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UnreadableFile(f"{folder}/potential.json cannot be read ({error}).") from None
        if not isinstance(said, dict) or said.get("kind") != "delta":
            raise UnreadableFile(f"{folder}/potential.json does not describe a delta potential.")
        for part in (CORRECTION, *((BASELINE,) if said.get("baseline") is None else ())):
            if not (folder / part / "potential.json").is_file():
                raise UnreadableFile(f"{folder} lacks its folder {part}; take the whole folder from its source.")
        if read_description(folder / CORRECTION).get("kind") == "delta":  # also one that leads back to itself
            raise UnreadableFile(f"{folder}/{CORRECTION} is a delta potential itself; a correction is one potential.")
        baseline = (
            load(folder / BASELINE, device)
            if said.get("baseline") is None
            else open_baseline(said["baseline"], device, f"{folder}/potential.json")
        )
        shifts = said.get("shifts") or {}
        numbers = isinstance(shifts, dict) and all(isinstance(one, int | float) for one in shifts.values())
        if not numbers or not all(math.isfinite(one) for one in shifts.values()):
            raise UnreadableFile(f"{folder}/potential.json has the shifts {shifts!r:.60}, which are not numbers.")
        names = {key: str(said.get(key) or "") for key in ("name", "level_of_theory")}
        made = cls(baseline, load(folder / CORRECTION, device), shifts, **names)
        made.provenance = said["provenance"] if isinstance(said.get("provenance"), dict) else {}
        return made


def open_baseline(said: Any, device: str = "auto", where: str = "the description") -> Potential:
    """Open what `save` wrote of a baseline: {"potential": name}, or {"reference": name, "options": {...}}.

    Only names of the two registries are opened: any other text would be an address to import, or a path out of the
    folder, and a file has no say in what this process runs. Raises UnreadableFile for anything else.
    """
    from labkit.potentials import registry

    if isinstance(said, dict) and isinstance(said.get("potential"), str) and said["potential"] in registry.names():
        return registry.load(said["potential"], device)
    entries = importlib.import_module(REFERENCES).ENTRIES
    if isinstance(said, dict) and isinstance(said.get("reference"), str) and said["reference"] in entries:
        options = said.get("options") or {}
        if isinstance(options, dict):
            return entries[said["reference"]].load(**options).potential()
    raise UnreadableFile(
        f"{where} names the baseline {said!r:.80}, which is neither a potential nor a reference that this labkit knows."
    )


def _description(baseline: Potential) -> dict[str, Any] | None:
    """A baseline in words that `open_baseline` understands; None for one that has to be saved itself."""
    from labkit.potentials import registry

    reference = getattr(baseline, "reference", None)
    if reference is None:
        return {"potential": baseline.name} if baseline.name in registry.names() else None
    entries = importlib.import_module(REFERENCES).ENTRIES
    if reference.name not in entries:
        raise ValueError(f"{reference.name} is no reference that labkit knows by name, so it cannot be saved by name.")
    # An option of a reference is kept under its own name; what differs from the defaults is what was asked for.
    usual, own = (_settings(one) for one in (entries[reference.name].load(), reference))
    options = {key: value for key, value in own.items() if usual.get(key) != value}
    try:
        again = _settings(entries[reference.name].load(**json.loads(json.dumps(options))))
    except Exception as error:
        raise ValueError(f"{reference.name} with {options} cannot be written down: {error}") from error
    if again != own:
        raise ValueError(f"{reference.name} with {options} would not be the same after saving; open it by its options.")
    return {"reference": reference.name, "options": options}


def _settings(reference: Any) -> dict[str, Any]:
    plain = (str, int, float, bool, type(None))
    return {
        key: value
        for key, value in vars(reference).items()
        if not key.startswith("_") and isinstance(value, plain) and key not in ("name", "level_of_theory")
    }

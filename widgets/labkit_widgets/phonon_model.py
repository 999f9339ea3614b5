"""What a phonon view shows, without a widget: crystals by name, their bands, densities, heat, modes.

Everything is computed once and kept in THz; a unit is a factor that is put on at the very end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.simulators.phonons_result import HarmonicCrystal

if TYPE_CHECKING:
    from labkit.simulators.phonons_result import Bands, PhononDOS, ThermalFunctions

#: Factor from THz; CODATA 2018.
UNITS = {"THz": 1.0, "cm⁻¹": 1e10 / 299_792_458, "meV": 4.135667696}
#: Frequencies that differ by less belong to one degenerate set; below it a mode is not called imaginary.
SAME_THZ = 0.02
IMAGINARY_THZ = 0.1
TEMPERATURES_K = np.concatenate([np.arange(0.0, 100.0, 5.0), np.arange(100.0, 1001.0, 20.0)])


@dataclass(frozen=True)
class Mode:
    """A mode of the crystal `name`: reduced `qpoint`, `branch` (from 0, by rising frequency), how many share its
    frequency; `label` is the special point or empty.
    """

    name: str
    label: str
    qpoint: tuple[float, float, float]
    branch: int
    frequency_THz: float
    degeneracy: int
    branches: int

    @property
    def imaginary(self) -> bool:
        """Whether the structure gains energy along it."""
        return self.frequency_THz < -IMAGINARY_THZ

    @property
    def coordinates(self) -> str:
        """The wave vector in words: 0.5 0.5 0."""
        return " ".join(f"{x:.4g}" for x in np.round(self.qpoint, 4) + 0.0)

    @property
    def place(self) -> str:
        """Where it lies: R (0.5 0.5 0.5)."""
        return f"{self.label} ({self.coordinates})".strip()

    def frequency(self, unit: str = "THz") -> str:
        """The frequency in words: 5.25i THz when it is imaginary."""
        value = self.frequency_THz * UNITS[unit]
        digits = 2 if unit == "THz" else 1
        return f"{abs(value):.{digits}f}{'i' if value < 0 and round(value, digits) else ''} {unit}"

    @property
    def words(self) -> str:
        """Frequency in all units, branch, wave vector, degeneracy, in one line."""
        values = " = ".join(self.frequency(unit) for unit in UNITS)
        times = f", {self.degeneracy}-fold degenerate" if self.degeneracy > 1 else ""
        where = f"branch {self.branch} (of 0 to {self.branches - 1}) at q = {self.place}{times}"
        if self.imaginary:
            return f"imaginary {self.frequency()}: the structure gains energy along this mode. {values}; {where}"
        return f"{values}; {where}"


@dataclass
class PhononModel:
    """Crystals by name, in the order of their colours; what is derived from them is kept."""

    crystals: dict[str, HarmonicCrystal] = field(default_factory=dict)
    _kept: dict[tuple, object] = field(default_factory=dict)

    @classmethod
    def of(cls, source: HarmonicCrystal | Sequence[HarmonicCrystal] | Mapping[str, HarmonicCrystal]) -> PhononModel:
        """Sort what was given; raises TypeError for anything but crystals and ValueError for none."""
        if isinstance(source, HarmonicCrystal):
            source = [source]
        if not isinstance(source, Mapping):
            if not isinstance(source, Sequence):
                raise TypeError(
                    f"PhononView shows a HarmonicCrystal, several of them or a run of Phonons, not "
                    f"{type(source).__name__}."
                )
            names = [formula(one) if isinstance(one, HarmonicCrystal) else "" for one in source]
            names = [f"{name} ({at})" if names.count(name) > 1 else name for at, name in enumerate(names, start=1)]
            source = dict(zip(names, source, strict=True))
        strangers = {type(one).__name__ for one in source.values() if not isinstance(one, HarmonicCrystal)}
        if strangers:
            raise TypeError(f"PhononView shows HarmonicCrystal objects, not {', '.join(sorted(strangers))}.")
        if not source:
            raise ValueError("there are no phonons to show: give a HarmonicCrystal or a run of the task Phonons.")
        return cls({str(name): one for name, one in source.items()})

    def add(self, name: str, crystal: HarmonicCrystal) -> None:
        """Take in a crystal, or a newer one of that name."""
        self.crystals[name] = crystal
        self._kept = {key: value for key, value in self._kept.items() if name not in key}

    def bands(self, name: str) -> Bands:
        """The band structure along its standard path."""
        return self._once(("bands", name), lambda: self.crystals[name].bands())

    def dos(self, name: str) -> PhononDOS:
        """Density of states, total and of each atom."""
        return self._once(("dos", name), lambda: self.crystals[name].dos())

    def thermal(self, name: str) -> ThermalFunctions:
        """Free energy, entropy and heat capacity from 0 to 1000 K."""
        return self._once(("thermal", name), lambda: self.crystals[name].thermal(TEMPERATURES_K))

    def alike(self, name: str) -> list[str]:
        """The crystals whose bands can be drawn over those of `name`: same atoms in nearly the same cell."""
        return [other for other in self.crystals if other != name and _alike(self.crystals[name], self.crystals[other])]

    def along(self, name: str, path_of: str) -> np.ndarray:
        """Frequencies (m, 3n) of `name` at the wave vectors of the path of another crystal."""
        if name == path_of:
            return self.bands(name).frequencies_THz
        q = self.bands(path_of).qpoints
        return self._once(("along", name, path_of), lambda: self.crystals[name].frequencies_THz(q))

    def special_points(self, name: str) -> dict[str, np.ndarray]:
        """Labelled wave vectors of the path, in its order, without those that are there already."""
        bands = self.bands(name)
        found: dict[str, np.ndarray] = {}
        for distance, label in bands.ticks:
            at = np.flatnonzero(np.abs(bands.distances - distance) < 1e-9)
            for one, part in zip((at[0], at[-1]), (label.split("|")[0], label.split("|")[-1]), strict=True):
                found.setdefault(part, bands.qpoints[one])
        return found

    def mode(self, name: str, qpoint: Sequence[float] | str, branch: int) -> Mode:
        """Describe a mode; `qpoint` may be a label. Raises ValueError for one that does not exist."""
        if isinstance(qpoint, str):
            known = self.special_points(name)
            if qpoint not in known:
                raise ValueError(f"{qpoint!r} is no special point of {name}; known are {', '.join(known)}.")
            qpoint = known[qpoint]
        q = np.asarray(qpoint, dtype=float)
        if q.shape != (3,) or not np.isfinite(q).all():
            raise ValueError(f"a wave vector has three finite reduced coordinates; {qpoint!r} was given.")
        found = self.crystals[name].frequencies_THz(q[None])[0]
        if not 0 <= branch < len(found):
            raise ValueError(f"branch {branch} does not exist; {name} has {len(found)}, counted from 0.")
        label = next((one for one, at in self.special_points(name).items() if np.abs(at - q).max() < 1e-6), "")
        same = int((np.abs(found - found[branch]) < SAME_THZ).sum())
        place = tuple(float(x) for x in q)
        return Mode(name, label, place, int(branch), float(found[branch]), same, len(found))

    def imaginary(self, name: str) -> list[Mode]:
        """The imaginary modes at the special points that the supercell holds, the lowest first, a set once."""
        return list(self._once(("imaginary", name), lambda: self._imaginary(name)))

    def menu(self, name: str) -> list[Mode]:
        """Imaginary modes first, then those of the special points, of each degenerate set the first."""
        return list(self._once(("menu", name), lambda: self._menu(name)))

    def first(self, name: str) -> Mode:
        """The lowest imaginary mode, else the highest one at the zone centre, or, with one atom, at the next point."""
        offered = self.menu(name)
        if offered[0].imaginary:
            return offered[0]
        label = next(mode.label for mode in offered if mode.label != "Γ" or mode.branches > 3)
        return max((mode for mode in offered if mode.label == label), key=lambda mode: mode.frequency_THz)

    def _imaginary(self, name: str) -> list[Mode]:
        found = self.crystals[name].imaginary(IMAGINARY_THZ)
        return [self.mode(name, one.qpoint, one.branch) for one in found]

    def _menu(self, name: str) -> list[Mode]:
        made = self.imaginary(name)
        taken = {(mode.label, mode.branch) for mode in made}
        for label, q in self.special_points(name).items():
            frequencies = self.crystals[name].frequencies_THz([q])[0]
            branch = 0
            while branch < len(frequencies):
                mode = self.mode(name, q, branch)
                if (label, branch) not in taken:
                    made.append(mode)
                branch += max(1, int((np.abs(frequencies[branch:] - frequencies[branch]) < SAME_THZ).sum()))
        return made

    def _once(self, key: tuple, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def formula(crystal: HarmonicCrystal) -> str:
    """The reduced formula."""
    return str(crystal.atoms.symbols.formula.reduce()[0])


def formula_units(crystal: HarmonicCrystal) -> int:
    """How many formula units the primitive cell holds."""
    return math.gcd(*np.unique(crystal.atoms.numbers, return_counts=True)[1].tolist())


def by_element(crystal: HarmonicCrystal, dos: PhononDOS) -> dict[str, np.ndarray]:
    """The density of states of each element (m,), the lightest element last."""
    symbols = np.array(crystal.atoms.get_chemical_symbols())
    order = dict.fromkeys(symbols[np.argsort(-crystal.atoms.get_masses(), kind="stable")].tolist())
    return {symbol: np.asarray(dos.projected)[symbols == symbol].sum(axis=0) for symbol in order}


def _alike(first: HarmonicCrystal, second: HarmonicCrystal) -> bool:
    if not np.array_equal(first.atoms.numbers, second.atoms.numbers):
        return False
    a, b = first.atoms.cell.cellpar(), second.atoms.cell.cellpar()
    return bool((np.abs(a[:3] / b[:3] - 1) < 0.1).all() and (np.abs(a[3:] - b[3:]) < 3).all())

"""How fast a potential is here: atoms times steps in a second, with energy, forces and stress, as dynamics needs them.

Cards show what was measured on this machine and nothing else; `speed_worker` measures in another process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, reference_states

from labkit.errors import LabkitError

if TYPE_CHECKING:
    from labkit.potentials.cards import Card
    from labkit.potentials.interface import Potential

ATOMS = 64
#: Structures of the library that are tried in turn, then the crystal of any element that the potential knows.
CANDIDATES = ("NaCl", "Cu", "Si", "Mo", "Ar", "acetone", "naphthalene", "water", "methane")
_measured: dict[str, Speed] = {}


@dataclass(frozen=True)
class Speed:
    """atoms_steps_per_s: atoms times evaluations of energy, forces and stress in a second, median of `calls` calls."""

    atoms_steps_per_s: float
    n_atoms: int
    formula: str
    calls: int
    device: str

    def __str__(self) -> str:
        return f"{self.atoms_steps_per_s:,.0f} atoms·steps/s ({self.formula}, {self.n_atoms} atoms, {self.device})"


def measure_speed(potential: Potential, atoms: Atoms | None = None, *, seconds: float = 2.0) -> Speed:
    """Measure for about `seconds`, after one call to warm up, on `atoms` or on a crystal of about 64 atoms.

    Positions change from call to call, as in dynamics. Raises ValueError when no structure at hand fits.
    """
    atoms = _accepted(potential) if atoms is None else atoms.copy()
    properties = _properties(potential, atoms)
    rng, start = np.random.default_rng(0), atoms.positions.copy()
    potential.predict([atoms], properties)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        atoms.positions = start + rng.normal(0, 0.02, start.shape)
        began = time.perf_counter()
        potential.predict([atoms], properties)
        times.append(time.perf_counter() - began)
    device = str(getattr(potential, "device", "cpu"))
    found = Speed(len(atoms) / float(np.median(times)), len(atoms), atoms.get_chemical_formula(), len(times), device)
    remember(potential.name, found)
    return found


def remember(name: str, speed: Speed) -> None:
    """Keep a measurement made elsewhere, in another process of this machine, for the cards of this one."""
    _measured[name] = speed


def remembered(card: Card) -> Card:
    """The card with what was measured here, if anything was."""
    found = _measured.get(card.name)
    if found is None:
        return card
    how = f"{found.formula}, {found.n_atoms} atoms, {found.device}"
    return replace(card, speed_atoms_steps_per_s=found.atoms_steps_per_s, speed_measured_with=how)


def samples(elements: frozenset[str] | None) -> Iterator[Atoms]:
    """Structures of about 64 atoms made of these elements alone (None: of any), molecules as they are."""
    from labkit import structures

    for name in CANDIDATES:
        atoms = structures.named(name)
        if elements is None or set(atoms.get_chemical_symbols()) <= elements:
            yield _repeated(atoms) if atoms.pbc.all() else atoms
    for symbol in sorted(elements or ()):
        state = reference_states[atomic_numbers[symbol]]
        if state and state.get("symmetry") in ("fcc", "bcc", "hcp", "diamond"):
            yield _repeated(bulk(symbol))


def _repeated(atoms: Atoms) -> Atoms:
    times = max(1, round((ATOMS / len(atoms)) ** (1 / 3)))
    return atoms.repeat((times, times, times))


def _accepted(potential: Potential) -> Atoms:
    """The first structure that the potential computes: some do not say which elements they know."""
    for atoms in samples(potential.elements):
        try:
            potential.predict([atoms], _properties(potential, atoms))
        except (LabkitError, ValueError, KeyError, RuntimeError, NotImplementedError):
            continue
        return atoms
    known = "" if potential.elements is None else f" ({', '.join(sorted(potential.elements))})"
    raise ValueError(f"no structure at hand suits {potential.name}{known}; give measure_speed(potential, atoms=...).")


def _properties(potential: Potential, atoms: Atoms) -> list[str]:
    known = [name for name in ("energy", "forces", "stress") if name in potential.implemented]
    return known if atoms.pbc.all() else [name for name in known if name != "stress"]

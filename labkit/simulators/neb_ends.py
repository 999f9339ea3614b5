"""End states of bands, each relaxed once however many bands begin or end there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from labkit.simulators.neb_band import largest
from labkit.simulators.neb_optimiser import BandOptimiser
from labkit.simulators.neb_symmetry import same_structure

#: An atom that moved further than this (Å) in a relaxation has left the state that was asked about.
MAX_DRIFT_A = 6.0


@dataclass
class EndState:
    """One end state on its way downhill; energy (eV) and forces (n, 3) eV/Å belong to `positions` once it is done."""

    index: int
    start: Atoms
    state: str = "waiting"  # then active, done or failed
    reason: str = ""
    steps: int = 0
    energy: float = float("nan")
    optimiser: BandOptimiser = field(default_factory=BandOptimiser)

    def __post_init__(self) -> None:
        self.positions = self.start.positions.copy()
        self.forces = np.full_like(self.positions, np.nan)

    @property
    def open(self) -> bool:
        """Whether it still has to be evaluated."""
        return self.state in ("waiting", "active")

    def structure(self) -> Atoms:
        """The structure to evaluate next."""
        atoms = self.start.copy()
        atoms.positions = self.positions
        return atoms

    def fail(self, reason: str) -> None:
        """Give it up."""
        self.state, self.reason = "failed", reason

    def absorb(self, answer: tuple[float, np.ndarray] | str, fmax_eV_A: float | None, max_steps: int) -> None:
        """Take the energy and forces of `structure()` and move on; fmax_eV_A None takes the state as it is."""
        if isinstance(answer, str):
            self.fail(answer)
            return
        self.energy, self.forces = answer
        if not np.isfinite(self.energy) or not np.isfinite(self.forces).all():
            self.fail(f"its energy or a force is no longer finite after {self.steps} steps; check the structure.")
            return
        force = largest(self.forces)
        if fmax_eV_A is None or force <= fmax_eV_A:
            self.state = "done"
        elif np.abs(self.positions - self.start.positions).max() > MAX_DRIFT_A:
            self.fail(f"an atom moved more than {MAX_DRIFT_A:g} Å in its relaxation; check the structure.")
        elif self.steps >= max_steps:
            self.fail(f"largest force {force:.3f} eV/Å after {self.steps} steps of relaxation, wanted {fmax_eV_A:g}.")
        else:
            self.positions = self.positions + self.optimiser.displacement(self.forces)
            self.steps += 1

    def seen_from(self, atoms: Atoms, partners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and forces (n, 3) in the order and the images of `atoms`, which is the same state."""
        moved = (self.positions - self.start.positions)[partners]
        shift = self.start.positions[partners] - atoms.positions
        return atoms.positions + find_mic(shift, atoms.cell, atoms.pbc)[0] + moved, self.forces[partners]


class EndStates:
    """All end states of a campaign."""

    def __init__(self) -> None:
        self.all: list[EndState] = []
        self._by_kind: dict[tuple[Any, ...], list[EndState]] = {}

    def add(self, atoms: Atoms) -> tuple[EndState, np.ndarray]:
        """The end state that `atoms` is, new or known, and the permutation that `EndState.seen_from` wants."""
        kind = (atoms.get_chemical_formula(), tuple(np.round(atoms.cell.cellpar(), 3)))
        for known in self._by_kind.get(kind, []):
            partners = same_structure(known.start, atoms)
            if partners is not None:
                return known, partners
        new = EndState(len(self.all), atoms.copy())
        self.all.append(new)
        self._by_kind.setdefault(kind, []).append(new)
        return new, np.arange(len(atoms))

"""Data sets and cells that every side reads in the same way, whatever its environment: numpy and ASE alone.

The orchestrator writes each set once as a plain .npz (`export`); the sides read it, subtract the same baseline (one
energy per element by least squares, in double precision) and divide by the same force scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

#: Training set and labelled test sets of each problem, by their names in `labkit.datasets`; the proton transfer path
#: has energies only.
PROBLEMS = {
    "acac": ("acac-300K", {"300 K": "acac-test-300K", "600 K": "acac-test-600K", "proton": "acac-test-h-transfer"}),
    "mo": ("mo-mlearn", {"test": "mo-mlearn-test"}),
    "si": ("si-mlearn", {"test": "si-mlearn-test"}),
}

#: Cells of the speed comparison.
CELLS = ("water-63", "mo-54", "mo-250")


@dataclass(frozen=True)
class Frame:
    """One labelled structure: numbers (n,), positions (n, 3) Å, cell (3, 3) Å, pbc (3,), energy eV, forces eV/Å."""

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    energy: float
    forces: np.ndarray | None

    def atoms(self) -> Atoms:
        """The structure alone; a molecule without its box, which is only the box of its file."""
        return Atoms(self.numbers, self.positions, cell=self.cell if self.pbc.any() else None, pbc=self.pbc)


def export(frames: Iterable[tuple[Atoms, float, np.ndarray | None]], path: Path) -> None:
    """Write (atoms, energy, forces or None) as one .npz."""
    rows = list(frames)
    np.savez(
        path,
        sizes=np.array([len(atoms) for atoms, _, _ in rows]),
        numbers=np.concatenate([atoms.numbers for atoms, _, _ in rows]),
        positions=np.concatenate([atoms.positions for atoms, _, _ in rows]),
        cells=np.array([atoms.cell.array for atoms, _, _ in rows]),
        pbc=np.array([atoms.pbc for atoms, _, _ in rows]),
        energies=np.array([energy for _, energy, _ in rows], dtype=float),
        forces=np.concatenate([np.full((len(a), 3), np.nan) if f is None else f for a, _, f in rows]),
    )


def read(path: Path) -> list[Frame]:
    """The frames of a file written by `export`."""
    with np.load(path, allow_pickle=False) as file:
        ends = np.cumsum(file["sizes"])[:-1]
        numbers, positions, forces = (np.split(file[key], ends) for key in ("numbers", "positions", "forces"))
        rest = zip(file["cells"], file["pbc"], file["energies"], strict=True)
        return [
            Frame(numbers[i], positions[i], cell, pbc, float(energy), None if np.isnan(forces[i]).any() else forces[i])
            for i, (cell, pbc, energy) in enumerate(rest)
        ]


@dataclass(frozen=True)
class Baseline:
    """What every model starts from: elements, one energy per element (least squares), rms of the force components.

    `rms_by_element` is for the models that take one scale per element, `force_rms` for those that take one.
    """

    elements: tuple[int, ...]
    energies: tuple[float, ...]
    force_rms: float
    rms_by_element: tuple[float, ...]

    @classmethod
    def trivial(cls, frame: Frame) -> Baseline:
        """Zero energies and unit scales, where only speed matters."""
        elements = tuple(sorted(set(frame.numbers.tolist())))
        return cls(elements, (0.0,) * len(elements), 1.0, (1.0,) * len(elements))

    def energy(self, frame: Frame) -> float:
        """Baseline energy of a structure in eV."""
        return float(counts(frame, self.elements) @ np.array(self.energies))


def counts(frame: Frame, elements: Sequence[int]) -> np.ndarray:
    """Atoms of each element."""
    return np.array([(frame.numbers == element).sum() for element in elements], dtype=float)


def baseline(frames: Sequence[Frame]) -> Baseline:
    """Least squares of minimum norm, so that one single composition is no trouble."""
    elements = tuple(sorted({int(number) for frame in frames for number in frame.numbers}))
    matrix = np.array([counts(frame, elements) for frame in frames])
    weights = 1 / matrix.sum(axis=1)
    energies = np.array([frame.energy for frame in frames])
    solution = np.linalg.lstsq(matrix * weights[:, None], energies * weights, rcond=None)[0]
    numbers = np.concatenate([frame.numbers for frame in frames])
    squares = np.concatenate([frame.forces for frame in frames]) ** 2
    by_element = [float(np.sqrt(squares[numbers == element].mean())) for element in elements]
    return Baseline(elements, tuple(solution.tolist()), float(np.sqrt(squares.mean())), tuple(by_element))


def errors(frames: Sequence[Frame], energies: Sequence[float], forces: Sequence[np.ndarray]) -> dict[str, float]:
    """Energy RMSE in meV/atom, force RMSE in meV/Å over all components, and the RMSE of the energy profile in meV.

    The profile's error is that of the total energies after their mean difference is taken away: what a barrier sees.
    """
    difference = np.array([energy - frame.energy for energy, frame in zip(energies, frames, strict=True)])
    per_atom = difference / np.array([len(frame.numbers) for frame in frames])
    told = {
        "energy_rmse_meV_atom": 1000 * float(np.sqrt(np.mean(per_atom**2))),
        "profile_rmse_meV": 1000 * float(np.std(difference)),
    }
    pairs = [(a, frame.forces) for a, frame in zip(forces, frames, strict=True) if frame.forces is not None]
    if pairs:
        residual = np.concatenate([predicted - reference for predicted, reference in pairs])
        told["forces_rmse_meV_A"] = 1000 * float(np.sqrt(np.mean(residual**2)))
    return told


def neighbour_count(frames: Sequence[Frame], pairs: Sequence[int]) -> float:
    """Mean number of neighbours of an atom, from the number of directed pairs of each frame."""
    return sum(pairs) / sum(len(frame.numbers) for frame in frames)


def cell(name: str) -> Frame:
    """A cell of the speed comparison; energies and forces are zero, since speed does not depend on them."""
    atoms = water(21) if name == "water-63" else molybdenum({"mo-54": 3, "mo-250": 5}[name])
    zero = np.zeros_like(atoms.positions)
    return Frame(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, 0.0, zero)


def molybdenum(repeats: int) -> Atoms:
    """Rattled bcc molybdenum, 2 * repeats^3 atoms."""
    atoms = bulk("Mo", "bcc", a=3.168, cubic=True).repeat(repeats)
    atoms.rattle(0.05, seed=1)
    return atoms


def water(molecules: int, seed: int = 1) -> Atoms:
    """Rigid molecules with random orientations on a cubic grid at 1 g/cm^3: the density of edges of the liquid."""
    rng = np.random.default_rng(seed)
    edge = (molecules * 18.015 / 0.602214) ** (1 / 3)
    per_edge = int(np.ceil(molecules ** (1 / 3)))
    sites = np.stack(np.meshgrid(*[np.arange(per_edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites = rng.permutation(sites)[:molecules] * edge / per_edge
    angle = np.radians(104.5) / 2
    monomer = 0.96 * np.array(
        [[0, 0, 0], [np.sin(angle), np.cos(angle), 0], [-np.sin(angle), np.cos(angle), 0]],
    )
    rotations = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(molecules)]
    positions = np.concatenate([site + monomer @ turn for site, turn in zip(sites, rotations, strict=True)])
    return Atoms("OH2" * molecules, positions, cell=[edge] * 3, pbc=True)

"""The free energy of an alloy from Monte Carlo on its cluster expansion (mchammer, of icet).

The one idea: at infinite temperature every arrangement is as likely as any other and the entropy is known; cooled at
fixed composition, the free energy follows from the mean energy alone: d(βf)/dβ = ⟨e⟩.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import kB

from labkit.errors import InvalidTask, UnreadableFile
from labkit.phase_diagrams.cluster_expansion import AlloyExpansion, _icet
from labkit.phase_diagrams.phases import TabulatedPhase
from labkit.phase_diagrams.phases_base import mixing
from labkit.phase_diagrams.phases_free_energy import free_energy
from labkit.runs.atomic import read_json, write_json

_ARRAYS = ("x", "temperatures_K", "mixing_eV", "betas", "energies_eV", "errors_eV")


@dataclass(frozen=True, eq=False)
class SampledAlloy:
    """Free energies of mixing on a grid: x (n,), temperatures_K (m,) rising, mixing_eV (m, n) eV/atom.

    betas (b,) 1/eV from 0 up and energies_eV (n, b), with standard errors: the means that were integrated. sites: of
    the simulation cell.
    """

    elements: tuple[str, str]
    x: np.ndarray
    temperatures_K: np.ndarray
    mixing_eV: np.ndarray
    betas: np.ndarray
    energies_eV: np.ndarray
    errors_eV: np.ndarray
    sites: int

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for a JSON file; `SampledAlloy.from_dict` reads them."""
        plain = {name: np.round(getattr(self, name), 7).tolist() for name in _ARRAYS}
        return {"elements": list(self.elements), "sites": self.sites, **plain}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SampledAlloy:
        """Read `to_dict`; raises UnreadableFile naming what is missing."""
        missing = [name for name in ("elements", "sites", *_ARRAYS) if name not in data]
        if missing:
            raise UnreadableFile(f"this is no sampled alloy: it lacks {', '.join(missing)}.")
        arrays = {name: np.asarray(data[name], dtype=float) for name in _ARRAYS}
        return cls(elements=tuple(data["elements"]), sites=int(data["sites"]), **arrays)

    def phase(
        self, name: str, first: Any = 0.0, second: Any = 0.0, *, terms: int | None = None,
        structures: Sequence[Atoms] = (),
    ) -> TabulatedPhase:  # fmt: skip
        """Return the alloy as a phase; `first`, `second`: f(T) of both elements on its lattice (eV/atom), whatever
        `phases_free_energy.free_energy` reads. Between them f(T) is a straight line in x.

        terms: at each temperature a Redlich-Kister polynomial of so many terms takes the place of the sampled excess,
        whose noise would draw gaps that are none; see `smoothed`.
        """
        T, x = self.temperatures_K[:, None], self.x[None]
        one, two = (free_energy(end, name)(T) for end in (first, second))
        f = self.mixing_eV if terms is None else self.smoothed(terms)[0]
        return TabulatedPhase(name, self.x, self.temperatures_K, f + (1 - x) * one + x * two, structures=structures)

    def smoothed(self, terms: int) -> tuple[np.ndarray, float]:
        """Return free energies of mixing (m, n) with the excess fitted by x(1-x) Σ_k L_k (1-2x)^k, k < `terms`, at each
        temperature, and the root mean square of what the fit leaves (eV/atom). Raises InvalidTask for too many terms.
        """
        x, T = self.x, self.temperatures_K[:, None]
        if not 0 < terms < len(x) - 2:
            raise InvalidTask(f"{terms} terms cannot be fitted to {len(x) - 2} mixed compositions; take fewer.")
        basis = (x * (1 - x))[:, None] * (1 - 2 * x)[:, None] ** np.arange(terms)
        ideal = mixing(x[None], T)
        excess = basis @ np.linalg.lstsq(basis, (self.mixing_eV - ideal).T, rcond=None)[0]
        left = (self.mixing_eV - ideal).T - excess
        return ideal + excess.T, float(np.sqrt((left**2).mean()))


def sample_free_energy(
    alloy: AlloyExpansion, temperatures_K: Sequence[float], *, compositions: Sequence[float] | None = None,
    repeat: int = 6, steps: int = 14, sweeps: int = 40, seed: int = 0, keep: str | Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> SampledAlloy:  # fmt: skip
    """Sample the canonical ensemble from β = 0 to the lowest temperature, at each composition, and integrate.

    repeat: the cell is so many parent cells along each axis. steps: temperatures on the way, even in β. sweeps: trial
    exchanges per site at each, of which the first fifth is left out. Ordered phases that form on the way belong to f(x)
    of that composition; a first-order transition that does not happen in the cell leaves the metastable solution. The
    error is that of a finite cell (of the order of the mixing energy over the number of sites) and of sampling.

    keep: a JSON file that holds every composition that is done; the same call takes up from it after a crash.
    `progress(done, total, text)` may raise to stop.
    """
    _icet()
    from mchammer.calculators import ClusterExpansionCalculator

    T = np.unique(np.asarray(temperatures_K, dtype=float))
    if not len(T) or T[0] <= 0:
        raise InvalidTask("sampling needs temperatures above 0 K.")
    if steps < 4 or sweeps < 5:
        raise InvalidTask(f"{steps} steps of {sweeps} sweeps are too few; take at least 4 of 5.")
    cell = alloy.parent.repeat(repeat)
    cell.set_chemical_symbols([alloy.elements[0]] * len(cell))
    counts = _counts(compositions, len(cell))
    betas = np.linspace(0.0, 1 / (kB * T[0]), steps)
    calculator = ClusterExpansionCalculator(cell, alloy.expansion)
    energies, errors = np.zeros((len(counts), steps)), np.zeros((len(counts), steps))
    settings = [*alloy.expansion.parameters.tolist(), len(cell), float(T[0]), steps, sweeps, seed]
    stored = (read_json(Path(keep)) or {}) if keep else {}
    rows = stored["rows"] if stored.get("settings") == settings else {}
    for row, count in enumerate(counts):
        if str(count) in rows:
            energies[row], errors[row] = rows[str(count)]
            continue
        generator = np.random.default_rng([seed, int(count)])
        atoms = _random(cell, int(count), alloy.elements[1], generator)
        for column, beta in enumerate(betas):
            progress(row * steps + column, len(counts) * steps, f"x = {count / len(cell):.3f}")
            if count in (0, len(cell)):
                energies[row, column] = alloy.mixing_energy(atoms)
                continue
            run = _canonical(atoms, calculator, beta, sweeps, int(generator.integers(2**31)))
            energies[row, column], errors[row, column], atoms = run
        if keep:
            rows[str(count)] = [energies[row].tolist(), errors[row].tolist()]
            write_json(Path(keep), {"settings": settings, "rows": rows})
    x = counts / len(cell)
    mixing_eV = _integrated(x, betas, energies, T)
    return SampledAlloy(alloy.elements, x, T, mixing_eV, betas, energies, errors, len(cell))


def semi_grand_compositions(
    alloy: AlloyExpansion, temperature_K: float, potentials_eV: Sequence[float], *, repeat: int = 6, sweeps: int = 60,
    seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Return the mean composition at each μ_B - μ_A (eV, on top of the elements' energies): the semi-grand ensemble.

    An independent check of a sampled free energy, whose slope at that composition must be the potential.
    """
    _icet()
    from mchammer.calculators import ClusterExpansionCalculator
    from mchammer.ensembles import SemiGrandCanonicalEnsemble

    cell = alloy.parent.repeat(repeat)
    cell.set_chemical_symbols([alloy.elements[0]] * len(cell))
    calculator = ClusterExpansionCalculator(cell, alloy.expansion)
    found = []
    for number, potential in enumerate(potentials_eV):
        run = SemiGrandCanonicalEnsemble(
            structure=cell, calculator=calculator, temperature=temperature_K, random_seed=seed + number,
            chemical_potentials={alloy.elements[0]: 0.0, alloy.elements[1]: float(potential)},
        )  # fmt: skip
        run.run(sweeps * len(cell))
        counts = run.data_container.get(f"{alloy.elements[1]}_count", start=sweeps * len(cell) // 5)
        found.append(float(np.mean(counts)) / len(cell))
        cell = run.structure
    return np.array(found)


def _counts(compositions: Sequence[float] | None, sites: int) -> np.ndarray:
    """How many of the sites hold the second element, rising from none to all."""
    x = np.linspace(0, 1, 15) if compositions is None else np.asarray(compositions, dtype=float)
    if (x < 0).any() or (x > 1).any():
        raise InvalidTask("compositions are atomic fractions from 0 to 1.")
    return np.unique(np.concatenate([[0, sites], np.rint(x * sites).astype(int)]))


def _random(cell: Atoms, count: int, element: str, generator: np.random.Generator) -> Atoms:
    atoms = cell.copy()
    symbols = np.array(atoms.get_chemical_symbols(), dtype=object)
    symbols[generator.choice(len(atoms), count, replace=False)] = element
    atoms.set_chemical_symbols(list(symbols))
    return atoms


def _canonical(atoms: Atoms, calculator: Any, beta: float, sweeps: int, seed: int) -> tuple[float, float, Atoms]:
    """Mean energy per site, its standard error from ten blocks, and the last arrangement."""
    from mchammer.ensembles import CanonicalEnsemble

    # mchammer wants a temperature; at this one every exchange is accepted.
    temperature = 1 / (kB * beta) if beta > 0 else 1e12
    run = CanonicalEnsemble(structure=atoms, calculator=calculator, temperature=temperature, random_seed=seed)
    run.run(sweeps * len(atoms))
    energies = np.asarray(run.data_container.get("potential", start=sweeps * len(atoms) // 5)) / len(atoms)
    blocks = np.array([one.mean() for one in np.array_split(energies, min(10, len(energies)))])
    return float(energies.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks))), run.structure


def _integrated(x: np.ndarray, betas: np.ndarray, energies: np.ndarray, T: np.ndarray) -> np.ndarray:
    """f = [∫_0^β ⟨e⟩ dβ']/β - T s_ideal at each T (m, n), the integral through a cubic spline."""
    from scipy.interpolate import CubicSpline

    integral = CubicSpline(betas, energies, axis=1).antiderivative()
    beta = 1 / (kB * T)
    f = integral(beta).T / beta[:, None] + mixing(x[None], T[:, None])
    # Both elements are what mixing counts from: the fit leaves them within its error of zero.
    excess = f - mixing(x[None], T[:, None])
    return f - (1 - x) * excess[:, :1] - x * excess[:, -1:]

"""Geometries of molecules worth a label: thermal and quantum displacements, stretched bonds, pairs at every distance.

The one idea: the cheap surface says where the molecule goes (its Hessian), the expensive one is asked only there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms, units
from ase.data import covalent_radii
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from labkit.active_learning.delta_fragments import monomer, parts
from labkit.errors import InvalidStructure, NotConverged
from labkit.potentials.interface import Potential

HBAR = units._hbar * units.J * units.s  # in eV times ASE's unit of time
#: Two atoms nearer than their covalent radii times this are bonded (H2 in GFN2-xTB is 1.25 times).
BOND = 1.3
#: Atoms of two molecules stay further apart than their covalent radii plus this (Å); nearer, the counterpoise
#: correction of `labkit.references` would take them for one molecule.
CONTACT_A = 0.95
ORIENTATIONS_TRIED = 200


@dataclass(frozen=True)
class Sampling:
    """How densely to sample.

    per_temperature: displaced geometries of each monomer at each of temperatures_K. statistics: of the modes, "wigner"
    (ground state and temperature) or "classical". scan_points: lengths of each kind of bond from 0.8 to 1.6 times its
    equilibrium. distances x orientations: of each multimer, centres of mass 2.5 to 9 Å apart; half of the orientations
    take distorted monomers.
    """

    temperatures_K: tuple[float, ...] = (300.0, 1000.0)
    per_temperature: int = 8
    statistics: Literal["wigner", "classical"] = "wigner"
    scan_points: int = 9
    distances: int = 8
    orientations: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Modes:
    """A minimum of the cheap surface (atoms) and its vibrations: energies_eV (m,) hbar omega, displacements (m, n, 3),
    divided by the root of the mass, Å for a unit of the mass-weighted coordinate sqrt(amu) Å.
    """

    atoms: Atoms
    energies_eV: np.ndarray
    displacements: np.ndarray


def sample(name: str, surface: Potential, settings: Sampling) -> list[Atoms]:
    """Return the geometries of one fragment; `info` has "fragment" (its name) and "kind" (how it was made).

    The seed of the settings and the name give the same geometries again. Raises NotConverged when a monomer does not
    relax on `surface`.
    """
    rng = np.random.default_rng([settings.seed, *name.encode()])
    found = [normal_modes(monomer(one), surface) for one in parts(name)]
    made = _of_a_monomer(found[0], settings, rng) if len(found) == 1 else _of_a_multimer(found, settings, rng)
    for atoms in made:
        atoms.info = {"name": name, "fragment": name, "kind": atoms.info["kind"]}
    return made


def normal_modes(atoms: Atoms, surface: Potential, step_A: float = 0.01) -> Modes:
    """Relax a molecule on `surface` and return its normal modes, from central differences of the forces.

    H_ij = -[F_j(x_i + h) - F_j(x_i - h)] / 2h, mass-weighted and diagonalised; the five or six smallest eigenvalues are
    translations and rotations. Raises NotConverged when the relaxation needs more than 300 steps or a mode is unstable.
    """
    from ase.optimize import BFGS

    atoms = atoms.copy()
    atoms.calc = surface.calculator()
    if not BFGS(atoms, logfile=None).run(fmax=1e-3, steps=300):
        raise NotConverged(f"{atoms.info.get('name', atoms.symbols)} does not relax on {surface.name} in 300 steps.")
    atoms.calc = None
    n = 3 * len(atoms)
    moved = []
    for index in range(n):
        for sign in (1, -1):
            copy = atoms.copy()
            copy.positions.reshape(-1)[index] += sign * step_A
            moved.append(copy)
    forces = np.array(surface.predict(moved, ("energy", "forces")).forces).reshape(n, 2, n)
    hessian = -(forces[:, 0] - forces[:, 1]) / (2 * step_A)
    root = np.repeat(np.sqrt(atoms.get_masses()), 3)
    squares, vectors = np.linalg.eigh((hessian + hessian.T) / 2 / np.outer(root, root))
    rigid = 5 if _is_linear(atoms) else 6
    inner = np.argsort(np.abs(squares))[rigid:]
    inner = inner[np.argsort(squares[inner])]
    if (squares[inner] <= 0).any():
        raise NotConverged(f"{atoms.info.get('name', atoms.symbols)} is not at a minimum of {surface.name}.")
    displacements = (vectors[:, inner].T / root).reshape(len(inner), len(atoms), 3)
    return Modes(atoms, HBAR * np.sqrt(squares[inner]), displacements)


def displaced(
    modes: Modes, temperature_K: float, rng: np.random.Generator, statistics: Literal["wigner", "classical"] = "wigner"
) -> Atoms:
    """Return the molecule with each mode drawn from its normal distribution in the harmonic well.

    <Q^2> = kT / omega^2 (classical), hbar / (2 omega) coth(hbar omega / 2kT) (Wigner: E. Wigner, Phys. Rev. 40, 749
    (1932)), Q mass-weighted. Both agree at high temperature.
    """
    omega, thermal = modes.energies_eV / HBAR, units.kB * temperature_K
    if statistics == "classical":
        variance = thermal / omega**2
    else:
        variance = HBAR / (2 * omega) / np.tanh(modes.energies_eV / (2 * max(thermal, 1e-12)))
    made = modes.atoms.copy()
    made.positions += np.tensordot(rng.normal(size=len(omega)) * np.sqrt(variance), modes.displacements, 1)
    return made


def bond_scans(atoms: Atoms, factors: Sequence[float]) -> list[Atoms]:
    """Stretch one bond of each kind (elements, length within 0.05 Å), the parts on both sides rigid; no ring bonds.

    factors: bond length over that in `atoms`. Of bonds to hydrogen only the first kind is taken.
    """
    made, seen = [], []
    i, j = np.triu_indices(len(atoms), 1)
    lengths, radii = atoms.get_all_distances(), covalent_radii[atoms.numbers]
    bonded = lengths < BOND * (radii[:, None] + radii)
    for one, other in zip(i[bonded[i, j]], j[bonded[i, j]], strict=True):
        kind = "-".join(sorted((atoms.symbols[one], atoms.symbols[other])))
        known = [length for text, length in seen if text == kind]
        if known and ("H" in kind or min(abs(lengths[one, other] - length) for length in known) < 0.05):
            continue
        cut = bonded.copy()
        cut[one, other] = cut[other, one] = False
        side = connected_components(coo_matrix(cut), directed=False)[1]
        if side[one] == side[other]:
            continue
        seen.append((kind, lengths[one, other]))
        for factor in factors:
            copy = atoms.copy()
            copy.positions[side == side[other]] += (factor - 1) * (atoms.positions[other] - atoms.positions[one])
            copy.info["kind"] = f"bond {kind} x {factor:.2f}"
            made.append(copy)
    return made


def placed(first: Atoms, second: Atoms, distance_A: float, rng: np.random.Generator) -> Atoms:
    """Return both molecules, each in a random orientation, their centres of mass `distance_A` apart.

    Orientations in which molecules touch (see `CONTACT_A`) are drawn again; raises InvalidStructure after 200.
    """
    from scipy.spatial.transform import Rotation

    for _ in range(ORIENTATIONS_TRIED):
        pair = []
        for atoms in (first, second):
            positions = atoms.positions - atoms.get_center_of_mass()
            pair.append(positions @ Rotation.random(random_state=rng).as_matrix().T)
        pair[1] = pair[1] + [0, 0, distance_A]
        between = np.linalg.norm(pair[0][:, None] - pair[1][None], axis=-1)
        radii = covalent_radii[first.numbers][:, None] + covalent_radii[second.numbers]
        if (between > radii + CONTACT_A).all():
            return Atoms(np.concatenate([first.numbers, second.numbers]), np.concatenate(pair))
    raise InvalidStructure(f"two molecules of {len(first)} and {len(second)} atoms touch at {distance_A:.2f} Å always.")


def _of_a_monomer(modes: Modes, settings: Sampling, rng: np.random.Generator) -> list[Atoms]:
    made = [modes.atoms.copy()]
    made[0].info["kind"] = "minimum"
    for temperature in settings.temperatures_K:
        for _ in range(settings.per_temperature):
            made.append(displaced(modes, temperature, rng, settings.statistics))
            made[-1].info["kind"] = f"modes at {temperature:g} K"
    if settings.scan_points:
        made += bond_scans(modes.atoms, np.linspace(0.8, 1.6, settings.scan_points))
    return made


def _of_a_multimer(modes: list[Modes], settings: Sampling, rng: np.random.Generator) -> list[Atoms]:
    made = []
    # Evenly spaced in the logarithm: most of the correction is at contact, none beyond the cut-off.
    for distance in np.geomspace(2.5, 9.0, settings.distances):
        for number in range(settings.orientations):
            soft = number % 2 == 1
            monomers = [displaced(one, 300.0, rng, settings.statistics) if soft else one.atoms for one in modes]
            try:
                whole = monomers[0]
                for another in monomers[1:]:
                    whole = placed(whole, another, distance, rng)
            except InvalidStructure:
                continue  # too near for molecules of this size
            whole.info["kind"] = f"{distance:.2f} Å apart" + ", distorted" * soft
            made.append(whole)
    return made


def _is_linear(atoms: Atoms) -> bool:
    return int(np.linalg.matrix_rank(atoms.positions - atoms.positions[0], tol=1e-2)) < 2


def thinned(structures: list[Any], costs_s: Sequence[float], budget_s: float, least: int, seed: int) -> list[Any]:
    """Return as many structures as `budget_s` pays for, at least `least`, in their order, drawn at random.

    costs_s: estimated seconds of each. The first one, the minimum of a monomer, is always among them.
    """
    order = [0, *(1 + np.random.default_rng([seed, 17]).permutation(max(0, len(structures) - 1)))][: len(structures)]
    spent, kept = 0.0, []
    for index in order:
        spent += costs_s[index]
        if len(kept) >= least and spent > budget_s:
            break
        kept.append(index)
    return [structures[index] for index in sorted(kept)]

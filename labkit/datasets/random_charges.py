"""A gas of unit charges at random places, labelled exactly: the data set on which a short-ranged model must fail.

The one idea, as in the random-charge gas of the latent-Ewald papers (methods A, section 5): the true
charges are known (Na +1 e, Cl -1 e), so that the latent charges of a long-range model can be compared with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

if TYPE_CHECKING:
    from labkit.datasets.record import Record
    from labkit.potentials.coulomb import PointCharges

#: Height and range of the soft repulsion.
REPULSION_eV, REPULSION_RANGE_A = 5.0, 3.5
#: Centres of no two ions are nearer than this: 60 % of the range, where the repulsion is felt but not violent.
CLOSEST_A = 2.0
#: Random sequential addition jams when spheres fill 38 % of space; beyond this fraction it takes too many attempts.
FULLEST = 0.25
LEVEL_OF_THEORY = "point charges (Ewald) + soft repulsion"


def random_charge_gas(
    n_structures: int,
    n_atoms: int = 64,
    box_A: float = 12.0,
    seed: int = 0,
    *,
    closest_A: float = CLOSEST_A,
) -> list[Record]:
    """`n_structures` cubic boxes of edge `box_A` (Å) with n_atoms / 2 Na (+1 e) and as many Cl (-1 e), with labels.

    E = E_Coulomb + Σ_{i<j} u(r_ij), periodic, with u(r) = ε (1 - r²/r0²)³ for r < r0 = 3.5 Å and ε = 5 eV (smooth to
    the second derivative at r0); energy in eV, forces in eV/Å. The repulsion is the same for all pairs and lies within
    any usual cut-off; what is left to learn of long range is the Coulomb part, and it is exact to 1e-9 eV.
    Positions are drawn one after the other, uniformly, and again when nearer than `closest_A` (Å) to an earlier one.
    The charges stay on the atoms (`atoms.get_initial_charges()`). The same seed gives the same gas.

    Raises ValueError for an odd number of atoms and for a box that is too small for them.
    """
    from labkit.potentials.coulomb import PointCharges

    if n_atoms < 2 or n_atoms % 2:
        raise ValueError(f"n_atoms = {n_atoms}; a neutral gas of unit charges needs an even number, 2 or more.")
    filled = n_atoms * np.pi / 6 * closest_A**3 / box_A**3
    if filled > FULLEST or box_A < 2 * REPULSION_RANGE_A:
        raise ValueError(
            f"{n_atoms} ions of {closest_A:g} Å fill {100 * filled:.0f} % of a box of {box_A:g} Å; at most "
            f"{100 * FULLEST:.0f} % can be filled at random, and the box must be {2 * REPULSION_RANGE_A:g} Å wide. "
            "Raise box_A."
        )
    generator = np.random.default_rng(seed)
    gas = [_ions(n_atoms, box_A, closest_A, generator) for _ in range(n_structures)]
    return _labelled(
        gas,
        PointCharges(cutoff_A=max(6.0, box_A / 2)),
        "random-charge gas",
        [f"seed {seed}, structure {index}" for index in range(n_structures)],
    )


def charged_pairs(distances_A: Sequence[float], formula: str = "NaCl") -> list[Record]:
    """Two ions of the gas alone in space at each of the distances (Å), with the labels of `random_charge_gas`.

    E = q_1 q_2 / (4 pi eps0 r) + u(r). `formula`: NaCl, Na2 or Cl2. Raises ValueError for others, and for a distance
    of zero.
    """
    from labkit.potentials.coulomb import PointCharges

    charges = {"NaCl": [1.0, -1.0], "Na2": [1.0, 1.0], "Cl2": [-1.0, -1.0]}
    if formula not in charges:
        raise ValueError(f"{formula!r} is not a pair of ions of the gas; give one of {', '.join(charges)}.")
    if not all(distance > 0 for distance in distances_A):
        raise ValueError(f"two ions cannot be {min(distances_A)} Å apart; give distances above zero.")
    pairs = [Atoms(formula, positions=[[0, 0, 0], [distance, 0, 0]]) for distance in distances_A]
    for atoms in pairs:
        atoms.set_initial_charges(charges[formula])
    return _labelled(
        pairs, PointCharges(), "charged pair", [f"{formula} at {distance:g} Å" for distance in distances_A]
    )


def _labelled(
    structures: Sequence[Atoms], coulomb: PointCharges, group: str, provenances: Sequence[str]
) -> list[Record]:
    """Records with the exact Coulomb energy and forces plus those of the soft repulsion."""
    from labkit.datasets.record import Record

    exact = coulomb.predict(structures, ("energy", "forces"))
    records = []
    for atoms, energy, forces, provenance in zip(structures, exact.energies, exact.forces, provenances, strict=True):
        soft_energy, soft_forces = soft_repulsion(atoms)
        records.append(
            Record(
                atoms=atoms,
                energy=float(energy + soft_energy),
                forces=forces + soft_forces,
                group=group,
                level_of_theory=LEVEL_OF_THEORY,
                provenance=f"labkit.datasets.random_charges, {provenance}",
            )
        )
    return records


def soft_repulsion(atoms: Atoms) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (n, 3) (eV/Å) of Σ_{i<j} ε (1 - r²/r0²)³, in a cubic box (nearest image) or in none."""
    i, j = np.triu_indices(len(atoms), 1)
    vectors = atoms.positions[j] - atoms.positions[i]
    if atoms.pbc.all():
        box = atoms.cell.array[0, 0]
        vectors -= box * np.round(vectors / box)
    inner = np.clip(1 - (vectors**2).sum(1) / REPULSION_RANGE_A**2, 0, None)
    push = (6 * REPULSION_eV / REPULSION_RANGE_A**2 * inner**2)[:, None] * vectors
    forces = np.zeros_like(atoms.positions)
    np.add.at(forces, j, push)
    np.add.at(forces, i, -push)
    return float(REPULSION_eV * (inner**3).sum()), forces


def _ions(n_atoms: int, box_A: float, closest_A: float, generator: np.random.Generator) -> Atoms:
    positions = np.empty((0, 3))
    while len(positions) < n_atoms:
        candidate = generator.uniform(0, box_A, 3)
        difference = positions - candidate
        difference -= box_A * np.round(difference / box_A)
        if ((difference**2).sum(1) > closest_A**2).all():
            positions = np.vstack([positions, candidate])
    half = n_atoms // 2
    atoms = Atoms(f"Na{half}Cl{half}", positions=positions, cell=[box_A] * 3, pbc=True)
    atoms.set_initial_charges([1.0] * half + [-1.0] * half)
    return atoms

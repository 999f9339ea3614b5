"""Cluster expansions of a binary alloy on a parent lattice, fitted to labelled structures with icet.

The one idea: the energy of an alloy is a sum over pairs, triplets, ... of sites; a few dozen relaxed structures fix its
terms, and millions of arrangements follow. icet is an optional extra; this module adds what turns its expansion into a
phase of a diagram.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure, InvalidTask

#: How to get the package, for errors and skipped tests.
INSTALL = 'pip install "icet>=4.0,<4.1" (about three minutes: it compiles)'
#: A shape strained by more than this is that of another lattice: bcc is fcc strained by 0.26.
MOST_STRAIN = 0.12


@dataclass(frozen=True)
class OnLattice:
    """Relaxed structures that are arrangements on the parent lattice, with where each came from.

    ideal: the arrangements, at ideal sites. index: which of the structures given each is. displacement_A: the root
    mean square that it relaxed by. refused: (index, sentence) of those that are something else.
    """

    ideal: list[Atoms]
    index: list[int]
    displacement_A: list[float]
    refused: list[tuple[int, str]]


@dataclass(frozen=True, eq=False)
class AlloyExpansion:
    """A fitted cluster expansion; x is the fraction of `elements[1]`.

    expansion: icet's object, of the mixing energy per site. ends_eV: energies of both elements on the parent lattice
    (eV/atom). rmse_eV, validation_eV: errors per atom on the fitted structures and in 10-fold cross-validation.
    """

    expansion: Any
    parent: Atoms
    elements: tuple[str, str]
    ends_eV: tuple[float, float]
    rmse_eV: float
    validation_eV: float
    structures: int

    def mixing_energy(self, atoms: Atoms) -> float:
        """Mixing energy of an arrangement on ideal sites (eV/atom), against both elements on the parent lattice."""
        return float(self.expansion.predict(atoms))

    def energy(self, atoms: Atoms) -> float:
        """Energy of an arrangement on ideal sites (eV/atom)."""
        x = fraction(atoms, self.elements[1])
        return (1 - x) * self.ends_eV[0] + x * self.ends_eV[1] + self.mixing_energy(atoms)


def enumerate_alloy(parent: Atoms, elements: Sequence[str], most_atoms: int = 6) -> list[Atoms]:
    """Return all inequivalent arrangements of both elements on `parent` in cells of up to `most_atoms` atoms.

    G. L. W. Hart and R. W. Forcade, Phys. Rev. B 77, 224115 (2008), by icet.
    """
    _icet()
    from icet.tools import enumerate_structures

    first, second = _pair(elements)
    sizes = range(1, most_atoms // len(parent) + 1)
    return [_plain(one) for one in enumerate_structures(parent, sizes, [first, second])]


def on_lattice(structures: Sequence[Atoms], parent: Atoms, *, most_A: float = 0.4) -> OnLattice:
    """Map relaxed structures back to the sites of `parent` (icet's algorithm).

    One in which an atom sits more than `most_A` from its site, or sites stay empty, is refused with the reason.
    """
    _icet()
    from icet.tools import map_structure_to_reference

    found = OnLattice([], [], [], [])
    for index, atoms in enumerate(structures):
        try:
            ideal, info = map_structure_to_reference(_plain(atoms), parent, suppress_warnings=True)
        except Exception as error:  # icet raises many kinds for structures that are no arrangement
            found.refused.append((index, f"not an arrangement on the lattice: {' '.join(str(error).split())[:120]}"))
            continue
        far = np.asarray(ideal.arrays["Displacement_Magnitude"], float)
        shape = float(np.abs(info.isochoric_strain_eigenvalues).max())
        if len(ideal) != len(atoms) or not np.isfinite(far).all():
            found.refused.append((index, f"it has {len(atoms)} atoms where the lattice has {len(ideal)} sites."))
        elif far.max() > most_A or shape > MOST_STRAIN:
            worst = f"an atom is {far.max():.2f} Å from its site, the cell's shape strained by {shape:.2f}"
            found.refused.append((index, f"another crystal than the lattice: {worst}."))
        else:
            found.ideal.append(_plain(ideal))
            found.index.append(index)
            found.displacement_A.append(float(np.sqrt((far**2).mean())))
    return found


def fit_expansion(
    parent: Atoms, elements: Sequence[str], structures: Sequence[Atoms], energies_eV: Sequence[float],
    cutoffs_A: Sequence[float], *, method: str = "ridge", seed: int = 42,
) -> AlloyExpansion:  # fmt: skip
    """Fit a cluster expansion to energies (eV/atom) of arrangements on ideal sites.

    cutoffs_A: longest distance in pairs, triplets, ... `method`: of trainstation (ridge, ardr, least-squares, ...).
    Both elements must be among the structures: mixing energies count from them. Raises InvalidTask where they are not,
    or where the structures are fewer than the parameters.
    """
    icet = _icet()
    from trainstation import CrossValidationEstimator

    first, second = _pair(elements)
    if strangers := {one for atoms in structures for one in atoms.get_chemical_symbols()} - {first, second}:
        raise InvalidTask(f"structures hold {', '.join(sorted(strangers))}; this expansion is of {first} and {second}.")
    x = np.array([fraction(one, second) for one in structures])
    energies = np.asarray(energies_eV, dtype=float)
    if energies.shape != x.shape or not np.isfinite(energies).all():
        raise InvalidTask(f"{len(x)} structures came with {energies.size} energies; give one finite number for each.")
    for end, element in ((0.0, first), (1.0, second)):
        if not (x == end).any():
            raise InvalidTask(f"no structure is pure {element}; add it: mixing energies count from both elements.")
    ends = tuple(float(energies[x == end].min()) for end in (0.0, 1.0))
    space = icet.ClusterSpace(parent, list(cutoffs_A), [first, second])
    vectors = np.array([space.get_cluster_vector(_plain(one)) for one in structures])
    if len(x) <= vectors.shape[1]:
        raise InvalidTask(
            f"{len(x)} structures cannot fix {vectors.shape[1]} parameters; add structures or shorten the cut-offs."
        )
    mixing = energies - (1 - x) * ends[0] - x * ends[1]
    # The elements are what all else counts from; their weight keeps the ends of f(x) at zero.
    weight = np.where((x == 0) | (x == 1), 10.0, 1.0)
    data = vectors * weight[:, None], mixing * weight
    fit = CrossValidationEstimator(data, fit_method=method, n_splits=min(10, len(x)), seed=seed, check_condition=False)
    with np.errstate(divide="ignore", invalid="ignore"):  # an R² of structures that all have one energy
        fit.validate()
        fit.train()
    expansion = icet.ClusterExpansion(space, fit.parameters)
    rmse = float(np.sqrt(((vectors @ fit.parameters - mixing) ** 2).mean()))
    return AlloyExpansion(expansion, parent.copy(), (first, second), ends, rmse, float(fit.rmse_validation), len(x))


def fraction(atoms: Atoms, element: str) -> float:
    """Atomic fraction of an element."""
    return atoms.get_chemical_symbols().count(element) / len(atoms)


def _pair(elements: Sequence[str]) -> tuple[str, str]:
    if len(elements) != 2 or elements[0] == elements[1]:
        raise InvalidTask(f"a binary alloy has two elements; {', '.join(elements) or 'none'} were given.")
    return elements[0], elements[1]


def _plain(atoms: Atoms) -> Atoms:
    if not atoms.pbc.all():
        raise InvalidStructure("an alloy on a lattice is periodic in all directions; this structure is not.")
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)


def _icet() -> Any:
    try:
        import icet
    except ImportError as error:
        raise InvalidTask(f"cluster expansions need the package icet: {INSTALL}.") from error
    return icet

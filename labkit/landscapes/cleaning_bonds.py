"""A molecule's bonds as a SMILES by which two structures can be compared, and hydrogens that have two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from labkit.errors import InvalidStructure
from labkit.landscapes.bonded_classes import bond_graph

#: A hydrogen touches what is closer than both covalent radii and this (Å). In the 60 published networks, which were
#: cleaned so, no hydrogen has a second atom within 0.56 Å of this kind; a bond is within 0.1 Å.
REACH_A = 0.5


def smiles(symbols: Sequence[str], positions: np.ndarray) -> str:
    """The canonical SMILES of the bond graph, all hydrogens and bonds explicit, bond orders open (all single)."""
    from rdkit import Chem

    return Chem.MolToSmiles(bond_graph(symbols, positions), allHsExplicit=True, allBondsExplicit=True)


def crowded_hydrogen(symbols: Sequence[str], positions: np.ndarray) -> int | None:
    """The first hydrogen that touches more than one atom, or None; see `REACH_A`."""
    radii = covalent_radii[[atomic_numbers[symbol] for symbol in symbols]]
    places = np.asarray(positions, dtype=float)
    lengths = np.linalg.norm(places[:, None] - places[None], axis=2)
    touching = (lengths < radii[:, None] + radii[None, :] + REACH_A).sum(axis=1) - 1
    for index in np.flatnonzero(touching > 1):
        if symbols[index] == "H":
            return int(index)
    return None


def canonical(text: str, symbols: Sequence[str]) -> str:
    """A SMILES as people write it, in the form of `smiles`."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        given = Chem.MolFromSmiles(text, sanitize=False) if text else None
        if given is None:
            raise InvalidStructure(
                f"{text!r} is no SMILES; ethanol is 'CCO', and labkit.landscapes.cleaning.smiles writes one."
            )
        given.UpdatePropertyCache(strict=False)
        given = Chem.AddHs(given)
        found = [atom.GetSymbol() for atom in given.GetAtoms()]
        if sorted(found) != sorted(symbols):
            has, needs = (Atoms(all_).get_chemical_formula() for all_ in (found, list(symbols)))
            raise InvalidStructure(f"the SMILES {text!r} is {has}, the network is {needs}; take one of the same atoms.")
        plain = Chem.RWMol()
        for symbol in found:
            plain.GetAtomWithIdx(plain.AddAtom(Chem.Atom(symbol))).SetNoImplicit(True)
        for bond in given.GetBonds():
            plain.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
        return Chem.MolToSmiles(plain, allHsExplicit=True, allBondsExplicit=True)

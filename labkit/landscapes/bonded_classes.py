"""Which atoms of a molecule may change places: those of one element with the same bonded neighbours.

The one idea: a class is a number that depends on the atom's surroundings only, not on its index nor on the molecule,
so that the classes of two structures can be compared. The bond graph is RDKit's.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from labkit.errors import InvalidStructure

if TYPE_CHECKING:
    from rdkit.Chem import Mol

INSTALL = "pip install 'labkit-mlip[landscapes]' (or: pip install rdkit)"


def bond_graph(symbols: Sequence[str], positions: np.ndarray) -> Mol:
    """The molecule with a bond (its order left open) wherever RDKit's `DetermineConnectivity` sees one.

    symbols: (n,). positions: (n, 3) Å. Raises InvalidStructure for symbols that are no elements, wrong shapes and
    positions that are not finite; ModuleNotFoundError without RDKit.
    """
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdDetermineBonds
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(f"Bond graphs need the package rdkit, which is not installed here: {INSTALL}") from (
            missing
        )
    places = np.ascontiguousarray(positions, dtype=float)
    if places.shape != (len(symbols), 3) or not np.isfinite(places).all():
        raise InvalidStructure(
            f"A bond graph of {len(symbols)} atoms needs that many finite positions; the array given has the shape "
            f"{places.shape} with {int(np.sum(~np.isfinite(places)))} numbers that are not finite."
        )
    molecule = Chem.RWMol()
    # what RDKit would print to stderr is said by the exceptions here; the user's own log settings come back
    with rdBase.BlockLogs():
        for symbol in symbols:
            try:
                molecule.AddAtom(Chem.Atom(symbol))
            except RuntimeError as unknown:
                raise InvalidStructure(f"{symbol!r} is no element that RDKit knows; is it a label?") from unknown
        conformer = Chem.Conformer(len(symbols))
        conformer.SetPositions(places)
        molecule.AddConformer(conformer)
        rdDetermineBonds.DetermineConnectivity(molecule)
    return molecule


def bonded_classes(symbols: Sequence[str], positions: np.ndarray) -> np.ndarray:
    """A number for each atom, the same for atoms of one element whose bonded neighbours are the same elements.

    The six hydrogens of benzene are one class, and so are its six carbons; in ethanol the three hydrogens of CH3 and
    the two of CH2 are one class (each has one C beside it), that of OH another. Numbers of two structures can be
    compared: they name the surroundings. Shape (n,).
    """
    return np.array(_classes(tuple(symbols), np.ascontiguousarray(positions, dtype=float).tobytes()))


def element_classes(symbols: Sequence[str]) -> np.ndarray:
    """The atomic number of each atom (n,): every atom may change places with every other of its element (clusters)."""
    from ase.data import atomic_numbers

    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if unknown:
        raise InvalidStructure(f"{unknown[0]!r} is no element; is it a label?")
    return np.array([atomic_numbers[symbol] for symbol in symbols], dtype=int)


@lru_cache(maxsize=4096)
def _classes(symbols: tuple[str, ...], buffer: bytes) -> tuple[int, ...]:
    if len(symbols) < 2:
        return tuple(_number(symbol, ()) for symbol in symbols)
    molecule = bond_graph(symbols, np.frombuffer(buffer).reshape(-1, 3))
    return tuple(
        _number(atom.GetSymbol(), tuple(sorted(other.GetSymbol() for other in atom.GetNeighbors())))
        for atom in molecule.GetAtoms()
    )


def _number(symbol: str, neighbours: tuple[str, ...]) -> int:
    """The same number in every process, unlike `hash`."""
    return zlib.crc32(" ".join((symbol, *neighbours)).encode())

"""Make a perfect crystal imperfect: vacancies, substitution, exchanged species, rattled positions.

Every random choice comes from the seed, so the same call gives the same structure; the argument is left alone.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from labkit.errors import InvalidStructure
from labkit.structures.check import check


def vacancy(atoms: Atoms, symbol: str, count: int = 1, *, seed: int = 0) -> Atoms:
    """Return the structure without `count` randomly chosen atoms of `symbol`; raises InvalidStructure when there are
    too few.
    """
    chosen = _choose(atoms, symbol, count, None, seed)
    result = atoms.copy()
    del result[sorted(chosen.tolist())]
    return check(result)


def substitute(
    atoms: Atoms, old: str, new: str, *, count: int | None = None, fraction: float | None = None, seed: int = 0
) -> Atoms:
    """Return the structure with `count`, or a `fraction` (0 to 1), of its `old` atoms replaced by `new`; all of them by
    default.

    The number is rounded to the nearest whole atom. Raises InvalidStructure for an unknown element or too few atoms.
    """
    chosen = _choose(atoms, old, count, 1.0 if count is None and fraction is None else fraction, seed)
    return _relabelled(atoms, {_known(new): chosen})


def swap_disorder(
    atoms: Atoms, first: str, second: str, fraction: float, *, seed: int = 0, among: np.ndarray | None = None
) -> Atoms:
    """Return the structure with a `fraction` of its `first` atoms exchanged with as many `second` atoms, chosen at
    random.

    This is the anion disorder of argyrodites: with ``first="Cl"``, ``second="S"`` and 0.5, half of the chlorine sits on
    sulfur sites. `among` restricts the exchange to the given atom indices (n,), for instance to the sulfur atoms that
    are not bound to phosphorus. Raises InvalidStructure when there are not enough partners.
    """
    if _known(first) == _known(second):
        raise InvalidStructure(f"Exchanging {first} with {second} changes nothing. Give two different elements.")
    generator = np.random.default_rng(seed)
    allowed = np.arange(len(atoms)) if among is None else np.asarray(among, dtype=int)
    chosen = _choose(atoms, first, None, fraction, generator, allowed)
    partners = _choose(atoms, second, len(chosen), None, generator, allowed)
    return _relabelled(atoms, {second: chosen, first: partners})


def unbound(atoms: Atoms, symbol: str, to: str, *, cutoff_A: float = 2.6) -> np.ndarray:
    """Return the indices (n,) of `symbol` atoms with no `to` atom within `cutoff_A` (Å): free S²⁻ in a
    thiophosphate, say.
    """
    from ase.neighborlist import neighbor_list

    i, j = neighbor_list("ij", atoms, {(symbol, to): cutoff_A})
    bound = {int(a) for a, b in zip(i, j, strict=True) if atoms.symbols[a] == symbol and atoms.symbols[b] == to}
    return np.array([a for a in np.flatnonzero(atoms.symbols == symbol) if int(a) not in bound], dtype=int)


def rattle(atoms: Atoms, stdev_A: float, *, seed: int = 0) -> Atoms:
    """Return the structure with normal random displacements of standard deviation `stdev_A` (Å) per direction, its
    centre kept.
    """
    if not 0 <= stdev_A <= 1:
        raise InvalidStructure(
            f"A rattle of {stdev_A} Å is not between 0 and 1 Å; thermal displacements are near 0.1 Å."
        )
    result = atoms.copy()
    displacements = np.random.default_rng(seed).normal(0.0, stdev_A, size=(len(atoms), 3))
    result.positions += displacements - displacements.mean(axis=0)
    return check(result)


def _known(symbol: str) -> str:
    if symbol not in atomic_numbers or symbol == "X":
        raise InvalidStructure(
            f"{str(symbol)[:12]!r} is not an element. Use a symbol of the periodic table, such as 'Li'."
        )
    return symbol


def _choose(
    atoms: Atoms,
    symbol: str,
    count: int | None,
    fraction: float | None,
    seed: int | np.random.Generator,
    allowed: np.ndarray | None = None,
) -> np.ndarray:
    candidates = np.flatnonzero(atoms.numbers == atomic_numbers[_known(symbol)])
    if allowed is not None:
        candidates = np.intersect1d(candidates, allowed)
    if (count is None) == (fraction is None):
        raise InvalidStructure("Give either a count or a fraction, not both.")
    if fraction is not None:
        if not 0 <= fraction <= 1:
            raise InvalidStructure(f"A fraction must be between 0 and 1, not {fraction}.")
        count = round(fraction * len(candidates))
        if count == 0 and fraction > 0 and len(candidates):
            raise InvalidStructure(
                f"{fraction:g} of {len(candidates)} {symbol} atoms is less than half an atom; build a larger "
                "supercell first."
            )
    if count is None or count < 0 or count > len(candidates) or not len(candidates):
        raise InvalidStructure(
            f"{count} {symbol} atoms were asked for, but {len(candidates)} can be chosen. Ask for fewer, or build "
            "a supercell."
        )
    return np.random.default_rng(seed).choice(candidates, size=count, replace=False)


def _relabelled(atoms: Atoms, changes: dict[str, np.ndarray]) -> Atoms:
    result = atoms.copy()
    numbers = result.numbers.copy()
    masses = result.arrays.pop("masses", None)
    magmoms = result.get_initial_magnetic_moments() if result.has("initial_magmoms") else None
    changed = np.concatenate(list(changes.values()))
    for symbol, indices in changes.items():
        numbers[indices] = atomic_numbers[symbol]
    result.numbers = numbers
    if masses is not None:
        # The mass that was set belonged to the atom that left.
        masses[changed] = atomic_masses[numbers[changed]]
        result.set_masses(masses)
    if magmoms is not None:
        magmoms[changed] = 0.0
        result.set_initial_magnetic_moments(magmoms)
    return check(result)

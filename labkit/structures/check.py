"""The one gate that every structure passes before anything is computed from it.

`check` mends what has one right answer (a left-handed cell, atoms outside of the cell) and says so; everything else
that is wrong is refused, all reasons at once, so that a user repairs a file once and not five times.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from labkit.errors import BudgetExceeded, InvalidStructure
from labkit.structures.contacts import nearest_contacts

MIN_PERIOD_A = 1.0  # the smallest real cell, compressed hydrogen, still repeats later
MIN_WIDTH_A = 0.1  # below it the images within a cutoff become too many to count
MAX_COORDINATE_A = 1e6  # beyond it double precision no longer resolves a bond
MAX_ATOMS = 20_000
LISTED = 3  # further faults of the same kind are counted, not listed


def check(atoms: Atoms, *, min_distance_A: float = 0.6, max_atoms: int = MAX_ATOMS, wrap: bool = True) -> Atoms:
    """Return a copy that is fit for simulation: right-handed, wrapped, nothing missing or overlapping.

    Distances are in Å and include periodic images. What was mended is listed in ``info["mended"]`` (list of sentences,
    absent when nothing was). ``wrap=False`` keeps positions as they are, for the frames of an unwrapped trajectory. The
    calculator is dropped.

    Raises InvalidStructure with every reason, or BudgetExceeded when there are more than `max_atoms` atoms; a larger
    budget is remembered in ``info["max_atoms"]``, so that it is asked for only once.
    """
    if not isinstance(atoms, Atoms):
        raise InvalidStructure(f"A structure must be an ase.Atoms object, not {type(atoms).__name__}.")
    max_atoms = max(max_atoms, int(atoms.info.get("max_atoms", 0)))
    ask_for_budget(len(atoms), max_atoms)
    reasons = [*_atom_faults(atoms), *_cell_faults(atoms), *_occupancy_faults(atoms)]
    if not reasons and min_distance_A > 0:
        reasons += _overlaps(atoms, min_distance_A)
    if reasons:
        raise InvalidStructure(reasons)
    checked = _mended(atoms, wrap)
    if max_atoms > MAX_ATOMS:
        checked.info["max_atoms"] = int(max_atoms)  # asked for once, it holds for builders and tasks that follow
    return checked


def ask_for_budget(n_atoms: int, max_atoms: int = MAX_ATOMS) -> None:
    """Raise BudgetExceeded when `n_atoms` is more than `max_atoms`."""
    if n_atoms > max_atoms:
        raise BudgetExceeded(
            f"{n_atoms:,} atoms are {n_atoms / max_atoms:.3g} times the limit of {max_atoms:,}; time and memory "
            "grow at least in "
            f"proportion (positions and forces of one frame alone: {n_atoms * 48 / 1e6:,.0f} MB). "
            f"Take a smaller cell, or pass max_atoms={n_atoms} to the builder or to structures.check if you mean it."
        )


def _atom_faults(atoms: Atoms) -> list[str]:
    if len(atoms) == 0:
        return ["There are no atoms. Give at least one."]
    faults = []
    unknown = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers >= len(chemical_symbols)))
    faults += _listed(
        [
            f"Atom {i} has the unknown element {_symbol(atoms, i)!r}. Use a symbol of the periodic table."
            for i in unknown[:LISTED]
        ],
        len(unknown),
    )
    broken = np.flatnonzero(~np.all(np.isfinite(atoms.positions), axis=1))
    faults += _listed(
        [
            f"Atom {i} ({_symbol(atoms, i)}) has the position {_numbers(atoms.positions[i])}, which is not a number."
            for i in broken[:LISTED]
        ],
        len(broken),
    )
    with np.errstate(invalid="ignore"):
        far = np.flatnonzero(
            np.any(np.abs(atoms.positions) > MAX_COORDINATE_A, axis=1) & np.all(np.isfinite(atoms.positions), axis=1)
        )
    faults += _listed(
        [
            f"Atom {i} ({_symbol(atoms, i)}) lies at {_numbers(atoms.positions[i])} Å; nothing beyond "
            f"{MAX_COORDINATE_A:.0e} Å is kept. "
            "Are the units right?"
            for i in far[:LISTED]
        ],
        len(far),
    )
    return faults


def _cell_faults(atoms: Atoms) -> list[str]:
    if not atoms.pbc.any():
        return []
    cell = np.asarray(atoms.cell)
    if not np.all(np.isfinite(cell)):
        return ["The cell has a component that is not a number. Give three finite lattice vectors in Å."]
    if np.abs(cell).max() > MAX_COORDINATE_A:
        longest = np.abs(cell).max()
        return [f"The cell reaches {longest:.1e} Å; at most {MAX_COORDINATE_A:.0e} Å is kept. Are the units right?"]
    lengths = atoms.cell.lengths()
    faults = [
        f"The lattice vector {'abc'[i]} has zero length although the structure is periodic along it. "
        "Give its length in Å, or switch periodicity off."
        for i in range(3)
        if atoms.pbc[i] and lengths[i] == 0.0
    ]
    if faults:
        return faults
    full = np.asarray(atoms.cell.complete())
    volume = abs(np.linalg.det(full))
    if volume < 1e-9 * np.prod(np.linalg.norm(full, axis=1)):
        return [
            f"The cell is flat: its volume is {volume:.1e} Å³, the three lattice vectors lie in one plane. Check "
            "the lattice."
        ]
    return _narrow_cell(atoms, full)


def _narrow_cell(atoms: Atoms, full: np.ndarray) -> list[str]:
    from ase.geometry.minkowski_reduction import minkowski_reduce

    widths = (1.0 / np.linalg.norm(np.linalg.inv(full), axis=0))[atoms.pbc]
    if widths.min() >= MIN_PERIOD_A:
        return []
    # A skew cell of a sound crystal is thin too; what counts is after which distance the crystal repeats.
    if widths.min() < MIN_WIDTH_A:
        return [
            f"The cell is {widths.min():.2g} Å thick; at least {MIN_WIDTH_A} Å is needed. Are the lattice vectors "
            "in Å? "
            "If the cell is only very skew, take labkit.structures.conventional(atoms)."
        ]
    period = np.linalg.norm(minkowski_reduce(full, atoms.pbc)[0], axis=1)[atoms.pbc].min()
    if period >= MIN_PERIOD_A:
        return []
    return [
        f"The cell repeats after {period:.2g} Å; at least {MIN_PERIOD_A} Å is needed for a real crystal. "
        "Are the lattice vectors in Å?"
    ]


def _occupancy_faults(atoms: Atoms) -> list[str]:
    sites = atoms.info.get("occupancy")
    if not isinstance(sites, dict):
        return []
    partial = [
        f"Site {key} is shared: " + ", ".join(f"{symbol} {float(value):.3g}" for symbol, value in shares.items())
        for key, shares in sites.items()
        if isinstance(shares, dict)
        and (len(shares) > 1 or any(abs(float(value) - 1) > 1e-3 for value in shares.values()))
    ]
    advice = '. A simulation needs whole atoms: read the file with ordering="smallest".'
    return [text + advice for text in _listed(partial[:LISTED], len(partial))]


def _overlaps(atoms: Atoms, limit_A: float) -> list[str]:
    contacts = nearest_contacts(atoms, limit_A)
    texts = []
    for i, j, distance in contacts[:LISTED]:
        pair = f"Atoms {i} ({_symbol(atoms, i)}) and {j} ({_symbol(atoms, j)}) are"
        if i == j:
            pair = f"Atom {i} ({_symbol(atoms, i)}) and its own periodic image are"
        texts.append(
            f"{pair} {distance:.2f} Å apart; nothing closer than {limit_A:g} Å is simulated. Was the cell scaled?"
        )
    return _listed(texts, len(contacts), "pairs")


def _mended(atoms: Atoms, wrap: bool) -> Atoms:
    result = atoms.copy()
    result.info.pop("occupancy", None)
    notes = []
    if atoms.pbc.any() and np.linalg.det(np.asarray(atoms.cell.complete())) < 0:
        # All three vectors change sign: the same lattice with the same angles, and no Cartesian position moves.
        result.set_cell(-np.asarray(result.cell), scale_atoms=False)
        notes.append("The cell was left-handed: its three vectors were reversed (the crystal is the same).")
    if wrap and atoms.pbc.any():
        cell = np.asarray(result.cell.complete())
        fractions = np.linalg.solve(cell.T, result.positions.T).T
        # A little below zero counts as zero, so that an atom on the face does not jump to the other side. Those inside
        # stay, with a wider margin than those that are moved get, so that a second check moves nothing.
        inside = (fractions >= -2e-9) & (fractions < 1)
        shift = np.where(inside, 0, np.floor(fractions + 1e-9)) * result.pbc
        moved = int(np.any(shift != 0, axis=1).sum())
        if moved:
            result.positions -= shift @ cell
            notes.append(
                f"{moved} atom{'s' if moved > 1 else ''} outside of the cell moved to the periodic image inside."
            )
    if notes:
        result.info["mended"] = [*_previous_notes(atoms), *notes]
    return result


def _previous_notes(atoms: Atoms) -> list[str]:
    notes = atoms.info.get("mended", [])
    return [notes] if isinstance(notes, str) else [str(note) for note in notes]


def _listed(texts: list[str], total: int, what: str = "more such atoms") -> list[str]:
    if total > len(texts):
        return [*texts, f"... and {total - len(texts):,} {'more such ' if what == 'pairs' else ''}{what}."]
    return texts


def _symbol(atoms: Atoms, index: int) -> str:
    number = int(atoms.numbers[index])
    return chemical_symbols[number] if 0 <= number < len(chemical_symbols) else f"Z={number}"


def _numbers(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"

"""New crystals from known ones: elements exchanged, charges balanced by vacancies, each distinct arrangement once.

A rule says what replaces what and which ion leaves to keep the crystal neutral; the arrangements that symmetry makes
equal are counted as one, and the electrostatically best of all come first.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from labkit.errors import InvalidStructure
from labkit.structures.build_cell import repeat
from labkit.structures.check import check
from labkit.structures.symmetry import SYMPREC_A, dataset

#: More arrangements than this are not all looked at: a random part of them is.
MAX_LOOKED_AT = 20_000
#: Electrostatic energies (eV) that differ by less are those of equals.
SAME_EV = 1e-6
#: Atoms in the smallest formula up to which pymatgen guesses charges, each atom's own; its time grows exponentially.
MAX_GUESSED = 50
#: Beyond, each element has one charge, and so many combinations are looked at.
MAX_COMBINATIONS = 200_000


class Substitution(BaseModel):
    """Replace elements, keep the crystal neutral by vacancies, and give the distinct arrangements."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replace: dict[str, str] = Field(description='What becomes what: {"Mg": "Al"}', min_length=1)
    count: int | None = Field(None, description="How many atoms of each in a cell; all if not given", ge=1)
    vacancy: str = Field("", description="The ion that leaves to balance the charges, Li say; empty: none may have to")
    repeats: tuple[int, int, int] = Field((1, 1, 1), description="Repeat the cell first")
    limit: int = Field(20, description="Most arrangements", ge=1, le=10_000)
    oxidation_states: dict[str, float] = Field({}, description="Charges (e) where pymatgen's guess is not meant")
    seed: int = Field(0, description="Which part is looked at when there are too many arrangements", ge=0)

    @field_validator("replace")
    @classmethod
    def _elements(cls, value: dict[str, str]) -> dict[str, str]:
        for old, new in value.items():
            if unknown := [one for one in (old, new) if one not in atomic_numbers or one == "X"]:
                raise ValueError(f"{unknown[0]!r} is no element; use a symbol such as 'Li'.")
            if old == new:
                raise ValueError(f"{old} becomes {new}: give two different elements.")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Substitution:
        if self.vacancy and self.vacancy in self.replace:
            raise ValueError(f"{self.vacancy} is replaced and balances the charges: take another ion for one of them.")
        return self

    def label(self) -> str:
        """The rule in short: Mg→Al ×2, Li vacancies."""
        pairs = ", ".join(f"{old}→{new}" for old, new in self.replace.items())
        return (
            pairs + (f" ×{self.count}" if self.count else "") + (f", {self.vacancy} vacancies" if self.vacancy else "")
        )

    def fits(self, atoms: Atoms) -> bool:
        """Whether the structure has the elements that are replaced, enough of them, and the ion that leaves."""
        cells = math.prod(self.repeats)
        have = {symbol: int((atoms.numbers == atomic_numbers[symbol]).sum()) * cells for symbol in self.replace}
        enough = all(number >= (self.count or 1) for number in have.values())
        return enough and (not self.vacancy or atomic_numbers[self.vacancy] in atoms.numbers)

    def apply(self, atoms: Atoms) -> list[Atoms]:
        """The distinct arrangements, lowest electrostatic energy first; named, with info["source"].

        Raises InvalidStructure when the rule does not fit, or the charges cannot be balanced.
        """
        return substitutions(atoms, self)


def substitutions(atoms: Atoms, rule: Substitution) -> list[Atoms]:
    """What `rule` makes of a crystal. See `Substitution.apply`."""
    base = atoms.info.get("name") or atoms.get_chemical_formula("metal")
    if not rule.fits(atoms):
        raise InvalidStructure(f"{base} has too few atoms for {rule.label()}; repeat the cell, or ask for fewer.")
    cell = repeat(atoms, rule.repeats) if rule.repeats != (1, 1, 1) else atoms
    sites = {old: np.flatnonzero(cell.numbers == atomic_numbers[old]) for old in rule.replace}
    number = {old: len(found) if rule.count is None else rule.count for old, found in sites.items()}
    states = _states(cell, rule, number)
    leaving = _vacancies(cell, rule, number, states, str(base))
    mobile = np.flatnonzero(cell.numbers == atomic_numbers[rule.vacancy]) if leaving else np.array([], dtype=int)
    groups = [(sites[old], number[old]) for old in rule.replace] + ([(mobile, leaving)] if leaving else [])
    permutations = _permutations(cell)
    distinct: dict[bytes, bytes] = {}
    for picks in _picks(groups, rule.seed):
        marks = np.zeros(len(cell), dtype=np.uint8)
        for kind, pick in enumerate(picks, 1):
            marks[list(pick)] = kind
        orbit, size = marks[permutations].tobytes(), len(cell)
        # The same for all arrangements that symmetry makes equal.
        key = min(orbit[at : at + size] for at in range(0, len(orbit), size))
        distinct.setdefault(key, marks.tobytes())
    arrangements = np.frombuffer(b"".join(distinct.values()), dtype=np.uint8).reshape(len(distinct), len(cell))
    order, drawn = _order(cell, arrangements, [states.get(new) for new in rule.replace.values()], states, rule.seed)
    total = _total(groups)
    among = f" among {MAX_LOOKED_AT} of {total:.3g} choices" if total > MAX_LOOKED_AT else ""
    made = [_made(cell, rule, arrangements[index]) for index in order[: rule.limit]]
    for place, one in enumerate(made):
        formula = one.get_chemical_formula("metal")
        one.info["name"] = f"{formula} from {base}" + (f" #{place + 1}" if len(made) > 1 else "")
        one.info["source"] = (
            f"{base}, {rule.label()}, arrangement {place + 1} of {len(distinct)} distinct{among}{drawn}"
        )
    return made


def _states(cell: Atoms, rule: Substitution, number: dict[str, int]) -> dict[str, float]:
    """Charges (e) of the old and the new elements; the old ones by pymatgen's guess for the crystal that is given."""
    from pymatgen.core import Element

    counts = {symbol: int(count) for symbol, count in cell.symbols.formula.count().items()}
    guessed: Mapping[str, float] = {}
    if not set(counts) <= set(rule.oxidation_states):
        override = {symbol: [state] for symbol, state in rule.oxidation_states.items() if symbol in counts}
        with contextlib.suppress(InvalidStructure):
            guessed = neutral_states(counts, override) or {}
    states = {**guessed, **rule.oxidation_states}
    for old, new in rule.replace.items():
        if new in states:
            continue
        common = Element(new).common_oxidation_states
        sign = [state for state in common if states.get(old, 0) * state > 0] or list(common)
        if sign and old in states:
            states[new] = float(min(sign, key=lambda state: abs(state - states[old])))
    return states


def _vacancies(cell: Atoms, rule: Substitution, number: dict[str, int], states: dict[str, float], base: str) -> int:
    """How many ions leave; 0 without a vacancy rule. Raises InvalidStructure when that is not a whole number."""
    known = all(symbol in states for pair in rule.replace.items() for symbol in pair)
    if not rule.vacancy:
        excess = sum(number[old] * (states[new] - states[old]) for old, new in rule.replace.items()) if known else 0.0
        if known and abs(excess) > 1e-6:
            charges = ", ".join(f"{one}{states[one]:+g}" for pair in rule.replace.items() for one in pair)
            raise InvalidStructure(
                f"{rule.label()} in {base} changes the charge by {excess:+g} e ({charges}): name the ion that leaves "
                "in vacancy, or give other oxidation_states."
            )
        return 0
    if not known or rule.vacancy not in states:
        raise InvalidStructure(f"the charges in {base} cannot be guessed: give oxidation_states for {rule.label()}.")
    excess = sum(number[old] * (states[new] - states[old]) for old, new in rule.replace.items())
    leaving = excess / states[rule.vacancy]
    present = int((cell.numbers == atomic_numbers[rule.vacancy]).sum())
    if abs(leaving - round(leaving)) > 1e-6 or not 0 <= round(leaving) <= present:
        raise InvalidStructure(
            f"{rule.label()} in {base} needs {leaving:g} {rule.vacancy} ions to leave, of {present} in the cell; "
            "change the count, or repeat the cell. Ions are never added."
        )
    return round(leaving)


def _picks(groups: list[tuple[np.ndarray, int]], seed: int) -> Iterator[list[tuple[int, ...]]]:
    """All choices of the wanted numbers of sites, or a random part of them when there are too many."""
    if _total(groups) <= MAX_LOOKED_AT:
        choices = [itertools.combinations(sites.tolist(), number) for sites, number in groups]
        yield from (list(one) for one in itertools.product(*choices))
        return
    rng = np.random.default_rng(seed)
    for _ in range(MAX_LOOKED_AT):
        yield [tuple(rng.choice(sites, number, replace=False).tolist()) for sites, number in groups]


def _total(groups: list[tuple[np.ndarray, int]]) -> int:
    return math.prod(math.comb(len(sites), number) for sites, number in groups)


def _permutations(cell: Atoms) -> np.ndarray:
    """Where each symmetry operation of the crystal takes each atom, (operations, n); at least the identity."""
    identity = np.arange(len(cell))[None]
    found = dataset(cell) if cell.pbc.all() else None
    if found is None:
        return identity
    from scipy.spatial import cKDTree

    fractions = cell.get_scaled_positions() % 1.0
    tree = cKDTree(fractions % 1.0, boxsize=1.0)
    tolerance = 3 * SYMPREC_A / float(np.min(np.linalg.norm(cell.cell.array, axis=1)))
    rows = [identity[0]]
    for rotation, translation in zip(found.rotations, found.translations, strict=True):
        moved = (fractions @ rotation.T + translation) % 1.0 % 1.0
        distances, partners = tree.query(moved)
        if distances.max() < tolerance and len(set(partners.tolist())) == len(cell):
            rows.append(partners)
    return np.unique(np.array(rows), axis=0)


def _made(cell: Atoms, rule: Substitution, marks: np.ndarray) -> Atoms:
    """The crystal in which atoms marked 1, 2, ... have become the new elements, and those marked beyond have left."""
    result = Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=cell.pbc)
    for kind, new in enumerate(rule.replace.values(), 1):
        result.numbers[marks == kind] = atomic_numbers[new]
    del result[np.flatnonzero(marks > len(rule.replace)).tolist()]
    return check(result)


def _order(
    cell: Atoms, arrangements: np.ndarray, new: Sequence[float | None], states: Mapping[str, float], seed: int
) -> tuple[np.ndarray, str]:
    """Lowest Ewald energy of the formal charges first, E = q M q with one matrix M for all arrangements (m, n) of the
    crystal; at random, and said so, where charges are unknown.
    """
    if len(arrangements) < 2:
        return np.arange(len(arrangements)), ""
    if None in new or not set(cell.get_chemical_symbols()) <= set(states) or not cell.pbc.all():
        return np.random.default_rng(seed).permutation(len(arrangements)), ", in no order: its charges are not known"
    old = np.array([states[symbol] for symbol in cell.get_chemical_symbols()], dtype=float)
    charges = np.where(arrangements == 0, old, np.array([0.0, *new, 0.0])[arrangements])
    energies = ((charges @ _interactions(cell)) * charges).sum(axis=1)
    return np.argsort(np.round(energies / SAME_EV), kind="stable"), ""


def _interactions(cell: Atoms) -> np.ndarray:
    """Ewald energy of each pair of sites with charges of 1 e (eV); the part of a charged cell is the same for all."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.io.ase import AseAtomsAdaptor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        crystal = AseAtomsAdaptor.get_structure(Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True))
        crystal.add_oxidation_state_by_site([1.0] * len(cell))
        return np.array(EwaldSummation(crystal).total_energy_matrix)


def neutral_states(counts: Mapping[str, int], known: Mapping[str, Sequence[float]]) -> dict[str, float] | None:
    """The likeliest neutral oxidation states of a composition, averaged over each element; None when there are none.

    pymatgen's guess from the `known` or usual states of each element; in a formula of more than 50 atoms, where that
    takes too long, each element has one of its common states, the most ionic sum first (least sum of charge times
    electronegativity). Raises InvalidStructure when that finds nothing: such a formula may still be neutral.
    """
    from pymatgen.core import Composition, Element

    reduced = Composition(dict(counts)).reduced_composition
    symbols, smallest = list(counts), {one.symbol: int(count) for one, count in reduced.items()}
    if reduced.num_atoms <= MAX_GUESSED:
        own = {symbol: list(states) for symbol, states in known.items()}
        guesses = reduced.oxi_state_guesses(oxi_states_override=own or None)
        return dict(guesses[0]) if guesses else None
    options = [tuple(known.get(symbol) or Element(symbol).common_oxidation_states) for symbol in symbols]
    numbers = np.array([smallest[symbol] for symbol in symbols])
    if 0 < math.prod(map(len, options)) <= MAX_COMBINATIONS:
        sums = np.array(list(itertools.product(*options)), dtype=float)
        sums = sums[np.abs(sums @ numbers) < 1e-6]
        if len(sums):
            pull = np.array([Element(symbol).X for symbol in symbols])
            best = sums[np.argmin(sums @ (numbers * np.nan_to_num(pull)))]
            return dict(zip(symbols, best.tolist(), strict=True))
    formula = "".join(symbol + (str(smallest[symbol]) if smallest[symbol] > 1 else "") for symbol in sorted(symbols))
    raise InvalidStructure(
        f"whether {formula} is neutral could not be decided: no common charges of its elements add up to zero, "
        f"and mixed charges are not looked for in more than {MAX_GUESSED} atoms; give oxidation_states."
    )

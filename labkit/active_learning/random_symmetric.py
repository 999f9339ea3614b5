"""Random crystals of every space group, relaxed and perturbed: training sets that nobody had to imagine (ASSYST).

The one idea: small cells of all symmetries, relaxed to their minima and then stretched and rattled, hold the local
environments of phases and defects that no one listed. Crystals and perturbations come from the packages assyst and
pyxtal, the relaxation is labkit's batched one; identifiers say the lineage, where assyst's are random.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import Atoms

from labkit.errors import InvalidStructure, InvalidTask

if TYPE_CHECKING:
    from labkit.potentials.interface import Potential

#: A perturbation that brings atoms together or a cell apart is drawn again so often.
RETRIES = 10


@dataclass(frozen=True)
class Crystal:
    """One structure with where it comes from.

    `id`: seed id, such as Cu4-sg225-0, with /volume, /full, /rattle-1, ... for each step after it. `parent`: the id it
    was made from, "" for a seed. step: seed, volume, full, rattle or stretch. requested, found: space groups.
    energy (eV) and forces (n, 3) eV/Å of the potential that relaxed it, None where it was not evaluated.
    """

    atoms: Atoms
    id: str
    parent: str
    step: str
    requested: int
    found: int
    energy: float | None = None
    forces: np.ndarray | None = None

    def frame(self) -> Atoms:
        """The atoms with all of this in `info` (and the forces in `arrays`), fit for a trajectory."""
        frame = Atoms(self.atoms.numbers, positions=self.atoms.positions, cell=self.atoms.cell, pbc=True)
        frame.info = {
            "id": self.id,
            "parent": self.parent,
            "step_name": self.step,
            "requested_space_group": self.requested,
            "space_group": self.found,
        }
        if self.energy is not None:
            frame.info["energy"] = self.energy
            frame.arrays["forces"] = self.forces
        return frame


@dataclass(frozen=True)
class Perturbations:
    """ASSYST's published settings (methods A.10): n_rattle times rattle (Å) with a small stretch, n_stretch times a
    large one: mostly shear (`shear_chance`), else along the axes. Strains are the largest magnitudes, sign at random.
    """

    n_rattle: int = 4
    rattle_A: float = 0.25
    n_stretch: int = 4
    stretch: float = 0.8
    shear: float = 0.2
    shear_chance: float = 0.7
    largest_volume_A3: float = 300.0
    closest: float = 0.6


def seeds(
    formulas: Sequence[str],
    space_groups: Sequence[int],
    *,
    per_group: int = 1,
    tolerance: str = "metallic",
    max_aspect: float = 6.0,
    seed: int = 0,
    refused: Callable[[str, str], None] = lambda identifier, reason: None,
) -> Iterator[Crystal]:
    """Random crystals by pyxtal through assyst: `per_group` of each formula ("Cu4") in each of the space groups 1..230.

    Each comes from its own stream of random numbers, so it does not depend on which others are asked for. A formula
    that does not fit a group, or a cell longer than `max_aspect` times its width, is handed to `refused`.
    """
    pyxtal = _assyst("crystals").pyxtal
    filters = _assyst("filters")
    for formula in formulas:
        elements, counts = composition(formula)
        for group in space_groups:
            for number in range(per_group):
                identifier = f"{formula}-sg{group}-{number}"
                generator = np.random.default_rng([seed, group, number, *counts, *_numbers(elements)])
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        atoms = pyxtal(group, elements, counts, tm=_tolerance(tolerance), rng=generator)
                except (ValueError, RuntimeError, AttributeError) as error:
                    refused(identifier, " ".join(str(error).split())[:200] or type(error).__name__)
                    continue
                atoms = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
                if not filters.AspectFilter(max_aspect)(atoms):
                    refused(identifier, f"the cell is more than {max_aspect:g} times longer than wide")
                    continue
                yield Crystal(atoms, identifier, "", "seed", group, _space_group(atoms))


def relaxed(
    crystals: Sequence[Crystal],
    potential: Potential,
    kind: Literal["volume", "full"],
    *,
    refused: Callable[[str, str], None] = lambda identifier, reason: None,
    **options: Any,
) -> list[Crystal]:
    """The crystals after `relaxing.relax_batch` (see there for `options`); those that failed go to `refused`.

    One that ran out of steps is kept: it need not be a minimum to be worth a label.
    """
    from labkit.active_learning.relaxing import relax_batch

    made = []
    for crystal, end in zip(
        crystals, relax_batch([one.atoms for one in crystals], potential, kind, **options), strict=True
    ):
        identifier = f"{crystal.id}/{kind}"
        if end.state == "failed":
            refused(identifier, end.reason)
            continue
        found = _space_group(end.atoms)
        made.append(Crystal(end.atoms, identifier, crystal.id, kind, crystal.requested, found, end.energy, end.forces))
    return made


def perturbed(crystal: Crystal, settings: Perturbations, seed: int = 0) -> list[Crystal]:
    """Rattled and stretched copies of one crystal; a single atom is rattled in a 2 x 2 x 2 cell.

    A copy with a pair nearer than `closest` of its covalent radii or above `largest_volume_A3` an atom is drawn again
    up to ten times, then left out.
    """
    moves = _assyst("perturbations")
    made = []
    for name, count in (("rattle", settings.n_rattle), ("stretch", settings.n_stretch)):
        for number in range(1, count + 1):
            identifier = f"{crystal.id}/{name}-{number}"
            generator = np.random.default_rng([seed, *identifier.encode()])
            if name == "rattle":
                move = moves.Rattle(settings.rattle_A, create_supercells=True, rng=generator) + moves.Stretch(
                    0.05, 0.005, rng=generator
                )
            else:
                axes = moves.Stretch(settings.stretch, 0.05, rng=generator)
                sheared = moves.Stretch(0.05, settings.shear, rng=generator)
                move = moves.RandomChoice(axes, sheared, settings.shear_chance, rng=generator)
            for _ in range(RETRIES):
                atoms = move(crystal.atoms.copy())
                if _sound(atoms, settings):
                    made.append(Crystal(atoms, identifier, crystal.id, name, crystal.requested, _space_group(atoms)))
                    break
    return made


def composition(formula: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Elements and numbers of atoms of "Mg2Ca1"; raises InvalidTask for what is no formula."""
    from ase.data import atomic_numbers
    from ase.formula import Formula

    try:
        counts = Formula(formula).count()
    except ValueError:
        counts = {}
    if not counts or any(symbol not in atomic_numbers for symbol in counts):
        raise InvalidTask(f"{formula!r} is no chemical formula; give one such as Cu4 or Mg2Ca.")
    return tuple(counts), tuple(counts.values())


def _assyst(name: str) -> Any:
    import importlib

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside of pyxtal are not the user's business
            return importlib.import_module(f"assyst.{name}")
    except ImportError as error:
        message = f"random symmetric crystals need the packages assyst and pyxtal: pip install assyst pyxtal ({error})"
        raise ImportError(message) from error


def _tolerance(prototype: str) -> Any:
    from pyxtal.tolerance import Tol_matrix

    return Tol_matrix(prototype=prototype)


def _numbers(elements: Sequence[str]) -> list[int]:
    from ase.data import atomic_numbers

    return [atomic_numbers[symbol] for symbol in elements]


def _space_group(atoms: Atoms) -> int:
    """The number that spglib finds within 0.01 Å, 0 where it finds none."""
    from labkit.structures import space_group

    return space_group(atoms, symprec_A=1e-2)[1] or 0


def _sound(atoms: Atoms, settings: Perturbations) -> bool:
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    from labkit.structures import check

    if abs(atoms.get_volume()) > settings.largest_volume_A3 * len(atoms):
        return False
    try:
        check(atoms)
    except InvalidStructure:
        return False
    return not len(neighbor_list("i", atoms, settings.closest * covalent_radii[atoms.numbers]))

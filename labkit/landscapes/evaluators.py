"""How a potential, a reference or an ASE calculator becomes one batched function of positions.

Two are worth a path of their own: tight binding, whose calculator is set up once instead of once per point, and
potentials that take arrays (Lennard-Jones clusters); everything else goes through `Potential.predict` in batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree, kB

from labkit.errors import UnsupportedElement

Evaluator = tuple[Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], str, str, deque[str], float]
#: Displacements (Å) of finite differences: GFN2-xTB of ethanol and Lennard-Jones need no larger one, networks in single
#: precision do.
EXACT_A, NOISY_A = 1e-3, 5e-3
#: Iterations of the charges in tight binding: what needs more is a rough geometry (3 of 20 of H3O+ moved at random),
#: and refusing one after 300 took 440 ms, after 100 18 ms; a point that converges takes 3 ms.
SCF_ITERATIONS = 100


def evaluator(potential: Any, atoms: Atoms, device: str = "auto") -> Evaluator:
    """The batched function, its name and level of theory, the list of what was refused, and its displacement (Å)."""
    opened = _opened(potential, device)
    _known(opened, atoms)
    refusals: deque[str] = deque(maxlen=20)
    reference = getattr(opened, "reference", opened)
    if type(reference).__name__ == "TightBinding" and not atoms.pbc.any():
        call: Callable = _TightBindingPoints(reference, atoms, refusals)
    elif hasattr(opened, "energies_and_forces"):
        call = opened.energies_and_forces
    else:
        call = _Predicted(opened, atoms, refusals)
    displacement = NOISY_A if isinstance(call, _Predicted) else EXACT_A
    return call, opened.name, opened.level_of_theory, refusals, displacement


def _opened(potential: Any, device: str) -> Any:
    from ase.calculators.calculator import BaseCalculator

    from labkit.potentials.ase_adaptor import ASEPotential
    from labkit.potentials.interface import Potential
    from labkit.references import Reference, ReferencePotential

    if isinstance(potential, str):
        from labkit import potentials, references
        from labkit.references.registry import ENTRIES

        if potential not in ENTRIES:
            return potentials.load(potential, device)
        potential = references.load(potential)
    if isinstance(potential, Reference):
        return ReferencePotential(potential)
    if isinstance(potential, Potential):
        return potential
    if isinstance(potential, BaseCalculator):
        name = type(potential).__name__
        return ASEPotential(lambda: potential, name=name, level_of_theory=name)
    if callable(potential):
        name = getattr(potential, "__name__", type(potential).__name__)
        return ASEPotential(potential, name=name, level_of_theory=name)
    raise ValueError(
        f"{potential!r} is no potential. Give a labkit potential or reference, the name of one, or a function that "
        "makes ASE calculators."
    )


def _known(potential: Any, atoms: Atoms) -> None:
    missing = sorted(set(atoms.symbols) - potential.elements) if potential.elements is not None else []
    if missing:
        raise UnsupportedElement(
            f"{atoms.get_chemical_formula()} holds {', '.join(missing)}, which {potential.name} does not know. "
            "Choose another potential."
        )


class _Predicted:
    """Any potential, through `predict`: batches that fit in memory, one bad geometry harms no other."""

    def __init__(self, potential: Any, atoms: Atoms, refusals: deque[str]) -> None:
        from labkit.simulators.neb_batch import Batch

        self.batch, self.refusals = Batch(potential), refusals
        self.template = atoms.copy()
        self.template.set_constraint()

    def watched(self, check: Callable[[], None]) -> None:
        """Call `check`, which may raise, before every batch of the potential: each point where it takes one by one.

        The size of batches is fixed then: one that follows the clock would change the last digits of a network.
        """
        from labkit.potentials.ase_adaptor import ASEPotential
        from labkit.references import ReferencePotential
        from labkit.simulators.neb_batch import START_ATOMS, Batch

        potential = self.batch.potential
        single = isinstance(potential, ReferencePotential | ASEPotential)
        atoms = len(self.template) if single else START_ATOMS.get(self.batch.device, START_ATOMS["cpu"])
        self.batch = Batch(potential, fixed=atoms, check=check)

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        structures = []
        for one in positions:
            atoms = self.template.copy()
            atoms.positions = one
            structures.append(atoms)
        energies, forces = np.full(len(positions), np.nan), np.full(positions.shape, np.nan)
        for index, answer in enumerate(self.batch.evaluate(structures)):
            if isinstance(answer, str):
                self.refusals.append(answer)
            else:
                energies[index], forces[index] = answer
        return energies, forces


class _TightBindingPoints:
    """GFN1-xTB or GFN2-xTB of a molecule with one calculator for all geometries; the same numbers as the reference.

    Every point starts from the same guess of the charges, so that a number never depends on what came before. Points
    that need more than SCF_ITERATIONS are refused, unless the molecule as it was given is one of them.
    """

    def __init__(self, reference: Any, atoms: Atoms, refusals: deque[str]) -> None:
        reference.check(atoms)
        self.reference, self.atoms, self.refusals = reference, atoms.copy(), refusals
        self.atoms.calc = None
        self._calculator: Any = None
        self._check: Callable[[], None] = _nothing

    def watched(self, check: Callable[[], None]) -> None:
        """Call `check`, which may raise, before every point."""
        self._check = check

    def _set_up(self) -> Any:
        from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
        from tblite.interface import Calculator

        from labkit.references.tight_binding import ELECTRONIC_TEMPERATURE_K

        reference = self.reference
        calculator = Calculator(
            reference.method,
            self.atoms.numbers,
            self.atoms.positions / Bohr,
            charge=float(reference._charge(self.atoms)),
            uhf=reference._electrons(self.atoms),
        )
        for option, value in (
            ("verbosity", 0),
            ("accuracy", reference.accuracy),
            ("max-iter", min(SCF_ITERATIONS, reference.max_iterations)),
            ("temperature", ELECTRONIC_TEMPERATURE_K * kB / Hartree),
        ):
            calculator.set(option, value)
        if reference.max_iterations > SCF_ITERATIONS:
            try:
                calculator.singlepoint()
            except (TBLiteRuntimeError, TBLiteValueError):
                calculator.set("max-iter", reference.max_iterations)
        return calculator

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calculator": None, "_check": _nothing}

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError

        from labkit.references.interface import MIN_DISTANCE_A

        self._calculator = self._calculator or self._set_up()
        energies, forces = np.full(len(positions), np.nan), np.full(positions.shape, np.nan)
        for index, one in enumerate(positions):
            self._check()
            gaps = np.linalg.norm(one[:, None] - one[None], axis=2) + 10.0 * np.eye(len(one))
            if gaps.min() < MIN_DISTANCE_A:
                said = f"two atoms are {gaps.min():.2f} Å apart; nothing below {MIN_DISTANCE_A} Å is computed."
                self.refusals.append(said)
                continue
            try:
                self._calculator.update(one / Bohr)
                found = self._calculator.singlepoint()
                energies[index] = float(found["energy"]) * Hartree
                forces[index] = -np.asarray(found["gradient"]) * Hartree / Bohr
            except (TBLiteRuntimeError, TBLiteValueError) as error:
                self.refusals.append(f"{self.reference.method}: {' '.join(str(error).split())}")
        return energies, forces


def _nothing() -> None:
    pass

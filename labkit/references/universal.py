"""Trained potentials as declared teachers: whatever `labkit.potentials.load` opens, ANI-1ccx and DIEP.

The one idea: a teacher's label is a prediction and says so in its level of theory, so that it is never mixed with the
theory that the teacher was trained on.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from labkit.datasets.record import Record
from labkit.errors import InvalidStructure, InvalidTask
from labkit.references.interface import Reference, described

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from labkit.potentials.interface import Potential

#: CPU seconds per atom and label on one thread, measured with 52 to 216 atoms (methods C 6); t = a n.
SECONDS_PER_ATOM = {"chgnet": 0.005, "7net-0": 0.0135, "7net-l3i5": 0.035, "diep": 0.015, "ani-1ccx": 0.001}
UNKNOWN_SECONDS_PER_ATOM = 0.01
STARTING_S = 0.02


class Universal(Reference):
    """A trained potential as a teacher.

    level_of_theory reads "chgnet 0.4.2 for PBE": who said it, and what it approximates. Its errors against that theory
    stand on its card (`labkit.potentials.card`); they end up in every label.
    """

    def __init__(
        self, potential: Potential, *, name: str, level_of_theory: str, provenance: str, failure_modes: tuple[str, ...]
    ) -> None:
        self.teacher, self.name, self.level_of_theory = potential, name, level_of_theory
        self.elements, self.provenance = potential.elements, provenance
        self.implemented = tuple(one for one in Reference.implemented if one in potential.implemented)
        self.failure_modes = (
            "Its labels are predictions: the errors of the teacher are learned along with it.",
            *failure_modes,
        )

    def cost_s(self, atoms: Atoms) -> float:
        """Estimate CPU seconds: t = t0 + a n, for all these networks see a fixed neighbourhood of each atom."""
        family = self.name.split("-0.")[0].removesuffix("-r2scan")
        return STARTING_S + SECONDS_PER_ATOM.get(family, UNKNOWN_SECONDS_PER_ATOM) * len(atoms)

    def label(self, atoms: Atoms, *, forces: bool = True) -> Record:
        """See `Reference.label`; without `forces` only the energy is computed."""
        self.check(atoms)
        wanted = ["energy", *(["forces", "stress"] if forces else [])]
        found = self.teacher.predict([atoms], [one for one in wanted if one in (*self.implemented, "stress")])
        stress = None
        if found.stresses is not None and atoms.pbc.all() and np.isfinite(found.stresses[0]).all():
            stress = found.stresses[0]
        return self.record(
            atoms,
            float(found.energies[0]),
            None if found.forces is None else np.asarray(found.forces[0], dtype=float),
            stress,
            provenance=self.provenance,
        )

    def potential(self) -> Potential:
        """The teacher itself."""
        return self.teacher


class ANI1ccx(Universal):
    """ANI-1ccx: eight networks trained towards CCSD(T)*/CBS on neutral molecules of C, H, N and O in their singlet."""

    def check(self, atoms: Atoms) -> None:
        """See `Reference.check`; a molecule only, neutral, with paired electrons."""
        super().check(atoms)
        if atoms.pbc.any():
            raise InvalidStructure(
                f"{described(atoms)} is periodic; ANI-1ccx was trained on molecules and has no long-range terms. Take "
                "gfn1-xtb, or switch periodicity off."
            )
        electrons = int(atoms.numbers.sum()) - int(atoms.info.get("charge", 0))
        if electrons % 2 or atoms.info.get("charge", 0):
            raise InvalidStructure(
                f"{described(atoms)} is an ion or a radical ({electrons} electrons); ANI-1ccx knows neutral closed "
                "shells only. Take gfn2-xtb or ccsd(t)/cc-pvdz."
            )


def teacher(potential: str, *, device: str = "cpu") -> Universal:
    """Any potential of labkit by name, address or folder; raises what `labkit.potentials.load` raises."""
    from labkit import potentials

    opened, card = potentials.load(potential, device), potentials.card(potential) if _has_card(potential) else None
    package = "chgnet" if potential.startswith("chgnet") else "sevenn" if potential.startswith("7net") else ""
    return Universal(
        opened,
        name=potential,
        level_of_theory=f"{opened.name} for {opened.level_of_theory}"
        if opened.level_of_theory not in ("", opened.name)
        else opened.name,
        provenance=f"teacher {opened.name}{_said(package)}, labkit potential {potential}",
        failure_modes=() if card is None else tuple(card.notes),
    )


def ani_1ccx(*, device: str = "cpu") -> ANI1ccx:
    """ANI-1ccx from torchani 1.2, the only release whose wheel holds the networks; raises ModuleNotFoundError else."""
    install = 'pip install --no-deps torchani==1.2 && pip install "setuptools<81"'
    found = _version("torchani")
    if not found.startswith("1.2") or found.startswith("1.2."):
        raise ModuleNotFoundError(
            f"ani-1ccx needs torchani 1.2, whose wheel holds the networks; installed is {found or 'none'} (later ones "
            f"download them, and labkit downloads nothing): {install}"
        )
    if importlib.util.find_spec("pkg_resources") is None:
        raise ModuleNotFoundError('torchani 1.2 needs pkg_resources: pip install "setuptools<81"')

    def make() -> Calculator:
        from torchani.ase import Calculator as TheirCalculator
        from torchani.models import ANI1ccx as Networks

        class QuietCalculator(TheirCalculator):
            def calculate(self, *arguments: Any, **options: Any) -> None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # how it makes tensors is not the user's to mend
                    super().calculate(*arguments, **options)

        # Double precision: the energies are differences of numbers near -1e4 eV.
        networks = Networks(periodic_table_index=False).double().to(device)
        return QuietCalculator(networks.species, networks)

    potential = _opened(make, "ani-1ccx", "CCSD(T)*/CBS", frozenset({"H", "C", "N", "O"}))
    return ANI1ccx(
        potential,
        name="ani-1ccx",
        level_of_theory="ANI-1ccx for CCSD(T)*/CBS",
        provenance=f"teacher ANI-1ccx{_said('torchani')}, 8 networks, double precision; J. S. Smith et al., Nat. "
        "Commun. 10, 2903 (2019)",
        failure_modes=(
            "Molecules of H, C, N, O near their minima: broken bonds, ions, radicals and bare H2 are outside of it.",
            "No long-range terms: beyond 5.2 Å two molecules do not see each other.",
        ),
    )


def diep(*, device: str = "cpu") -> Universal:
    """DIEP, trained on MatPES r2SCAN; the wheel of diep 2.0 holds the network."""
    missing = [one for one in ("diep", "torch_geometric", "lightning") if importlib.util.find_spec(one) is None]
    if missing:
        raise ModuleNotFoundError(
            f"diep needs {', '.join(missing)}, which is not installed here: "
            "pip install --no-deps diep==2.0.0 torch-geometric lightning torchmetrics"
        )
    from diep.pretrained import DEFAULT_MODEL_DIR, make_calculator

    if not Path(DEFAULT_MODEL_DIR, "state.pt").is_file():
        raise InvalidTask(f"the installed diep does not hold its network ({DEFAULT_MODEL_DIR}); install diep==2.0.0.")
    potential = _opened(lambda: make_calculator(device=device), "diep", "r2SCAN (MatPES)", None)
    return Universal(
        potential,
        name="diep",
        level_of_theory="DIEP for r2SCAN (MatPES)",
        provenance=f"teacher DIEP fold 1{_said('diep')}, trained on MatPES r2SCAN",
        failure_modes=(
            "Published test errors: 26 meV/atom and 0.144 eV/Å.",
            "Single precision: forces agree with finite differences to 1e-3 to 1e-2 eV/Å.",
        ),
    )


def _opened(make: Callable[[], Calculator], name: str, level: str, elements: frozenset[str] | None) -> Potential:
    """A potential around one calculator, made without a download and without other packages' advice."""
    from labkit.potentials.ase_adaptor import ASEPotential
    from labkit.potentials.device import use_one_thread
    from labkit.potentials.offline import no_downloads

    use_one_thread()
    with warnings.catch_warnings(), no_downloads():
        warnings.simplefilter("ignore")  # pkg_resources and torch.jit are deprecated: not the user's to mend
        calculator = make()
    return ASEPotential(lambda: calculator, name=name, level_of_theory=level, elements=elements)


def _has_card(potential: str) -> bool:
    from labkit import potentials

    return potential in potentials.names(everything=True) or (Path(potential) / "potential.json").is_file()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _said(package: str) -> str:
    found = _version(package) if package else ""
    return f" ({package} {found})" if found else ""

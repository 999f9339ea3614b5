"""What coupled cluster and molecular DFT share of PySCF: molecules with ghost atoms, their electrons, a converged SCF.

The one idea: nothing leaves here unconverged. An SCF that misses its criterion is tried once more by second-order
optimisation and is then NotConverged. PySCF is imported only when something is computed.
"""

from __future__ import annotations

import importlib.util
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, ground_state_magnetic_moments
from ase.units import Bohr, Hartree

from labkit.errors import InvalidStructure, InvalidTask, NotConverged
from labkit.references.interface import described

INSTALL = "pip install pyscf==2.14.0"
#: Hartree; 3e-9 eV, so that finite differences over 1e-3 Å are good to 1e-5 eV/Å.
SCF_TOLERANCE_HARTREE = 1e-10
SCF_CYCLES = 100
#: Orbitals of the frozen core up to argon: none, 1s, or 1s 2s 2p.
_NOBLE_ELECTRONS = ((2, 0), (10, 1), (18, 5))


def require_pyscf(name: str) -> None:
    """Raise ModuleNotFoundError with the command that installs PySCF when it is missing; it is not imported."""
    if importlib.util.find_spec("pyscf") is None:
        raise ModuleNotFoundError(f"{name} needs the package pyscf, which is not installed here: {INSTALL}")


def package() -> str:
    """The package and its version, for the provenance of a label."""
    return f"PySCF {version('pyscf')}"


def require_molecule(atoms: Atoms, name: str) -> None:
    """Raise InvalidStructure for a periodic structure; `name` is that of the method."""
    if atoms.pbc.any():
        raise InvalidStructure(
            f"{described(atoms)} is periodic, and {name} is a method for molecules. Cut a cluster or a fragment out of "
            "it (and switch atoms.pbc off), or take gpaw-pbe."
        )


class Electrons:
    """The charge (e) and the number of unpaired electrons of a molecule.

    `charge` and `multiplicity` 2S + 1 win over `atoms.info["charge"]` and `atoms.info["multiplicity"]`; without either
    the charge is 0, a single atom has its ground state's spin and a molecule the lowest that it can have. Raises
    InvalidTask for options that mean nothing.
    """

    def __init__(self, charge: int | None = None, multiplicity: int | None = None) -> None:
        if charge is not None and int(charge) != charge:
            raise InvalidTask(f"the charge is a whole number of e, not {charge}.")
        if multiplicity is not None and (int(multiplicity) != multiplicity or multiplicity < 1):
            raise InvalidTask(f"the multiplicity 2S + 1 is a whole number from 1, not {multiplicity}.")
        self._charge, self._multiplicity = charge, multiplicity

    def of(self, atoms: Atoms) -> tuple[int, int]:
        """Return (charge, unpaired electrons); raises InvalidStructure where the two do not fit each other."""
        charge = int(self._charge if self._charge is not None else atoms.info.get("charge", 0))
        count = int(atoms.numbers.sum()) - charge
        if count < 1:
            raise InvalidStructure(
                f"{described(atoms)} with the charge {charge:+d} e has {max(count, 0)} electrons; at least one is "
                "needed. Correct atoms.info['charge']."
            )
        wanted = self._multiplicity if self._multiplicity is not None else atoms.info.get("multiplicity")
        if wanted is None:
            lone = len(atoms) == 1 and charge == 0
            return charge, int(ground_state_magnetic_moments[atoms.numbers[0]]) if lone else count % 2
        unpaired = int(wanted) - 1
        if unpaired < 0 or unpaired % 2 != count % 2 or unpaired > count:
            raise InvalidStructure(
                f"{described(atoms)} with the charge {charge:+d} e has {count} electrons, so its multiplicity "
                f"cannot be {wanted}. Take {count % 2 + 1}, or change the charge."
            )
        return charge, unpaired


def frozen_core(numbers: np.ndarray) -> int:
    """The number of orbitals below the valence shell, for elements up to argon: C 1, S 5."""
    return sum(next(core for electrons, core in _NOBLE_ELECTRONS if z <= electrons) for z in map(int, numbers))


def molecule(
    atoms: Atoms,
    basis: str,
    charge: int = 0,
    unpaired: int = 0,
    *,
    real: np.ndarray | None = None,
    cartesian: bool = False,
    max_memory_MB: float = 4000,
) -> Any:
    """Return a `pyscf.gto.Mole` with `basis` on every atom; where `real` (n,) is False there is only the basis.

    Lengths go over in Bohr with ASE's constant, so that energies and forces come back in ASE's units without a seam.
    cartesian: six d functions instead of five. Raises InvalidTask for a basis that PySCF does not have.
    """
    from pyscf import gto
    from pyscf.lib.exceptions import BasisNotFoundError

    real = np.ones(len(atoms), dtype=bool) if real is None else real
    ghosts = np.where(real, "", "ghost-")
    labels = [f"{ghost}{chemical_symbols[z]}" for ghost, z in zip(ghosts, atoms.numbers, strict=True)]
    try:
        with warnings.catch_warnings():
            # It names another package to download the basis with; the error below says what to do.
            warnings.filterwarnings("ignore", message="Basis may be available")
            return gto.M(
                atom=list(zip(labels, (atoms.positions / Bohr).tolist(), strict=True)),
                unit="Bohr",
                basis=basis,
                charge=charge,
                spin=unpaired,
                cart=cartesian,
                verbose=0,
                max_memory=max_memory_MB,
                symmetry=False,
            )
    except (BasisNotFoundError, KeyError) as error:
        raise InvalidTask(
            f"PySCF has no basis {basis!r} for {atoms.get_chemical_formula()}. Try def2-svp or 6-31g*, or correct it."
        ) from error


def converge(mean_field: Any, what: str, name: str) -> Any:
    """Run an SCF to 1e-10 Hartree and return it; raises NotConverged when neither DIIS nor Newton's method gets there.

    what: how an error calls the structure. name: that of the method.
    """
    mean_field.conv_tol, mean_field.max_cycle = SCF_TOLERANCE_HARTREE, SCF_CYCLES
    mean_field.kernel()
    if not mean_field.converged:
        second = mean_field.newton()
        second.kernel(mean_field.mo_coeff, mean_field.mo_occ)
        if not second.converged:
            raise NotConverged(
                f"the SCF of {name} did not converge for {what} in {SCF_CYCLES} cycles, nor by Newton's method. Is its "
                "geometry far from equilibrium, or its charge or multiplicity wrong?"
            )
        for key in ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged"):
            setattr(mean_field, key, getattr(second, key))
    return mean_field


def forces_of(gradient: np.ndarray) -> np.ndarray:
    """Forces (n, 3) eV/Å from a gradient in Hartree/Bohr."""
    return -np.asarray(gradient, dtype=float) * Hartree / Bohr

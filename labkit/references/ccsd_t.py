"""One Hartree-Fock, MP2 or CCSD(T) calculation of one molecule in one basis, with PySCF.

The one idea: correlation starts where two electrons can avoid each other, so hydrogen atoms, one-electron ions and
molecules with nothing but core electrons come out as Hartree-Fock without special treatment by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms

from labkit.errors import NotConverged
from labkit.references import quantum_chemistry as qc
from labkit.references.complete_basis import BasisEnergies
from labkit.references.interface import described

#: Hartree and amplitudes' norm; a hundredth of what a potential can learn.
CCSD_TOLERANCE_HARTREE, CCSD_AMPLITUDES = 1e-8, 1e-6
CCSD_CYCLES = 100


@dataclass(frozen=True)
class Calculation:
    """energies in Hartree; forces (n, 3) eV/Å, rows of ghosts included, or None; t1: the T1 diagnostic, 0 for MP2."""

    energies: BasisEnergies
    forces: np.ndarray | None
    t1: float


def compute(
    atoms: Atoms,
    basis: str,
    charge: int,
    unpaired: int,
    *,
    real: np.ndarray,
    level: Literal["mp2", "ccsd(t)"] = "ccsd(t)",
    gradient: bool = False,
    density_fit: bool = False,
    max_memory_MB: float = 4000.0,
    max_t1: float = 0.05,
    name: str = "CCSD(T)",
) -> Calculation:
    """Return energies, and forces with `gradient`, of the `real` (n,) atoms in the basis of all `atoms`.

    Restricted for closed shells, else unrestricted; the core (below the valence shell) is frozen. Raises NotConverged
    for an SCF, CCSD or Lambda iteration that missed its criterion, and for a T1 diagnostic above `max_t1` (Lee and
    Taylor, Int. J. Quantum Chem. Symp. 23, 199 (1989)), except for two electrons, where CCSD is exact.
    """
    from pyscf import scf

    what = f"{described(atoms[real])} in {basis}"
    mole = qc.molecule(atoms, basis, charge, unpaired, real=real, max_memory_MB=max_memory_MB)
    field = scf.UHF(mole) if unpaired else scf.RHF(mole)
    field = qc.converge(field.density_fit() if density_fit else field, what, name)
    core = qc.frozen_core(atoms.numbers[real])
    electrons = mole.nelectron - 2 * core
    if electrons < 2:
        forces = qc.forces_of(field.nuc_grad_method().kernel()) if gradient else None
        return Calculation(BasisEnergies(float(field.e_tot), 0.0, 0.0), forces, 0.0)
    if level == "mp2":
        return Calculation(BasisEnergies(float(field.e_tot), _mp2(field, core)), None, 0.0)
    return _ccsd_t(field, core, electrons, gradient=gradient, max_t1=max_t1, what=what, name=name)


def _mp2(field: Any, core: int) -> float:
    from pyscf import mp

    return float(mp.MP2(field, frozen=core or None).kernel(with_t2=False)[0])


def _ccsd_t(
    field: Any, core: int, electrons: int, *, gradient: bool, max_t1: float, what: str, name: str
) -> Calculation:
    from pyscf import cc

    solver = cc.CCSD(field, frozen=core or None)
    solver.conv_tol, solver.conv_tol_normt, solver.max_cycle = CCSD_TOLERANCE_HARTREE, CCSD_AMPLITUDES, CCSD_CYCLES
    integrals = solver.ao2mo(field.mo_coeff)
    solver.kernel(eris=integrals)
    if not solver.converged:
        raise NotConverged(
            f"the CCSD equations of {name} did not converge for {what} in {CCSD_CYCLES} cycles. Is a bond stretched "
            "until one determinant no longer describes it? Leave the structure out."
        )
    t1 = _t1_diagnostic(solver.t1, electrons)
    if t1 > max_t1 and electrons > 2:
        raise NotConverged(
            f"the T1 diagnostic of {what} is {t1:.3f}, above {max_t1:g}: one determinant does not describe it, and "
            f"{name} cannot be trusted there. Leave the structure out, or raise max_t1."
        )
    triples = float(solver.ccsd_t(eris=integrals)) if electrons > 2 else 0.0
    energies = BasisEnergies(float(field.e_tot), float(solver.emp2), float(solver.e_corr) + triples)
    return Calculation(energies, _forces(solver, integrals, what, name) if gradient else None, t1)


def _t1_diagnostic(t1: Any, electrons: int) -> float:
    """T1 = |t1| / sqrt(n_electrons), an average over both spins where there are two sets of amplitudes."""
    squares = [float(np.vdot(one, one).real) for one in (t1 if isinstance(t1, tuple) else (t1,))]
    return float(np.sqrt(sum(squares) / len(squares) / electrons))


def _forces(solver: Any, integrals: Any, what: str, name: str) -> np.ndarray:
    """Analytic forces (n, 3) eV/Å, with the Lambda amplitudes of CCSD(T), not of CCSD."""
    if isinstance(solver.t1, tuple):
        from pyscf.cc import uccsd_t_lambda as multipliers
        from pyscf.grad import uccsd_t as derivative
    else:
        from pyscf.cc import ccsd_t_lambda as multipliers
        from pyscf.grad import ccsd_t as derivative
    converged, l1, l2 = multipliers.kernel(
        solver, integrals, solver.t1, solver.t2, max_cycle=CCSD_CYCLES, tol=CCSD_AMPLITUDES, verbose=0
    )
    if not converged:
        raise NotConverged(f"the Lambda equations of {name} did not converge for {what}. Ask for energies only.")
    return qc.forces_of(derivative.Gradients(solver).kernel(solver.t1, solver.t2, l1, l2, eris=integrals))

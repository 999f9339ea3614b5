"""The composite recipe for the complete basis: each contribution in the largest basis that it can afford.

The one idea: what is left after subtraction converges fast with the basis. Hartree-Fock converges exponentially and is
taken from the largest set; MP2 carries the slow X^-3 tail of the correlation energy and is extrapolated; the step from
MP2 to CCSD(T) is short-ranged and a small set does.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Cardinal numbers X of the correlation-consistent basis sets.
CARDINAL = {"cc-pvdz": 2, "cc-pvtz": 3, "cc-pvqz": 4}


@dataclass(frozen=True)
class BasisEnergies:
    """What one basis set gives, in one unit throughout; correlation energies are relative to Hartree-Fock."""

    hartree_fock: float
    mp2_correlation: float
    ccsd_t_correlation: float | None = None

    @property
    def beyond_mp2(self) -> float:
        """E_CCSD(T) - E_MP2 in this basis."""
        if self.ccsd_t_correlation is None:
            raise ValueError("CCSD(T) was not computed in this basis, so its step beyond MP2 is not known.")
        return self.ccsd_t_correlation - self.mp2_correlation


def extrapolated(small: float, large: float, x_small: int, x_large: int) -> float:
    """Return the correlation energy at the basis-set limit from two cardinal numbers.

    E_X = E + A X^-3, hence E = (X^3 E_X - Y^3 E_Y) / (X^3 - Y^3) with X = `x_large`, Y = `x_small` (Helgaker, Klopper,
    Koch and Noga, J. Chem. Phys. 106, 9639 (1997)). Raises ValueError unless 0 < x_small < x_large.
    """
    if not 0 < x_small < x_large:
        raise ValueError(f"The cardinal numbers are {x_small} and {x_large}; the first must be the smaller one.")
    cubes = x_large**3, x_small**3
    return (cubes[0] * large - cubes[1] * small) / (cubes[0] - cubes[1])


def composite(triple: BasisEnergies, quadruple: BasisEnergies, correction: BasisEnergies) -> float:
    """Return E = E_HF[QZ] + E_MP2corr^CBS[T,Q] + (E_CCSD(T) - E_MP2)[`correction`'s basis], in the inputs' unit.

    The recipe of `methods` B 2.1 for labels of delta-learning (after arXiv:2508.14306); T and Q are cc-pVTZ and
    cc-pVQZ, the correction comes from cc-pVDZ or cc-pVTZ. Raises ValueError when the latter has no CCSD(T).
    """
    limit = extrapolated(triple.mp2_correlation, quadruple.mp2_correlation, CARDINAL["cc-pvtz"], CARDINAL["cc-pvqz"])
    return quadruple.hartree_fock + limit + correction.beyond_mp2

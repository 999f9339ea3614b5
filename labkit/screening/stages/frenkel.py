"""How many ions can move at all: the energy of a Frenkel pair, a vacancy and an extra ion far from each other.

In a perfect crystal a vacancy has to be made before it hops, so that the conductivity is activated by the barrier and
half of this energy; a doped crystal has its vacancies already.
"""

from __future__ import annotations

from math import ceil, exp
from typing import Any

import numpy as np
from ase import Atom, Atoms
from pydantic import Field

from labkit.errors import InvalidStructure
from labkit.runs import quantity
from labkit.screening.candidate import Candidate, Outcome, passed, rejected
from labkit.screening.stage import Stage
from labkit.screening.stages.relaxation import Relax

KT_300K_EV = 0.025852
ATTEMPTS_PER_S = 1e13
#: A pair that costs less than this and leaves no site empty has fallen back into the perfect crystal.
RECOMBINED_EV = 0.02
#: A site with no ion within this distance is empty.
OCCUPIED_A = 1.0
SYMPREC_A = 0.05


class Frenkel(Stage):
    """Compute the Frenkel energy of an ion, and with the barrier the activation energy of the undoped crystal."""

    potential: str = Field("chgnet", description="Name or path of the potential")
    species: str = Field("Li", description="The mobile ion")
    most_sites: int = quantity(3, "sites", "Distinct sites of the extra ion that are tried, the widest first", ge=1)
    clearance: float = quantity(0.65, "1", "Least width of such a site, in sums of covalent radii", gt=0, le=2)
    min_length_A: float = quantity(8.0, "Å", "The cell is repeated to at least this width", gt=0, le=50)
    fmax_eV_A: float = quantity(0.05, "eV/Å", "Relaxed when no force is larger", gt=0, le=1)
    max_steps: int = quantity(300, "steps", "A site is given up after so many steps", ge=1)
    max_atoms: int = quantity(250, "atoms", "Larger cells are not computed", ge=1)
    barrier: str = Field("barrier_1d_eV", description="The barrier, as the stage before calls it")
    max_activation_eV: float | None = quantity(None, "eV", "Keep no higher activation energy", gt=0)
    device: str = Field("auto", description="auto, cpu, cuda or mps")

    def judge(self, candidate: Candidate) -> Outcome:
        """Values: frenkel_eV (0 where a pair costs nothing), frenkel_sites (tried), frenkel_distance_A, and, where a
        barrier is known, activation_eV = barrier + frenkel / 2 and sigma_300K_estimate_S_cm.
        """
        atoms = candidate.atoms
        try:
            cell, sites = self._places(atoms)
        except InvalidStructure as error:
            return Outcome("failed", " ".join(str(error).split()))
        if len(cell) > self.max_atoms:
            return rejected(f"a pair needs {len(cell)} atoms; at most {self.max_atoms} are wanted.")
        relax = Relax(
            potential=self.potential,
            relax_cell=False,
            fmax_eV_A=self.fmax_eV_A,
            max_steps=self.max_steps,
            device=self.device,
        )
        perfect = relax.judge(Candidate(candidate.index, candidate.name, cell))
        if perfect.verdict != "passed":
            return perfect
        found: list[tuple[float, float, bool]] = []
        for site in sites:
            pair, distance = _pair(cell, site, self.species)
            said = relax.judge(Candidate(candidate.index, candidate.name, pair))
            if said.verdict == "passed":
                cost = said.values["energy_eV"] - perfect.values["energy_eV"]
                whole = cost < RECOMBINED_EV and not _empty_sites(cell, said.atoms, self.species)
                found.append((max(0.0, cost), distance, whole))
        kept = [one[:2] for one in found if not one[2]]
        values: dict[str, Any] = {"frenkel_sites": len(sites), "frenkel_atoms": len(cell)}
        if not kept:
            what = "fell back into the perfect crystal" if found else "did not converge"
            return Outcome("failed", f"all {len(sites)} pairs that were tried {what}.", values)
        values["frenkel_eV"], values["frenkel_distance_A"] = min(kept)
        barrier = candidate.values.get(self.barrier)
        if barrier is None:
            return passed(**values)
        activation = float(barrier) + values["frenkel_eV"] / 2
        values["activation_eV"] = activation
        values["sigma_300K_estimate_S_cm"] = _estimate(atoms, self.species, candidate.values, activation)
        if self.max_activation_eV is not None and activation > self.max_activation_eV:
            return rejected(
                f"its vacancies hop over {barrier:.2f} eV, but making a pair costs {values['frenkel_eV']:.2f} eV: "
                f"{activation:.2f} eV for the undoped crystal, more than {self.max_activation_eV:g} eV.",
                **values,
            )
        return passed(**values)

    def _places(self, atoms: Atoms) -> tuple[Atoms, list[np.ndarray]]:
        """The supercell, and one site (Å) of each distinct void; raises InvalidStructure without any."""
        from labkit.simulators.hops_sites import void_sites
        from labkit.simulators.hops_symmetry import operations, site_symmetry
        from labkit.structures import cell_widths, repeat

        cell = np.asarray(atoms.cell)
        voids = void_sites(atoms, self.species, clearance=self.clearance, symprec_A=SYMPREC_A)
        symmetry = site_symmetry(voids, cell, *operations(atoms, SYMPREC_A), tolerance_A=2 * SYMPREC_A)
        _, first = np.unique(symmetry.orbits(), return_index=True)
        chosen = [voids[index] @ cell for index in sorted(first.tolist())[: self.most_sites]]
        times = [max(1, ceil(self.min_length_A / width - 1e-6)) for width in cell_widths(atoms)]
        return repeat(atoms, times), chosen


def _pair(cell: Atoms, site: np.ndarray, species: str) -> tuple[Atoms, float]:
    """The cell with the ion that is farthest from `site` moved there, and how far that is (Å)."""
    pair = cell.copy()
    pair.append(Atom(species, site))
    ions = np.flatnonzero(cell.symbols == species)
    distances = pair.get_distances(len(cell), ions, mic=True)
    farthest = int(np.argmax(distances))
    del pair[int(ions[farthest])]
    return pair, float(distances[farthest])


def _empty_sites(cell: Atoms, pair: Atoms, species: str) -> int:
    """How many sites of the perfect crystal the relaxed pair leaves empty."""
    from ase.geometry import get_distances

    sites, ions = (one.positions[one.symbols == species] for one in (cell, pair))
    _, distances = get_distances(sites, ions, cell=cell.cell, pbc=cell.pbc)
    return int((distances.min(axis=1) > OCCUPIED_A).sum())


def _estimate(atoms: Atoms, species: str, values: Any, activation_eV: float) -> float:
    """Conductivity (S/cm) at 300 K from D = a² ν exp(-E/kT) / 2 along one direction, ν = 1e13 / s, and Nernst-Einstein:
    an order of magnitude, no more.
    """
    from labkit.analysis.conductivity import nernst_einstein

    length = float(values.get("limiting_hop_A") or 3.0)
    diffusion = (length * 1e-8) ** 2 * ATTEMPTS_PER_S * exp(-activation_eV / KT_300K_EV) / 2
    ions = int((atoms.symbols == species).sum())
    return nernst_einstein(diffusion, ions, float(atoms.get_volume()), 300.0)

"""Molecular DFT: the pinned Landscape17 level against its data set, the gradient, and what is refused."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.units import Hartree

from labkit.errors import BudgetExceeded, InvalidStructure, InvalidTask, NotConverged
from labkit.references import quantum_chemistry
from labkit.references.dft_molecules import MolecularDFT, landscape17

pytest.importorskip("pyscf", reason="molecular DFT needs PySCF (pip install pyscf==2.14.0)")

#: The lower minimum of ethanol in `landscape17/dft_ktn.json`, from github VladCarare/mlp-landscapes at 4b8e838
#: (BSD-3-Clause; Carare et al., npj Comput. Mater. (2025), 10.1038/s41524-025-01878-x): symbols, Å, eV.
ETHANOL = Atoms("HHHHHHOCC", [
    [1.71737, 0.81627, -0.07447], [-0.72737, 1.28866, -0.44571], [-1.76593, -0.1339, -0.2663],
    [-0.96903, 0.57177, 1.15941], [0.21893, -1.50723, 0.42218], [0.4662, -0.80942, -1.18178],
    [1.55112, -0.00534, 0.40403], [-0.84821, 0.34221, 0.09626], [0.35692, -0.56301, -0.11362],
])  # fmt: skip
ETHANOL_EV = -4217.504543


@pytest.mark.slow
def test_the_pinned_level_gives_the_stored_energy_of_ethanol_and_no_force_at_its_minimum():
    reference = landscape17()
    assert 0.3 < reference.cost_s(ETHANOL) / 12 < 3
    found = reference.label(ETHANOL)
    assert found.energy == pytest.approx(ETHANOL_EV, abs=1e-4)
    assert np.abs(found.forces).max() < 0.005
    assert found.level_of_theory == "ωB97X/6-31G(d), Cartesian d"


def test_the_pinned_level_counts_six_d_functions():
    # Five d functions move the energies by 60 meV (methods A 0): 57 functions are nine times six, and 3 more.
    reference = landscape17()
    mole = quantum_chemistry.molecule(ETHANOL, reference.basis, cartesian=reference.cartesian)
    assert (reference.functional, reference.grid_level, mole.nao) == ("wb97x", 4, 57)
    assert quantum_chemistry.molecule(ETHANOL, reference.basis).nao == 54
    with pytest.raises(InvalidTask, match="pins basis"):
        landscape17(basis="cc-pvdz")


def test_local_density_helium_has_its_published_energy():
    # -2.834836 Hartree: LDA (VWN) helium, NIST Atomic Reference Data for Electronic Structure Calculations (SRD 141).
    reference = MolecularDFT("lda,vwn", "aug-cc-pvqz", grid_level=6)
    assert reference.label(Atoms("He"), forces=False).energy / Hartree == pytest.approx(-2.834836, abs=3e-4)


@pytest.mark.parametrize("unpaired", [False, True])
def test_forces_are_the_gradient_of_the_energy(unpaired):
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1.05]]) if unpaired else Atoms("FH", [[0, 0, 0], [0, 0, 1.0]])
    reference = MolecularDFT("pbe", "6-31g*", grid_level=3)
    forces = reference.label(atoms).forces
    energies = []
    for step in (1e-3, -1e-3):
        moved = atoms.copy()
        moved.positions[1, 2] += step
        energies.append(reference.label(moved, forces=False).energy)
    assert forces[1, 2] == pytest.approx(-(energies[0] - energies[1]) / 2e-3, abs=5e-3)


def test_an_scf_that_does_not_converge_is_never_a_number(monkeypatch):
    monkeypatch.setattr(quantum_chemistry, "SCF_CYCLES", 1)
    with pytest.raises(NotConverged, match=r"the SCF of pbe/6-31g. did not converge for HF in 1 cycles"):
        MolecularDFT("pbe", "6-31g*", grid_level=1).label(Atoms("FH", [[0, 0, 0], [0, 0, 0.93]]))


def test_what_is_periodic_too_large_or_unknown_is_refused():
    with pytest.raises(InvalidStructure, match="periodic, and landscape17 is a method for molecules"):
        landscape17().check(Atoms("He", cell=[5, 5, 5], pbc=True))
    with pytest.raises(BudgetExceeded, match=r"C6H6 at .* would take about \d+ s of CPU time; the limit is 20 s"):
        landscape17(max_cost_s=20).label(molecule("C6H6"))
    with pytest.raises(InvalidTask, match="PySCF does not know the functional 'pbf'"):
        MolecularDFT("pbf", "6-31g*").label(Atoms("He"))
    with pytest.raises(InvalidTask, match="PySCF has no basis 'cc-pvqx' for He"):
        MolecularDFT("pbe", "cc-pvqx").label(Atoms("He"))
    with pytest.raises(InvalidTask, match="grid level"):
        MolecularDFT(grid_level=10)

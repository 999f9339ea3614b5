"""CCSD(T): published energies, exact limits, the gradient, counterpoise, and what is refused with an estimate."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.units import Hartree

from labkit.errors import BudgetExceeded, InvalidStructure, InvalidTask, NotConverged, UnsupportedElement
from labkit.references import ccsd_t, complete_basis, counterpoise, quantum_chemistry
from labkit.references.coupled_cluster import _FUNCTIONS, ELEMENTS, CoupledCluster

pytest.importorskip("pyscf", reason="coupled cluster needs PySCF (pip install pyscf==2.14.0)")

#: CPU seconds and MB of `../shared/methods/C` section 3: molecule, basis, functions, time, memory.
MEASURED = [
    ("CH4", "cc-pvdz", 34, 2.2, 120), ("CH4", "cc-pvtz", 86, 14.9, 400), ("C2H2", "cc-pvdz", 38, 5.3, None),
    ("C2H2", "cc-pvtz", 88, 18.6, None), ("C2H4", "cc-pvdz", 48, 6.9, None), ("C2H4", "cc-pvtz", 116, 63, 1070),
    ("C2H6", "cc-pvdz", 58, 8.8, None), ("C2H6", "cc-pvtz", 144, 149, 2330), ("C6H6", "cc-pvdz", 114, 150, 1170),
]  # fmt: skip


def h2(distance_A: float = 0.7414) -> Atoms:
    return Atoms("H2", [[0, 0, 0], [0, 0, distance_A]])


def two_h2(distance_A: float) -> Atoms:
    return Atoms("H4", [[0, 0, 0], [0, 0, 0.76], [0.2, distance_A, 0], [0.5, distance_A + 0.2, 0.7]])


def numerical_force(reference: CoupledCluster, atoms: Atoms, atom: int, axis: int, step_A: float = 1e-3) -> float:
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[atom, axis] += sign * step_A
        energies.append(reference.label(moved, forces=False).energy)
    return -(energies[0] - energies[1]) / (2 * step_A)


def test_methane_has_the_total_energy_of_the_methods_table():
    # -40.387118 Hartree: ../shared/methods/C section 3, CCSD(T)/cc-pVDZ with the 1s of carbon frozen; the geometry is
    # that of the G2 set in ASE.
    found = CoupledCluster("cc-pvdz").label(molecule("CH4"))
    assert found.energy / Hartree == pytest.approx(-40.387118, abs=1e-6)
    assert found.forces is None
    assert found.level_of_theory == "CCSD(T)/cc-pVDZ, frozen core, counterpoise"
    assert "PySCF" in found.provenance
    assert "1 core orbitals frozen" in found.provenance


def test_helium_and_hydrogen_have_the_energies_of_the_basis_set_tables():
    # Two electrons: CCSD is full configuration interaction. He -2.900232 (cc-pVTZ) and H -0.499810 Hartree (cc-pVTZ,
    # Hartree-Fock) are Dunning's (J. Chem. Phys. 90, 1007 (1989); NIST CCCBDB lists the same).
    tz = CoupledCluster("cc-pvtz")
    assert tz.label(Atoms("He")).energy / Hartree == pytest.approx(-2.900232, abs=1e-6)
    assert tz.label(Atoms("H")).energy / Hartree == pytest.approx(-0.499810, abs=1e-6)


def test_two_electrons_are_solved_exactly():
    from pyscf import fci, scf

    atoms = h2(1.1)
    field = scf.RHF(quantum_chemistry.molecule(atoms, "cc-pvdz")).run(conv_tol=1e-12)
    exact = fci.FCI(field).kernel()[0]
    assert CoupledCluster().label(atoms).energy / Hartree == pytest.approx(exact, abs=1e-8)


def test_the_composite_recipe_gives_hydrogen_its_bond_length_and_its_well():
    # r_e 0.7414 Å, D_e 4.748 eV, total energy -1.174476 Hartree at the minimum (Kolos and Wolniewicz, J. Chem. Phys.
    # 49, 404 (1968)).
    best = CoupledCluster("cbs", correction_basis="cc-pvtz")
    lengths = np.array([0.73, 0.74, 0.75])
    energies = [best.label(h2(length)).energy for length in lengths]
    a, b, c = np.polyfit(lengths, energies, 2)
    assert -b / (2 * a) == pytest.approx(0.7414, abs=0.001)
    minimum = c - b**2 / (4 * a)
    assert minimum / Hartree == pytest.approx(-1.174476, abs=1e-3)
    assert 2 * best.label(Atoms("H")).energy - minimum == pytest.approx(4.748, abs=0.03)


def test_forces_are_the_gradient_of_the_energy():
    reference = CoupledCluster(gradients=True)
    atoms = Atoms("OH2", [[0, 0, 0], [0, -0.76, 0.6], [0.05, 0.8, 0.55]])
    forces = reference.label(atoms).forces
    assert np.abs(forces.sum(axis=0)).max() < 1e-5
    assert forces[0, 2] == pytest.approx(numerical_force(reference, atoms, 0, 2), abs=2e-4)
    assert reference.label(Atoms("He")).forces == pytest.approx(np.zeros((1, 3)))


def test_forces_with_counterpoise_are_the_gradient_of_the_corrected_energy():
    reference, atoms = CoupledCluster(gradients=True), two_h2(2.6)
    forces = reference.label(atoms).forces
    for atom, axis in ((1, 1), (2, 0)):
        assert forces[atom, axis] == pytest.approx(numerical_force(reference, atoms, atom, axis), abs=1e-4)


def test_counterpoise_takes_away_the_borrowed_binding_and_nothing_far_away():
    with_it, without = CoupledCluster(), CoupledCluster(counterpoise=False)
    near, far = two_h2(2.6), two_h2(30.0)
    alone = sum(without.label(part).energy for part in (far[:2], far[2:]))
    assert with_it.label(near).energy - without.label(near).energy > 1e-3
    assert with_it.label(far).energy == pytest.approx(alone, abs=1e-5)
    assert "counterpoise over 2 molecules" in with_it.label(near).provenance


def test_fragments_are_molecules_and_a_stretched_bond_is_none():
    dimer = molecule("C2H4")
    other = molecule("C2H4")
    other.positions += [3.5, 0, 0]
    dimer += other
    assert [len(group) for group in counterpoise.fragments(dimer)] == [6, 6]
    assert len(counterpoise.fragments(h2(1.2))) == 1
    assert len(counterpoise.fragments(h2(3.0))) == 1  # two hydrogen atoms are no molecules
    dimer.set_array("fragment", np.array([7] * 6 + [3] * 6))
    assert [list(group) for group in counterpoise.fragments(dimer)] == [list(range(6)), list(range(6, 12))]
    halves = h2(3.0)
    halves.set_array("fragment", np.array([0, 1]))
    with pytest.raises(InvalidStructure, match="odd number of electrons"):
        counterpoise.fragments(halves)
    oxygen = Atoms("OHeHe", [[0, 0, 0], [4, 0, 0], [8, 0, 0]])  # a triplet by itself, and not beside ghosts
    assert len(counterpoise.fragments(oxygen)) == 1
    assert len(counterpoise.fragments(oxygen[1:])) == 2
    oxygen.set_array("fragment", np.array([0, 1, 2]))
    with pytest.raises(InvalidStructure, match="fragment O has an open shell"):
        counterpoise.fragments(oxygen)


def test_extrapolation_is_exact_for_a_tail_that_falls_with_the_third_power():
    energies = {x: -0.4 + 0.3 * x**-3 for x in (3, 4)}
    assert complete_basis.extrapolated(energies[3], energies[4], 3, 4) == pytest.approx(-0.4, abs=1e-14)
    with pytest.raises(ValueError, match="first must be the smaller"):
        complete_basis.extrapolated(energies[4], energies[3], 4, 3)


def test_the_composite_energy_is_the_sum_of_its_three_parts():
    small = complete_basis.BasisEnergies(-1.0, -0.10, -0.13)
    triple, quadruple = complete_basis.BasisEnergies(-1.1, -0.20), complete_basis.BasisEnergies(-1.2, -0.25)
    limit = (64 * -0.25 - 27 * -0.20) / 37
    assert complete_basis.composite(triple, quadruple, small) == pytest.approx(-1.2 + limit - 0.03)
    with pytest.raises(ValueError, match="beyond MP2"):
        complete_basis.composite(triple, quadruple, triple)


@pytest.mark.parametrize(("name", "basis", "functions", "seconds", "megabytes"), MEASURED)
def test_cost_estimates_are_right_within_a_factor(name, basis, functions, seconds, megabytes):
    reference, atoms = CoupledCluster(basis), molecule(name)
    assert sum(_FUNCTIONS[basis][0 if z == 1 else 1] for z in atoms.numbers) == functions
    assert 1 / 2.2 < reference.cost_s(atoms) / seconds < 2.2
    if megabytes:
        assert reference.memory_MB(atoms) == pytest.approx(megabytes, rel=0.15)


def test_the_table_of_basis_functions_is_that_of_the_basis_sets():
    for symbol in ELEMENTS:
        atoms = Atoms(symbol)
        row = 0 if atoms.numbers[0] <= 2 else 1 if atoms.numbers[0] <= 10 else 2
        for basis, counts in _FUNCTIONS.items():
            charge = int(atoms.numbers[0] % 2)
            assert quantum_chemistry.molecule(atoms, basis, charge).nao == counts[row]


def test_what_would_take_too_long_is_refused_with_the_estimate():
    with pytest.raises(
        BudgetExceeded, match=r"C6H6 at ccsd\(t\)/cc-pvtz would take about \d+ min .* \d\d,\d{3} MB; the"
    ):
        CoupledCluster("cc-pvtz").label(molecule("C6H6"))
    assert CoupledCluster().check(molecule("C6H6")) is None


def test_an_iteration_that_does_not_converge_is_never_a_number(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(quantum_chemistry, "SCF_CYCLES", 1)
        with pytest.raises(NotConverged, match=r"the SCF of ccsd\(t\)/cc-pvdz did not converge for H2O"):
            CoupledCluster().label(molecule("H2O"))
    monkeypatch.setattr(ccsd_t, "CCSD_CYCLES", 1)
    with pytest.raises(NotConverged, match="CCSD equations"):
        CoupledCluster().label(molecule("H2O"))


def test_a_molecule_that_needs_two_determinants_is_not_labelled():
    with pytest.raises(NotConverged, match=r"T1 diagnostic of BN .* is 0.079, above 0.05: one"):
        CoupledCluster().label(Atoms("BN", [[0, 0, 0], [0, 0, 1.28]]))  # the singlet


def test_structures_outside_of_the_method_are_refused():
    reference = CoupledCluster()
    with pytest.raises(InvalidStructure, match="periodic"):
        reference.label(Atoms("He", cell=[5, 5, 5], pbc=True))
    with pytest.raises(UnsupportedElement, match="Li"):
        reference.check(Atoms("LiH", [[0, 0, 0], [0, 0, 1.6]]))
    with pytest.raises(InvalidStructure, match="multiplicity cannot be 2"):
        CoupledCluster(multiplicity=2).check(molecule("H2O"))
    hydroxyl = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])
    with pytest.raises(InvalidStructure, match="unpaired electrons, and analytic forces"):
        CoupledCluster(gradients=True).check(hydroxyl)
    two = hydroxyl + Atoms("OH", [[4, 0, 0], [4, 0, 0.97]], info={})
    two.set_array("fragment", np.array([0, 0, 1, 1]))
    with pytest.raises(InvalidStructure, match="odd number of electrons"):
        reference.check(two)
    ion = two_h2(3.0)
    ion.info["charge"] = 2
    with pytest.raises(InvalidStructure, match="neutral closed shells"):
        reference.check(ion)


def test_options_that_mean_nothing_are_refused():
    with pytest.raises(InvalidTask, match="cc-pv6z"):
        CoupledCluster("cc-pv6z")
    with pytest.raises(InvalidTask, match="gradients"):
        CoupledCluster("cbs", gradients=True)
    with pytest.raises(InvalidTask, match="positive"):
        CoupledCluster(max_t1=0)


def test_an_atom_has_the_spin_of_its_ground_state_and_a_molecule_the_lowest():
    electrons = quantum_chemistry.Electrons()
    assert [electrons.of(Atoms(one))[1] for one in ("H", "C", "N", "O", "He")] == [1, 2, 3, 2, 0]
    assert electrons.of(molecule("O2")) == (0, 0)
    triplet = molecule("O2")
    triplet.info["multiplicity"] = 3
    assert electrons.of(triplet) == (0, 2)
    assert electrons.of(Atoms("OH", [[0, 0, 0], [0, 0, 1]])) == (0, 1)
    with pytest.raises(InvalidStructure, match="0 electrons"):
        electrons.of(Atoms("H", info={"charge": 1}))

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule
from ase.units import Hartree, kB

from labkit.errors import InvalidStructure, InvalidTask, NotConverged, UnsupportedElement
from labkit.references import load
from labkit.references.tight_binding import TightBinding
from labkit.structures import supercell

pytest.importorskip("tblite")

# The CO2 crystal of tblite 0.8.0's own tests (tblite/test_ase.py in the wheel, test_gfn1_xtb_3d), Å.
CO2 = Atoms(
    "C4O8",
    positions=[
        [0.9441259872, 0.9437851680, 0.9543505632],
        [3.7179966528, 0.9556570368, 3.7316862240],
        [3.7159517376, 3.7149292800, 0.9692330016],
        [0.9529872864, 3.7220864832, 3.7296981120],
        [1.6213905408, 1.6190616096, 1.6313879040],
        [0.2656685664, 0.2694175776, 0.2776540416],
        [4.3914553920, 1.6346256864, 3.0545920000],
        [3.0440834880, 0.2764611744, 4.4080419264],
        [4.3910577696, 3.0416409504, 0.2881058304],
        [3.0399936576, 4.3879335936, 1.6497353376],
        [0.2741322432, 4.4003734944, 3.0573754368],
        [1.6312174944, 3.0434586528, 4.4023048032],
    ],
    cell=[5.68032] * 3,
    pbc=True,
)


def rattled(atoms, stdev=0.05):
    atoms = atoms.copy()
    atoms.rattle(stdev, seed=7)
    return atoms


def strained(atoms, i, j, amount):
    """A symmetric strain, whose energy derivative is V sigma_ij (once for i = j, twice otherwise)."""
    epsilon = np.zeros((3, 3))
    epsilon[i, j] = epsilon[j, i] = amount
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + epsilon), scale_atoms=True)
    return atoms


# tblite 0.8.0, python/tblite/ase.py, docstring of TBLite.set and TBLite.calculate: molecules of ase.build.molecule.
@pytest.mark.parametrize(
    ("method", "name", "energy_eV"),
    [
        ("gfn2-xtb", "H2O", -137.96777625229421),
        ("gfn1-xtb", "H2O", -156.9675057724589),
        ("gfn2-xtb", "CH4", -113.60956621093894),
    ],
)
def test_molecules_have_the_energies_of_the_documentation(method, name, energy_eV):
    assert load(method).label(molecule(name)).energy == pytest.approx(energy_eV, abs=2e-6)


def test_forces_on_water_are_those_of_the_documentation():
    # tblite 0.8.0, python/tblite/ase.py, module docstring, GFN1-xTB, eV/Å.
    expected = [[0, 0, -7.84252969e-01], [0, -2.28835628e-01, 3.92126485e-01], [0, 2.28835628e-01, 3.92126485e-01]]
    found = load("gfn1-xtb").label(molecule("H2O")).forces
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(found[:, 2], np.array(expected)[:, 2], atol=1e-4)


def test_a_molecular_crystal_has_the_energy_and_stress_of_the_package():
    # tblite 0.8.0, tblite/test_ase.py of the wheel, test_gfn1_xtb_3d: eV, eV/Å and eV/Å^3.
    record = load("gfn1-xtb", min_width_A=5.0).label(CO2)
    assert record.energy == pytest.approx(-1256.958705929313, abs=1e-5)
    np.testing.assert_allclose(record.forces[4], [-1.91909901, -1.91825110, -1.92230737], atol=2e-5)
    np.testing.assert_allclose(record.stress, np.diag([5.92641700e-02, 5.92616112e-02, 5.93210045e-02]), atol=3e-5)


# tblite, test/unit/test_gfn2_xtb.f90: test_e_pse, test_e_pse_cation, test_e_pse_anion (Hartree, lowest multiplicity).
@pytest.mark.parametrize(
    ("symbol", "charge", "energy_Eh"),
    [
        ("H", 0, -0.3934827590437188),
        ("He", 0, -1.7431266329458670),
        ("C", 0, -1.7951105194038208),
        ("N", 0, -2.6094524546320614),
        ("O", 0, -3.7694210954143372),
        ("Ar", 0, -4.2790432675899392),
        ("He", 1, -0.4838821498062669),
        ("F", -1, -4.9096355171858255),
    ],
)
def test_atoms_and_ions_have_the_energies_of_the_packages_own_tests(symbol, charge, energy_Eh):
    record = load("gfn2-xtb", charge=charge).label(Atoms(symbol))
    assert record.energy / Hartree == pytest.approx(energy_Eh, abs=1e-6)


@pytest.mark.parametrize("method", ["gfn1-xtb", "gfn2-xtb"])
def test_forces_on_a_molecule_are_the_gradient_of_the_energy(method):
    reference, atoms, step = load(method, accuracy=0.01), rattled(molecule("CH3CH2OH")), 2e-3
    found = reference.label(atoms).forces
    for atom, axis in [(0, 0), (2, 1), (5, 2), (8, 0)]:
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            energies.append(reference.label(moved).energy)
        assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(found[atom, axis], abs=2e-4)


@pytest.mark.parametrize(
    "atoms",
    [rattled(bulk("C", cubic=True)), rattled(bulk("LiCl", "rocksalt", a=5.13, cubic=True))],
    ids=["diamond", "LiCl"],
)
def test_forces_and_stress_of_a_crystal_are_gradients_and_tension_is_positive(atoms):
    reference, step = load("gfn1-xtb", min_width_A=3.0, accuracy=0.01), 1e-3
    record = reference.label(atoms)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[3, 1] += sign * step
        energies.append(reference.label(moved).energy)
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(record.forces[3, 1], abs=1e-3)
    for i, j in [(0, 0), (1, 2)]:
        up, down = (reference.label(strained(atoms, i, j, sign * step)).energy for sign in (1, -1))
        count = 1 if i == j else 2
        numeric = (up - down) / (2 * step) / atoms.get_volume() / count
        assert record.stress[i, j] == pytest.approx(numeric, abs=1e-4)
    np.testing.assert_allclose(record.forces.sum(axis=0), 0, atol=1e-6)


def test_a_stretched_crystal_is_under_tension():
    reference, atoms = load("gfn1-xtb", min_width_A=3.0), bulk("C", cubic=True)
    stretched = atoms.copy()
    stretched.set_cell(atoms.cell.array * 1.06, scale_atoms=True)
    assert np.trace(reference.label(stretched).stress) > 0.05 > np.trace(reference.label(atoms).stress)


def test_a_periodic_metal_is_refused_with_a_sentence():
    tungsten = bulk("W", cubic=True).repeat(3)
    with pytest.raises(InvalidStructure, match=r"W54 is a periodic metal: .* no Fermi surface .* Take gpaw-pbe"):
        load("gfn1-xtb").label(tungsten)
    tungsten[0].symbol = "H"
    alloy = bulk("Cu", cubic=True).repeat(3)
    alloy[3].symbol = "Zn"
    for metal in (tungsten, alloy, bulk("Al", cubic=True).repeat(2), bulk("Na", cubic=True).repeat(2)):
        with pytest.raises(InvalidStructure, match="is a periodic metal"):
            load("gfn1-xtb").check(metal)


def test_salts_semiconductors_and_molecular_crystals_are_no_metals():
    reference = load("gfn1-xtb", min_width_A=3.0)
    vacancy = bulk("LiF", "rocksalt", a=4.03, cubic=True).repeat(2)
    del vacancy[1]  # a fluorine: one electron too many is a colour centre, not a metal
    salts = [bulk("LiCl", "rocksalt", a=5.1, cubic=True), bulk("MgS", "rocksalt", a=5.2, cubic=True)]
    for atoms in (*salts, vacancy, bulk("Si", cubic=True), bulk("GaAs", "zincblende", a=5.65, cubic=True), CO2):
        reference.check(atoms)


def test_ionic_and_transition_metal_oxides_are_refused():
    magnesia = bulk("MgO", "rocksalt", a=4.21, cubic=True).repeat(2)
    with pytest.raises(InvalidStructure, match="atom 1 is an oxygen that only Mg binds"):
        load("gfn1-xtb").label(magnesia)
    nickel = bulk("NiO", "rocksalt", a=4.18, cubic=True).repeat(2)
    with pytest.raises(InvalidStructure, match=r"periodic oxide of Ni: .*LiCoO2"):
        load("gfn1-xtb").label(nickel)


def test_a_lithium_ion_in_water_is_no_oxide():
    box = Atoms(cell=[9, 9, 9], pbc=True)
    for x in (1, 5):
        for y in (1, 5):
            water = molecule("H2O")
            water.translate([x, y, 2])
            box += water
    box += Atoms("LiCl", positions=[[3, 3, 2.5], [3, 3, 6]])
    load("gfn1-xtb").check(box)


def test_a_small_cell_is_refused_and_the_repetition_is_said():
    primitive = bulk("LiCl", "rocksalt", a=5.13)
    with pytest.raises(InvalidStructure, match=r"repeats after 2.96 Å.*Repeat it 3 x 3 x 3 times \(54 atoms") as caught:
        load("gfn1-xtb").label(primitive)
    assert "supercell(atoms, 8)" in str(caught.value)
    load("gfn1-xtb").check(supercell(primitive, 8))


def test_gfn2_refuses_cells_that_it_does_not_finish():
    silicon = bulk("Si", cubic=True).repeat(2)
    with pytest.raises(InvalidStructure, match=r"periodic with 64 atoms; GFN2-xTB does not finish above 32.*gfn1-xtb"):
        load("gfn2-xtb").label(silicon)
    load("gfn1-xtb").check(silicon)
    load("gfn2-xtb").check(molecule("C60"))


def test_layers_and_charged_cells_are_refused():
    with pytest.raises(InvalidStructure, match="periodic in 2 of three directions"):
        load("gfn1-xtb").label(graphene(size=(4, 4, 1), vacuum=10))
    charged = bulk("Si", cubic=True).repeat(2)
    charged.info["charge"] = 2
    with pytest.raises(InvalidStructure, match=r"periodic with the charge \+2 e"):
        load("gfn1-xtb").label(charged)


def test_charge_and_multiplicity_must_fit_the_electrons():
    oxygen = molecule("O2")
    singlet, triplet = load("gfn2-xtb").label(oxygen), load("gfn2-xtb", multiplicity=3).label(oxygen)
    # Without exchange the two differ in the entropy of two electrons in four equal spin orbitals, 4 kT ln 2.
    assert triplet.energy - singlet.energy == pytest.approx(4 * kB * 300 * np.log(2), abs=1e-4)
    assert "2 unpaired electrons" in triplet.provenance
    with pytest.raises(InvalidStructure, match="an even number of electrons, so its multiplicity is odd, not 2"):
        load("gfn2-xtb", multiplicity=2).label(oxygen)
    oxygen.info["charge"] = -1
    assert "charge -1, 1 unpaired" in load("gfn2-xtb").label(oxygen).provenance


def test_a_charge_that_did_not_converge_is_never_a_number():
    with pytest.raises(NotConverged, match="did not converge for H2O"):
        load("gfn2-xtb", max_iterations=2).label(molecule("H2O"))


def test_atoms_on_top_of_each_other_are_refused():
    atoms = molecule("H2O")
    atoms.positions[2] = atoms.positions[1] + [0.05, 0, 0]
    with pytest.raises(InvalidStructure, match=r"0.05 Å apart; below 0.35 Å"):
        load("gfn2-xtb").label(atoms)


def test_elements_beyond_radon_are_unsupported():
    with pytest.raises(UnsupportedElement, match="holds U"):
        load("gfn1-xtb").label(Atoms("U"))


def test_ipea1_is_not_offered():
    with pytest.raises(InvalidTask, match="IPEA1-xTB is left out because its forces"):
        TightBinding("IPEA1-xTB")


def test_cards_say_dispersion_and_limits():
    for name, dispersion in (("gfn1-xtb", "D3(BJ)"), ("gfn2-xtb", "D4")):
        said = " ".join(load(name).failure_modes)
        assert f"Dispersion is built in ({dispersion})" in said
        assert "Gamma" in said
        assert "metals" in said


# CPU seconds of methods C, section 1 (one thread).
@pytest.mark.parametrize(
    ("name", "atoms", "measured_s"),
    [
        ("gfn1-xtb", bulk("LiCl", "rocksalt", a=5.13, cubic=True), 0.5),
        ("gfn1-xtb", bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(2), 4.0),
        ("gfn1-xtb", bulk("C", cubic=True).repeat(2), 0.99),
        ("gfn2-xtb", molecule("C6H6"), 0.02),
        ("gfn2-xtb", bulk("C", cubic=True), 1.6),
    ],
)
def test_the_estimated_cost_is_of_the_right_size(name, atoms, measured_s):
    assert measured_s / 3 < load(name).cost_s(atoms) < measured_s * 3


def test_the_reference_is_a_potential_too():
    reference, atoms = load("gfn2-xtb"), molecule("CH4")
    before = atoms.copy()
    potential = reference.potential()
    found, record = potential.predict([atoms, molecule("H2O")]), reference.label(atoms)
    assert found.energies[0] == record.energy
    np.testing.assert_array_equal(found.forces[0], record.forces)
    assert np.isnan(found.stresses).all()
    assert potential.level_of_theory == record.level_of_theory == "GFN2-xTB"
    assert atoms == before
    atoms.calc = potential.calculator()
    assert atoms.get_potential_energy() == record.energy

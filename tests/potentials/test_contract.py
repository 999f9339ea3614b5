"""Every potential keeps the one contract: shapes, units, gradients, symmetries, untouched inputs."""

from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from labkit.errors import InvalidStructure, UnsupportedElement
from labkit.potentials import Potential, load
from tests.potentials import charged, structures


@dataclass(frozen=True)
class Case:
    """A potential with a structure of its chemistry, and how exact its arithmetic is (float32 networks: 1e-3)."""

    name: str
    atoms: Atoms
    step_A: float = 1e-4
    force_tolerance: float = 1e-5
    energy_tolerance: float = 1e-9


CASES = [
    Case("emt", structures.rattled_copper()),
    Case("lennard-jones", structures.rattled_argon()),
    Case("chgnet", structures.rattled_rocksalt(), 2e-3, 3e-3, 2e-5),
    Case("chgnet-0.2.0", structures.rattled_rocksalt(), 2e-3, 3e-3, 2e-5),
    Case("chgnet-r2scan", structures.rattled_rocksalt(), 2e-3, 3e-3, 2e-5),
    Case("tests.potentials.charged:ions", charged.rattled_salt()),
    Case("tests.potentials.made:camp", structures.rattled_rocksalt()),
    Case("tests.potentials.made:camp_l", structures.rattled_rocksalt(), 2e-3, 3e-3, 2e-5),
    Case("tests.potentials.made:camp_les", structures.rattled_rocksalt()),
    Case("tests.potentials.made:committee", structures.rattled_rocksalt()),
    Case("tests.potentials.made:wrapped", structures.rattled_rocksalt()),
    Case("tests.potentials.made:delta", structures.rattled_rocksalt()),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def potential(case: Case) -> Potential:
    return load(case.name, device="cpu")


def test_shapes_are_those_of_the_docstring(potential, case):
    prediction = potential.predict([case.atoms, case.atoms])
    assert prediction.energies.shape == (2,)
    assert [forces.shape for forces in prediction.forces] == [(len(case.atoms), 3)] * 2
    assert prediction.stresses.shape == (2, 3, 3)
    assert len(prediction) == 2


def test_forces_are_minus_the_gradient_of_the_energy(potential, case):
    forces = potential.predict([case.atoms]).forces[0]
    for atom, axis in ((0, 0), (1, 1), (len(case.atoms) - 1, 2)):
        energies = []
        for sign in (1, -1):
            moved = case.atoms.copy()
            moved.positions[atom, axis] += sign * case.step_A
            energies.append(potential.predict([moved]).energies[0])
        assert forces[atom, axis] == pytest.approx(
            (energies[1] - energies[0]) / (2 * case.step_A), abs=case.force_tolerance
        )


@pytest.mark.parametrize("hand", ["right", "left"])
def test_stress_is_the_strain_derivative_per_volume_in_cells_of_either_hand(potential, case, hand):
    atoms = case.atoms if hand == "right" else structures.left_handed(case.atoms)
    stress = potential.predict([atoms]).stresses[0]
    assert stress == pytest.approx(stress.T)
    volume = abs(np.linalg.det(atoms.cell.array))
    for i, j in ((0, 0), (1, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * case.step_A / 2
            strain[j, i] += sign * case.step_A / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(potential.predict([strained]).energies[0])
        expected = (energies[0] - energies[1]) / (2 * case.step_A) / volume
        assert stress[i, j] == pytest.approx(expected, abs=case.force_tolerance)


def test_a_crystal_does_not_know_the_hand_of_its_cell(potential, case):
    right, left = potential.predict([case.atoms]), potential.predict([structures.left_handed(case.atoms)])
    assert left.energies == pytest.approx(right.energies, abs=10 * case.energy_tolerance)
    assert left.stresses == pytest.approx(right.stresses, abs=1e-5)


def test_a_batch_gives_what_single_structures_give(potential, case):
    other = case.atoms.copy()
    other.rattle(0.02, seed=9)
    batch = potential.predict([case.atoms, other.repeat((1, 1, 2)), other])
    for index, atoms in enumerate([case.atoms, other.repeat((1, 1, 2)), other]):
        single = potential.predict([atoms])
        assert batch.energies[index] == pytest.approx(single.energies[0], abs=10 * case.energy_tolerance)
        assert batch.forces[index] == pytest.approx(single.forces[0], abs=1e-4)
        assert batch.stresses[index] == pytest.approx(single.stresses[0], abs=1e-5)


def test_energy_is_invariant_and_forces_turn_with_the_structure(potential, case):
    rotation = Rotation.from_euler("xyz", [20, 40, 70], degrees=True).as_matrix()
    turned = case.atoms.copy()
    turned.set_cell(turned.cell.array @ rotation.T, scale_atoms=True)
    before, after = potential.predict([case.atoms]), potential.predict([turned])
    assert after.energies == pytest.approx(before.energies, abs=20 * case.energy_tolerance)
    assert after.forces[0] == pytest.approx(before.forces[0] @ rotation.T, abs=1e-4)
    assert after.stresses[0] == pytest.approx(rotation @ before.stresses[0] @ rotation.T, abs=1e-5)


def test_order_translation_and_repetition_change_nothing(potential, case):
    order = np.random.default_rng(0).permutation(len(case.atoms))
    shuffled = case.atoms[order]
    shuffled.positions += [0.3, -1.7, 11.0]
    one, other = potential.predict([case.atoms]), potential.predict([shuffled])
    assert other.energies == pytest.approx(one.energies, abs=20 * case.energy_tolerance)
    assert other.forces[0] == pytest.approx(one.forces[0][order], abs=1e-4)
    double = potential.predict([case.atoms.repeat((2, 1, 1))])
    assert double.energies == pytest.approx(2 * one.energies, abs=40 * case.energy_tolerance)


def test_momentum_is_conserved_since_forces_sum_to_zero(potential, case):
    assert potential.predict([case.atoms]).forces[0].sum(axis=0) == pytest.approx(0, abs=1e-4)


def test_inputs_stay_untouched(potential, case):
    atoms = case.atoms.copy()
    potential.predict([atoms])
    assert atoms == case.atoms
    assert atoms.calc is None


def test_the_calculator_gives_ase_the_same_numbers(potential, case):
    atoms = case.atoms.copy()
    atoms.calc = potential.calculator()
    prediction = potential.predict([case.atoms])
    assert atoms.get_potential_energy() == pytest.approx(prediction.energies[0], abs=case.energy_tolerance)
    assert atoms.get_forces() == pytest.approx(prediction.forces[0], abs=1e-6)
    assert atoms.get_stress(voigt=False) == pytest.approx(prediction.stresses[0], abs=1e-7)


def test_an_unknown_element_is_refused_by_name(potential, case):
    atoms = case.atoms.copy()
    atoms.numbers[0] = 87
    with pytest.raises(UnsupportedElement, match="Fr"):
        potential.predict([atoms])


def test_positions_that_are_not_numbers_are_refused(potential, case):
    atoms = case.atoms.copy()
    atoms.positions[0, 0] = np.nan
    with pytest.raises(InvalidStructure, match="not finite"):
        potential.predict([atoms])


def test_atoms_that_have_flown_apart_are_refused(potential, case):
    atoms = case.atoms.copy()
    atoms.positions[0, 0] += 1e6
    with pytest.raises(InvalidStructure, match="flown apart"):
        potential.predict([atoms])


def test_an_empty_batch_is_an_empty_prediction(potential, case):
    assert len(potential.predict([])) == 0

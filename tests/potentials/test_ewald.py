"""Latent Ewald summation against its formula, written out; symmetries, derivatives, batches, limits."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from ase import Atoms

from labkit.errors import InvalidStructure
from labkit.potentials.ewald import LatentEwald
from labkit.potentials.ewald_plan import COULOMB_eV_A, RECIPROCAL_eV_A
from tests.potentials.charged import evaluate, random_ions, rattled_salt, tensors

EXACT = LatentEwald(dl_A=1.0, mesh_above=None)


def _by_the_formula(atoms, sigma_A, dl_A):
    """Methods A.5 in numpy: one term for each vector of the sphere, no factorisation."""
    reciprocal = 2 * np.pi * np.linalg.inv(atoms.cell.array).T
    cut = 2 * np.pi / dl_A
    most = np.ceil(np.linalg.norm(atoms.cell.array, axis=1) / dl_A).astype(int)
    total = 0.0
    for integers in itertools.product(*(range(-n, n + 1) for n in most)):
        k = np.array(integers) @ reciprocal
        squared = k @ k
        if 0 < squared <= cut**2 * (1 + 1e-8):
            structure_factor = (atoms.get_initial_charges() * np.exp(1j * atoms.positions @ k)).sum()
            total += np.exp(-(sigma_A**2) * squared / 2) / squared * abs(structure_factor) ** 2
    own = (atoms.get_initial_charges() ** 2).sum() * RECIPROCAL_eV_A / (sigma_A * (2 * np.pi) ** 1.5)
    return RECIPROCAL_eV_A / atoms.cell.volume * total, own


def test_the_constants_are_those_of_the_methods():
    assert pytest.approx(14.3996454, abs=1e-6) == COULOMB_eV_A
    assert pytest.approx(90.4756, abs=1e-4) == RECIPROCAL_eV_A


@pytest.mark.parametrize("skew", [0.0, 0.4])
@pytest.mark.parametrize(("sigma_A", "dl_A"), [(1.0, 2.0), (1.4, 2.5)])
def test_the_energy_is_the_formula_of_the_paper(skew, sigma_A, dl_A):
    atoms = random_ions(7, 6.0, 1, skew=skew)
    total, own = _by_the_formula(atoms, sigma_A, dl_A)
    kept = evaluate(LatentEwald(sigma_A, dl_A, remove_self=False), [atoms])[0]
    removed = evaluate(LatentEwald(sigma_A, dl_A), [atoms])[0]
    assert kept == pytest.approx(total, rel=1e-12)
    assert removed == pytest.approx(total - own, rel=1e-12)


def test_every_vector_of_the_sphere_is_taken_once():
    for atoms in (random_ions(1, 7.3, 0), random_ions(1, 7.3, 0, skew=0.9), random_ions(1, 8.0, 0)):
        reciprocal = np.linalg.inv(atoms.cell.array).T
        grid = np.array(list(itertools.product(range(-14, 15), repeat=3)))
        norms = np.linalg.norm(grid @ reciprocal, axis=1)
        expected = ((norms > 0) & (norms <= (1 + 1e-8) / 2.0)).sum()
        assert LatentEwald().prepare(atoms.cell.array, True).n_vectors == expected


def test_channels_add_up():
    atoms = random_ions(6, 6.0, 2)
    charges, positions, cells, _ = tensors([atoms])
    other = torch.linspace(-1, 1, 6, dtype=torch.float64)[:, None]
    les = LatentEwald()
    batch = les.collate([les.prepare(atoms.cell.array, True)], [6])
    both = les.energy(torch.cat([charges, other], 1), positions, cells, batch)
    assert both == pytest.approx(
        les.energy(charges, positions, cells, batch) + les.energy(other, positions, cells, batch), rel=1e-12
    )


def test_a_repeated_cell_has_as_many_times_the_energy():
    atoms = random_ions(5, 5.0, 3, skew=0.3)
    one, forces, _ = evaluate(LatentEwald(), [atoms])
    eight, repeated, _ = evaluate(LatentEwald(), [atoms.repeat(2)])
    assert eight == pytest.approx(8 * one, rel=1e-12)
    assert repeated[:5] == pytest.approx(forces, abs=1e-11)


def test_other_cell_vectors_of_the_same_lattice_give_the_same_energy_forces_and_virial():
    atoms = random_ions(9, 8.0, 4)  # 8 Å: many vectors lie on the sphere itself
    reference = evaluate(LatentEwald(), [atoms])
    changes = [[1, 0, 0], [1, 1, 0], [0, 0, 1]], [[1, 2, 0], [0, 1, 0], [3, -1, 1]], [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    for change in changes:
        other = atoms.copy()
        other.set_cell(np.array(change) @ atoms.cell.array)
        for value, expected in zip(evaluate(LatentEwald(), [other]), reference, strict=True):
            assert value == pytest.approx(expected, abs=1e-10)


def test_a_very_skewed_cell_costs_no_more_than_the_compact_one():
    compact = random_ions(2, 12.0, 5)
    skewed = compact.copy()
    skewed.set_cell(np.array([[1, 0, 0], [40, 1, 0], [-25, 60, 1]]) @ compact.cell.array)
    plans = [LatentEwald().prepare(atoms.cell.array, True) for atoms in (compact, skewed)]
    assert plans[0].multiplicity.size == plans[1].multiplicity.size
    assert plans[0].n_vectors == plans[1].n_vectors
    assert evaluate(LatentEwald(), [skewed])[0] == pytest.approx(evaluate(LatentEwald(), [compact])[0], rel=1e-10)


def test_translation_rotation_and_wrapping_change_nothing():
    atoms = random_ions(6, 6.0, 6, skew=0.2)
    energy, forces, virial = evaluate(LatentEwald(), [atoms])
    moved = atoms.copy()
    moved.positions += [31.0, -4.7, 1000.0]
    moved.positions[2] += 5 * atoms.cell.array[1]
    assert evaluate(LatentEwald(), [moved])[1] == pytest.approx(forces, abs=1e-9)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ turn.T, scale_atoms=True)
    after = evaluate(LatentEwald(), [turned])
    assert after[0] == pytest.approx(energy, rel=1e-12)
    assert after[1] == pytest.approx(forces @ turn.T, abs=1e-10)
    assert after[2][0] == pytest.approx(turn @ virial[0] @ turn.T, abs=1e-10)


@pytest.mark.parametrize("pbc", [True, False])
def test_forces_are_minus_the_gradient_of_the_energy(pbc):
    atoms = random_ions(5, 6.0, 7, skew=0.3)
    atoms.pbc = pbc
    forces = evaluate(LatentEwald(), [atoms])[1]
    for index in np.ndindex(5, 3):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index] += sign * 1e-4
            energies.append(evaluate(LatentEwald(), [moved])[0][0])
        assert forces[index] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-6)


def test_the_virial_is_the_strain_derivative_with_the_vectors_of_the_unstrained_cell():
    atoms = random_ions(6, 8.0, 8)  # strain moves vectors over the sphere; the plan keeps its own
    virial = evaluate(LatentEwald(), [atoms])[2][0]
    plan = LatentEwald().prepare(atoms.cell.array, True)
    for i, j in itertools.combinations_with_replacement(range(3), 2):
        energies = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * 5e-5
            strain[j, i] += sign * 5e-5
            other = atoms.copy()
            other.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(evaluate(LatentEwald(), [other], [plan])[0][0])
        assert virial[i, j] == pytest.approx((energies[0] - energies[1]) / 2e-4, abs=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
def test_first_and_second_derivatives_in_charges_positions_and_cell_are_right(periodic):
    atoms = random_ions(3, 4.0, 9, skew=0.2)
    les = LatentEwald(sigma_A=1.0, dl_A=2.2)
    charges, positions, cells, _ = tensors([atoms])
    batch = les.collate([les.prepare(atoms.cell.array, periodic)], [3])
    charges = torch.cat([charges, charges.flip(0)], 1)
    inputs = [tensor.requires_grad_() for tensor in ((charges, positions, cells) if periodic else (charges, positions))]

    def energy(*leaves):
        return les.energy(leaves[0], leaves[1], leaves[2] if periodic else cells, batch)

    assert torch.autograd.gradcheck(energy, inputs)
    assert torch.autograd.gradgradcheck(energy, inputs)


def test_a_batch_of_crystals_and_molecules_gives_what_single_structures_give():
    molecule = random_ions(5, 6.0, 10)
    molecule.pbc = False
    molecule.cell = None
    structures = [
        random_ions(3, 4.0, 11),
        molecule,
        random_ions(40, 9.0, 12, skew=0.5),
        random_ions(1, 3.0, 13),
        random_ions(8, 14.0, 14),
    ]
    energies, forces, virials = evaluate(LatentEwald(), structures)
    start = 0
    for index, atoms in enumerate(structures):
        one = evaluate(LatentEwald(), [atoms]) if atoms.pbc.all() else evaluate(LatentEwald(), [atoms, structures[0]])
        assert energies[index] == pytest.approx(one[0][0], rel=1e-12, abs=1e-12)
        assert forces[start : start + len(atoms)] == pytest.approx(one[1][: len(atoms)], abs=1e-11)
        assert virials[index] == pytest.approx(one[2][0], abs=1e-11)
        start += len(atoms)
    assert np.isfinite(virials).all()


def test_gradients_of_padded_batches_are_numbers_to_second_order():
    molecules = [random_ions(n, 5.0, n) for n in (2, 4)]
    for atoms in molecules:
        atoms.pbc = False
    les = LatentEwald()
    structures = [*molecules, random_ions(2, 4.0, 1), random_ions(3, 5.0, 2)]
    charges, positions, cells, _ = tensors(structures)
    leaves = [charges.requires_grad_(), positions.requires_grad_()]
    batch = les.collate([les.prepare(a.cell.array, a.pbc) for a in structures], [len(a) for a in structures])
    assert len(batch.groups) == 2
    forces = torch.autograd.grad(les.energy(charges, positions, cells, batch).sum(), positions, create_graph=True)[0]
    for gradient in torch.autograd.grad(forces.square().sum(), leaves):
        assert torch.isfinite(gradient).all()


def test_single_precision_charges_keep_the_positions_precision():
    atoms = random_ions(6, 6.0, 15)
    charges, positions, cells, _ = tensors([atoms])
    les = LatentEwald()
    batch = les.collate([les.prepare(atoms.cell.array, True)], [6])
    low = les.energy(charges.float(), positions, cells, batch)
    assert low.dtype == torch.float64
    assert low == pytest.approx(les.energy(charges, positions, cells, batch), rel=1e-6)
    single = les.collate([les.prepare(atoms.cell.array, True)], [6], dtype=torch.float32)
    assert les.energy(charges.float(), positions.float(), cells.float(), single).dtype == torch.float32


def test_a_molecule_is_the_limit_of_an_ever_larger_cell_and_its_dipole_says_how():
    """Makov-Payne: E_cell - E_free -> -(2 pi / 3 V) p² / (4 pi eps0); ratios 1.03, 1.015, 1.008 in methods A.5."""
    ratios = []
    for edge in (20.0, 30.0, 40.0):
        pair = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 3.0]], cell=[edge] * 3, pbc=True)
        pair.set_initial_charges([1, -1])
        free = pair.copy()
        free.pbc = False
        difference = (evaluate(EXACT, [pair])[0] - evaluate(EXACT, [free, pair])[0][0])[0]
        ratios.append(difference / (-2 * np.pi / 3 / edge**3 * 9 * COULOMB_eV_A))
    assert ratios == pytest.approx([1.03, 1.015, 1.008], abs=5e-3)


@pytest.mark.parametrize("pbc", [False, True])
def test_the_tail_of_a_charged_pair_falls_as_one_over_distance(pbc):
    distances = np.array([5.0, 6.0, 8.0, 10.0])
    energies = []
    for distance in distances:
        pair = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, distance]], cell=[120.0] * 3, pbc=pbc)
        pair.set_initial_charges([1, -1])
        companion = random_ions(1, 3.0, 0)  # gives molecules a cell to differentiate by
        energies.append(evaluate(LatentEwald(dl_A=2.0, mesh_above=None), [pair, companion])[0][0])
    if pbc:  # the energy of the two charges apart is no part of their interaction
        energies -= energies[-1] + COULOMB_eV_A / distances[-1]
    slope = np.polyfit(np.log(distances), np.log(-np.array(energies)), 1)[0]
    assert slope == pytest.approx(-1.00, abs=0.01 if pbc else 1e-4)


def test_the_default_dl_leaves_the_error_that_the_methods_state():
    pair = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 3.0]], cell=[20.0] * 3, pbc=True)
    pair.set_initial_charges([1, -1])
    energies = {dl: evaluate(LatentEwald(dl_A=dl), [pair])[0][0] for dl in (2.0, 1.5, 1.0, 0.7)}
    errors_meV = {dl: 1000 * (energies[dl] - energies[0.7]) for dl in (2.0, 1.5, 1.0)}
    assert abs(errors_meV[2.0]) == pytest.approx(20, abs=3)
    assert abs(errors_meV[1.5]) == pytest.approx(0.3, abs=0.15)
    assert abs(errors_meV[1.0]) < 1e-5


def test_slabs_wires_and_flat_cells_are_refused_in_a_sentence():
    les = LatentEwald()
    with pytest.raises(InvalidStructure, match="2 of 3 directions"):
        les.prepare(np.eye(3), [True, True, False])
    with pytest.raises(InvalidStructure, match="1 of 3 directions"):
        les.prepare(np.eye(3), [False, True, False])
    with pytest.raises(InvalidStructure, match="volume"):
        les.prepare(np.diag([3.0, 3.0, 0.0]), True)
    with pytest.raises(ValueError, match="sigma_A = 0 Å"):
        LatentEwald(sigma_A=0.0)
    batch = les.collate([les.prepare(np.eye(3), True)], [4])
    with pytest.raises(ValueError, match="one row an atom"):
        les.energy(torch.zeros(4), torch.zeros(4, 3), torch.eye(3)[None], batch)


def test_plans_are_kept_and_travel_between_processes():
    atoms = rattled_salt()
    plan = LatentEwald().prepare(atoms.cell.array, True)
    assert LatentEwald().prepare(atoms.cell.array.copy(), True) is plan
    other = pickle.loads(pickle.dumps(plan))
    assert evaluate(LatentEwald(), [atoms], [other])[0] == evaluate(LatentEwald(), [atoms])[0]
    assert len(pickle.dumps(plan)) < 5000


def test_self_energy_is_that_of_a_gaussian_with_itself():
    """One charge in a huge cell: with its self energy kept, the sum tends to it (minus the cell's own 2.837 q²/2L)."""
    atom = Atoms("Na", positions=[[0, 0, 0]], cell=[40.0] * 3, pbc=True)
    atom.set_initial_charges([1.0])
    kept = evaluate(LatentEwald(dl_A=1.2, mesh_above=None, remove_self=False), [atom])[0][0]
    images = -2.8372975 / 2 * COULOMB_eV_A / 40.0 + math.pi * COULOMB_eV_A / 40.0**3
    assert kept - images == pytest.approx(COULOMB_eV_A / math.sqrt(2 * math.pi), rel=1e-4)

"""The particle-mesh route against the direct sum and against torch-pme's own calculators."""

import math

import numpy as np
import pytest
import torch
import torchpme

from labkit.potentials.ewald import MESH_ABOVE, LatentEwald
from labkit.potentials.ewald_plan import COULOMB_eV_A
from tests.potentials.charged import evaluate, random_ions, tensors

#: What `LatentEwald.mesh_points` promises for random charges of order 1 e: (relative to the rms force, eV per atom).
PROMISED = {5.0: (1e-4, 2e-6), 8.0: (2e-5, 2e-7)}


@pytest.mark.parametrize("points", sorted(PROMISED))
@pytest.mark.parametrize("dl_A", [2.0, 1.0])
@pytest.mark.parametrize("skew", [0.0, 0.5])
def test_the_mesh_gives_energy_forces_and_virial_of_the_direct_sum(points, dl_A, skew):
    atoms = random_ions(120, 12.0, 1, skew=skew)
    direct = evaluate(LatentEwald(dl_A=dl_A, mesh_above=None), [atoms])
    mesh = evaluate(LatentEwald(dl_A=dl_A, mesh_above=0, mesh_points=points), [atoms])
    relative, per_atom = PROMISED[points]
    rms = np.sqrt((direct[1] ** 2).mean())
    assert np.sqrt(((mesh[1] - direct[1]) ** 2).mean()) < relative * rms
    assert mesh[0] == pytest.approx(direct[0], abs=per_atom * len(atoms))
    assert mesh[2] == pytest.approx(direct[2], abs=10 * per_atom * len(atoms))


@pytest.mark.parametrize("dl_A", [2.0, 0.8])
def test_more_mesh_points_come_nearer_to_the_direct_sum(dl_A):
    atoms = random_ions(60, 9.0, 2, skew=0.3)
    direct = evaluate(LatentEwald(dl_A=dl_A, mesh_above=None), [atoms])[1]
    errors = [
        np.abs(evaluate(LatentEwald(dl_A=dl_A, mesh_above=0, mesh_points=points), [atoms])[1] - direct).max()
        for points in (3.0, 5.0, 8.0, 14.0)
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 64 * errors[3]


@pytest.mark.parametrize("remove_self", [True, False])
def test_several_channels_and_a_net_charge_are_the_same_on_the_mesh(remove_self):
    atoms = random_ions(30, 8.0, 3)
    charges, positions, cells, _ = tensors([atoms])
    charges = torch.cat([charges + 0.5, charges.flip(0), charges.abs()], dim=1)
    energies = []
    for above in (None, 0):
        les = LatentEwald(mesh_above=above, mesh_points=8.0, remove_self=remove_self)
        batch = les.collate([les.prepare(atoms.cell.array, True)], [30])
        energies.append(les.energy(charges, positions, cells, batch).item())
    assert energies[1] == pytest.approx(energies[0], abs=2e-5)


@pytest.mark.parametrize("skew", [0.0, 0.5])
def test_the_sum_is_the_reciprocal_part_of_torch_pme_without_its_background(skew):
    """torch-pme subtracts pi σ² Q² / V (its background correction); the latent sum drops k = 0 and nothing else."""
    atoms = random_ions(20, 8.0, 4, skew=skew)
    charges, positions, cells, _ = tensors([atoms])
    assert abs(charges.sum()) > 1
    theirs = torchpme.PMECalculator(
        torchpme.CoulombPotential(smearing=1.0, prefactor=COULOMB_eV_A), mesh_spacing=0.25, interpolation_nodes=6
    ).double()
    nothing = torch.zeros((0, 2), dtype=torch.long), torch.zeros(0, dtype=torch.float64)
    energy = (charges * theirs(charges, cells[0], positions, *nothing)).sum()  # no pairs: the reciprocal part alone
    background = math.pi * COULOMB_eV_A * charges.sum() ** 2 / cells[0].det().abs()
    for les in (LatentEwald(dl_A=0.8, mesh_above=None), LatentEwald(dl_A=0.8, mesh_above=0, mesh_points=8)):
        assert evaluate(les, [atoms])[0] == pytest.approx(float(energy + background), abs=5e-6)


def test_forces_on_the_mesh_are_the_gradient_of_its_energy():
    atoms = random_ions(4, 5.0, 5, skew=0.2)
    les = LatentEwald(mesh_above=0)
    forces, virial = evaluate(les, [atoms])[1:]
    plan = les.prepare(atoms.cell.array, True)
    for index in ((0, 0), (2, 1), (3, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index] += sign * 1e-4
            energies.append(evaluate(les, [moved])[0][0])
        assert forces[index] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-6)
    energies = []
    for sign in (1, -1):
        strain = np.eye(3)
        strain[0, 1] = strain[1, 0] = sign * 5e-5
        other = atoms.copy()
        other.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        energies.append(evaluate(les, [other], [plan])[0][0])
    assert virial[0, 0, 1] == pytest.approx((energies[0] - energies[1]) / 2e-4, abs=1e-6)


def test_second_derivatives_on_the_mesh_are_right():
    atoms = random_ions(3, 4.0, 6, skew=0.2)
    charges, positions, cells, _ = tensors([atoms])
    les = LatentEwald(mesh_above=0, mesh_points=3.0)
    batch = les.collate([les.prepare(atoms.cell.array, True)], [3])
    leaves = [tensor.requires_grad_() for tensor in (charges, positions, cells)]
    assert torch.autograd.gradgradcheck(lambda *values: les.energy(*values, batch), leaves)


def test_size_chooses_the_route():
    les = LatentEwald(mesh_above=30)
    small, large = random_ions(30, 8.0, 7), random_ions(31, 8.0, 8)
    batch = les.collate([les.prepare(atoms.cell.array, True) for atoms in (small, large, small)], [30, 31, 30])
    assert sorted(group.kind for group in batch.groups) == ["direct", "mesh"]
    energies, forces, _ = evaluate(les, [small, large, small])
    assert energies == pytest.approx(evaluate(LatentEwald(mesh_above=None), [small, large, small])[0], abs=1e-3)
    assert forces[:30] == pytest.approx(forces[61:], abs=1e-12)
    assert LatentEwald().mesh_above == MESH_ABOVE

"""Reference frames of torch-pme (GROMACS SPME): energy, forces and stress of eight ions in three cubic cells."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch

from labkit.potentials.coulomb import PointCharges

FRAMES = Path(__file__).parents[1] / "data" / "torch_pme" / "coulomb_test_frames.xyz"
#: torch-pme's own tests accept 1e-4 in the energy and 5e-3 in forces and stress; these are nearer to GROMACS's digits.
ENERGY, FORCES, STRESS = 2e-5, 3e-4, 3e-4


@pytest.mark.parametrize("index", [0, 1, 2])
def test_energy_forces_and_stress_of_the_frames_are_reproduced(index):
    frame = ase.io.read(FRAMES, index)
    prediction = PointCharges().predict([frame])
    assert prediction.energies[0] == pytest.approx(frame.get_potential_energy(), rel=ENERGY)
    assert prediction.forces[0] == pytest.approx(frame.get_forces(), abs=FORCES)
    # The file holds GROMACS's virial, half of dE/dε, in eV (torch-pme tests/calculators/test_values_ewald.py).
    virial = 2 * frame.get_stress(voigt=False)
    largest = np.abs(virial).max()
    assert prediction.stresses[0] * frame.cell.volume == pytest.approx(virial, abs=STRESS * largest)


def test_all_frames_in_one_batch_are_the_same():
    frames = ase.io.read(FRAMES, ":")
    batch = PointCharges().predict(frames)
    for index, frame in enumerate(frames):
        single = PointCharges().predict([frame])
        assert batch.energies[index] == pytest.approx(single.energies[0], abs=1e-10)
        assert batch.forces[index] == pytest.approx(single.forces[0], abs=1e-10)
        assert batch.stresses[index] == pytest.approx(single.stresses[0], abs=1e-12)


def test_labkit_and_torch_pme_agree_beyond_the_digits_of_the_frames():
    import torchpme
    from vesin import NeighborList

    frame = ase.io.read(FRAMES, 0)
    positions, cell = torch.as_tensor(frame.positions), torch.as_tensor(frame.cell.array)
    charges = torch.as_tensor(frame.get_initial_charges())[:, None]
    i, j, distances = NeighborList(cutoff=6.0, full_list=False).compute(
        frame.positions, frame.cell.array, True, quantities="ijd"
    )
    pairs = torch.as_tensor(np.stack([i, j], axis=1).astype(np.int64))
    theirs = torchpme.EwaldCalculator(
        torchpme.CoulombPotential(smearing=1.0, prefactor=torchpme.prefactors.eV_A), lr_wavelength=0.4
    ).double()
    energy = float((charges * theirs(charges, cell, positions, pairs, torch.as_tensor(distances))).sum())
    assert PointCharges().predict([frame]).energies[0] == pytest.approx(energy, rel=1e-7)

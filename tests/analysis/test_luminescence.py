"""Huang-Rhys factors: the published NV centre and harmonic toys."""

import json

import numpy as np
import pytest
from ase import Atoms

from labkit.analysis.luminescence import huang_rhys, huang_rhys_from_forces
from labkit.analysis.luminescence_data import FOLDER, nv_diamond
from labkit.analysis.luminescence_displacement import displacement
from labkit.analysis.luminescence_hessian import load_hessian, save_hessian
from labkit.analysis.luminescence_modes import HBAR2, NormalModes, normal_modes
from labkit.errors import InvalidStructure

from .luminescence_toys import crystal


@pytest.fixture(scope="module")
def nv():
    return nv_diamond()


@pytest.fixture(scope="module")
def nv_modes(nv):
    return normal_modes(nv.ground, nv.hessian_eV_A2)


@pytest.fixture(scope="module")
def nv_factors(nv, nv_modes):
    return huang_rhys(nv_modes, nv.ground, nv.excited)


# The published row pbe_out/gs_zpl_disp_mode of github Shibu778/defectpl, examples/NV_diamond/pl_summary_table.csv.
PUBLISHED = {"total": 2.927105, "debye_waller": 0.053552, "delta_Q": 0.642559, "delta_R": 0.183851}


@pytest.mark.parametrize("quantity", PUBLISHED)
def test_the_nv_centre_has_the_published_numbers(nv_factors, quantity):
    assert getattr(nv_factors, quantity) == pytest.approx(PUBLISHED[quantity], abs=1e-4)


def test_the_strongest_mode_of_the_nv_centre_is_the_known_one(nv_factors):
    # methods A.4: 44.7 meV with S_k 0.97; the highest mode 164.2 meV
    assert nv_factors.energies_meV[nv_factors.strongest] == pytest.approx(44.7, abs=0.05)
    assert nv_factors.factors.max() == pytest.approx(0.97, abs=0.005)
    assert nv_factors.energies_meV.max() == pytest.approx(164.2, abs=0.05)
    assert len(nv_factors) == 642
    assert np.abs(nv_factors.left_out).max() < 0.5
    assert nv_factors.localisation.max() > 5 * np.median(nv_factors.localisation)


def test_what_is_shipped_is_small_and_says_where_it_is_from():
    files = list(FOLDER.glob("nv_diamond*.npz"))
    assert sum(file.stat().st_size for file in files) < 900e3
    words = (FOLDER / "SOURCE.txt").read_text(encoding="utf-8")
    for file in files:
        assert file.name in words
    assert "licence: MIT" in words


def test_a_spring_between_two_masses_has_the_frequency_of_the_text_book():
    k, masses = 30.0, np.array([12.011, 15.999])
    hessian = np.zeros((6, 6))
    hessian[np.ix_((0, 3), (0, 3))] = k * np.array([[1, -1], [-1, 1]])
    modes = normal_modes(Atoms("CO", [[0, 0, 0], [1.1, 0, 0]]), hessian)
    reduced = masses.prod() / masses.sum()
    assert modes.energies_meV[-1] == pytest.approx(1e3 * np.sqrt(HBAR2 * k / reduced))
    np.testing.assert_allclose(modes.energies_meV[:-1], 0, atol=1e-3)
    stretched = Atoms("CO", [[0, 0, 0], [1.2, 0, 0]])
    found = huang_rhys(modes, modes.atoms, stretched)
    # S = ΔE_relaxation / ħω, the relaxation energy is that of the spring
    assert found.relaxation_energy_meV == pytest.approx(0.5e3 * k * 0.1**2)
    assert found.total == pytest.approx(0.5e3 * k * 0.1**2 / modes.energies_meV[-1])
    assert found.effective_energy_meV == pytest.approx(modes.energies_meV[-1])


def test_forces_and_displacements_agree_where_the_energy_is_harmonic():
    atoms, hessian = crystal()
    modes = normal_modes(atoms, hessian)
    moved = np.random.default_rng(1).normal(scale=0.02, size=(len(atoms), 3))
    moved -= np.average(moved, axis=0, weights=atoms.get_masses())
    excited = atoms.copy()
    excited.positions += moved
    one = huang_rhys(modes, atoms, excited)
    # the excited state's energy has its minimum at R_e: at R_g it pushes with F_e = H (R_e - R_g)
    pushed = (hessian @ moved.ravel()).reshape(-1, 3)
    other = huang_rhys_from_forces(modes, np.zeros_like(pushed), pushed)
    np.testing.assert_allclose(other.factors, one.factors, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(other.displacements, one.displacements, rtol=1e-9, atol=1e-12)
    assert (other.delta_Q, other.delta_R) == pytest.approx((one.delta_Q, one.delta_R))
    assert one.relaxation_energy_meV == pytest.approx(0.5e3 * moved.ravel() @ hessian @ moved.ravel())
    common = np.random.default_rng(2).normal(size=pushed.shape)
    assert huang_rhys_from_forces(modes, common, common + pushed).total == pytest.approx(one.total)


def test_wrapped_and_moved_positions_give_the_same_factors(nv, nv_modes, nv_factors):
    excited = nv.excited.copy()
    excited.translate([3.1, -0.7, 0.2])
    excited.wrap()
    assert huang_rhys(nv_modes, nv.ground, excited).total == pytest.approx(nv_factors.total, abs=1e-9)
    unwrapped = nv.excited.copy()
    unwrapped.positions[::3] += 2 * nv.ground.cell[1]
    found = huang_rhys(nv_modes, nv.ground, unwrapped)
    assert found.delta_R == pytest.approx(nv_factors.delta_R, abs=1e-9)


def test_a_molecule_that_was_only_turned_does_not_move():
    rng = np.random.default_rng(3)
    ground = Atoms("CH4", rng.normal(size=(5, 3)))
    turned = ground.copy()
    turned.rotate(70, (1, 2, 3))
    turned.translate([1, 2, 3])
    np.testing.assert_allclose(displacement(ground, turned), 0, atol=1e-9)
    np.testing.assert_allclose(displacement(Atoms("H"), Atoms("H", [[4, 0, 0]])), 0)
    linear = Atoms("CO2", [[0, 0, 0], [1.2, 0, 0], [-1.2, 0, 0]])
    bent_line = linear.copy()
    bent_line.rotate(40, "z")
    np.testing.assert_allclose(displacement(linear, bent_line), 0, atol=1e-6)


def test_modes_of_a_molecule_that_lies_otherwise_are_turned_with_it():
    rng = np.random.default_rng(4)
    ground = Atoms("CH4", 2 * rng.normal(size=(5, 3)))
    root = rng.normal(size=(15, 15))
    excited = ground.copy()
    excited.positions += 0.05 * rng.normal(size=(5, 3))
    modes = normal_modes(ground, root @ root.T + 5 * np.eye(15))
    known = huang_rhys(modes, ground, excited)
    for atoms in (ground, excited):
        atoms.rotate(70, (1, 2, 3))
        atoms.translate([1, 2, 3])
    np.testing.assert_allclose(huang_rhys(modes, ground, excited).factors, known.factors, atol=1e-9)


def test_the_participation_ratio_counts_atoms():
    vectors = np.zeros((2, 4, 3))
    vectors[0, 0, 0] = 1.0
    vectors[1, :, 1] = 0.5
    modes = NormalModes(Atoms("H4", positions=np.eye(4, 3)), np.array([10.0, 20.0]), vectors)
    np.testing.assert_allclose(modes.participation, [1, 4])
    np.testing.assert_allclose(modes.localisation, [4, 1])


def test_a_mode_moves_its_atoms_by_the_amplitude_asked_for(nv_modes):
    frames = nv_modes.frames(500, amplitude_A=0.3, count=8)
    moved = np.array([frame.positions - nv_modes.atoms.positions for frame in frames])
    assert np.linalg.norm(moved, axis=2).max() == pytest.approx(0.3)
    np.testing.assert_allclose(moved.sum(axis=0), 0, atol=1e-9)
    with pytest.raises(ValueError, match="mode 645 does not exist"):
        nv_modes.frames(645)


def test_one_effective_mode_keeps_the_relaxation_energy(nv_factors):
    one = nv_factors.single_mode()
    assert len(one) == 1
    assert one.relaxation_energy_meV == pytest.approx(nv_factors.relaxation_energy_meV)
    assert one.effective_energy_meV == pytest.approx(nv_factors.effective_energy_meV) == one.energies_meV[0]


def test_no_displacement_is_no_phonon(nv, nv_modes):
    still = huang_rhys(nv_modes, nv.ground, nv.ground)
    assert (still.total, still.debye_waller, still.effective_energy_meV) == (0.0, 1.0, 0.0)
    assert still.single_mode().total == 0.0


def test_a_hessian_survives_its_file_within_half_a_quantum(tmp_path):
    _, hessian = crystal()
    save_hessian(tmp_path / "h.npz", hessian, quantum_eV_A2=1e-3)
    read = load_hessian(tmp_path / "h.npz")
    assert np.abs(read - hessian).max() <= 0.5001e-3
    np.testing.assert_array_equal(read, read.T)
    (tmp_path / "bad.npz").write_bytes((tmp_path / "h.npz").read_bytes()[:200])
    with pytest.raises(InvalidStructure, match="holds no force constants"):
        load_hessian(tmp_path / "bad.npz")
    for wrong, words in ((hessian[:4], "shape"), (hessian * np.nan, "not finite"), (hessian * 1e9, "quantum")):
        with pytest.raises(ValueError, match=words):
            save_hessian(tmp_path / "x.npz", wrong)


def test_the_numbers_can_be_written_as_json(nv_factors):
    told = json.loads(json.dumps(nv_factors.named("PBE").to_dict()))
    assert told["name"] == "PBE"
    assert told["total"] == nv_factors.total
    assert len(told["factors"]) == 642

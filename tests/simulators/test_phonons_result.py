"""A harmonic crystal against what is known on paper: chains, Lennard-Jones fcc, Einstein and Debye."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from labkit.errors import InvalidStructure, InvalidTask, UnreadableFile
from labkit.simulators.phonons_imaginary import commensurate_points
from labkit.simulators.phonons_phonopy import ase_cell, bare_phonopy
from labkit.simulators.phonons_result import HarmonicCrystal, read
from tests.simulators.phonons_models import LennardJones, Nearest, curvature, dispersion, slope

MASS = Atoms("Ar").get_masses()[0]
H_EV_PS = 4.135667696e-3  # Planck's constant, CODATA 2018


def phonons(atoms, matrix, potential, displacement_A=0.005, exact=True):
    matrix = np.diag(matrix) if np.ndim(matrix) == 1 else matrix
    phonon = bare_phonopy(atoms, matrix)
    phonon.generate_displacements(distance=displacement_A)
    cells = [ase_cell(cell) for cell in phonon.supercells_with_displacements]
    phonon.forces = np.array(potential.predict(cells).forces)
    phonon.produce_force_constants(show_drift=False)
    phonon.symmetrize_force_constants(show_drift=False, use_symfc_projector=exact)
    return HarmonicCrystal(atoms, phonon.supercell_matrix, phonon.force_constants)


def chain(spacing_A):
    return Atoms("Ar", cell=[spacing_A, 21, 24], pbc=True)


@pytest.fixture(scope="module")
def argon():
    return phonons(bulk("Ar", "fcc", 5.25), (3, 3, 3), LennardJones())


@pytest.mark.parametrize("spacing_A", [3.816, 3.9, 3.7])
def test_a_chain_has_the_dispersion_of_two_springs_along_and_across(spacing_A):
    crystal = phonons(chain(spacing_A), (6, 1, 1), Nearest(), displacement_A=0.002)
    q = np.linspace(0, 0.5, 7)
    found = crystal.frequencies_THz(np.outer(q, [1, 0, 0]))
    per_root = units.fs * 1000 / (2 * np.pi)
    along = 2 * np.sqrt(curvature(spacing_A) / MASS) * np.sin(np.pi * q) * per_root
    tension = slope(spacing_A) / spacing_A  # a pulled chain sounds, a pressed one buckles
    across = np.sign(tension) * 2 * np.sqrt(abs(tension) / MASS) * np.sin(np.pi * q) * per_root
    expected = np.sort(np.array([along, across, across]), axis=0).T
    assert found == pytest.approx(expected, abs=2e-4 * abs(expected).max())


@pytest.mark.parametrize("constant_A", [5.25, 5.1])
def test_lennard_jones_fcc_has_the_dispersion_of_its_shells_under_any_pressure(constant_A, argon):
    atoms = bulk("Ar", "fcc", constant_A)
    crystal = argon if constant_A == 5.25 else phonons(atoms, (3, 3, 3), LennardJones(), exact=False)
    bands = crystal.bands(points=11)
    expected = dispersion(atoms.cell, bands.qpoints, MASS)
    assert bands.frequencies_THz == pytest.approx(expected, abs=5e-4 * expected.max())
    anywhere = np.random.default_rng(1).uniform(-1, 1, (20, 3))
    expected = dispersion(atoms.cell, anywhere, MASS)
    assert crystal.frequencies_THz(anywhere) == pytest.approx(expected, abs=5e-4 * expected.max())


def test_moving_the_whole_crystal_costs_nothing(argon):
    assert abs(argon.force_constants_eV_A2.sum(axis=1)).max() < 1e-12
    assert abs(argon.frequencies_THz([[0, 0, 0]])).max() < 1e-4


def test_group_velocities_are_the_slopes_of_the_frequencies(argon):
    points, step = np.random.default_rng(3).uniform(-0.5, 0.5, (6, 3)), 1e-4
    found = argon.group_velocities(points)
    for axis in range(3):
        move = np.asarray(argon.atoms.cell) @ np.eye(3)[axis] * step
        slopes = (argon.frequencies_THz(points + move) - argon.frequencies_THz(points - move)) / (2 * step)
        assert found[..., axis] == pytest.approx(slopes, abs=2e-3)


def test_eigenvectors_are_orthonormal_and_frames_feel_the_force_of_their_frequency():
    """F = -m omega^2 u, with the forces from the potential itself, for a wave with complex eigenvectors."""
    atoms = Atoms("ArHe", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.47]], cell=[3.9, 4.1, 4.4], pbc=True)
    crystal = phonons(atoms, (4, 3, 3), LennardJones(), exact=False)
    q = [0.25, 1 / 3, 1 / 3]
    modes = crystal.modes([q])
    vectors = modes.eigenvectors[0].reshape(6, 6)
    assert vectors.conj() @ vectors.T == pytest.approx(np.eye(6), abs=1e-10)
    rest = atoms.repeat((4, 3, 3))
    at_rest = LennardJones().predict([rest]).forces[0]
    for branch in range(6):
        frames = crystal.frames(q, branch, amplitude_A=0.004, count=5)
        assert len(frames) == 5
        assert len(frames[0]) == len(rest)
        moves = frames[0].positions - rest.positions
        assert np.linalg.norm(moves, axis=1).max() == pytest.approx(0.004)
        frequency = modes.frequencies_THz[0, branch]
        square = np.sign(frequency) * (2 * np.pi * frequency / (1000 * units.fs)) ** 2
        expected = -square * rest.get_masses()[:, None] * moves
        felt = LennardJones().predict([frames[0]]).forces[0] - at_rest
        assert felt == pytest.approx(expected, abs=0.02 * abs(expected).max())
    with pytest.raises(InvalidTask, match="no branch 6; this crystal has 6"):
        crystal.frames(q, 6)


def test_the_density_of_states_counts_every_mode_and_every_atom():
    atoms = Atoms("ArAr", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[4.1, 4.1, 6.0], pbc=True)
    atoms.set_masses([39.948, 20.0])
    crystal = phonons(atoms, (2, 2, 2), LennardJones(), exact=False)
    dos = crystal.dos((6, 6, 6), points=500)
    assert np.trapezoid(dos.total, dos.frequencies_THz) == pytest.approx(6, rel=5e-3)
    for atom in range(2):  # tetrahedra follow bands by their order, which costs a part where two of them cross
        assert np.trapezoid(dos.projected[atom], dos.frequencies_THz) == pytest.approx(3, rel=0.02)
    assert dos.projected.sum(axis=0) == pytest.approx(dos.total)
    # Equivalent atoms share what the irreducible wave vectors give them.
    four = bulk("Ar", "fcc", 5.25, cubic=True)
    same = phonons(four, (2, 2, 2), LennardJones(), exact=False).dos((4, 4, 4))
    assert same.projected == pytest.approx(np.tile(same.projected[0], (4, 1)))


def test_independent_oscillators_have_the_thermal_functions_of_einstein():
    springs = np.zeros((8, 8, 3, 3))
    springs[range(8), range(8)] = np.diag([2.0, 3.0, 5.0])
    crystal = HarmonicCrystal(bulk("Ar", "fcc", 5.25), np.diag([2, 2, 2]), springs)
    quanta = H_EV_PS * np.sqrt(np.array([2.0, 3.0, 5.0]) / MASS) * units.fs * 1000 / (2 * np.pi)
    T = np.array([0.0, 3.0, 20.0, 150.0, 3000.0])
    thermal = crystal.thermal(T, (3, 3, 3))
    x = quanta[:, None] / (units.kB * T[1:])
    free = (quanta[:, None] / 2 + units.kB * T[1:] * np.log1p(-np.exp(-x))).sum(axis=0)
    heat = (units.kB * x**2 * np.exp(x) / np.expm1(x) ** 2).sum(axis=0)
    entropy = (units.kB * (x / np.expm1(x) - np.log1p(-np.exp(-x)))).sum(axis=0)
    assert thermal.zero_point_eV == pytest.approx(quanta.sum() / 2, rel=1e-6)
    assert thermal.free_energy_eV == pytest.approx([quanta.sum() / 2, *free], rel=1e-5)
    assert thermal.heat_capacity_eV_K == pytest.approx([0, *heat], rel=1e-5, abs=1e-12)
    assert thermal.entropy_eV_K == pytest.approx([0, *entropy], rel=1e-4, abs=1e-12)
    assert thermal.imaginary_fraction == 0


def test_thermal_functions_of_a_crystal_obey_dulong_petit_debye_and_each_other(argon):
    T = np.arange(10.0, 120.0, 0.5)
    thermal = argon.thermal(T, (8, 8, 8))
    assert -np.gradient(thermal.free_energy_eV, T)[2:-2] == pytest.approx(thermal.entropy_eV_K[2:-2], rel=2e-3)
    assert (T * np.gradient(thermal.entropy_eV_K, T))[2:-2] == pytest.approx(thermal.heat_capacity_eV_K[2:-2], rel=2e-3)
    hot = argon.thermal([3000.0], (8, 8, 8))
    assert hot.heat_capacity_eV_K[0] == pytest.approx(3 * units.kB, rel=1e-3)
    # C = (2 pi^2 / 15) k (kT / hbar)^3 V <sum 1/v^3>, with the sound velocities of the shells (Debye).
    cell = np.asarray(argon.atoms.cell)
    directions = np.random.default_rng(0).normal(size=(800, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    k = 1e-3
    speeds = 2 * np.pi * dispersion(cell, k * directions @ cell.T / (2 * np.pi), MASS) / k  # Å/ps
    mean = (1 / speeds**3).sum(axis=1).mean()
    cold = 1.6
    debye = (
        2 * np.pi**2 / 15 * units.kB * (units.kB * cold * 2 * np.pi / H_EV_PS) ** 3 * argon.atoms.get_volume() * mean
    )
    assert argon.thermal([cold], (64, 64, 64)).heat_capacity_eV_K[0] == pytest.approx(debye, rel=0.05)


def test_imaginary_modes_are_named_with_their_place_and_degeneracy():
    found = phonons(chain(3.7), (4, 1, 1), Nearest()).imaginary()
    border = found[0]
    assert (border.degeneracy, border.branch) == (2, 0)
    buckling = 2 * np.sqrt(-slope(3.7) / 3.7 / MASS) * units.fs * 1000 / (2 * np.pi)
    assert border.frequency_THz == pytest.approx(-buckling, rel=1e-3)
    assert sorted(np.abs(border.qpoint)) == pytest.approx([0, 0, 0.5])
    assert "i THz, twice; Ar moves most" in border.text
    assert border.label in border.text
    inside = [mode for mode in found if np.allclose(sorted(np.abs(mode.qpoint)), [0, 0, 0.25])]
    assert [(mode.label.startswith("("), mode.degeneracy) for mode in inside] == [(True, 2)]
    assert phonons(chain(3.9), (4, 1, 1), Nearest()).imaginary() == []


def test_stars_of_wave_vectors_are_counted_once_and_carry_their_letters():
    crystal = HarmonicCrystal(bulk("Ar", "fcc", 5.25), np.diag([4, 4, 4]), np.zeros((64, 64, 3, 3)))
    points = dict(commensurate_points(crystal))
    assert set(points) >= {"Γ", "X", "L", "W"}
    assert len(points) == 8  # irreducible points of a 4 x 4 x 4 fcc mesh
    assert next(iter(points)) == "Γ"


def test_a_path_in_words_and_seekpaths_own_agree(argon):
    ours, theirs = argon.bands("Γ X | Γ-L", points=5), argon.bands(points=5)
    assert [label for _, label in ours.ticks] == ["Γ", "X|Γ", "L"]
    assert len(ours.segments) == 2
    assert ours.frequencies_THz[ours.segments[0]] == pytest.approx(theirs.frequencies_THz[:5])
    assert ours.distances[4] == pytest.approx(1 / 5.25)
    own = argon.bands("A B", points=3, special_points={"A": [0, 0, 0], "B": [0.1, 0, 0]})
    assert own.qpoints[-1] == pytest.approx([0.1, 0, 0])
    with pytest.raises(InvalidTask, match="no coordinates for Q; known are"):
        argon.bands("Γ Q")
    with pytest.raises(InvalidTask, match="needs two points"):
        argon.bands("Γ")


def test_a_file_gives_the_same_crystal_and_a_damaged_one_a_sentence(argon, tmp_path):
    argon.atoms.info["name"] = "argon"
    path = argon.write(tmp_path / "phonons-0.npz")
    again = read(tmp_path)
    assert np.array_equal(again.frequencies_THz([[0.1, 0.2, 0.3]]), argon.frequencies_THz([[0.1, 0.2, 0.3]]))
    assert again.atoms.info["name"] == "argon"
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 255
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, about=np.ones(9999))
    unclosed = foreign.read_bytes().replace(b"(9999,)", b"(9999, ")
    for damaged in (whole[: len(whole) // 2], bytes(middle), b"", b"phonons", foreign.read_bytes(), unclosed):
        path.write_bytes(damaged)
        with pytest.raises(UnreadableFile, match=r"phonons-0\.npz is not a readable file of phonons"):
            read(path)
    with pytest.raises(UnreadableFile, match="does not exist; a Phonons run writes"):
        read(tmp_path, 3)
    assert list(tmp_path.glob(".*")) == []


def test_phonopy_objects_come_in_whatever_their_unit_cell():
    """Four atoms in the unit cell, one in the primitive cell: the same crystal."""
    from phonopy import Phonopy

    from labkit.simulators.phonons_phonopy import phonopy_cell

    cubic = bulk("Ar", "fcc", 5.25, cubic=True)
    phonon = Phonopy(phonopy_cell(cubic), supercell_matrix=np.diag([2, 2, 2]), primitive_matrix="F")
    with pytest.raises(InvalidStructure, match=r"no force constants; call produce_force_constants"):
        HarmonicCrystal.from_phonopy(phonon)
    phonon.generate_displacements(distance=0.005)
    phonon.forces = np.array(
        LennardJones().predict([ase_cell(cell) for cell in phonon.supercells_with_displacements]).forces
    )
    for full in (True, False):
        phonon.produce_force_constants(show_drift=False, calculate_full_force_constants=full)
        crystal = HarmonicCrystal.from_phonopy(phonon)
        q = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3))
        assert crystal.frequencies_THz(q) == pytest.approx(phonon.run_qpoints(q).frequencies, abs=1e-5)
        assert len(crystal.atoms) == 1


def test_what_does_not_fit_together_is_refused(argon):
    atoms, constants = argon.atoms, argon.force_constants_eV_A2
    with pytest.raises(InvalidStructure, match=r"need force constants of the shape \(64, 64, 3, 3\), not \(27"):
        HarmonicCrystal(atoms, np.diag([4, 4, 4]), constants)
    broken = constants.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(InvalidStructure, match="not finite numbers"):
        HarmonicCrystal(atoms, np.diag([3, 3, 3]), broken)
    with pytest.raises(InvalidStructure, match="3 x 3 integers"):
        HarmonicCrystal(atoms, np.eye(2), constants)
    with pytest.raises(InvalidStructure, match="need a crystal"):
        HarmonicCrystal(Atoms("Ar"), np.diag([3, 3, 3]), constants)
    with pytest.raises(ValueError, match="rows of three finite numbers"):
        argon.modes([0.1, 0.2])
    with pytest.raises(ValueError, match="not below 0 K"):
        argon.thermal([-1.0])

"""The density of mobile ions: normalised, periodic, folded by lattice translations, written as a cube file."""

import io

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import find_mic
from ase.io.cube import read_cube_data

from labkit.analysis.probability_density import probability_density
from labkit.errors import InvalidStructure

from .hopping import chain_of_two_kinds


@pytest.fixture(scope="module")
def hopping():
    return chain_of_two_kinds(1, frames=600)


def vibrating(atoms, frames=200, amplitude=0.2, seed=0):
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(frames):
        one = atoms.copy()
        one.positions += generator.normal(0, amplitude, size=(len(atoms), 3))
        made.append(one)
    return made


def test_the_density_integrates_to_the_number_of_ions_and_its_maxima_are_the_sites(hopping):
    frames, sites = hopping
    density = probability_density(frames, "Li", spacing_A=0.25, wrapped=False)
    assert density.density_1_A3.sum() * density.voxel_A3 == pytest.approx(12)
    smooth = density.smoothed(0.2)
    assert smooth.density_1_A3.sum() * smooth.voxel_A3 == pytest.approx(12, rel=1e-3)
    found = smooth.maxima(min_distance_A=1.5, least_share=0.05)
    assert len(found) == 2
    steps = find_mic((found - sites) @ density.cell, density.cell, True)[1]
    assert steps.max() < 0.1  # site A, where ions stay longer, comes first
    assert str(density.host.symbols) == "O"


def test_a_gaussian_cloud_has_the_height_that_it_should():
    one = Atoms("LiO", [[0, 0, 0], [3, 3, 3]], cell=[6, 6, 6], pbc=True)
    frames = vibrating(one, frames=4000, amplitude=0.4)
    for frame in frames:
        frame.positions[1] = 3
    density = probability_density(frames, "Li", spacing_A=0.2).smoothed(0.3)
    peak = (2 * np.pi * (0.4**2 + 0.3**2)) ** -1.5
    assert density.density_1_A3.max() == pytest.approx(peak, rel=0.08)
    assert np.unravel_index(density.density_1_A3.argmax(), density.density_1_A3.shape) in {(0, 0, 0), (0, 0, 29)} or (
        density.density_1_A3[0, 0, 0] > 0.9 * density.density_1_A3.max()
    )
    level = density.level_that_holds(0.5)
    held = density.density_1_A3[density.density_1_A3 >= level].sum() / density.density_1_A3.sum()
    assert held == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("primitive", ["cubic", "rhombohedral"])
def test_a_supercell_folds_into_the_primitive_cell(primitive):
    small = bulk("LiF", "rocksalt", a=4.0, cubic=primitive == "cubic")
    large = small.repeat((2, 3, 1)) if primitive == "cubic" else small.repeat(2)
    frames = vibrating(large, frames=300, amplitude=0.15)
    folded = probability_density(frames, "Li", spacing_A=0.3, fold=small, wrapped=False)
    n_small = small.get_chemical_symbols().count("Li")
    assert folded.n_ions == pytest.approx(n_small)
    assert folded.density_1_A3.sum() * folded.voxel_A3 == pytest.approx(n_small)
    np.testing.assert_allclose(folded.cell, small.cell.array, atol=1e-9)
    sites = folded.smoothed(0.25).maxima(min_distance_A=1.0, least_share=0.3)
    wanted = small.get_scaled_positions()[small.symbols == "Li"]
    assert len(sites) == len(wanted)
    gaps = [find_mic((wanted - one) @ folded.cell, folded.cell, True)[1].min() for one in sites]
    assert max(gaps) < 0.15
    assert len(folded.host) == n_small
    gaps = [
        find_mic(folded.host.positions - one, folded.cell, True)[1].min()
        for one in small.positions[small.symbols == "F"]
    ]
    assert max(gaps) < 0.15  # the framework of the first frame is the reference, vibrating as it is


def test_smoothing_in_a_skew_cell_is_isotropic():
    skew = Atoms("LiO", [[0, 0, 0], [1, 1, 1]], cell=[[6, 0, 0], [3, 5, 0], [1, 2, 6]], pbc=True)
    density = probability_density([skew], "Li", spacing_A=0.25, drift=None).smoothed(0.5)
    shape = density.density_1_A3.shape
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    distance = find_mic(grid @ density.cell, density.cell, True)[1]
    expected = np.exp(-0.5 * (distance / 0.5) ** 2) / (2 * np.pi * 0.25) ** 1.5
    np.testing.assert_allclose(density.density_1_A3.ravel(), expected, atol=0.01 * expected.max())


def test_the_cube_file_is_read_back_by_ase_with_the_faces_closed(hopping):
    density = probability_density(hopping[0], "Li", spacing_A=0.5, wrapped=False)
    values, atoms = read_cube_data(io.StringIO(density.cube()))
    assert values.shape == tuple(n + 1 for n in density.density_1_A3.shape)
    np.testing.assert_allclose(values[:-1, :-1, :-1], density.density_1_A3, rtol=1e-3)
    np.testing.assert_allclose(values[-1], values[0])
    np.testing.assert_allclose(atoms.positions, density.host.positions, atol=1e-4)


def test_the_motion_of_the_framework_is_taken_out():
    still = Atoms("LiO3", [[1, 1, 1], [3, 3, 3], [3, 1, 3], [1, 3, 3]], cell=[6, 6, 6], pbc=True)
    frames = []
    for k in range(50):
        one = still.copy()
        one.positions += [0.05 * k, 0, 0]
        frames.append(one)
    assert (probability_density(frames, "Li").density_1_A3 > 0).sum() == 1
    assert (probability_density(frames, "Li", drift=None).density_1_A3 > 0).sum() > 5


def test_what_does_not_fit_is_refused():
    atoms = bulk("LiF", "rocksalt", a=4.0, cubic=True)
    with pytest.raises(ValueError, match="not a whole multiple"):
        probability_density([atoms], "Li", fold=np.eye(3) * 3.0)
    with pytest.raises(ValueError, match="grid points, over"):
        probability_density([atoms], "Li", spacing_A=0.01)
    with pytest.raises(ValueError, match="spacing_A=0"):
        probability_density([atoms], "Li", spacing_A=0)
    with pytest.raises(InvalidStructure, match="periodic in three directions"):
        probability_density([Atoms("Li")], "Li")
    with pytest.raises(InvalidStructure, match="species Na not in the trajectory"):
        probability_density([atoms], "Na")

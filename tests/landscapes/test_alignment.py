import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from scipy.spatial.transform import Rotation

from labkit.errors import InvalidStructure, InvalidTask
from labkit.landscapes import landscape17
from labkit.landscapes.alignment import Comparison, align, bonded_classes, distances, element_classes
from labkit.landscapes.alignment_bounds import fingerprints, lower_bounds

pytest.importorskip("rdkit")

ICOSAHEDRON = np.array(
    [[0.0, 0.0, 0.0]]
    + [np.roll([0.0, s, t * (1 + 5**0.5) / 2], shift) for shift in range(3) for s in (1, -1) for t in (1, -1)]
)


def moved(positions, classes, rng, *, mirrored):
    """A copy: atoms permuted within their classes, rotated, shifted, mirrored or not."""
    permutation = np.arange(len(positions))
    for kind in np.unique(classes):
        members = np.flatnonzero(classes == kind)
        permutation[members] = rng.permutation(members)
    turned = Rotation.random(rng=rng).apply(positions[permutation])
    return (-turned if mirrored else turned) + rng.normal(size=3) * 5


@pytest.fixture(scope="module")
def points():
    found = []
    for name in landscape17.molecules():
        network = landscape17.reference(name)
        found += [(network.symbols, p.positions) for p in (*network.minima, *network.transition_states)]
    return found


def test_every_dft_point_is_recognised_when_rotated_permuted_and_mirrored(points):
    assert len(points) == 28 + 67
    rng = np.random.default_rng(1)
    for symbols, positions in points:
        classes = bonded_classes(symbols, positions)
        for mirrored in (False, True):
            copy = moved(positions, classes, rng, mirrored=mirrored)
            found = align(positions, copy, classes)
            assert found.distance_A < 1e-6
            assert align(positions, copy, classes, threshold_A=0.3).distance_A < 1e-6
            assert np.abs(found.positions - positions).max() < 1e-6
            assert np.array_equal(np.sort(found.permutation), np.arange(len(positions)))


def test_a_chiral_structure_is_its_mirror_image_only_where_inversion_is_allowed():
    network = landscape17.reference("ethanol")
    classes = bonded_classes(network.symbols, network.minima[0].positions)
    gauche = max(network.minima, key=lambda p: align(p.positions, -p.positions, classes, inversion=False).distance_A)
    without = align(gauche.positions, -gauche.positions, classes, inversion=False)
    assert without.distance_A > 0.5
    assert not without.inverted
    allowed = align(gauche.positions, -gauche.positions, classes)
    assert allowed.distance_A < 1e-6
    assert allowed.inverted


@pytest.mark.parametrize("atoms", [7, 13])
def test_clusters_of_like_atoms_are_recognised(atoms):
    rng = np.random.default_rng(atoms)
    shapes = [rng.normal(size=(atoms, 3)) for _ in range(3)] + ([ICOSAHEDRON] if atoms == 13 else [])
    alike = np.zeros(atoms)
    for shape in shapes:
        for mirrored in (False, True):
            assert align(shape, moved(shape, alike, rng, mirrored=mirrored), alike).distance_A < 1e-6


def test_a_distortion_is_measured_as_the_norm_of_the_3n_vector():
    a = molecule("CH3CH2OH").positions
    b = a.copy()
    b[0] += [0.02, 0.0, 0.0]
    # moving one of nine atoms by 0.02 Å moves the centroid by 0.02 / 9
    assert align(a, b).distance_A == pytest.approx(0.02 * np.sqrt(8 / 9), rel=0.2)
    assert align(a, b).distance_A == pytest.approx(align(b, a).distance_A, rel=1e-6)


def test_the_distance_is_the_smallest_of_all_permutations_of_a_small_molecule():
    from itertools import permutations

    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    best = min(
        Rotation.align_vectors(a, sign * b[list(order)])[1] for order in permutations(range(4)) for sign in (1, -1)
    )
    assert align(a, b, np.zeros(4)).distance_A == pytest.approx(best, abs=1e-9)
    fixed = min(Rotation.align_vectors(a, sign * b)[1] for sign in (1, -1))
    assert align(a, b).distance_A == pytest.approx(fixed, abs=1e-9)
    assert best < fixed


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("one atom", [[1.0, 2.0, 3.0]]),
        ("two atoms", [[0, 0, 0], [0, 0, 1.1]]),
        ("linear", [[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]]),
        ("planar and mirror symmetric", [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1.2, 1.3, 0]]),
        ("symmetric under inversion", [[1, 0, 0], [-1, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 0]]),
        ("an atom at the centre of mass of coincident atoms", [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_structures_of_low_rank_and_high_symmetry_are_recognised(name, positions):
    rng = np.random.default_rng(5)
    positions = np.array(positions, dtype=float)
    for classes in (np.zeros(len(positions)), np.arange(len(positions))):
        for mirrored in (False, True):
            for threshold in (None, 0.1):
                copy = moved(positions, classes, rng, mirrored=mirrored)
                assert align(positions, copy, classes, threshold_A=threshold).distance_A < 1e-6, name


def test_lower_bounds_are_below_every_aligned_distance(points):
    network = landscape17.reference("salicylic")
    structures = np.array([p.positions for p in network.minima])
    classes = bonded_classes(network.symbols, structures[0])
    centred = structures - structures.mean(axis=1, keepdims=True)
    prints = fingerprints(centred, classes)
    bounds = lower_bounds(prints, prints, len(classes))
    exact = distances(structures, structures, classes)
    assert (bounds <= exact + 1e-9).all()
    # a bound that is always zero would pass the line above and speed up nothing
    off = ~np.eye(len(structures), dtype=bool)
    assert np.median(bounds[off] / exact[off]) > 0.3
    near = distances(structures, structures, classes, threshold_A=0.5)
    assert np.array_equal(np.isfinite(near), exact < 0.5)


def test_more_starts_do_not_shorten_the_distances_between_different_minima():
    network = landscape17.reference("paracetamol")
    few, many = (
        Comparison(network.symbols, starts=starts).matrix(*[[p.positions for p in network.minima]] * 2)
        for starts in (60, 400)
    )
    assert np.abs(few - many).max() < 1e-6


def test_like_atoms_may_change_places_and_others_may_not():
    ethanol = molecule("CH3CH2OH")
    classes = bonded_classes(ethanol.get_chemical_symbols(), ethanol.positions)
    groups = sorted(np.unique(classes, return_counts=True)[1].tolist())
    assert groups == [1, 1, 1, 1, 5]  # O, two C of different surroundings, H on O, five H on C
    assert len(set(element_classes(ethanol.get_chemical_symbols()))) == 3
    swapped = ethanol.positions.copy()
    oxygen, carbon = 2, 1
    swapped[[oxygen, carbon]] = swapped[[carbon, oxygen]]
    assert align(ethanol.positions, swapped, classes).distance_A > 0.1


def test_classes_of_two_structures_can_be_compared_whatever_the_order_of_their_atoms():
    ethanol = molecule("CH3CH2OH")
    order = [8, 3, 1, 0, 7, 2, 4, 6, 5]
    other = ethanol[order]
    a = bonded_classes(ethanol.get_chemical_symbols(), ethanol.positions)
    b = bonded_classes(other.get_chemical_symbols(), other.positions)
    assert np.array_equal(a[order], b)
    found = align(ethanol.positions, -other.positions, a, second_classes=b)
    assert found.distance_A < 1e-6


def test_a_proton_that_moved_to_the_other_oxygen_gives_the_same_structure():
    # formic acid and its mirror tautomer: the two oxygens have changed their parts
    symbols = ["C", "H", "O", "O", "H"]
    places = np.array([[0, 0.42, 0], [-0.37, 1.46, 0], [1.16, 0.11, 0], [-1.03, -0.44, 0], [-0.64, -1.33, 0.0]])
    other = places[[0, 1, 3, 2, 4]]
    comparison = Comparison(symbols)
    assert comparison.distance(places, other) < 1e-6
    fixed = Comparison(symbols, classes=bonded_classes(symbols, places))
    assert fixed.distance(places, other) > 0.5


def test_a_fixed_frame_compares_positions_as_they_are():
    surface = Comparison(["X"], mode="fixed frame")
    a, b = np.array([[-0.558, 1.442, 0.0]]), np.array([[0.623, 0.028, 0.0]])
    assert surface.distance(a, b) == pytest.approx(np.linalg.norm(a - b))
    assert surface.distance(a, b, 0.5) == np.inf
    assert surface.same(a, -146.7, a + 1e-4, -146.7, 1e-2, 1e-3)
    assert surface.align(a, b).distance_A == pytest.approx(np.linalg.norm(a - b))


def test_the_nearest_known_structure_is_found_by_energy_and_shape():
    network = landscape17.reference("aspirin")
    comparison = Comparison(network.symbols)
    known, energies = [p.positions for p in network.minima], [p.energy_eV for p in network.minima]
    rng = np.random.default_rng(0)
    classes = bonded_classes(network.symbols, known[7])
    copy = moved(known[7], classes, rng, mirrored=True)
    criteria = {"distance_A": 1.0, "within_eV": 5e-3}
    assert comparison.find(copy, energies[7] + 1e-3, known, energies, **criteria) == 7
    assert comparison.find(copy, energies[7] + 0.01, known, energies, **criteria) is None
    assert comparison.find(copy, energies[7], [], [], **criteria) is None


def test_what_cannot_be_compared_is_said():
    a, b = np.zeros((3, 3)), np.eye(4, 3)
    with pytest.raises(InvalidStructure, match="3 atoms cannot be laid upon 4"):
        align(a, b)
    with pytest.raises(InvalidStructure, match="not finite"):
        align(np.full((3, 3), np.nan), a)
    with pytest.raises(InvalidStructure, match="three dimensions"):
        align(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(InvalidTask, match="classes"):
        align(a, a, [0, 0])
    with pytest.raises(InvalidTask, match="as many atoms"):
        align(a, a, [0, 0, 1], second_classes=[0, 1, 1])
    with pytest.raises(InvalidTask, match="fixed frame"):
        Comparison(["H"], mode="crystal")
    with pytest.raises(InvalidTask, match="2 classes were given for 1 atoms"):
        Comparison(["H"], classes=[0, 1])
    with pytest.raises(InvalidStructure, match="no element"):
        bonded_classes(["C", "CA"], np.eye(2, 3))
    with pytest.raises(InvalidStructure, match="not finite"):
        bonded_classes(["C", "O"], np.full((2, 3), np.inf))


def test_the_comparison_of_a_structure_knows_its_atoms():
    water = Atoms("OH2", positions=[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    comparison = Comparison.of(water)
    assert comparison.symbols == ("O", "H", "H")
    assert comparison.distance(water.positions, water.positions[[0, 2, 1]]) < 1e-6
    assert hash(comparison) == hash(Comparison.of(water))

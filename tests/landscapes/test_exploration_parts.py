"""What an exploration is made of: moves that respect a molecule, bands, pairs, symmetry, and the book that proves."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from labkit.landscapes.alignment import Comparison
from labkit.landscapes.exploration_bands import candidates, idpp
from labkit.landscapes.exploration_book import Book
from labkit.landscapes.exploration_pairs import laid_together, mirrored, next_pairs
from labkit.landscapes.exploration_state import State
from labkit.landscapes.exploration_subject import Subject, connectivity
from labkit.landscapes.exploration_symmetry import point_group_order
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.quench import minimise
from labkit.landscapes.surface import Surface
from labkit.potentials.lennard_jones_cluster import LennardJonesCluster

ETHANOL = molecule("CH3CH2OH")


def test_a_molecule_of_non_metals_keeps_its_bonds_and_a_cluster_has_none():
    subject = Subject.of(ETHANOL)
    assert {frozenset(ETHANOL.symbols[i] for i in rotor[:2]) for rotor in subject.rotors} == {
        frozenset("C"),
        frozenset("CO"),
    }
    assert Subject.of(molecule("C6H6")).rotors == ()
    assert Subject.of(Atoms("Au4", positions=np.eye(4)[:, :3] * 2.7)).graph is None
    assert Subject.of(ETHANOL, keep_bonds=False).graph is None


def test_turning_dihedral_angles_changes_no_bond_length_and_no_bond_angle():
    subject = Subject.of(ETHANOL)
    turned = subject.turned(ETHANOL.positions, np.random.default_rng(1), 2, 180.0)
    assert np.abs(turned - ETHANOL.positions).max() > 0.1
    for a, b in subject.graph.edges:
        for c in {*subject.graph[a], *subject.graph[b]}:
            before, after = (np.linalg.norm(x[b] - x[c]) for x in (ETHANOL.positions, turned))
            assert after == pytest.approx(before, abs=1e-9)


def test_moves_and_random_starts_are_repeatable_and_crush_no_atoms():
    for atoms in (ETHANOL, Atoms("Ar7", positions=np.random.default_rng(2).uniform(-1.4, 1.4, (7, 3)))):
        subject = Subject.of(atoms)
        first, again = (subject.random(np.random.default_rng(4)) for _ in range(2))
        assert (first == again).all()
        gaps = np.linalg.norm(first[:, None] - first[None], axis=2) + 9 * np.eye(len(first))
        assert gaps.min() > 0.65 * subject.shortest_A
        assert subject.fault(first) == ""


def test_a_structure_that_fell_apart_or_broke_a_bond_is_named():
    subject = Subject.of(ETHANOL)
    far = ETHANOL.positions.copy()
    far[0] += 10.0
    assert "fell into 2 parts" in subject.fault(far)
    hydrogen = next(i for i in range(9) if ETHANOL.symbols[i] == "H")
    loose = ETHANOL.positions.copy()
    neighbour = next(iter(subject.graph[hydrogen]))
    loose[hydrogen] += 0.9 * (loose[hydrogen] - loose[neighbour]) / np.linalg.norm(loose[hydrogen] - loose[neighbour])
    assert subject.fault(loose) == "its bonds changed"


def test_the_second_end_of_a_band_is_laid_upon_the_first_without_breaking_bonds():
    subject = Subject.of(ETHANOL)
    compare = subject.comparison(inversion=True)
    other = subject.turned(ETHANOL.positions, np.random.default_rng(3), 2, 120.0)[:, [1, 2, 0]] + 5.0
    laid = laid_together(subject, compare, ETHANOL.positions, other)
    symbols = ETHANOL.get_chemical_symbols()
    assert set(connectivity(symbols, laid).edges) == set(subject.graph.edges)
    assert np.linalg.norm(laid.mean(axis=0) - ETHANOL.positions.mean(axis=0)) < 1e-9


def test_only_a_chiral_molecule_and_a_cluster_that_is_not_flat_have_a_mirror_image_to_go_to():
    subject = Subject.of(ETHANOL)  # trans, which is its own mirror image
    compare = subject.comparison(inversion=True)
    assert mirrored(subject, compare, ETHANOL.positions, 0.3) is None
    gauche = subject.turned(ETHANOL.positions, np.random.default_rng(3), 2, 120.0)
    assert mirrored(subject, compare, gauche, 0.3) is not None
    square = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=float) * 1.1
    flat = Subject.of(Atoms("Ar4", positions=square))
    assert mirrored(flat, flat.comparison(inversion=True), square, 0.3) is None


def test_pairs_that_join_parts_come_before_neighbours_and_none_comes_twice():
    line = [np.array([[0, 0, 0], [1, 0, 0], [1 + x, 1.0, 0]]) for x in (0.0, 0.1, 0.2, 3.0)]
    net = KineticNetwork(["Ar"] * 3)
    for number, x in enumerate(line):
        net.add_minimum(-float(number), x)
    for ends in ((0, 1), (1, 2)):
        net.add_transition_state(ends, 1.0, line[0])
    wanted = {"neighbours": 1, "joins": 1, "most": 10, "classes": np.zeros(3), "mirrors": True}
    found = next_pairs(net, set(), **wanted)
    assert found[0] == (2, 3)
    assert found[-4:] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert len(set(found)) == len(found)
    assert next_pairs(net, set(found), **wanted) == []


def test_the_interpolation_keeps_the_pair_distances_it_is_asked_for():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 1, 4, 3))
    wanted = np.linalg.norm(x[..., :, None, :] - x[..., None, :, :], axis=-1)
    energy, forces = idpp(x, wanted)
    assert energy == pytest.approx(0, abs=1e-20)
    assert np.abs(forces).max() < 1e-12
    assert idpp(1.1 * x, wanted)[0] > 0


def test_a_band_between_two_minima_of_the_same_cluster_shows_where_its_saddle_is():
    rng = np.random.default_rng(1)
    surface = Surface.of(LennardJonesCluster(), Atoms("Ar6", positions=rng.normal(size=(6, 3))))
    quenched = minimise(surface, rng.uniform(-1.2, 1.2, (30, 6, 3)))
    energies = quenched.energies.round(3).tolist()
    places = [energies.index(energy) for energy in (-12.712, -12.303)]
    first, second = quenched.positions[places]
    second = Comparison(["Ar"] * 6, "elements").align(first, second).positions
    tops = candidates(surface, first[None], second[None], quenched.energies[places][None], images=9, steps=30)[0]
    assert tops
    for x, tangent in tops:
        energy = surface.evaluate(x[None])[0][0]
        assert -12.303 < energy < -11
        assert np.linalg.norm(tangent) > 0


@pytest.mark.parametrize(
    ("name", "all_operations", "rotations"),
    [("H2O", 4, 2), ("CH4", 24, 12), ("NH3", 6, 3), ("C6H6", 24, 12), ("CH3CH2OH", 2, 1), ("CO2", 2, 2), ("HCN", 1, 1)],
)
def test_the_order_of_a_point_group_counts_its_operations(name, all_operations, rotations):
    atoms = molecule(name)
    symbols = atoms.get_chemical_symbols()
    assert point_group_order(symbols, atoms.positions) == all_operations
    assert point_group_order(symbols, atoms.positions, inversion=False) == rotations


def test_a_quench_that_rests_on_a_saddle_is_pushed_off_it_and_never_kept_as_a_minimum():
    square = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype=float) * 1.1
    atoms = Atoms("Ar4", positions=square)
    surface = Surface.of(LennardJonesCluster(), atoms)
    net = KineticNetwork(["Ar"] * 4)
    book = Book(
        surface,
        Subject.of(atoms),
        net,
        gradient_eV_A=1e-4,
        distance_A=0.3,
        energy_eV=1e-3,
        inversion=True,
        most_minima=9,
        most_saddles=9,
    )
    quenched = book.quench(square[None])
    assert quenched.energies[0] > -5.9  # the square, or what it becomes in its plane, is no minimum
    assert book.minima(quenched, "test") == [0]  # but what it falls into on both sides is one
    assert [round(point.energy_eV, 6) for point in net.minima] == [-6.0]
    assert net.minima[0].order == 24


def test_a_state_comes_back_from_its_checkpoint_as_it_was():
    net = KineticNetwork(["Ar"] * 3, "LJ", "three")
    net.add_minimum(-3.0, np.random.default_rng(0).normal(size=(3, 3)), info={"found_by": "start", "number": 0})
    state = State(net, step=4, walkers=np.ones((2, 3, 3)), walkers_eV=np.zeros(2), tried={(0, 0), (0, 1)}, seen=[3])
    rows = [("growth", {"step": 3, "stage": "hopping"})]
    arrays, plain = state.store(rows)
    again, left = State.restore(arrays, plain)
    assert left == rows
    assert again.network.to_dict() == net.to_dict()
    assert (again.tried, again.seen, again.step) == (state.tried, [3], 4)

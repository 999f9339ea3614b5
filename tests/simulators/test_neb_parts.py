"""The parts of a nudged elastic band: shortest vectors, start paths, tangents, symmetry, batches, the optimiser."""

import itertools
import os
import signal

import numpy as np
import pytest
from ase.geometry import get_distances

from labkit import structures
from labkit.errors import InvalidStructure, LabkitError, RunCancelled
from labkit.potentials import load
from labkit.simulators.neb import find_paths
from labkit.simulators.neb_band import band_forces, climber, tangents
from labkit.simulators.neb_batch import Batch
from labkit.simulators.neb_engine import Ends, Engine
from labkit.simulators.neb_member import BandMember, Settings
from labkit.simulators.neb_optimiser import BandOptimiser
from labkit.simulators.neb_path import MinimumEnergyPath
from labkit.simulators.neb_pool import Pool
from labkit.simulators.neb_start import linear, start_path, unwrap
from labkit.simulators.neb_state import restore, store
from labkit.simulators.neb_symmetry import find_mirror, same_structure
from tests.simulators.neb_helpers import Moody, adatom, lopsided


def rhombohedral_hop():
    """A lithium vacancy in primitive LiTi2(PO4)3 and the nearest site that its neighbour comes from."""
    atoms = structures.primitive(structures.named("LiTi2(PO4)3"))
    here, there = (index for index, symbol in enumerate(atoms.symbols) if symbol == "Li")
    final = atoms.copy()
    final.positions[here] = atoms.positions[there]
    keep = [index for index in range(len(atoms)) if index != there]
    return atoms[keep], final[keep], keep.index(here)


def test_the_nearest_image_in_a_rhombohedral_cell_is_the_nearest_of_all():
    initial, final, mover = rhombohedral_hop()
    end = unwrap(initial, final)
    hop = np.linalg.norm(end[mover] - initial.positions[mover])
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=3))) @ initial.cell.array
    every = np.linalg.norm(final.positions[mover] - initial.positions[mover] + shifts, axis=1)
    assert hop == pytest.approx(every.min(), abs=1e-9)
    assert hop == pytest.approx(6.05, abs=0.05)  # 6.08 Å in the cell that CHGNet relaxes (methods B, 3.4)


@pytest.mark.parametrize("interpolation", ["idpp", "linear"])
def test_a_start_path_in_a_rhombohedral_cell_is_continuous(interpolation):
    initial, final, mover = rhombohedral_hop()
    final.positions += 2 * final.cell[0] - final.cell[2]  # the same structure, somewhere else
    path = start_path(initial, final, 5, interpolation)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=2)
    assert path.shape == (7, len(initial), 3)
    assert steps.max() < 6.1 / 6 * 1.6
    assert np.array_equal(path[0], initial.positions)
    if interpolation == "linear":
        assert steps[:, mover] == pytest.approx(np.full(6, steps[0, mover]))


def test_idpp_keeps_atoms_apart_that_the_straight_line_pushes_together():
    initial, final, mover = rhombohedral_hop()

    def closest(path):
        distances = [
            np.delete(get_distances(image[mover], np.delete(image, mover, 0), initial.cell, initial.pbc)[1], ())
            for image in path
        ]
        return min(distance.min() for distance in distances)

    assert closest(start_path(initial, final, 5)) > closest(linear(initial, final, 5)) + 0.05


def test_tangents_point_to_the_higher_neighbour_and_weigh_both_at_the_top():
    positions = np.array([[[0.0, 0, 0]], [[1.0, 0, 0]], [[2.0, 1, 0]], [[3.0, 1, 0]]])
    climbing_right = tangents(positions, np.array([0.0, 1.0, 2.0, 3.0]))
    assert climbing_right[0, 0] == pytest.approx(np.array([1, 1, 0]) / np.sqrt(2))
    falling_right = tangents(positions, np.array([3.0, 2.0, 1.0, 0.0]))
    assert falling_right[0, 0] == pytest.approx([1, 0, 0])
    # At a maximum the higher neighbour (here the one before) has the larger weight: 1 and 3 of the energy differences.
    top = tangents(positions, np.array([1.0, 2.0, -1.0, -2.0]))
    expected = 3 * (positions[1, 0] - positions[0, 0]) + 1 * (positions[2, 0] - positions[1, 0])
    assert top[0, 0] == pytest.approx(expected / np.linalg.norm(expected))


def test_a_climbing_image_sees_the_potential_upside_down_and_no_spring():
    positions = np.array([[[0.0, 0, 0]], [[1.5, 0, 0]], [[2.0, 0, 0]]])
    energies, forces = np.array([0.0, 1.0, 0.0]), np.array([[[0.0, 0, 0]], [[0.4, 0.2, 0]], [[0.0, 0, 0]]])
    assert climber(energies) == 1
    assert climber(np.array([0.0, 1.0, 2.0])) is None
    assert band_forces(positions, energies, forces, 1.0, 1)[0, 0] == pytest.approx([-0.4, 0.2, 0])
    assert band_forces(positions, energies, forces, 1.0)[0, 0] == pytest.approx([-1.0, 0.2, 0])


def test_a_mirror_maps_the_ends_on_each_other_and_forces_on_forces():
    initial, final = adatom()
    mirror = find_mirror(initial, final)
    assert mirror.positions(initial.positions) == pytest.approx(unwrap(initial, final), abs=1e-6)
    path = linear(initial, final, 4)
    assert mirror.symmetrise(path) == pytest.approx(path, abs=1e-6)
    rattled = initial.copy()
    rattled.rattle(0.05, seed=1)
    image = rattled.copy()
    image.positions = mirror.positions(rattled.positions)
    there, here = load("emt").predict([image, rattled]).forces
    assert there == pytest.approx(mirror.forces(here), abs=1e-6)


def test_no_mirror_is_found_where_there_is_none():
    assert find_mirror(*lopsided()) is None


def test_the_same_structure_is_recognised_in_another_order_and_another_cell_choice():
    initial, final = lopsided()
    order = np.random.default_rng(0).permutation(len(initial))
    moved = initial[order]
    moved.positions += 3 * initial.cell[0] - initial.cell[1]
    partners = same_structure(initial, moved)
    assert np.array_equal(partners, order)
    assert same_structure(initial, final) is None


def test_memory_that_runs_out_halves_the_batch_and_nothing_is_lost():
    said, potential = [], Moody(room=50)
    batch = Batch(potential, log=said.append)
    structures_ = [adatom()[0] for _ in range(12)]  # 9 atoms each
    answers = batch.evaluate(structures_)
    assert len(answers) == 12
    assert np.ptp([answer[0] for answer in answers]) == 0
    assert batch.limit <= 54
    assert max(potential.calls) <= 50
    assert "memory ran out" in said[0]
    assert "memory ran out" in Batch(Moody(room=5)).evaluate(structures_[:1])[0]


def test_a_batch_grows_only_while_that_pays():
    batch = Batch(Moody())
    batch._learn(batch.limit, 9.0, 0)
    for seconds in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0):  # twice the atoms in the same time, then no faster for an atom
        batch._learn(batch.limit, seconds * (1 if batch.limit <= 512 else batch.limit / 512), 0)
        if batch.settled:
            break
    while not batch.settled:
        batch._learn(batch.limit, batch.limit / 512, 0)
    assert batch.limit == 512


def test_the_optimiser_finds_the_bottom_of_a_bowl_and_trusts_no_negative_curvature():
    stiffness = np.array([[1.0, 5.0, 40.0], [2.0, 80.0, 10.0]])
    optimiser, place = BandOptimiser(), np.array([[1.0, -0.5, 0.2], [0.4, 0.1, -0.3]])
    steps = 0
    while steps < 100:
        forces = -stiffness * place
        if np.abs(forces).max() < 1e-4:
            break
        move = optimiser.displacement(forces)
        assert np.linalg.norm(move, axis=1).max() <= 0.2 + 1e-12
        place, steps = place + move, steps + 1
    assert steps < 40
    upside_down = BandOptimiser()
    moves = [upside_down.displacement(np.full((1, 3), force)) for force in (0.1, 0.2, 0.3)]
    assert (np.array(moves) > 0).all()
    assert not upside_down.moves
    # Five times the smallest force: back to where that was.
    assert upside_down.displacement(np.full((1, 3), 0.5)) == pytest.approx(-sum(moves))


def test_two_processes_give_what_one_gives_and_a_killed_one_is_survived():
    said, emt = [], load("emt")
    structures_ = [adatom(guest=guest)[0] for guest in ("Al", "Cu", "Ni", "Pd") * 3]
    alone = Batch(emt).evaluate(structures_)
    pool = Pool("emt", 2, "cpu", said.append)
    try:
        shared = Batch(emt, pool=pool).evaluate(structures_)
        assert [one[0] for one in shared] == pytest.approx([one[0] for one in alone], abs=1e-9)
        for pid in list(pool._executor._processes):
            os.kill(pid, signal.SIGKILL)
        again = Batch(emt, pool=pool).evaluate(structures_)
    finally:
        pool.close()
    assert [one[0] for one in again] == pytest.approx([one[0] for one in alone], abs=1e-9)
    assert "goes on alone" in said[0]


def test_stop_gets_through_while_several_processes_share_a_batch():
    asked = []

    class Shared:
        processes = 2

        def evaluate(self, structures_, potential, check):
            check()
            raise AssertionError("the stop was swallowed")

    def check():
        asked.append(1)
        if len(asked) > 1:
            raise RunCancelled("stop")

    with pytest.raises(RunCancelled):
        Batch(Moody(), check=check, pool=Shared()).evaluate([adatom()[0]] * 4)


def test_a_converged_band_without_images_is_refused_and_a_failed_one_is_not():
    member = BandMember(0, "hop", *adatom(), Settings(images=3), print)
    member.fail("no reason")
    assert np.isnan(member.path().forward_eV)
    member.state = "converged"
    with pytest.raises(RuntimeError, match=r"band 0 \(hop\) is converged but its images are missing"):
        member.path()


def test_a_checkpoint_of_other_end_states_is_refused():
    def engine(*bands):
        return Engine([Ends(*band) for band in bands], Batch(Moody()), Settings(images=3))

    arrays, state = store(engine(adatom(), lopsided()))
    restore(engine(adatom(), lopsided()), arrays, state)
    for other in ((lopsided(), adatom()), (adatom(), lopsided(guest="Ni")), (adatom(), lopsided(1))):
        with pytest.raises(LabkitError, match="not those of the checkpoint"):
            restore(engine(*other), arrays, state)


def test_a_path_survives_json_and_a_file(tmp_path):
    path = find_paths([adatom()], load("emt"), images=3)[0]
    again = MinimumEnergyPath.read(path.write(tmp_path / "path.json"))
    assert again.forward_eV == path.forward_eV
    assert again.profile()[1] == pytest.approx(path.profile()[1])
    assert again.images[2].get_forces() == pytest.approx(path.images[2].get_forces())
    assert (tmp_path / "path.xyz").exists() is False
    path.write(tmp_path / "path.xyz")
    with pytest.raises(ValueError, match="without its images"):
        MinimumEnergyPath.from_dict(path.to_dict(images=False))
    with pytest.raises(FileNotFoundError):
        MinimumEnergyPath.read(tmp_path / "nothing.json")
    assert isinstance(InvalidStructure("x"), ValueError)

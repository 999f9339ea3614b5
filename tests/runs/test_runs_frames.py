import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from labkit.runs import FrameReader
from labkit.runs.extxyz import read_frame, write_frame
from labkit.runs.frames import FrameWriter


@pytest.fixture
def crystal():
    atoms = bulk("NaCl", "rocksalt", a=5.64).repeat(2)
    atoms.rattle(0.1, seed=1)
    atoms.positions += [1e-5, 100.0, -3e-9]
    atoms.set_momenta(np.random.default_rng(0).normal(size=(len(atoms), 3)))
    atoms.calc = SinglePointCalculator(
        atoms, energy=-1e-5, forces=np.full((len(atoms), 3), 1e-7), stress=np.arange(6.0)
    )
    atoms.info.update(time_fs=1e-06, name="salt", long="x" * 500, list=[{"a": 1}], converged=True, whole=np.int64(3))
    atoms.set_initial_magnetic_moments(np.linspace(-1, 1, len(atoms)))
    return atoms


def test_a_frame_comes_back_as_it_was_written(crystal):
    back = read_frame(write_frame(crystal, 7))
    assert np.abs(back.positions - crystal.positions).max() < 1e-10
    assert np.abs(back.cell.array - crystal.cell.array).max() == 0.0
    assert back.get_chemical_symbols() == crystal.get_chemical_symbols()
    np.testing.assert_allclose(back.get_momenta(), crystal.get_momenta(), rtol=1e-11)
    np.testing.assert_allclose(back.get_initial_magnetic_moments(), crystal.get_initial_magnetic_moments(), rtol=1e-11)
    assert back.get_potential_energy() == -1e-5
    np.testing.assert_allclose(back.get_forces(), 1e-7)
    np.testing.assert_allclose(back.get_stress(), np.arange(6.0))
    assert back.info == {"step": 7, "time_fs": 1e-06, "name": "salt", "converged": True, "whole": 3}
    assert isinstance(back.info["step"], int)


def test_ase_reads_the_same_frames(crystal, tmp_path):
    (tmp_path / "frames.extxyz").write_bytes(write_frame(crystal, 1) + write_frame(crystal, 2))
    theirs = ase.io.read(tmp_path / "frames.extxyz", ":")
    ours = read_frame(write_frame(crystal, 2))
    assert len(theirs) == 2
    np.testing.assert_array_equal(theirs[1].positions, ours.positions)
    np.testing.assert_array_equal(theirs[1].cell, ours.cell)
    np.testing.assert_array_equal(theirs[1].get_forces(), ours.get_forces())
    np.testing.assert_allclose(theirs[1].get_stress(), ours.get_stress())
    assert (theirs[1].info["step"], theirs[1].get_potential_energy()) == (2, -1e-5)


def test_frames_written_by_ase_can_be_read(crystal, tmp_path):
    ase.io.write(tmp_path / "theirs.extxyz", [crystal, crystal])
    reader = FrameReader(tmp_path / "theirs.extxyz")
    assert reader.poll() == 2
    np.testing.assert_allclose(reader.read(1).positions, crystal.positions, atol=1e-8)
    np.testing.assert_allclose(reader.read(0).get_stress(), np.arange(6.0))


def test_results_given_in_info_and_arrays_come_back_in_a_calculator():
    atoms = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]])
    atoms.info["energy"] = np.float64(-31.7)
    atoms.arrays["forces"] = np.eye(2, 3)
    atoms.arrays["fixed"] = np.array([True, False])
    back = read_frame(write_frame(atoms, 0))
    assert back.get_potential_energy() == -31.7
    np.testing.assert_array_equal(back.get_forces(), np.eye(2, 3))
    assert not back.pbc.any()
    assert not back.cell.any()
    assert back.arrays["fixed"].tolist() == [True, False]


def test_a_small_cell_number_is_not_rounded_to_an_integer():
    atoms = Atoms("H", cell=[[4.0, 1e-15, 0], [1e-5, 4.0, 0], [0, 0, 1e20]], pbc=[True, False, True])
    back = read_frame(write_frame(atoms, 0))
    np.testing.assert_array_equal(back.cell.array, atoms.cell.array)
    assert back.pbc.tolist() == [True, False, True]


def test_the_reader_follows_a_growing_file_and_ignores_a_torn_frame(crystal, tmp_path):
    path = tmp_path / "frames.extxyz"
    reader = FrameReader(path)
    assert reader.poll() == 0
    assert reader.latest() is None
    whole = write_frame(crystal, 1)
    path.write_bytes(whole + write_frame(crystal, 2)[:-20])
    assert reader.poll() == 1
    path.write_bytes(whole * 3)
    assert reader.poll() == 2
    assert len(reader) == 3
    assert reader.poll() == 0
    with pytest.raises(IndexError, match=r"frame 3 was asked for, but frames\.extxyz has 3 so far"):
        reader.read(3)


def test_every_possible_tear_leaves_the_whole_frames_readable(tmp_path):
    frame = write_frame(Atoms("HO", positions=[[0, 0, 0], [0, 0, 1]]), 5)
    path = tmp_path / "frames.extxyz"
    for cut in range(len(frame)):
        path.write_bytes(frame + frame[:cut])
        reader = FrameReader(path)
        assert reader.poll() == 1
        assert reader.problem == ""


def test_the_writer_cuts_a_torn_frame_off_and_skips_what_is_recorded(crystal, tmp_path):
    path = tmp_path / "frames.extxyz"
    path.write_bytes(write_frame(crystal, 10) + write_frame(crystal, 20)[:300])
    writer = FrameWriter(path)
    assert writer.last_step == 10
    assert [writer.write(crystal, step) for step in (5, 10, 20, 30)] == [False, False, True, True]
    writer.close()
    assert [atoms.info["step"] for atoms in ase.io.read(path, ":")] == [10, 20, 30]


def test_a_trajectory_longer_than_the_reading_window_is_indexed(crystal, tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.runs.frames.CHUNK", 1000)  # less than one frame
    path = tmp_path / "frames.extxyz"
    path.write_bytes(b"".join(write_frame(crystal, step) for step in range(20)))
    reader = FrameReader(path)
    assert reader.poll() == 20
    assert [reader.read(i).info["step"] for i in (0, 7, -1)] == [0, 7, 19]


def test_reading_stops_at_garbage_and_says_where(crystal, tmp_path):
    path = tmp_path / "frames.extxyz"
    path.write_bytes(write_frame(crystal, 1) + b"<html>\n\n\n")
    reader = FrameReader(path)
    assert reader.poll() == 1
    assert "stops being a trajectory at byte" in reader.problem


def test_a_shorter_file_in_its_place_is_read_anew(crystal, tmp_path):
    path = tmp_path / "frames.extxyz"
    path.write_bytes(write_frame(crystal, 1) * 3)
    reader = FrameReader(path)
    reader.poll()
    path.write_bytes(write_frame(crystal, 8))
    assert reader.poll() == 1
    assert reader.latest().info["step"] == 8

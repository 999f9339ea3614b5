import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit.analysis import positions, remove_drift, unwrap
from labkit.analysis.trajectory import checked, select, without_drift
from labkit.errors import InvalidStructure

CELLS = {
    "cubic": np.eye(3) * 5.0,
    "rhombohedral": bulk("Cu").cell.array * 2,
    "skew": np.array([[5.0, 0, 0], [4.3, 5.0, 0], [-2.4, 3.9, 5.0]]),
}


def wrapped_walk(cell, *, growth=0.0, seed=0):
    """Frames wrapped into the cell, and the positions before the wrapping."""
    true = np.cumsum(np.random.default_rng(seed).normal(0, 0.35, size=(200, 5, 3)), axis=0)
    frames = [Atoms("Li5", frame, cell=cell * (1 + growth * i), pbc=True) for i, frame in enumerate(true)]
    for frame in frames:
        frame.wrap()
    return frames, true


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_unwrapping_gives_back_the_displacements_in_any_cell(cell):
    frames, true = wrapped_walk(cell)
    result = unwrap(frames)
    assert np.ptp(result, axis=0).max() > 5.0  # the walk really leaves the cell
    np.testing.assert_allclose(result - result[0], true - true[0], atol=1e-9)


def test_unwrapping_follows_a_changing_cell():
    frames, true = wrapped_walk(CELLS["skew"], growth=1e-4)
    result = unwrap(frames)
    # A wrap shifts by the lattice vector of its own frame, so each crossing may cost the change since the last frame.
    np.testing.assert_allclose(result - result[0], true - true[0], atol=0.5)
    jumps = np.linalg.norm(np.diff(result - true, axis=0), axis=-1)
    assert jumps.max() < 0.01


def test_unwrapping_leaves_an_open_direction_alone():
    slab = [Atoms("Li", [[0, 0, z]], cell=[4, 4, 4], pbc=[True, True, False]) for z in (0.0, 3.0, 9.0)]
    np.testing.assert_allclose(unwrap(slab)[:, 0, 2], [0, 3, 9])


def test_wrapped_frames_taken_for_unwrapped_ones_are_refused_with_both_ways_out():
    frames, _ = wrapped_walk(CELLS["cubic"])
    with pytest.raises(
        InvalidStructure, match=r"atom \d moves by .* of a cell edge between frames .*wrapped=True.*wrapped=False"
    ):
        positions(frames)
    assert positions(frames, wrapped=True).shape == (200, 5, 3)
    assert positions(frames, wrapped=False).shape == (200, 5, 3)


def test_removing_the_drift_of_the_host_leaves_the_ions_own_motion():
    rng = np.random.default_rng(1)
    symbols = ["Li", "O", "Co", "Li", "O"]
    own = np.zeros((50, 5, 3))
    own[:, [0, 3]] = np.cumsum(rng.normal(size=(50, 2, 3)), axis=0)
    drift = np.cumsum(rng.normal(size=(50, 1, 3)), axis=0)
    frames = [Atoms(symbols, frame) for frame in own + drift]
    result, removed = without_drift(frames, select(frames[0], "Li"), "host")
    assert removed == "host"
    np.testing.assert_allclose(result - result[0], own[:, [0, 3]] - own[0, [0, 3]], atol=1e-12)


def test_the_centre_of_mass_is_weighted_by_mass():
    moving = np.zeros((2, 2, 3))
    moving[1, 1, 0] = 1.0
    result = remove_drift(moving, np.array([3.0, 1.0]), np.array([True, True]))
    np.testing.assert_allclose(result[1, :, 0], [-0.25, 0.75])


@pytest.mark.parametrize(
    ("symbols", "species", "expected"),
    [("LiO", "Li", "host"), ("Li2", None, "all"), ("LiO", None, "all"), ("Li", None, None)],
)
def test_automatic_drift_takes_the_host_where_there_is_one(symbols, species, expected):
    frames = [Atoms(symbols, np.zeros((len(Atoms(symbols)), 3)))] * 3
    assert without_drift(frames, select(frames[0], species), "auto")[1] == expected


def test_a_drift_that_cannot_be_removed_is_an_error():
    frames = [Atoms("Li2", np.zeros((2, 3)))] * 3
    with pytest.raises(ValueError, match="reference is empty"):
        without_drift(frames, np.ones(2, dtype=bool), "host")
    with pytest.raises(ValueError, match="drift='hosts' is unknown"):
        without_drift(frames, np.ones(2, dtype=bool), "hosts")


def test_a_broken_trajectory_is_refused_with_the_frame_named():
    good = Atoms("LiO", np.zeros((2, 3)))
    lost = good.copy()
    lost.positions[1, 2] = np.nan
    for frames, sentence in [
        ([good], r"has 1 frame\(s\); at least 2"),
        ([], r"has 0 frame\(s\)"),
        ([good, Atoms("Li")], "frame 1 has 1 atoms and frame 0 has 2"),
        ([good, Atoms("OLi", np.zeros((2, 3)))], "atom 0 is O in frame 1 and Li in frame 0"),
        ([good, lost], "atom 1 in frame 1 is not finite"),
        ([Atoms(), Atoms()], "frame 0 has no atoms"),
    ]:
        with pytest.raises(InvalidStructure, match=sentence):
            checked(frames)


def test_an_absent_species_is_refused_and_those_present_are_named():
    with pytest.raises(InvalidStructure, match="species Na not in the trajectory; present: Li, O"):
        select(Atoms("Li2O"), "Na")

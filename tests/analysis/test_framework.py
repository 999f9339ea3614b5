"""A framework that melts is called so; one that vibrates or whose groups turn is not."""

import numpy as np
from ase import Atoms

from labkit.analysis.framework import framework_motion

from .walks import walk

SPACING_FS = 20.0


def crystal(seed=0, frames=400, *, phosphorus=0.0, sulfur=0.0, lithium=1e-4):
    """Vibrating Li, S and P of which each walks with its own D in cm^2/s on top."""
    generator = np.random.default_rng(seed)
    sites = np.mgrid[0:3, 0:3, 0:3].reshape(3, -1).T * 3.0
    symbols = ["Li"] * 9 + ["S"] * 9 + ["P"] * 9
    positions = sites + generator.normal(0, 0.25, size=(frames, 27, 3))
    for k, D in enumerate((lithium, sulfur, phosphorus)):
        positions[:, 9 * k : 9 * k + 9] += walk(seed + k, frames, 9, D_cm2_s=(D,) * 3)
    return [Atoms(symbols, one, cell=[9, 9, 9], pbc=True) for one in positions]


def judged(frames):
    return framework_motion(frames, "Li", frame_interval_fs=SPACING_FS, wrapped=False)


def test_a_vibrating_framework_stays():
    found = judged(crystal())
    assert found.warning == ""
    assert set(found.msd_A2) == {"P", "S"}
    assert 0.2 < found.msd_A2["P"] < 0.6  # 6 sigma^2 = 0.375


def test_groups_that_turn_are_no_melting():
    found = judged(crystal(sulfur=1e-4))
    assert found.msd_A2["S"] > 5
    assert found.warning == ""


def test_a_framework_whose_slowest_atoms_travel_is_gone():
    found = judged(crystal(sulfur=1e-4, phosphorus=5e-5))
    assert "the framework moves too: even P travelled" in found.warning
    assert "Use a lower temperature" in found.warning


def test_without_other_species_there_is_nothing_to_judge():
    frames = [Atoms("Li4", one, cell=[9, 9, 9], pbc=True) for one in walk(0, 50, 4)]
    found = judged(frames)
    assert (found.msd_A2, found.warning) == ({}, "")

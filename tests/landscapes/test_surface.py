"""Surfaces: idle directions, refusals that harm nobody else, and the quick path of tight binding."""

import importlib.util

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from labkit.errors import InvalidStructure, UnsupportedElement
from labkit.landscapes.surface import Surface
from labkit.potentials.interface import Potential, Prediction
from labkit.potentials.lennard_jones_cluster import LennardJonesCluster


@pytest.fixture
def surface():
    return Surface.of(LennardJonesCluster(), Atoms("Ar4"))


def bent():
    return np.random.default_rng(0).normal(size=(1, 4, 3)) * 1.5


def test_a_molecule_has_six_idle_directions_a_linear_one_five_and_a_fixed_frame_none(surface):
    linear = np.zeros((1, 4, 3))
    linear[0, :, :] = np.arange(4)[:, None] * np.array([0.5, 0.7, 0.9])
    present = [int((np.linalg.norm(surface.idle(x)[0], axis=0) > 0.5).sum()) for x in (bent(), linear)]
    assert present == [6, 5]
    lj = LennardJonesCluster()
    assert Surface.of(lj, Atoms("Ar4"), frame="periodic").idle(bent()).shape[2] == 3
    assert Surface.of(lj, Atoms("Ar4"), frame="fixed frame").idle(bent()).shape[2] == 0


def test_moving_or_turning_a_molecule_lies_in_its_idle_directions(surface):
    x = bent()
    turn = np.cross(np.array([0.3, -1.0, 0.4]), x - 2.0) + np.array([1.0, 2.0, 3.0])
    assert abs(surface.project(x, turn)).max() < 1e-12
    forces = surface.evaluate(x)[1]
    np.testing.assert_allclose(surface.project(x, forces), forces, atol=1e-10)


def test_evaluations_are_counted_and_wrong_shapes_are_named(surface):
    surface.evaluate(np.concatenate([bent(), bent()]))
    assert surface.evaluations == 2
    with pytest.raises(ValueError, match=r"shape \(1, 5, 3\); expected \(k, 4, 3\)"):
        surface.evaluate(np.zeros((1, 5, 3)))


def test_geometries_that_left_physics_are_nan_and_cost_no_evaluation(surface):
    x = np.concatenate([bent(), bent(), bent()])
    x[0, 1] = np.nan
    x[1, 2] = 1e7
    energies, forces = surface.evaluate(x)
    assert np.isnan(energies[:2]).all()
    assert np.isnan(forces[:2]).all()
    assert np.isfinite(energies[2])
    assert surface.evaluations == 1


class Moody(Potential):
    name, level_of_theory, implemented = "moody", "none", ("energy", "forces")
    elements = frozenset({"Ar"})

    def predict(self, structures, properties=("energy", "forces")):
        if any(atoms.positions[0, 0] > 5 for atoms in structures):
            raise InvalidStructure("the first atom is too far to the right")
        return Prediction(np.zeros(len(structures)), [np.zeros((len(atoms), 3)) for atoms in structures])


def test_one_refused_geometry_leaves_its_sentence_and_harms_no_other():
    surface = Surface.of(Moody(), Atoms("Ar2"))
    x = np.zeros((3, 2, 3))
    x[1, 0, 0] = 6.0
    energies, _ = surface.evaluate(x)
    np.testing.assert_array_equal(np.isnan(energies), [False, True, False])
    assert surface.said == "the first atom is too far to the right"
    with pytest.raises(UnsupportedElement, match="holds O, which moody does not know"):
        Surface.of(Moody(), Atoms("O"))


def test_frozen_components_feel_no_force_and_fix_the_frame():
    surface = Surface.of(LennardJonesCluster(), Atoms("Ar4"), frozen=np.array([1, 0, 0, 0], dtype=bool))
    forces = surface.evaluate(bent())[1]
    assert not forces[0, 0].any()
    assert forces[0, 1:].all()
    assert surface.frame == "fixed frame"
    with pytest.raises(ValueError, match=r"frozen has the shape \(3,\)"):
        Surface.of(LennardJonesCluster(), Atoms("Ar4"), frozen=np.zeros(3, dtype=bool))


def test_names_ase_calculators_and_cells_make_surfaces_and_anything_else_is_refused():
    copper = bulk("Cu", cubic=True)
    surface = Surface.of(EMT, copper)
    assert surface.frame == "periodic"
    copper.calc = EMT()
    assert surface.evaluate(copper.positions[None])[0][0] == pytest.approx(copper.get_potential_energy())
    assert Surface.of("emt", copper).name == "emt"
    with pytest.raises(ValueError, match="42 is no potential"):
        Surface.of(42, copper)
    with pytest.raises(ValueError, match="none of molecule, periodic, fixed frame"):
        Surface.of(EMT, copper, frame="crystal")


@pytest.mark.skipif(importlib.util.find_spec("tblite") is None, reason="tblite is not installed")
def test_the_quick_path_of_tight_binding_gives_the_numbers_of_the_reference():
    from labkit import references

    water = molecule("H2O")
    surface = Surface.of("gfn2-xtb", water)
    x = np.repeat(water.positions[None], 3, axis=0)
    x[1, 1] += 0.1
    x[2, 2] = x[2, 1] + 0.1
    energies, forces = surface.evaluate(x)
    again = surface.evaluate(x[:1])
    record = references.load("gfn2-xtb").label(water)
    assert energies[0] == again[0][0] == pytest.approx(record.energy, abs=1e-9)
    np.testing.assert_allclose(forces[0], record.forces, atol=1e-8)
    assert np.isfinite(energies[1])
    assert np.isnan(energies[2])
    assert "Å apart; nothing below 0.35 Å is computed" in surface.said

import importlib.util

import numpy as np
import pytest
from ase.build import bulk, molecule

from labkit import potentials, references
from labkit.errors import InvalidStructure, UnsupportedElement
from labkit.references import universal
from tests.potentials.structures import rattled_copper, rattled_rocksalt


def test_a_teacher_says_who_it_is_and_what_it_approximates():
    pytest.importorskip("chgnet")
    teacher, atoms = references.load("chgnet"), rattled_rocksalt()
    record = teacher.label(atoms)
    expected = potentials.load("chgnet", "cpu").predict([atoms])
    assert record.energy == pytest.approx(expected.energies[0], abs=1e-6)
    np.testing.assert_allclose(record.forces, expected.forces[0], atol=1e-5)
    np.testing.assert_allclose(record.stress, expected.stresses[0], atol=1e-6)
    assert record.level_of_theory == teacher.level_of_theory
    assert "chgnet" in record.level_of_theory
    assert record.level_of_theory.endswith("for PBE/PBE+U (Materials Project)")
    assert "chgnet 0.4.2" in record.provenance
    assert "predictions" in teacher.failure_modes[0]
    assert any("too soft" in one for one in teacher.failure_modes)
    assert 0.1 < teacher.cost_s(rattled_copper().repeat((2, 2, 4))) < 1


def test_any_potential_of_labkit_is_a_teacher():
    teacher, atoms, step = references.load("emt"), rattled_copper(), 1e-4
    record = teacher.label(atoms)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[1, 2] += sign * step
        energies.append(teacher.label(moved, forces=False).energy)
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(record.forces[1, 2], abs=1e-6)
    assert teacher.label(atoms, forces=False).forces is None
    assert isinstance(teacher.potential(), potentials.Potential)
    by_address = references.load("ase.calculators.emt:EMT")
    assert by_address.label(atoms).energy == pytest.approx(record.energy)
    with pytest.raises(UnsupportedElement, match="holds C"):
        teacher.label(bulk("C"))


def test_teachers_that_are_not_installed_say_what_to_install(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in absent else found(name, *rest))
    absent = {"sevenn", "torchani", "diep", "torch_geometric"}
    for name, words in (("7net-0", "pip install .*sevenn"), ("ani-1ccx", "torchani==1.2"), ("diep", "diep==2.0.0")):
        with pytest.raises(ModuleNotFoundError, match=words):
            references.load(name)


@pytest.mark.parametrize("version", ["2.9.0", "2.2.4", "1.2.1", ""])
def test_another_torchani_is_refused_because_it_would_download(monkeypatch, version):
    monkeypatch.setattr(universal, "_version", lambda package: version)
    with pytest.raises(ModuleNotFoundError, match=r"needs torchani 1.2, whose wheel holds the networks"):
        universal.ani_1ccx()


def test_ani_1ccx_labels_organic_molecules():
    pytest.importorskip("torchani", exc_type=ImportError)
    teacher, atoms, step = references.load("ani-1ccx"), molecule("CH3OH"), 1e-4
    atoms.rattle(0.05, seed=2)
    record = teacher.label(atoms)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[1, 0] += sign * step
        energies.append(teacher.label(moved, forces=False).energy)
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(record.forces[1, 0], abs=1e-4)
    assert record.level_of_theory == "ANI-1ccx for CCSD(T)*/CBS"
    with pytest.raises(InvalidStructure, match="an ion or a radical"):
        teacher.label(molecule("NO"))
    with pytest.raises(InvalidStructure, match="is periodic"):
        teacher.label(bulk("C"))


def test_sevennet_labels_a_salt():
    pytest.importorskip("sevenn")
    record = references.load("7net-0").label(rattled_rocksalt())
    assert record.forces.shape == (2, 3)
    assert "sevenn" in record.provenance


def test_diep_labels_a_salt():
    for package in ("diep", "torch_geometric", "lightning"):
        pytest.importorskip(package)
    record = references.load("diep").label(rattled_rocksalt())
    assert record.forces.shape == (2, 3)
    assert record.level_of_theory == "DIEP for r2SCAN (MatPES)"

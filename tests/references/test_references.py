import importlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from labkit import references
from labkit.errors import InvalidStructure, InvalidTask, NotConverged, UnsupportedElement
from labkit.references.registry import ENTRIES, TEACHERS
from tests.references.made import Logged


def test_importing_the_references_brings_no_method_along():
    code = (
        "import sys, labkit.references\n"
        "labkit.references.names(everything=True)\n"
        "heavy = {'torch', 'pyscf', 'tblite', 'gpaw', 'chgnet', 'sevenn', 'torchani', 'pandas', 'ipywidgets'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_name_has_a_sentence_and_a_factory():
    names = references.names(everything=True)
    assert {"gfn1-xtb", "gfn2-xtb", "ccsd(t)/cc-pvdz", "ccsd(t)/cc-pvtz", "ccsd(t)/cbs"} <= set(names)
    assert {"landscape17", "gpaw-pbe", "ani-1ccx", "diep", *TEACHERS} <= set(names)
    assert len(names) == len(set(names))
    for name in names:
        assert len(references.describe(name)) > 20
    for entry in ENTRIES.values():
        module, _, factory = entry.factory.partition(":")
        assert callable(getattr(importlib.import_module(module), factory))


def test_unknown_names_are_answered_with_the_known_ones():
    for ask in (references.load, references.describe):
        with pytest.raises(ValueError, match="no reference is called 'gfn3-xtb'; known names:"):
            ask("gfn3-xtb")
    with pytest.raises(ValueError, match="cannot be imported"):
        references.load("nowhere.at_all:Thing")


def test_a_missing_package_is_said_with_its_command(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tblite" else found(name, *rest)
    )
    with pytest.raises(ModuleNotFoundError, match=r"gfn2-xtb needs the package tblite.*pip install tblite==0.8.0"):
        references.load("gfn2-xtb")
    assert "gfn2-xtb" not in references.names()
    assert "not installed here" in references.describe("gfn2-xtb")


def test_unknown_options_are_refused():
    with pytest.raises(InvalidTask, match=r"chrge.*unexpected keyword argument"):
        references.load("tests.references.made:Logged", chrge=1)


def test_a_reference_of_ones_own_is_opened_by_its_address():
    reference = references.load("tests.references.made:Logged", fails=[5])
    assert reference.label(molecule("H2O")).level_of_theory == "harmonic"


def test_structures_that_make_no_sense_are_refused_by_every_reference():
    reference = Logged()
    broken = molecule("H2O")
    broken.positions[0, 0] = np.nan
    flown = molecule("H2O")
    flown.positions[0, 0] = 1e7
    for atoms, words in ((Atoms(), "no atoms"), (broken, "not finite"), (flown, "flown apart")):
        with pytest.raises(InvalidStructure, match=words):
            reference.label(atoms)
    reference.elements = frozenset({"H", "C"})
    with pytest.raises(UnsupportedElement, match="holds O, which logged has no parameters for"):
        reference.label(molecule("H2O"))


@pytest.mark.parametrize("broken", ["energy", "forces", "stress"])
def test_numbers_that_are_none_are_not_converged(broken):
    labels = {"energy": 1.0, "forces": np.zeros((3, 3)), "stress": np.zeros((3, 3))}
    labels[broken] = labels[broken] * np.nan
    with pytest.raises(NotConverged, match=f"gave {broken} that are not finite numbers for H2O"):
        Logged().record(molecule("H2O"), provenance="", **labels)


def test_a_reference_behind_the_potential_interface_gives_stress_where_there_is_a_cell():
    crystal = Atoms("OH", positions=[[0, 0, 0], [1, 0, 0]], cell=[5, 5, 5], pbc=True)
    found = Logged().potential().predict([crystal, molecule("H2O")])
    np.testing.assert_array_equal(found.stresses[0], np.eye(3))
    assert np.isnan(found.stresses[1]).all()
    assert [len(one) for one in found.forces] == [2, 3]
    only = Logged().potential().predict([crystal], ["energy"])
    assert only.forces is None
    assert only.stresses is None

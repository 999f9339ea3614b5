"""The user's own results: taken when they are of one level and of the paths' elements, refused with a sentence else."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from labkit.active_learning.dual_images import choose, images_of
from labkit.active_learning.dual_labels import read_labels
from labkit.active_learning.dual_replay import family, other_crystals
from labkit.datasets import Dataset, InvalidDataset, MissingLabel, Record
from labkit.errors import InvalidTask, UnreadableFile
from labkit.simulators.neb_path import MinimumEnergyPath

VASPRUN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator><i name="version" type="string">6.3.0 </i></generator>
 <incar></incar>
 <kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray><varray name="weights"><v> 1.0 </v></varray></kpoints>
 <parameters></parameters>
 <atominfo>
  <atoms> 2 </atoms> <types> 2 </types>
  <array name="atoms">
   <set> <rc><c>Li</c><c> 1</c></rc> <rc><c>F </c><c> 2</c></rc> </set>
  </array>
 </atominfo>
 <structure name="initialpos">
  <crystal>
   <varray name="basis"><v> 2.0 2.0 0.0 </v><v> 0.0 2.0 2.0 </v><v> 2.0 0.0 2.0 </v></varray>
  </crystal>
  <varray name="positions"><v> 0.0 0.0 0.0 </v><v> 0.5 0.5 0.5 </v></varray>
 </structure>
 <calculation>
  <scstep><energy>
   <i name="e_fr_energy"> -9.50 </i><i name="e_wo_entrp"> -9.50 </i><i name="e_0_energy"> -9.50 </i>
  </energy></scstep>
  <structure>
   <crystal>
    <varray name="basis"><v> 2.0 2.0 0.0 </v><v> 0.0 2.0 2.0 </v><v> 2.0 0.0 2.0 </v></varray>
   </crystal>
   <varray name="positions"><v> 0.0 0.0 0.0 </v><v> 0.5 0.5 0.5 </v></varray>
  </structure>
  <varray name="forces"><v> 0.1 0.0 0.0 </v><v> -0.1 0.0 0.0 </v></varray>
  <varray name="stress"><v> 10.0 0.0 0.0 </v><v> 0.0 10.0 0.0 </v><v> 0.0 0.0 10.0 </v></varray>
  <energy>
   <i name="e_fr_energy"> -9.50 </i><i name="e_wo_entrp"> -9.50 </i><i name="e_0_energy"> -9.50 </i>
  </energy>
 </calculation>
</modeling>
"""


def path_of(energies, mirrored=False):
    atoms = bulk("Al").repeat((2, 1, 1))
    n = len(energies)
    positions = np.array([atoms.positions + np.array([0.1 * i, 0, 0]) for i in range(n)])
    return MinimumEnergyPath.of(
        atoms, positions, np.array(energies), np.zeros_like(positions),
        state="converged", reason="", steps=1, max_force_eV_A=0.0, mirrored=mirrored,
    )  # fmt: skip


def record(symbols="LiF", level="PBE", energy=-1.0):
    atoms = Atoms(symbols, positions=2.0 * np.arange(3 * len(Atoms(symbols))).reshape(-1, 3), cell=[9] * 3, pbc=True)
    return Record(atoms, energy=energy, forces=np.zeros((len(atoms), 3)), level_of_theory=level)


def test_a_limit_takes_quantiles_of_the_energy_with_lowest_and_saddle():
    path = path_of([0.0, 0.1, 0.2, 0.5, 0.9, 1.0, 0.3])
    assert images_of(path) == list(range(7))
    for limit in (2, 3, 4):
        chosen = images_of(path, limit)
        assert len(chosen) == limit
        assert {0, 5} <= set(chosen)


def test_half_of_a_mirrored_path_and_nothing_without_an_energy_is_labelled():
    assert images_of(path_of([0.0, 0.2, 0.5, 0.2, 0.0], mirrored=True)) == [0, 1, 2]
    assert images_of(path_of([0.0, np.nan, 0.5, 0.2, 0.0])) == [0, 2, 3, 4]
    assert choose([path_of([np.nan] * 3)], limit=None, copies=3, rattle_A=0.1, seed=[0]) == []


def test_copies_stay_with_their_image_and_the_same_seed_gives_the_same():
    some = choose([path_of([0.0, 0.5, 0.1])], limit=None, copies=2, rattle_A=0.05, seed=[4])
    again = choose([path_of([0.0, 0.5, 0.1])], limit=None, copies=2, rattle_A=0.05, seed=[4])
    assert [atoms.info["kind"] for atoms in some] == ["path"] * 3 + ["rattled"] * 6
    for one, other in zip(some, again, strict=True):
        assert np.array_equal(one.positions, other.positions)
        parent = some[one.info["image"]]
        distance = np.abs(one.positions - parent.positions).max()
        assert distance == 0 if one.info["kind"] == "path" else 0 < distance < 0.5


def test_labels_of_one_level_are_taken_and_the_level_can_be_given(tmp_path):
    stated = Dataset([record(), record(energy=-2.0)]).write(tmp_path / "stated.extxyz")
    assert read_labels(stated, "", {"Li", "F"}).level_of_theory == "PBE"
    silent = Dataset([record(level="")]).write(tmp_path / "silent.extxyz")
    assert read_labels(silent, "r2SCAN, 520 eV", {"Li", "F"}).level_of_theory == "r2SCAN, 520 eV"
    assert read_labels(silent, "", {"Li", "F"}).level_of_theory == "labels of silent.extxyz"


def test_mixed_levels_are_refused_with_their_counts(tmp_path):
    mixed = Dataset([record(), record(), record(level="r2SCAN")], mix_levels=True).write(tmp_path / "mixed.extxyz")
    with pytest.raises(InvalidTask, match=r"mixes levels of theory \(2 of PBE, 1 of r2SCAN\), whose energies have"):
        read_labels(mixed, "", {"Li", "F"})
    half = Dataset([record(), record(level="")], mix_levels=True).write(tmp_path / "half.extxyz")
    with pytest.raises(InvalidTask, match="1 of not stated, 1 of PBE"):
        read_labels(half, "PBE", {"Li", "F"})


def test_a_level_that_contradicts_the_file_is_refused(tmp_path):
    file = Dataset([record()]).write(tmp_path / "pbe.extxyz")
    with pytest.raises(InvalidTask, match="states the level of theory PBE, and the task says r2SCAN"):
        read_labels(file, "r2SCAN", {"Li", "F"})


def test_other_elements_are_refused_and_so_are_missing_ones(tmp_path):
    file = Dataset([record(), record("NaCl")]).write(tmp_path / "salt.extxyz")
    with pytest.raises(InvalidTask, match=r"structure 1 of salt.extxyz \(ClNa\) holds Cl, Na, and the paths consist"):
        read_labels(file, "", {"Li", "F"})
    few = Dataset([record()]).write(tmp_path / "few.extxyz")
    with pytest.raises(InvalidTask, match=r"no structure of few\.extxyz holds P"):
        read_labels(few, "", {"Li", "F", "P"})


def test_labels_without_forces_or_with_numbers_that_are_none_are_refused(tmp_path):
    bare = Record(record().atoms, energy=-1.0, level_of_theory="PBE")
    with pytest.raises(MissingLabel, match="forces"):
        read_labels(Dataset([bare]).write(tmp_path / "bare.extxyz"), "", {"Li", "F"})
    broken = Dataset([record(energy=float("nan"))]).write(tmp_path / "broken.extxyz")
    with pytest.warns(UserWarning, match="faulty"), pytest.raises(InvalidDataset, match="faulty"):
        read_labels(broken, "", {"Li", "F"})


def test_a_vasprun_is_read_with_energies_forces_and_the_sign_of_its_stress(tmp_path):
    file = tmp_path / "vasprun.xml"
    file.write_text(VASPRUN)
    found = read_labels(file, "PBE, VASP", {"Li", "F"})
    assert found.level_of_theory == "PBE, VASP"
    assert found[0].energy == pytest.approx(-9.5)
    assert found[0].forces[0] == pytest.approx([0.1, 0, 0])
    # VASP calls a compressed crystal's pressure positive, in kbar; here tension is positive: -10 kbar = -1 GPa.
    assert np.trace(found[0].stress) / 3 * 160.21766 == pytest.approx(-1.0, rel=1e-4)


def test_a_torn_vasprun_and_no_file_are_refused_with_a_sentence(tmp_path):
    torn = tmp_path / "vasprun.xml"
    torn.write_text(VASPRUN[:600])
    with pytest.raises(UnreadableFile, match=r"vasprun\.xml"):
        read_labels(torn, "PBE", {"Li", "F"})
    with pytest.raises(UnreadableFile, match="not a file that can be opened"):
        read_labels(tmp_path / "OUTCAR", "PBE", {"Li", "F"})


def test_crystals_to_rehearse_and_to_look_at_are_different_and_known_to_the_potential():
    rehearsed, untouched = other_crystals({"Li", "F", "O", "Co", "Mg", "Na", "Cl"}, {"FLi"})
    families = [family(atoms) for atoms in (*rehearsed, *untouched)]
    assert rehearsed
    assert untouched
    assert len(set(families)) == len(families)
    assert "FLi" not in families
    assert all(set(atoms.symbols) <= {"Li", "F", "O", "Co", "Mg", "Na", "Cl"} for atoms in (*rehearsed, *untouched))
    assert other_crystals({"Rb"}, set()) == ([], [])

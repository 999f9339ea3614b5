"""A set of records: identity, parts, duplicates, statistics, comparison."""

import pickle
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from labkit import datasets
from labkit.datasets import Dataset, InvalidDataset, Record
from labkit.datasets.summary import composition, force_components, relative_energies

from .samples import mixed, rattled


def test_a_record_has_a_copy_of_the_atoms_without_their_calculator():
    atoms = bulk("Cu")
    atoms.calc = EMT()
    record = Record(atoms, energy=atoms.get_potential_energy())
    assert record.atoms.calc is None
    atoms.positions += 1
    assert record.atoms.positions[0, 0] == 0


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({"forces": np.zeros((2, 3))}, r"Cu: The label forces has the shape \(2, 3\); the shape \(1, 3\) is needed"),
        ({"energy": [1.0, 2.0]}, "energy has the shape"),
        ({"energy": "low"}, "'low', which is not a number"),
        ({"stress": np.ones(4)}, "six numbers"),
        ({"magmoms": np.ones((1, 3))}, "magmoms has the shape"),
        ({"weight": -1.0}, "weight is -1.0"),
        ({"weight": np.inf}, "weight is inf"),
    ],
)
def test_a_label_of_the_wrong_shape_is_refused(labels, sentence):
    with pytest.raises(InvalidDataset, match=sentence):
        Record(bulk("Cu"), **labels)


def test_a_set_is_a_sequence_of_records_and_slices_are_sets():
    found = rattled(6)
    assert len(found[:4]) == 4
    assert found[-1] is list(found)[-1]
    assert found.select([3, 1])[0] is found[3]
    assert len(found.without([0, 5])) == 4
    assert len(found.filter(lambda record: record.energy > 0)) == sum(record.energy > 0 for record in found)
    with pytest.raises(IndexError, match="has no record 6; its records are 0 to 5"):
        found.select([6])
    assert repr(found) == "<Dataset cu: 6 records, 24 atoms, Cu, PBE>"


def test_the_hash_is_the_same_in_another_process_and_after_pickling():
    code = "from tests.datasets.samples import mixed; print(mixed().hash)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert out == mixed().hash == pickle.loads(pickle.dumps(mixed())).hash


def test_the_hash_does_not_depend_on_the_order_of_keys_in_a_file(tmp_path):
    body = "\nCu 0 0 0 0 0 1\n"
    for name, comment in {
        "a": 'Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 group=x pbc="T T T"',
        "b": 'pbc="T T T" group="x" energy=-1.50 Properties=species:S:1:pos:R:3:forces:R:3 Lattice="3 0 0 0 3 0 0 0 3"',
    }.items():
        (tmp_path / f"{name}.xyz").write_text("1\n" + comment + body)
    assert datasets.read(tmp_path / "a.xyz").hash == datasets.read(tmp_path / "b.xyz").hash


@pytest.mark.parametrize("what", ["energy", "forces", "stress", "magmoms", "weight", "group", "position", "pbc"])
def test_the_hash_changes_with_every_number_that_counts(what):
    before = rattled(2)
    atoms = before[1].atoms.copy()
    if what == "position":
        atoms.positions[0, 0] += 1e-12
    elif what == "pbc":
        atoms.pbc = (True, True, False)
    changes = {
        "energy": {"energy": before[1].energy + 1e-12},
        "forces": {"forces": before[1].forces * (1 + 1e-15)},
        "stress": {"stress": None},
        "magmoms": {"magmoms": -before[1].magmoms},
        "weight": {"weight": 2.0},
        "group": {"group": "other"},
    }.get(what, {"atoms": atoms})
    assert Dataset([before[0], replace(before[1], **changes)]).hash != before.hash
    assert before.described(name="x", provenance="y").hash == before.hash


def test_sets_of_two_levels_of_theory_are_joined_only_when_somebody_says_so():
    one, other = rattled(2), rattled(2, level="r2SCAN", seed=1)
    assert len(one + rattled(2, seed=2)) == 4
    with pytest.raises(InvalidDataset, match="mixes the levels of theory PBE, r2SCAN"):
        one + other
    both = one.joined(other, mix_levels=True)
    assert both.level_of_theory == "PBE | r2SCAN"
    assert both[:1].level_of_theory == "PBE"
    assert len(both.split((0.5, 0.5))[0]) == 2


def test_a_level_that_is_not_stated_is_another_level_and_is_said_in_the_statistics():
    silent = rattled(2, level="")
    assert silent.level_of_theory == ""
    assert set(silent.statistics()["level_of_theory"]) == {"not stated"}
    with pytest.raises(InvalidDataset, match="not stated, PBE"):
        silent + rattled(2)
    assert len(silent.described(level_of_theory="PBE") + rattled(2)) == 4


def test_a_random_split_is_complete_disjoint_and_the_same_for_the_same_seed():
    found = rattled(50)
    parts = found.split((0.6, 0.3, 0.1), seed=3)
    assert [len(part) for part in parts] == [30, 15, 5]
    assert sorted(id(record) for part in parts for record in part) == sorted(id(record) for record in found)
    again, other = found.split((0.6, 0.3, 0.1), seed=3), found.split((0.6, 0.3, 0.1), seed=4)
    assert [part.hash for part in parts] == [part.hash for part in again]
    assert parts[0].hash != other[0].hash
    assert "part 3 of 3 (0.1) by random, seed 3" in parts[2].provenance


def test_families_are_never_shared_between_parts():
    sets = [rattled(size, group=f"family {size}", seed=size) for size in (1, 2, 3, 5, 8, 13, 8, 4)]
    found = sets[0].joined(*sets[1:])
    for by in ("group", lambda record: record.group[-1]):
        parts = found.split((0.5, 0.3, 0.2), seed=1, by=by)
        names = [{record.group if by == "group" else by(record) for record in part} for part in parts]
        assert sum(map(len, names)) == len(set.union(*names))
        assert sum(map(len, parts)) == len(found)
        assert len(parts[0]) == pytest.approx(22, abs=4)


def test_families_by_composition_and_provenance():
    found = rattled(4, "Cu") + rattled(4, "Al") + rattled(4, "Ni")
    train, test = found.split((0.7, 0.3), by="composition")
    assert train.elements.isdisjoint(test.elements)
    traced = Dataset([replace(record, provenance=f"run {i // 3}") for i, record in enumerate(found)])
    train, test = traced.split((0.5, 0.5), by="provenance")
    assert {one.provenance for one in train}.isdisjoint(one.provenance for one in test)


def test_a_stratified_split_gives_every_part_its_share_of_every_group():
    found = datasets.load("mo-mlearn")
    train, test = found.split((0.8, 0.2), seed=0, stratify="group")
    for group, where in found.groups().items():
        assert len(test.groups()[group]) == pytest.approx(0.2 * len(where), abs=1.01)
    assert len(train) + len(test) == len(found)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fractions": (0.9, 0.2)}, "sum to at most 1"),
        ({"fractions": (1.0, 0.0)}, "positive numbers"),
        ({"by": "group"}, "1 families"),
        ({"by": "colour"}, "no family 'colour'"),
        ({"by": "group", "stratify": "group"}, "by='random' only"),
        ({"fractions": (0.1,) * 10}, "would be empty"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(options, sentence):
    with pytest.raises(InvalidDataset, match=sentence):
        rattled(5).split(**options)


def test_a_small_share_of_a_small_set_still_gets_a_record():
    train, validation = rattled(5).split((0.95, 0.05))
    assert (len(train), len(validation)) == (4, 1)
    assert [len(part) for part in rattled(40).split((0.25, 0.25))] == [10, 10]


def turned(atoms, seed):
    """The same structure, rotated, shifted, renumbered, and in periodic directions wrapped."""
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
    other = atoms.copy()
    other.positions = (atoms.positions + random.normal(size=3)) @ axes
    other.set_cell(atoms.cell.array @ axes)
    other.wrap()
    return other[random.permutation(len(other))]


@pytest.mark.parametrize("build", [lambda: bulk("NaCl", "rocksalt", a=5.6, cubic=True), lambda: molecule("C6H6")])
def test_a_structure_turned_shifted_and_renumbered_is_a_duplicate_and_a_moved_atom_is_not(build):
    atoms = build()
    atoms.rattle(0.05, seed=1)
    moved = atoms.copy()
    moved.positions[0] += [0.02, 0, 0]
    found = Dataset([Record(one) for one in (atoms, moved, turned(atoms, 2), turned(moved, 3), turned(atoms, 4))])
    assert found.duplicates() == [(0, 2, 4), (1, 3)]
    assert found.duplicates(tolerance_A=0.1) == [(0, 1, 2, 3, 4)]


def test_the_same_lattice_in_another_cell_is_a_duplicate_but_a_supercell_or_another_cell_is_not():
    skew = bulk("Cu").copy()
    skew.set_cell(skew.cell.array @ np.eye(3))
    skew.cell[2] += skew.cell[0]
    found = [bulk("Cu"), skew, bulk("Cu") * (2, 1, 1), bulk("Cu", a=3.7), bulk("Ag", a=3.61)]
    assert Dataset([Record(one) for one in found]).duplicates() == [(0, 1)]
    lone = [Atoms("Ar", cell=np.eye(3) * edge, pbc=True) for edge in (20, 21, 20)]
    assert Dataset([Record(one) for one in lone]).duplicates() == [(0, 2)]
    assert Dataset([Record(Atoms("H")), Record(Atoms("H")), Record(Atoms("He"))]).duplicates() == [(0, 1)]


def test_known_duplicates_of_published_sets_are_found():
    # Strained silicon cells that differ by a symmetry of the crystal only; the proton's path there and back.
    silicon = datasets.load("si-mlearn")
    groups = silicon.duplicates()
    assert sum(map(len, groups)) == 54
    for group in groups:
        energies = [silicon[index].energy / len(silicon[index]) for index in group]
        assert np.ptp(energies) < 1e-4
    assert datasets.load("acac-300K").duplicates() == []


def test_duplicates_of_five_thousand_frames_are_found_in_seconds():
    random = np.random.default_rng(0)
    base = molecule("C6H6")
    records = [Record(Atoms(base.numbers, base.positions + random.normal(0, 0.1, (12, 3)))) for _ in range(4999)]
    found = Dataset([*records, Record(turned(records[123].atoms, 1))])
    started = time.process_time()
    assert found.duplicates() == [(123, 4999)]
    assert time.process_time() - started < 5


def test_statistics_have_a_row_for_each_group_and_one_for_all():
    found = rattled(3, group="a") + rattled(2, "Al", group="b", seed=1)
    table = found.statistics().set_index("group")
    assert list(table.index) == ["a", "b", "all"]
    assert table.loc["all", "n"] == 5
    assert table.loc["b", "elements"] == "Al"
    assert table.loc["a", "with_stress"] == 3
    forces = np.concatenate([record.forces for record in found])
    assert table.loc["all", "forces_rms_eV_A"] == pytest.approx(np.sqrt((forces**2).mean()))
    elements = found.element_statistics().set_index("element")
    assert elements.loc["Al", "atoms"] == 8
    assert len(found.table()) == 5
    assert composition(found) == {"a": {"Cu": 12}, "b": {"Al": 8}}


def test_statistics_of_labels_that_are_missing_or_no_numbers_are_still_there():
    record = rattled(1)[0]
    found = Dataset([replace(record, energy=np.nan), replace(record, forces=None), record])
    row = found.statistics().iloc[-1]
    assert row["faulty"] == 1
    assert row["with_forces"] == 2
    assert row["energy_mean_eV_atom"] == pytest.approx(record.energy / 4)
    assert Dataset([]).statistics()["n"].tolist() == [0]


def test_energies_of_several_compositions_are_taken_from_the_sum_over_elements():
    energies = {"Cu": -3.0, "Al": -5.0}
    records = []
    for symbols in ("Cu4", "Al4", "Cu2Al2", "CuAl3"):
        atoms = Atoms(symbols, cell=np.eye(3) * 4, pbc=True)
        records.append(Record(atoms, energy=sum(energies[one] for one in atoms.symbols)))
    relative, taken = relative_energies(records)
    assert taken
    assert np.abs(relative).max() < 1e-12
    plain, taken = relative_energies(rattled(3))
    assert not taken
    assert plain[0] == rattled(3)[0].energy / 4


def test_force_components_are_thinned_the_same_way_each_time():
    found = rattled(30)
    values, owners = force_components(found)
    assert len(values) == len(owners) == 30 * 12
    few, few_owners = force_components(found, limit=100)
    assert len(few) == 100
    assert np.array_equal(few, force_components(found, limit=100)[0])
    assert all(value in found[owner].forces for value, owner in zip(few, few_owners, strict=True))


def test_a_comparison_gives_the_errors_by_group_and_the_worst_records():
    found = rattled(4, group="a") + rattled(4, group="b", seed=1)
    forces = [record.forces + 0.1 for record in found]
    forces[5] = found[5].forces - 0.5
    prediction = SimpleNamespace(energies=np.array([record.energy + 0.04 for record in found]), forces=forces)
    result = datasets.compare(found, prediction)
    errors = result.errors().set_index("group")
    assert errors.loc["a", "energy_mae_meV_atom"] == pytest.approx(10)
    assert errors.loc["a", "forces_rmse_meV_A"] == pytest.approx(100)
    assert errors.loc["all", "forces_mae_meV_A"] == pytest.approx((7 * 100 + 500) / 8)
    assert result.worst()[0] == 5
    halves = [SimpleNamespace(energies=prediction.energies[:3], forces=forces[:3])]
    halves.append(SimpleNamespace(energies=prediction.energies[3:], forces=forces[3:]))
    assert np.array_equal(datasets.compare(found, halves).forces_predicted, result.forces_predicted)
    assert datasets.compare(found, found).errors()["energy_mae_meV_atom"].tolist() == [0, 0, 0]


def test_a_comparison_refuses_other_structures_and_numbers_that_are_none():
    found = rattled(3)
    with pytest.raises(InvalidDataset, match="of 2 structures, cu has 3"):
        datasets.compare(found, found[:2])
    bad = SimpleNamespace(energies=np.array([0.0, np.nan, 0.0]), forces=None)
    with pytest.raises(InvalidDataset, match="predicted energy of record 1 is nan"):
        datasets.compare(found, bad)
    with pytest.raises(InvalidDataset, match="this is a str"):
        datasets.compare(found, "chgnet")

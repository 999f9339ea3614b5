"""Reading labelled structures: exact numbers, stated conventions, and labels that are never silently missing."""

import gzip
import json
import subprocess
import sys
import time
import warnings

import ase.db
import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from labkit import datasets
from labkit.datasets import Dataset, FaultyRecords, InvalidDataset, MissingLabel, Record
from labkit.errors import BudgetExceeded, LabkitError, UnreadableFile

from .samples import FRAME, mixed, rattled, write


@pytest.mark.parametrize("name", ["a.extxyz", "a.xyz.gz"])
def test_what_is_written_is_read_back_to_the_last_bit(tmp_path, name):
    before = mixed()
    after = datasets.read(before.write(tmp_path / name), require=())
    assert after.hash == before.hash
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.atoms.positions, other.atoms.positions)
        assert np.array_equal(one.atoms.cell.array, other.atoms.cell.array)
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)
        assert (one.stress is None) == (other.stress is None)
        assert one.stress is None or np.array_equal(one.stress, other.stress)
        assert np.array_equal(one.magmoms, other.magmoms)
        assert (one.group, one.weight, one.provenance) == (other.group, other.weight, other.provenance)
    assert after[2].atoms.info == before[2].atoms.info
    assert np.array_equal(after[2].atoms.get_momenta(), before[2].atoms.get_momenta())


def test_equal_sets_give_equal_files(tmp_path):
    one, other = mixed().write(tmp_path / "a.xyz.gz"), mixed().write(tmp_path / "b.xyz.gz")
    assert one.read_bytes() == other.read_bytes()


def test_ase_reads_the_same_labels_from_our_files(tmp_path):
    record = rattled(1)[0]
    atoms = ase.io.read(Dataset([record]).write(tmp_path / "a.extxyz"))
    assert atoms.get_potential_energy() == record.energy
    assert np.array_equal(atoms.get_forces(), record.forces)
    assert np.allclose(atoms.get_stress(voigt=False), record.stress, rtol=0, atol=1e-15)


def test_our_reader_and_ase_agree_on_a_file_that_ase_wrote(tmp_path):
    frames = []
    for seed in range(5):
        atoms = bulk("Ar", cubic=True)
        atoms.rattle(0.05, seed=seed)
        atoms.calc = LennardJones(epsilon=0.0103, sigma=3.405)
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    ase.io.write(tmp_path / "a.extxyz", frames)
    for frame, record in zip(ase.io.iread(tmp_path / "a.extxyz"), datasets.read(tmp_path / "a.extxyz"), strict=True):
        assert np.allclose(record.atoms.positions, frame.positions, atol=0, rtol=0)
        assert record.energy == frame.get_potential_energy()
        assert np.array_equal(record.forces, frame.get_forces())
        assert np.allclose(record.stress, frame.get_stress(voigt=False))


def test_a_missing_label_is_an_error_that_names_the_key_the_frame_and_the_keys_that_are_there(tmp_path):
    path = write(tmp_path / "a.xyz", FRAME.format(pairs="energy=-1") + FRAME.format(pairs="E_dft=-1 group=x"))
    with pytest.raises(MissingLabel) as error:
        datasets.read(path)
    text = str(error.value)
    assert text.startswith("Frame 1 of a.xyz has no energy under the key 'energy'.")
    assert "Its keys are: E_dft, group, forces." in text


def test_a_key_that_looks_right_is_proposed(tmp_path):
    path = write(tmp_path / "a.xyz", FRAME.format(pairs="DFT_energy=-1").replace("forces", "REF_forces"))
    with pytest.raises(MissingLabel, match="energy_key='DFT_energy' if that is it"):
        datasets.read(path)
    with pytest.raises(MissingLabel, match="forces_key='REF_forces'"):
        datasets.read(path, energy_key="DFT_energy")
    assert datasets.read(path, energy_key="DFT_energy", forces_key="REF_forces")[0].energy == -1


def test_a_key_that_was_named_must_be_there_although_the_label_is_not_required(tmp_path):
    path = write(tmp_path / "a.xyz", FRAME.format(pairs="energy=-1"))
    assert datasets.read(path)[0].stress is None
    with pytest.raises(MissingLabel, match="no stress under the key 'virails'"):
        datasets.read(path, stress_key="virails")


def test_the_stress_of_a_virial_is_minus_the_virial_over_the_volume_and_only_when_asked_for(tmp_path):
    pairs = 'energy=-1 virial="6.4 0 0 0 12.8 1.28 0 1.28 0"'
    path = write(tmp_path / "a.xyz", FRAME.format(pairs=pairs))
    assert datasets.read(path)[0].stress is None
    stress = datasets.read(path, stress_key="virial")[0].stress
    assert np.allclose(stress, [[-0.1, 0, 0], [0, -0.2, -0.02], [0, -0.02, 0]], atol=1e-15)


def test_a_compressed_crystal_has_negative_stress_as_tension_is_positive(tmp_path):
    atoms = bulk("Ar", cubic=True, a=4.9)
    atoms.calc = LennardJones(epsilon=0.0103, sigma=3.405)
    voigt = atoms.get_stress()
    record = Record(atoms, energy=0.0, stress=voigt)
    assert record.stress[0, 0] == voigt[0] < 0
    assert Dataset([record]).statistics()["pressure_max_GPa"].iloc[-1] == pytest.approx(-voigt[0] / units.GPa)


def test_six_numbers_are_a_stress_in_the_order_of_voigt():
    tensor = datasets.full_stress([1, 2, 3, 4, 5, 6])
    assert tensor.tolist() == [[1, 6, 5], [6, 2, 4], [5, 4, 3]]
    with pytest.raises(InvalidDataset, match="not symmetric"):
        datasets.full_stress([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    with pytest.raises(InvalidDataset, match=r"shape \(3,\)"):
        datasets.full_stress([1, 2, 3])


BROKEN = {
    "nan energy": ("energy=-1", "energy=nan", "The energy is nan"),
    "nan force": ("0.1 0.2 0.3", "0.1 NaN 0.3", "The forces of atom 0 is nan"),
    "nan position": ("Na 0 0 0", "Na 0 nan 0", "position (0, nan, 0)"),
    "flat cell": ("4 0 0 0 4 0 0 0 4", "4 0 0 8 0 0 0 0 4", "The cell is flat"),
    "nan stress": ("energy=-1", 'energy=-1 stress="1 0 0 0 nan 0 0 0 1"', "The stress is nan"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_numbers_that_are_none_are_counted_listed_and_left_out_on_request_only(tmp_path, kind):
    old, new, sentence = BROKEN[kind]
    good = FRAME.format(pairs="energy=-1")
    path = write(tmp_path / "a.xyz", good + good.replace(old, new) + good)
    with pytest.warns(FaultyRecords, match="1 of 3 records of a.xyz are faulty; the first is 1"):
        found = datasets.read(path)
    assert len(found) == 3
    faults = found.faults()
    assert {fault.index for fault in faults} == {1}
    assert sentence in faults[0].sentence
    with pytest.raises(InvalidDataset, match="Record 1 of a"):
        found.refuse_faults()
    kept = datasets.read(path, drop_faulty=True)
    assert len(kept) == 2
    assert kept.faults() == []
    assert "without 1 faulty records (1)" in kept.provenance
    assert found.statistics()["faulty"].iloc[-1] == (0 if kind == "flat cell" else 1)


def test_atoms_on_top_of_each_other_are_a_fault():
    path = rattled(2)
    path[1].atoms.positions[1] = path[1].atoms.positions[0]
    assert [(index, "0.00 Å apart" in text) for index, text in path.faults()] == [(1, True)]


REFUSED = {
    "count too large": ("2\n", "9\n", "Frame 1 of a.xyz claims 9 atoms, but 2 lines follow"),
    "count too small": ("2\n", "1\n", "Frame 2 of a.xyz should begin with its number of atoms"),
    "no atoms": ("2\n", "0\n", "Frame 1 of a.xyz has 0 atoms"),
    "short line": ("-0.1 -0.2 -0.3", "-0.1 -0.2", "declares 7 columns, but the line of atom 1 has 6"),
    "no number": ("0.1 0.2 0.3\nCl", "0.1 abc 0.3\nCl", "what is not a number"),
    "element": ("Cl 2", "Zz 2", "unknown element 'Zz'"),
    "energy word": ("energy=-1", "energy=unknown", "Frame 1 of a.xyz: 'energy' is 'unknown', which is not a number"),
    "two energies": ("energy=-1", "energy=-1 energy=-2", "has the key 'energy' twice"),
    "columns": ("forces:R:3", "forces:R:2", "declares 6 columns"),
    "huge column": ("forces:R:3", "forces:R:3000000000", "name:type:count"),
    "force shape": ("forces:R:3", "forces:R:1:x:R:2", r"label forces has the shape (2,); the shape (2, 3) is needed"),
    "lattice": ("4 0 0 0 4 0 0 0 4", "4 4 4", "nine numbers"),
    "stress": ("energy=-1", 'energy=-1 stress="1 2 3"', "six numbers (Voigt) or 3 x 3"),
    "weight": ("energy=-1", "energy=-1 weight=-2", "The weight is -2.0"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_broken_frame_is_refused_with_its_number_and_what_is_wrong(tmp_path, kind):
    old, new, sentence = REFUSED[kind]
    good = FRAME.format(pairs="energy=-1")
    assert old in good
    last = good.replace(old, new, 1) if kind != "count too large" else new + good.partition("\n")[2]
    with pytest.raises(LabkitError) as error:
        datasets.read(write(tmp_path / "a.xyz", good + last))
    assert sentence in str(error.value)


def test_the_frames_before_a_fault_are_kept_in_the_error(tmp_path):
    good = FRAME.format(pairs="energy=-1")
    with pytest.raises(UnreadableFile) as error:
        datasets.read(write(tmp_path / "a.xyz", good + good[:-30]))
    assert len(error.value.frames) == 1


def test_a_claim_of_ten_million_atoms_costs_neither_time_nor_memory(tmp_path):
    path = write(tmp_path / "a.xyz", FRAME.format(pairs="energy=-1").replace("2\n", "10000000\n", 1))
    started = time.perf_counter()
    with pytest.raises(BudgetExceeded):
        datasets.read(path)
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"<html><body>log in</body></html>", "web page"),
        (b"\0\1\2\3" * 100, "binary file"),
        (b'{"a": [1, 2', "cannot be read as JSON"),
        (b'{"a": 1}', "neither an ASE database nor a network"),
        (gzip.compress(bytes(range(1, 256)) * 9)[:60], "cannot be unpacked"),
        (b"SQLite format 3\0 and then nothing", "cannot be read as an ASE database"),
        (b"[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_a_file_that_holds_no_structures_is_refused_with_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "a.file"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=sentence):
        datasets.read(path)


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path):
    path = tmp_path / "bomb.xyz.gz"
    path.write_bytes(gzip.compress(b"0" * 3_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(UnreadableFile, match=r"more than 1 MB \(unpacked\)"):
        datasets.read(path, max_bytes=1_000_000)


@pytest.mark.parametrize("ending", ["db", "json"])
def test_an_ase_database_is_read_with_its_labels_groups_and_level(tmp_path, ending):
    path, reference = tmp_path / f"a.{ending}", rattled(3)
    with ase.db.connect(path) as database:
        for record in reference:
            atoms = record.atoms.copy()
            stress = record.stress.ravel()[[0, 4, 8, 5, 2, 1]]
            atoms.calc = SinglePointCalculator(
                atoms, energy=record.energy, forces=record.forces, stress=stress, magmoms=record.magmoms
            )
            database.write(atoms, group=record.group)
    ase.db.connect(path).metadata = {"level_of_theory": "PBE"}
    found = datasets.read(path)
    assert found.hash == reference.hash
    assert found.level_of_theory == "PBE"


def test_a_database_whose_rows_lack_forces_names_the_row(tmp_path):
    with ase.db.connect(tmp_path / "a.db") as database:
        atoms = bulk("Cu")
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0)
        database.write(atoms)
    with pytest.raises(MissingLabel, match=r"Frame 0 of a\.db has no forces"):
        datasets.read(tmp_path / "a.db")


def test_a_network_of_stationary_points_is_read_with_its_molecules_as_groups(tmp_path):
    state = {"energy_eV": -10.0, "xyz": [0, 0, 0, 0, 0, 1.1]}
    saddle = {**state, "min_plus": 0, "min_minus": 1, "energy_eV": -9.5, "xyz": [0, 0, 0, 0, 0, 1.5]}
    network = {"carbon monoxide": {"symbols": ["C", "O"], "minima": [state, state], "transition_states": [saddle]}}
    path = tmp_path / "net.json"
    path.write_text(json.dumps(network))
    with pytest.raises(MissingLabel, match=r"no forces .* require=\('energy',\) if the set has no forces"):
        datasets.read(path)
    found = datasets.read(path, require=("energy",), level_of_theory="wB97x")
    assert found.groups() == {"carbon monoxide minimum": [0, 1], "carbon monoxide transition state": [2]}
    assert found[2].energy == -9.5
    assert found[2].atoms.info["min_minus"] == 1
    assert found[1].provenance == "carbon monoxide minimum 1"
    assert found.duplicates() == [(0, 1)]


def test_two_levels_of_theory_in_one_file_are_not_mixed_unless_somebody_says_so(tmp_path):
    text = FRAME.format(pairs="energy=-1 level_of_theory=PBE") + FRAME.format(pairs="energy=-1 level_of_theory=SCAN")
    path = write(tmp_path / "a.xyz", text)
    with pytest.raises(InvalidDataset, match="mixes the levels of theory PBE, SCAN"):
        datasets.read(path)
    assert datasets.read(path, mix_levels=True).level_of_theory == "PBE | SCAN"
    with pytest.raises(InvalidDataset, match="states the level of theory 'SCAN', but 'PBE' was given"):
        datasets.read(path, level_of_theory="PBE")


@pytest.mark.parametrize("name", datasets.names())
def test_every_shipped_set_is_sound_and_says_what_it_is(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = datasets.load(name)
    entry = next(one for one in datasets.entries() if one.name == name)
    assert found.name == name
    assert found.level_of_theory == entry.level_of_theory != ""
    assert "doi" in found.provenance or "github" in found.provenance
    assert found.faults() == []
    for record in found:
        assert record.energy is not None
        assert (record.forces is not None) == ("forces" in entry.labels)
        if record.forces is not None:
            assert np.abs(record.forces.sum(axis=0)).max() < 0.1


def test_the_shipped_sets_have_the_sizes_and_energies_of_their_papers():
    sizes = {"mo-mlearn": 194, "si-mlearn": 214, "li-mlearn": 241, "acac-300K": 500, "acac-test-600K": 650}
    assert {name: len(datasets.load(name)) for name in sizes} == sizes
    molybdenum = datasets.load("mo-mlearn")
    assert set(molybdenum.groups()) == {"AIMD-NVT", "Elastic", "Vacancy", "Surface"}
    # The perfect crystal lies lowest.
    assert molybdenum[int(molybdenum.table()["energy_eV_atom"].idxmin())].group == "Elastic"
    assert molybdenum.table()["energy_eV_atom"].min() == pytest.approx(-10.85, abs=0.01)
    # Total energy of C5H8O2 from the isolated atoms down by the energy of 14 bonds: 3 to 6 eV each.
    atoms = {one.atoms.symbols[0]: one.energy for one in datasets.load("acac-isolated-atoms")}
    first = datasets.load("acac-300K")[0]
    binding = first.energy - sum(atoms[symbol] for symbol in first.atoms.symbols)
    assert -90 < binding < -50


def test_the_licence_and_source_of_each_shipped_set_lie_beside_it():
    from importlib import resources

    folder = resources.files("labkit.datasets") / "data"
    for entry in datasets.entries():
        beside = (folder / entry.file).parent
        assert "licence" in (beside / "SOURCE.txt").read_text(encoding="utf-8")
        assert "Copyright" in (beside / "LICENSE").read_text(encoding="utf-8")


def test_an_unknown_name_proposes_a_known_one():
    with pytest.raises(InvalidDataset, match="Did you mean mo-mlearn"):
        datasets.load("mo-mlern")


def test_a_training_set_of_ten_thousand_atoms_is_loaded_in_under_a_third_of_a_second():
    datasets.load("mo-mlearn-test")
    best = min(_cpu_seconds(lambda: datasets.load("mo-mlearn")) for _ in range(3))
    assert best < 0.33


def _cpu_seconds(action):
    started = time.process_time()
    action()
    return time.process_time() - started


def test_importing_the_room_brings_no_torch():
    code = "import labkit.datasets, sys; print('torch' in sys.modules, 'pandas' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.split() == ["False", "False"]

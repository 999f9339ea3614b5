import json
import os
import signal
from collections import Counter

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.build import molecule

from labkit.datasets import Dataset, Record
from labkit.datasets.write import write
from labkit.errors import InvalidTask, RunFailed
from labkit.references import Labelling, label_pool, labelled
from labkit.references.label_store import LabelStore, read_failures
from labkit.references.labelling import label_all
from tests.references.made import Logged, structures

LOGGED = "tests.references.made:Logged"


def calls(log, word="begin"):
    lines = log.read_text().split("\n") if log.exists() else []
    return Counter(int(line.split()[1]) for line in lines if line.startswith(word))


def test_every_structure_gets_the_label_that_the_reference_gives_it(store):
    atoms = structures(5)
    run = Labelling(structures=atoms, reference=LOGGED, processes=2).run(store=store)
    found = labelled(run)
    assert [int(record.atoms.get_tags()[0]) for record in found] == [0, 1, 2, 3, 4]
    for record, one in zip(found, atoms, strict=True):
        expected = Logged().label(one)
        assert record.energy == expected.energy
        np.testing.assert_array_equal(record.forces, expected.forces)
        np.testing.assert_array_equal(record.atoms.positions, one.positions)
        assert (record.stress is None) == (not one.pbc.all())
    assert found.level_of_theory == "harmonic"
    table = run.table("labels")
    assert list(table) == ["step", "structure", "energy_eV_atom", "max_force_eV_A", "cpu_s"]
    assert table["step"].tolist() == [0, 1, 2, 3, 4]
    assert sorted(table["structure"]) == [0, 1, 2, 3, 4]
    result = run.result()
    assert (result["labelled"], result["failed"], result["level_of_theory"]) == (5, 0, "harmonic")
    assert not (run.folder / "failed").exists()


def test_a_run_killed_with_its_worker_goes_on_and_repeats_no_label(store, until, tmp_path):
    log = tmp_path / "calls.txt"
    options = {"log": str(log), "nap_s": 0.05, "fails": [3]}
    run = Labelling(structures=structures(24), reference=LOGGED, options=options, processes=2).launch(store=store)
    until(lambda: len(run.table("labels")) >= 6)
    children = psutil.Process(run.status().pid).children()
    assert len(children) == 2
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.state == "interrupted")
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))
    before = {int(record.atoms.get_tags()[0]) for record in labelled(run)}
    assert 6 <= len(before) < 24
    with (run.folder / "labelled.extxyz").open("a") as file:
        file.write('2\nLattice="5 0 0')  # a label that the kill cut in two
    run.resume().wait(60)
    assert run.state == "finished"
    begun = calls(log)
    assert set(begun) == set(range(24))
    assert all(begun[number] == 1 for number in before)
    assert sum(begun.values()) <= 24 + 2  # two were being computed when the run was killed
    assert begun[3] == 1
    table = run.table("labels")
    assert sorted(table["structure"]) == [number for number in range(24) if number != 3]
    assert table["step"].tolist() == list(range(23))
    assert run.table("failures")["structure"].tolist() == [3]
    assert len(labelled(run)) == 23


def test_a_reference_that_fails_for_one_structure_in_twenty_does_not_stop_the_others(store):
    run = Labelling(structures=structures(40), reference=LOGGED, options={"fails": [7, 23]}).run(store=store)
    assert run.result()["kinds"] == {"NotConverged": 2}
    assert len(labelled(run)) == 38
    table = run.table("failures")
    assert table["structure"].tolist() == [7, 23]
    assert set(table["kind"]) == {"NotConverged"}
    assert "structure 7 does not want to" in run.log()
    kept = sorted(path.name for path in (run.folder / "failed").iterdir())
    assert kept == ["000007.extxyz", "000007.json", "000023.extxyz", "000023.json"]
    assert read_failures(run.folder)[1].reason == "structure 23 does not want to."


def test_a_structure_that_kills_its_process_costs_one_label(store, tmp_path):
    log = tmp_path / "calls.txt"
    options = {"dies": [2, 5], "log": str(log)}
    run = Labelling(structures=structures(8), reference=LOGGED, options=options, processes=2).run(store=store)
    assert run.result()["kinds"] == {"WorkerDied": 2}
    assert "SIGKILL" in read_failures(run.folder)[0].reason
    assert sorted(run.table("labels")["structure"]) == [0, 1, 3, 4, 6, 7]
    assert set(calls(log).values()) == {1}


def test_a_label_that_takes_too_long_is_given_up(store):
    run = Labelling(
        structures=structures(3), reference=LOGGED, options={"sleeps": [1]}, timeout_s=1.0, processes=2
    ).run(store=store)
    assert run.result()["kinds"] == {"TimedOut": 1}
    assert "Raise timeout_s" in read_failures(run.folder)[0].reason


def test_stop_ends_the_run_and_its_workers(store, until):
    run = Labelling(structures=structures(4), reference=LOGGED, options={"sleeps": [1]}).launch(store=store)
    until(lambda: len(run.table("labels")) == 1)
    children = psutil.Process(run.status().pid).children()
    assert len(children) == 1
    run.cancel()
    assert run.state == "cancelled"
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))


def test_a_run_without_a_single_label_fails_and_says_why(store):
    with pytest.raises(RunFailed, match=r"none of 2 structures could be labelled.*structure 0 does not want to"):
        Labelling(structures=structures(2), reference=LOGGED, options={"fails": [0, 1]}).run(store=store)


def test_a_missing_package_ends_the_run_before_the_first_structure(store):
    with pytest.raises(ModuleNotFoundError, match="pip install nowhere"):
        Labelling(structures=structures(2), reference="tests.references.made:refuses").run(store=store)


def test_structures_come_from_a_file_as_it_was_when_the_run_began(store, tmp_path):
    path = tmp_path / "some.extxyz"
    frames = structures(3)
    frames[1].positions[0, 0] = np.nan
    write(Dataset([Record(atoms) for atoms in frames]), path)
    run = Labelling(frames=str(path), reference=LOGGED).run(store=store)
    assert run.result()["kinds"] == {"InvalidStructure": 1}
    assert "not finite" in read_failures(run.folder)[0].reason
    assert run.table("labels")["structure"].tolist() == [0, 2]
    path.unlink()
    assert len(run.task._kept(run.folder)) == 3


def test_a_task_needs_structures_or_a_file():
    with pytest.raises(InvalidTask, match="one of the two"):
        Labelling(structures=[], reference=LOGGED)
    with pytest.raises(InvalidTask, match="one of the two"):
        Labelling(structures=structures(1), frames="some.extxyz")


def test_an_executor_labels_as_well(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    heard = []
    with ThreadPoolExecutor(2) as executor:
        done = label_all(
            structures(6),
            Logged(),
            tmp_path,
            name=LOGGED,
            options={"fails": [4]},
            processes=2,
            executor=executor,
            report=heard.append,
        )
    assert sorted(one.structure for one in done.labels) == [0, 1, 2, 3, 5]
    assert [one.structure for one in done.failures] == [4]
    assert heard[-1].done == heard[-1].total == 6
    assert "5 labelled, 1 failed" in heard[-1].sentence


def test_a_broken_executor_ends_the_run_and_keeps_its_labels(tmp_path):
    from concurrent.futures import BrokenExecutor, Future

    class Breaks:
        def submit(self, function, name, options, asked):
            future = Future()
            if asked["index"] == 2:
                future.set_exception(BrokenExecutor("a process died"))
            else:
                future.set_result(function(name, options, asked))
            return future

    with pytest.raises(RunFailed, match="the executor broke while it labelled structure 2"):
        label_all(structures(4), Logged(), tmp_path, name=LOGGED, executor=Breaks())
    assert [int(record.atoms.get_tags()[0]) for record in labelled(tmp_path)] == [0, 1]


def test_an_executor_that_takes_too_long_is_not_waited_for(tmp_path):
    from concurrent.futures import Future

    class Hangs:
        def submit(self, function, name, options, asked):
            future = Future()
            if asked["index"] != 1:
                future.set_result(function(name, options, asked))
            return future

    done = label_all(structures(3), Logged(), tmp_path, name=LOGGED, executor=Hangs(), processes=2, timeout_s=0.5)
    assert sorted(one.structure for one in done.labels) == [0, 2]
    assert [(one.structure, one.kind) for one in done.failures] == [(1, "TimedOut")]
    assert "left to itself. Raise timeout_s" in done.failures[0].reason


def test_a_worker_that_never_opens_its_reference_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(label_pool, "START_S", 1.0)
    with pytest.raises(RunFailed, match="had not opened the reference after 1 s"):
        label_all(structures(1), Logged(), tmp_path, name="tests.references.made:Sleepy")


def test_structures_larger_than_a_pipe_do_not_hold_up_the_others(tmp_path):
    large = [Atoms("Ar" * 4000, positions=np.arange(12000.0).reshape(-1, 3)) for _ in range(2)]
    options = {"fails": []}
    done = label_all(large, Logged(), tmp_path, name=LOGGED, options=options, processes=2)
    assert len(done.labels) == 2


def test_a_dask_cluster_labels_as_well(store):
    distributed = pytest.importorskip("distributed", reason="needs the extra labkit-mlip[dask]")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster:
        task = Labelling(
            structures=structures(8),
            reference=LOGGED,
            options={"fails": [3]},
            processes=4,
            scheduler=cluster.scheduler_address,
        )
        run = task.run(store=store)
    assert sorted(run.table("labels")["structure"]) == [0, 1, 2, 4, 5, 6, 7]
    assert run.result()["kinds"] == {"NotConverged": 1}


def test_a_folder_remembers_its_labels(tmp_path):
    atoms = structures(3)
    for _ in range(2):
        label_all(atoms[:2], Logged(), tmp_path, name=LOGGED)
    store = LabelStore(tmp_path)
    assert store.known == {0, 1}
    store.close()


def test_tight_binding_labels_molecules_in_a_run(store):
    pytest.importorskip("tblite")
    run = Labelling(structures=[molecule("H2O"), molecule("CH4")], reference="gfn2-xtb").run(store=store)
    water, methane = labelled(run)
    assert water.energy == pytest.approx(-137.96777625, abs=1e-5)
    assert methane.energy == pytest.approx(-113.60956621, abs=1e-5)
    assert "tblite" in water.provenance
    assert water.level_of_theory == "GFN2-xTB"


def test_a_task_carries_charge_and_multiplicity_to_the_label(store):
    triplet = Atoms("O2", [[0, 0, 0], [0, 0, 1.21]], info={"multiplicity": 3})
    task = Labelling(structures=[triplet, Atoms("O2", triplet.positions)], reference="gfn2-xtb")
    again = type(task)(**json.loads(task.to_json())["parameters"])
    found = labelled(again.run(store=store))
    assert "2 unpaired electrons" in found[0].provenance
    assert "0 unpaired electrons" in found[1].provenance
    assert abs(found[0].energy - found[1].energy) > 0.01

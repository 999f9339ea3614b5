"""The dual NEB: barriers move to the teacher's, no label is bought twice, and what is forgotten is told."""

import json
import multiprocessing
import signal
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from labkit import potentials, references
from labkit.active_learning.dual_neb import DualNEB, paths
from labkit.active_learning.dual_replay import family
from labkit.active_learning.dual_report import barrier_rmse_eV
from labkit.active_learning.round_folder import read_frames
from labkit.errors import InvalidTask
from labkit.references.label_store import read_labelled
from labkit.runs import Run, Store
from labkit.simulators import neb
from tests.active_learning.dual_tools import (
    HERE,
    WatchedDual,
    attempt,
    band,
    label_here,
    neighbours,
    soft_student,
)

#: Where a run is killed: while it walks, labels, learns, walks again.
STAGES = (
    "student: paths, step [1-9]",
    "round 1: labels, 4 labelled",
    "round 1: fine-tuning.* epoch [3-9]",
    "round 1: paths, step [2-9]",
    "comparing",
)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return str(soft_student(tmp_path_factory.mktemp("student") / "soft"))


@pytest.fixture(autouse=True)
def _labels_are_computed_here(monkeypatch):
    monkeypatch.setattr(references, "label_all", references.label_all)
    label_here()


def task(student, kind=DualNEB, **changes):
    """A dual NEB of a few seconds."""
    options = {
        "bands": [band()],
        "student": student,
        "teacher": "emt",
        "images": 3,
        "use_symmetry": True,
        "replay": [neighbours()[-1]],
        "untouched": ["Cu"],
        "replay_share": 0.2,
        "copies": 2,
        "batch_size": 4,
        "energy_weight": 100.0,
        "epochs": 60,
        "learning_rate": 0.005,
        "device": "cpu",
    }
    return kind(**{**options, **changes})


@pytest.fixture(scope="module")
def finished(student, tmp_path_factory):
    before = references.label_all
    label_here()
    run = task(student).run(store=tmp_path_factory.mktemp("runs"))
    references.label_all = before
    return run


def test_the_tuned_barrier_is_nearer_to_the_teachers(finished):
    said = finished.result()
    assert said["rmse_before_eV"] > 0.03
    assert said["rmse_after_eV"] < said["rmse_before_eV"] / 4
    row = finished.table("barriers").iloc[0]
    emt = neb.find_paths([band()], potentials.load("emt"), images=3, use_symmetry=True)[0]
    assert row["teacher_forward_eV"] == pytest.approx(emt.forward_eV, abs=1e-4)
    assert row["teacher_on_student_path_eV"] >= row["teacher_forward_eV"] - 1e-3
    assert set(paths(finished)) == {"student", "tuned", "teacher"}
    tuned = potentials.load(said["potential"], "cpu")
    again = neb.find_paths([band()], tuned, images=3, use_symmetry=True)[0]
    assert again.forward_eV == pytest.approx(row["tuned_forward_eV"], abs=1e-4)


def test_images_of_all_heights_and_rattled_copies_are_labelled_once(finished):
    asked = read_frames(finished.folder / "round-1" / "images.extxyz")
    kinds = Counter(atoms.info["kind"] for atoms in asked)
    path = paths(finished)["student"][0]
    # The path is symmetric: the images behind its saddle say nothing new.
    assert path.mirrored
    assert kinds == {"path": 3, "rattled": 6}
    heights = [path.energies_eV[atoms.info["image"]] for atoms in asked if atoms.info["kind"] == "path"]
    assert max(heights) == path.energies_eV.max()
    labels = read_labelled(finished.folder / "round-1" / "labels")
    assert len(labels) == len(asked) == finished.result()["labels"]


def test_the_tuned_potential_is_of_the_teachers_level_and_knows_its_parents(finished, student):
    tuned = potentials.load(finished.result()["potential"], "cpu")
    assert tuned.level_of_theory == references.load("emt").level_of_theory
    assert tuned.provenance["started_from"] == student
    assert tuned.provenance["labels"]["structures"] == 9
    # The student's energies have another zero: the tuned ones are the teacher's.
    atoms = band().initial
    difference = tuned.predict([atoms]).energies - potentials.load("emt").predict([atoms]).energies
    assert abs(difference[0]) / len(atoms) < 0.01
    old = potentials.load(student, "cpu").predict([atoms]).energies - potentials.load("emt").predict([atoms]).energies
    assert abs(old[0]) / len(atoms) > 0.5


def test_what_is_forgotten_is_measured_on_crystals_that_were_never_learned_from(finished, student):
    row = finished.table("forgetting").iloc[0]
    assert row["crystal"] == "Cu"
    assert row["forces_change_meV_A"] > 0
    assert np.isfinite(row[["student_error_meV_A", "tuned_error_meV_A", "energy_change_meV_atom"]].astype(float)).all()
    errors = finished.table("labels").set_index("set")
    assert errors.loc["learned", "tuned_forces_rmse_meV_A"] < 0.6 * errors.loc["learned", "student_forces_rmse_meV_A"]


def test_rehearsal_holds_the_rest_back(student, finished, tmp_path):
    copper = [atoms for atoms in neighbours() if family(atoms) == "Cu"][:3]
    held = task(student, replay=copper, replay_share=2.0, untouched=[neighbours()[-1]], compare=False)
    run = held.run(store=tmp_path)
    assert run.result()["training"]["rehearsed"] == 18
    before = finished.table("forgetting").iloc[0]["forces_change_meV_A"]
    tuned, start = (potentials.load(one, "cpu") for one in (run.result()["potential"], student))
    frames = [atoms for atoms in neighbours() if family(atoms) == "Cu"][3:]
    new, old = (one.predict(frames, ("energy", "forces")).forces for one in (tuned, start))
    change = 1000 * np.sqrt(np.mean([((a - b) ** 2).mean() for a, b in zip(new, old, strict=True)]))
    assert change < 0.8 * before


def test_killed_in_every_stage_no_label_is_bought_twice_and_the_end_is_the_same(student, tmp_path):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(
        [HERE, "labkit.training.trainer", "labkit.potentials", "lightning_fabric", "torch._dynamo"]
    )
    store, log = Store(tmp_path), tmp_path / "calls.txt"
    options = {"teacher": f"{HERE}:Counting", "epochs": 12, "copies": 1}
    whole = task(student, **options).run(store=store)
    watched = task(
        student,
        WatchedDual,
        **options,
        options={"log": str(log)},
        events=[f"{stage} -> kill" for stage in STAGES],
    )
    killed = Run(store.new_folder(watched, None))
    for attempts in range(len(STAGES) + 1):
        child = processes.Process(target=attempt, args=(str(killed.folder), sys.path))
        child.start()
        child.join(120)
        assert child.exitcode == (-signal.SIGKILL if attempts < len(STAGES) else 0), attempts
    calls = Counter(log.read_text().splitlines())
    assert len(calls) == whole.result()["labels"] == 6
    # A kill while a label is computed, before it is on the disk, may cost that one label.
    assert sum(calls.values()) <= len(calls) + 1
    for name in ("barriers", "labels", "forgetting"):
        one, other = (run.table(name) for run in (whole, killed))
        assert one.equals(other), name
    first, second = (potentials.load(run.result()["potential"], "cpu") for run in (whole, killed))
    for name, values in first.network.state_dict().items():
        np.testing.assert_array_equal(values.numpy(), second.network.state_dict()[name].numpy())


def test_a_teacher_that_is_no_potential_still_judges_the_students_path(student, tmp_path):
    run = task(student, teacher=f"{HERE}:Counting", epochs=5, untouched=["Cu"]).run(store=tmp_path)
    row = run.table("barriers").iloc[0]
    assert np.isnan(row["teacher_forward_eV"])
    assert run.result()["rmse_before_eV"] is None
    path = paths(run)["student"][0]
    emt = potentials.load("emt").predict(path.images, ("energy",)).energies
    assert row["teacher_on_student_path_eV"] == pytest.approx(emt[:3].max() - emt[0], abs=1e-6)


def test_two_rounds_learn_from_the_labels_of_both(student, tmp_path):
    run = task(student, rounds=2, copies=0, epochs=10, compare=False).run(store=tmp_path)
    assert run.result()["labels"] == sum(
        len(read_labelled(run.folder / f"round-{number}" / "labels")) for number in (1, 2)
    )
    assert Path(run.result()["potential"]).parts[-3] == "round-2"


def test_without_a_teacher_the_run_ends_with_the_structures_to_label(student, tmp_path):
    said = task(student, teacher="").run(store=tmp_path).result()
    assert len(read_frames(Path(said["to_label"]))) == said["structures"] == 9
    assert said["barriers"][0]["student_forward_eV"] > 0.01


def test_the_users_own_results_enter_by_the_same_door(student, finished, tmp_path):
    labels = read_labelled(finished.folder / "round-1" / "labels").described(level_of_theory="my DFT")
    file = labels.write(tmp_path / "mine.extxyz")
    run = task(student, teacher="", labels=str(file), compare=False).run(store=tmp_path)
    file.unlink()
    row, known = run.table("barriers").iloc[0], finished.table("barriers").iloc[0]
    assert row["tuned_forward_eV"] == pytest.approx(known["tuned_forward_eV"], abs=0.01)
    assert row["teacher_on_student_path_eV"] == pytest.approx(known["teacher_on_student_path_eV"], abs=1e-6)
    assert potentials.load(run.result()["potential"]).level_of_theory == "my DFT"
    assert json.loads((Run(run.folder).folder / "result.json").read_text())["rmse_after_eV"] is None


def test_a_potential_without_weights_is_refused_at_once(tmp_path):
    with pytest.raises(InvalidTask, match="no weights that labkit can fine-tune"):
        task("emt").run(store=tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bands": []}, "give the bands themselves, or in structure"),
        ({"structure": "LiCoO2"}, "give the bands themselves, or in structure"),
        ({"labels": "mine.extxyz", "rounds": 2}, "learned from once"),
        ({"teacher": "", "rounds": 2}, "without a teacher nothing is learned"),
        ({"replay": ["Cu"], "untouched": ["Cu"]}, "both rehearsed and untouched"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused_with_a_sentence(changes, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        task("soft", **changes)


def test_the_hops_of_a_crystal_are_found_and_kept(student, tmp_path):
    from labkit.structures import named

    crystal = named("Al")
    found = task(
        student, bands=[], structure=crystal, species="Al", max_distance_A=3.0, min_length_A=3.5, images=1, teacher=""
    ).run(store=tmp_path)
    stored = json.loads((found.folder / "bands.json").read_text())["bands"]
    assert len(stored) == len(found.table("barriers")) == 1
    assert "2.8" in found.table("barriers").iloc[0]["name"]


def test_the_rmse_counts_only_bands_that_all_three_converged():
    row = {f"{who}_{way}_eV": value for who, value in (("student", 0.3), ("tuned", 0.45), ("teacher", 0.5))
           for way in ("forward", "backward")}  # fmt: skip
    lame = {**row, "tuned_forward_eV": float("nan"), "tuned_backward_eV": float("nan")}
    assert barrier_rmse_eV([row, lame], "student") == pytest.approx(0.2)
    assert barrier_rmse_eV([row, lame], "tuned") == pytest.approx(0.05)
    assert np.isnan(barrier_rmse_eV([lame], "student"))

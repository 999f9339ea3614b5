"""`Training` as a run: its tables and files, its controls, its form, and what it refuses."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from labkit.errors import InvalidTask
from labkit.potentials import card, load
from labkit.runs import load_task
from labkit.training import DivergedTraining, Training
from tests.training.toy import Toy, dataset, weights


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished training of the toy on 24 copper crystals."""
    folder = tmp_path_factory.mktemp("runs")
    path = dataset(24).write(folder / "copper.extxyz")
    task = Training(
        dataset=str(path),
        validation_fraction=0.25,
        start_from="tests.training.toy:Toy",
        refit_energies=True,
        epochs=5,
        batch_size=4,
        learning_rate=0.02,
        stress_weight=1.0,
        device="cpu",
        name="my toy",
    )
    return task.run(store=folder / "store")


def test_import_brings_no_torch_along():
    code = "import labkit.training, sys; assert 'torch' not in sys.modules; print(labkit.training.Training().label())"
    said = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    assert "mo-mlearn" in said.stdout


def test_a_training_writes_its_tables(finished):
    training, batches, groups = (finished.table(name) for name in ("training", "batches", "groups"))
    assert training["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert np.isfinite(training.to_numpy(dtype=float)).all()
    assert batches["step"].tolist() == list(range(1, 26))
    assert list(batches) == ["step", "epoch", "loss", "gradient_norm", "learning_rate"]
    assert list(groups) == ["step", "epoch", "group", "n", "energy_mae_meV_atom", "forces_mae_meV_A"]
    assert groups.groupby("epoch")["n"].sum().tolist() == [6] * groups["epoch"].nunique()
    parity = finished.json("parity")
    assert parity["epoch"] == finished.result()["best_epoch"]
    assert len(parity["energy_reference"]) == len(parity["energy_predicted"]) == 6
    assert parity["structure_of_energy"] == list(range(6))
    assert len(parity["forces_reference"]) == len(parity["forces_predicted"]) == len(parity["structure_of_forces"]) > 50


def test_the_result_says_how_good_it_became(finished):
    result = finished.result()
    assert result["reason"] == "all epochs are done"
    assert (result["epochs"], result["steps"], result["training_structures"]) == (5, 25, 18)
    best = finished.table("training")["forces_mae_meV_A"][result["best_epoch"] - 1]
    assert result["metrics"]["forces_mae_meV_A"] == pytest.approx(best, rel=1e-4)
    assert finished.status().fraction == 1.0


def test_the_best_potential_says_where_it_comes_from(finished):
    said = json.loads((finished.folder / "best" / "potential.json").read_text())["provenance"]
    task = load_task(finished.folder)
    training, validation = task.data()
    assert said["dataset"] == {"name": training.name, "hash": training.hash, "structures": 18}
    assert said["validation"]["hash"] == validation.hash != training.hash
    assert said["recipe"]["learning_rate"] == 0.02
    assert said["started_from"] == "tests.training.toy:Toy"
    assert said["epoch"] == finished.result()["best_epoch"]
    assert said["level_of_theory"] == "EMT"
    found = card(finished.folder / "best")
    assert (found.name, found.dataset_hash) == ("my toy", training.hash)
    assert set(found.errors_by_group) == {"all", "large", "small"}


def test_the_best_potential_has_the_reported_errors(finished):
    toy = Toy.from_folder(finished.folder / "best")
    _, validation = load_task(finished.folder).data()
    said = toy.predict(validation.structures())
    errors = np.concatenate([(y - r.forces).ravel() for y, r in zip(said.forces, validation, strict=True)])
    assert 1000 * np.abs(errors).mean() == pytest.approx(finished.result()["metrics"]["forces_mae_meV_A"], rel=1e-4)


def test_a_diverged_training_keeps_its_best_potential_and_its_checkpoint(store, toy_task):
    task = Training(**{**toy_task, "start_from": "tests.training.tasks:Poisoned"})
    with pytest.raises(DivergedTraining, match="step 13: the loss of the batch with structure"):
        task.run(store=store)
    (run,) = store.runs()
    assert run.state == "failed"
    assert "The last checkpoint and the best potential are kept" in run.status().error_message
    assert np.isfinite(weights(Toy.from_folder(run.folder / "best"))).all()
    from labkit.runs import checkpoint

    arrays, state = checkpoint.load(run.folder, pytest.fail)
    assert np.isfinite(arrays["weights"]).all()
    assert state["place"]["step"] <= 12


def test_the_learning_rate_is_steered_and_a_pause_holds_the_training(store, toy_task, until):
    with ThreadPoolExecutor(1) as here:
        run = Training(**{**toy_task, "epochs": 100_000, "schedule": "constant"}).launch(store=store, executor=here)
        until(lambda: len(run.table("training")) > 2)
        assert run.table("batches")["learning_rate"].iloc[-1] == pytest.approx(0.02)
        run.set_controls(learning_rate_factor=0.5)
        until(lambda: run.table("batches")["learning_rate"].iloc[-1] == pytest.approx(0.01))
        run.set_controls(learning_rate_factor="fast")
        until(lambda: "learning_rate_factor 'fast' ignored" in run.log())
        run.pause()
        until(lambda: run.state == "paused")
        steps = len(run.table("batches"))
        time.sleep(0.3)
        assert len(run.table("batches")) == steps
        run.unpause()
        until(lambda: len(run.table("batches")) > steps)
        began = time.monotonic()
        run.cancel()
        until(lambda: run.state == "cancelled")
        assert time.monotonic() - began < 2
    assert (run.folder / "checkpoint.npz").exists()


def test_a_new_potential_learns_its_elements_and_its_level_of_theory(copper, store):
    task = Training(
        dataset=copper,
        model={"channels": 4, "message_channels": 4, "readout_hidden": 4, "cutoff_A": 4.0},
        epochs=2,
        batch_size=8,
        device="cpu",
    )
    run = task.run(store=store)
    best = load(run.folder / "best", device="cpu")
    assert best.elements == {"Cu"}
    assert best.level_of_theory == "EMT"
    assert best.name == "camp-l-copper"
    assert best.provenance["dataset"]["structures"] == len(task.data()[0])
    assert run.table("training")["forces_mae_meV_A"].notna().all()
    again = Training(dataset=copper, start_from=str(run.folder / "best"), epochs=1, device="cpu").run(store=store)
    assert load(again.folder / "best", device="cpu").provenance["parent"]["epoch"] == best.provenance["epoch"]
    first = again.table("training")["forces_mae_meV_A"].iloc[0]
    assert first < 1.5 * run.table("training")["forces_mae_meV_A"].iloc[-1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"frozen": ["readout"]}, "layers can be frozen in a potential that exists"),
        ({"energy_weight": 0, "forces_weight": 0}, "all weights of the loss are zero"),
        ({"dataset": " "}, "needs data"),
        ({"epochs": 0}, "epochs"),
        ({"model": {"max_v": 9}}, "max_v"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused_before_it_starts(wrong, sentence):
    with pytest.raises(InvalidTask, match=sentence):
        Training(**wrong)


def test_what_cannot_be_trained_or_frozen_is_refused_with_a_sentence(store, toy_task):
    with pytest.raises(InvalidTask, match="emt is a ASEPotential, which has no weights"):
        Training(**{**toy_task, "start_from": "emt", "refit_energies": False}).run(store=store)
    with pytest.raises(InvalidTask, match="no layer called heart; its layers are inner, outer, magmoms"):
        Training(**toy_task, frozen=["heart"]).run(store=store)
    with pytest.raises(InvalidTask, match=r"every layer of .* is frozen"):
        Training(**toy_task, frozen=["inner", "outer", "magmoms"]).run(store=store)


def test_a_task_travels_as_json():
    task = Training(dataset="si-mlearn", start_from="chgnet", frozen=["atom_embedding"], epochs=3)
    assert Training.from_json(task.to_json()) == task
    assert task.to_dict()["task"] == "labkit.training:Training"
    assert task.label() == "Fine-tune chgnet on si-mlearn"


def test_every_field_tells_a_form_what_it_means():
    for name, field in Training.model_fields.items():
        assert field.description, name
        assert len(field.description) < 120, name

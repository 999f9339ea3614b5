"""CHGNet learns through the same door: layers that are frozen stay, the others move, and the errors fall."""

import numpy as np
import pytest
import torch
from ase.build import bulk

from labkit.datasets import Dataset, Record
from labkit.potentials import load
from labkit.potentials.corrected import CorrectedPotential
from labkit.training import Training, fit
from labkit.training.softening import correct, measure

FROZEN = ("atom_embedding", "bond_embedding", "angle_embedding", "interaction_1", "interaction_2", "reference_energies")


def crystals(n, seed=0):
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
        atoms.positions += random.normal(0, 0.12, (8, 3))
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def stiffer():
    """Six LiCl crystals labelled by a CHGNet that is 1.3 times as stiff, and a constant lower: another level."""
    frames = crystals(6)
    truth = CorrectedPotential(load("chgnet", device="cpu"), 1.3, {"Li": -1.5, "Cl": 0.5})
    said = truth.predict(frames)
    records = [
        Record(atoms, energy=said.energies[index], forces=said.forces[index], stress=said.stresses[index])
        for index, atoms in enumerate(frames)
    ]
    return Dataset(records, "stiff-licl", level_of_theory="1.3 times CHGNet")


@pytest.fixture
def chgnet():
    return load("chgnet", device="cpu")


def test_the_layers_of_chgnet_are_all_its_parameters_each_once(chgnet):
    layers = chgnet.layers()
    named = [name for names in layers.values() for name in names]
    assert sorted(named) == sorted(name for name, _ in chgnet.network.named_parameters())
    assert next(iter(layers)) == "atom_embedding"
    assert all(layers.values())


def test_frozen_layers_stay_as_they_are_and_the_others_move(chgnet, stiffer, copy_of):
    before = copy_of(chgnet)
    chgnet.fit_shift(stiffer.structures(), np.array([record.energy for record in stiffer]))
    shifted = copy_of(chgnet)
    soft = measure(chgnet, stiffer[4:])
    outcome = fit(
        chgnet, stiffer[:4], stiffer[4:], frozen=FROZEN, epochs=12, batch_size=2, learning_rate=2e-3, warmup_steps=2,
        ema_decay=0.5, energy_weight=1.0, forces_weight=10.0,
    )  # fmt: skip
    after = dict(chgnet.network.named_parameters())
    frozen = {name for layer in FROZEN for name in chgnet.layers()[layer]}
    for name in frozen:
        assert torch.equal(after[name], shifted[name]), name
    moved = {name for name in after if not torch.equal(after[name], shifted[name])}
    # What feeds neither energies nor forces cannot move: moments, the last angle update, the bias of the last layer.
    idle = ("weights.site_wise", "weights.angle_layers|2", "weights.mlp|layers|7|bias", "weights.bond_conv_layers|3")
    assert {name for name in set(after) - frozen - moved if not name.startswith(idle)} == set()
    assert not any(value.requires_grad for value in chgnet.network.parameters())
    assert torch.equal(
        before["weights.atom_embedding|embedding|weight"], after["weights.atom_embedding|embedding|weight"]
    )
    rows = outcome.tables["training"]
    assert rows[-1]["forces_mae_meV_A"] < 0.75 * rows[0]["forces_mae_meV_A"]
    assert soft.slope == pytest.approx(1 / 1.3, rel=1e-4)
    assert abs(measure(chgnet, stiffer[4:]).slope - 1) < 0.5 * abs(soft.slope - 1)


@pytest.fixture
def copy_of():
    return lambda potential: {name: value.detach().clone() for name, value in potential.network.named_parameters()}


def test_energies_of_another_level_are_met_by_moving_the_elements(chgnet, stiffer):
    scaled = correct(chgnet, stiffer, affine=True)
    assert scaled.scale == pytest.approx(1.3, rel=1e-5)
    frames, energies = stiffer.structures(), np.array([record.energy for record in stiffer])
    forces = chgnet.predict(frames).forces
    chgnet.fit_shift(frames, energies)
    errors = (chgnet.predict(frames).energies - energies) / 8
    # One composition: the mean residual vanishes, the spread of the stiffness is left.
    assert abs(errors.mean()) < 1e-5
    assert np.abs(errors).max() < 0.1
    for one, other in zip(chgnet.predict(frames).forces, forces, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_chgnet_is_fine_tuned_by_the_task_and_saved_with_its_origin(stiffer, store, tmp_path):
    path = stiffer.write(tmp_path / "licl.extxyz")
    task = Training(
        dataset=str(path), validation_fraction=0.34, start_from="chgnet", refit_energies=True, epochs=2, batch_size=2,
        frozen=["atom_embedding"], learning_rate=1e-3, stress_weight=0.1, device="cpu",
    )  # fmt: skip
    run = task.run(store=store)
    tuned = load(run.folder / "best", device="cpu")
    assert tuned.name == "chgnet-licl"
    assert tuned.level_of_theory == "1.3 times CHGNet"
    assert tuned.provenance["started_from"] == "chgnet"
    assert tuned.provenance["frozen"] == ["atom_embedding"]
    frames = crystals(2, seed=4)
    assert np.abs(tuned.predict(frames).energies - load("chgnet").predict(frames).energies).min() > 1
    assert run.table("training")["stress_mae_GPa"].notna().all()


def test_chgnet_trains_in_double_precision_too(chgnet, stiffer):
    fit(chgnet, stiffer[:2], epochs=1, batch_size=2, learning_rate=1e-6, precision="64", warmup_steps=0)
    assert next(chgnet.network.parameters()).dtype == torch.float64
    assert chgnet.predict(crystals(1)).forces[0].sum(axis=0) == pytest.approx(0, abs=1e-10)


def test_predictions_follow_the_weights_after_a_training(chgnet, stiffer):
    frames = stiffer.structures()
    chgnet.predict(frames)  # fills the cache of rearranged weights
    fit(chgnet, stiffer, epochs=1, batch_size=3, learning_rate=1e-3, warmup_steps=0)
    fresh = type(chgnet.network)(chgnet.network.architecture, chgnet.network.parameters_by_name())
    with torch.no_grad():
        energies, _ = fresh(chgnet.collate([chgnet.prepare(atoms) for atoms in frames]))
    assert chgnet.predict(frames).energies == pytest.approx(energies.double().numpy(), abs=1e-4)

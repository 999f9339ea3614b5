"""The training loop: what it promises about losses, averages, limits, memory and broken data."""

import math

import numpy as np
import pytest
import torch

from labkit.datasets import Dataset, Record
from labkit.errors import InvalidTask, RunFailed, UnsupportedElement
from labkit.training import DivergedTraining, Recipe, Trainer, fit
from labkit.training.examples import Examples, order_of
from labkit.training.loss import loss_of_part
from labkit.training.schedule import Schedule
from tests.training.tasks import Greedy, Poisoned
from tests.training.toy import Toy, dataset, weights

QUICK = {"epochs": 4, "batch_size": 4, "learning_rate": 0.02, "warmup_steps": 2}
#: Where only rounding may differ: SOAP makes steps of it along directions that no gradient has.
EXACT = {"precision": "64", "optimiser": "adam-amsgrad"}


@pytest.fixture(scope="module")
def copper():
    return dataset(24)


def fitted(copper, toy=None):
    toy = Toy() if toy is None else toy
    toy.fit_scale_and_shift(copper.structures(), [record.energy for record in copper], None)
    return toy


def test_training_lowers_the_errors_and_says_by_how_much(copper):
    toy = fitted(copper)
    before = _force_mae(toy, copper[18:])
    outcome = fit(toy, copper[:18], copper[18:], epochs=60, batch_size=4, learning_rate=0.02, stress_weight=1.0)
    assert _force_mae(toy, copper[18:]) < 0.5 * before
    assert outcome.metrics["forces_mae_meV_A"] == pytest.approx(1000 * _force_mae(toy, copper[18:]), rel=1e-5)
    assert outcome.reason == "all epochs are done"
    assert {row["group"]: row["n"] for row in outcome.groups} == {"large": 2, "small": 4}
    rows = outcome.tables["training"]
    assert [row["epoch"] for row in rows] == list(range(1, 61))
    assert rows[-1]["train_loss"] < 0.1 * rows[0]["train_loss"]
    assert outcome.validation_loss == pytest.approx(min(row["validation_loss"] for row in rows), rel=1e-5)
    assert list(rows[0])[1:] == [
        *("epoch", "time_s", "epoch_s", "learning_rate", "train_loss", "validation_loss", "energy_mae_meV_atom"),
        *("forces_mae_meV_A", "energy_rmse_meV_atom", "forces_rmse_meV_A", "stress_mae_GPa", "memory_MB"),
    ]


def _force_mae(potential, records):
    said = potential.predict([record.atoms for record in records]).forces
    return (
        np.concatenate([(y - record.forces).ravel() for y, record in zip(said, records, strict=True)]).__abs__().mean()
    )


def test_the_loss_is_the_weighted_mean_over_all_labels(copper):
    toy = fitted(copper)
    examples = Examples(copper, toy, ("energy", "forces", "stress"))
    indices = [0, 2, 5]
    batch, targets = examples.batch(indices)
    chosen = {"energy": 2.0, "forces": 3.0, "stress": 5.0, "magmoms": 0.0}
    loss = loss_of_part(toy.evaluate(batch), targets, examples.count(indices), chosen, "mse", 0.01)
    records = [copper[index] for index in indices]
    said = toy.predict([record.atoms for record in records])
    energy = [(y - r.energy) / len(r) for y, r in zip(said.energies, records, strict=True)]
    force = np.concatenate([(y - r.forces).ravel() for y, r in zip(said.forces, records, strict=True)])
    virial = [(y - r.stress) * r.volume_A3 / len(r) for y, r in zip(said.stresses, records, strict=True)]
    expected = 2 * np.square(energy).mean() + 3 * np.square(force).mean() + 5 * np.square(virial).mean()
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["mse", "l1", "huber"])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(copper, kind):
    ends = []
    for limit in (None, 4):
        toy = fitted(copper)
        recipe = {**EXACT, "epochs": 2, "batch_size": 6, "loss": kind, "stress_weight": 0.3}
        fit(toy, copper, max_batch_atoms=limit, **recipe)
        ends.append(weights(toy))
    assert ends[1] == pytest.approx(ends[0], abs=1e-9)
    assert not np.allclose(ends[0], weights(Toy()), atol=1e-3)


def test_labels_that_are_missing_in_some_records_count_nothing(copper):
    known = [Record(one.atoms, energy=one.energy, forces=one.forces) for one in copper[:6]]
    bare = [Record(one.atoms, energy=one.energy) for one in copper[6:8]]
    ignored = [Record(one.atoms, energy=1e3, forces=1e3 * one.forces, weight=0.0) for one in copper[8:10]]
    toy = fitted(copper)
    examples = Examples([*known, *bare, *ignored], toy, ("energy", "forces"))
    indices = list(range(10))
    batch, targets = examples.batch(indices)
    only = {"energy": 0.0, "forces": 1.0, "stress": 0.0, "magmoms": 0.0}
    counts = examples.count(indices)
    loss = loss_of_part(toy.evaluate(batch), targets, counts, only, "mse", 0.01)
    said = toy.predict([record.atoms for record in known]).forces
    squares = sum(np.square(y - record.forces).sum() for y, record in zip(said, known, strict=True))
    assert float(loss.detach()) == pytest.approx(squares / counts["forces"], rel=1e-5)
    assert counts["forces"] == 3 * sum(len(record) for record in [*known, *ignored])


def test_the_order_of_an_epoch_follows_from_seed_and_epoch_alone():
    first = order_of(10, 4, 0, 3)
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(np.concatenate(first).tolist()) == list(range(10))
    assert all(np.array_equal(a, b) for a, b in zip(first, order_of(10, 4, 0, 3), strict=True))
    assert not np.array_equal(np.concatenate(first), np.concatenate(order_of(10, 4, 0, 4)))
    assert not np.array_equal(np.concatenate(first), np.concatenate(order_of(10, 4, 1, 3)))


def test_the_same_training_twice_gives_the_same_weights(copper):
    ends = []
    for _ in range(2):
        toy = fitted(copper)
        fit(toy, copper[:18], copper[18:], **QUICK)
        ends.append(weights(toy))
    assert np.array_equal(*ends)
    other = fitted(copper)
    fit(other, copper[:18], copper[18:], **QUICK, seed=1)
    assert not np.array_equal(weights(other), ends[0])


def test_the_exported_weights_are_the_running_mean(copper):
    toy = fitted(copper)
    trainer = Trainer(toy, copper[:18], copper[18:], **QUICK, ema_decay=0.9)
    trainer.prepare()
    means = [value.clone() for value in trainer.weights.mean]
    step = trainer.weights.step

    def watched(rate):
        step(rate)
        decay = min(0.9, (1 + trainer.weights.updates) / (10 + trainer.weights.updates))
        for mean, value in zip(means, trainer.weights.parameters, strict=True):
            mean.mul_(decay).add_(value.detach(), alpha=1 - decay)

    trainer.weights.step = watched
    outcome = trainer.fit()
    assert outcome.best_epoch == 4  # else the last mean is not the exported one
    assert weights(toy) == pytest.approx(np.concatenate([mean.numpy().ravel() for mean in means]), abs=1e-6)


def test_schedules_follow_the_share_of_the_run_and_the_plateau_its_errors():
    cosine = Schedule(Recipe(learning_rate=0.1, warmup_steps=10, final_rate=0.01))
    assert cosine.rate(0, 0.0) == pytest.approx(0.01)
    assert cosine.rate(10, 0.5) == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    assert cosine.rate(99, 1.0) == pytest.approx(0.001)
    linear = Schedule(Recipe(learning_rate=0.1, warmup_steps=0, schedule="linear", final_rate=0.0))
    assert linear.rate(5, 0.25) == pytest.approx(0.075)
    plateau = Schedule(Recipe(learning_rate=0.1, warmup_steps=0, schedule="plateau", plateau_patience=2))
    for loss in (1.0, 0.9, 0.95, 0.95, 0.95):
        plateau.observe(loss)
    assert plateau.rate(5, 0.9) == pytest.approx(0.08)
    ramp = Schedule(Recipe(energy_weight=1.0, final_energy_weight=100.0))
    assert [ramp.weights(share)["energy"] for share in (0.0, 0.5, 0.75, 1.0)] == pytest.approx([1, 1, 10, 100])


def test_a_training_that_no_longer_improves_is_stopped_early(copper):
    toy = fitted(copper)
    outcome = fit(toy, copper[:18], copper[18:], epochs=100, batch_size=4, learning_rate=1e-12, early_stop=3)
    assert outcome.reason.startswith("no better validation in 3")
    assert outcome.epochs < 100


def test_a_budget_of_processor_time_is_kept_and_the_rate_falls_with_it(copper):
    toy = fitted(copper)
    outcome = fit(toy, copper[:18], copper[18:], epochs=1_000_000, batch_size=4, cpu_budget_s=1.0, warmup_steps=0)
    assert outcome.reason == "the time is used up"
    assert 0.9 < outcome.cpu_s < 2.0
    rates = [row["learning_rate"] for row in outcome.tables["batches"]]
    assert rates[-1] < 0.05 * rates[0]
    assert fit(fitted(copper), copper, epochs=10**6, time_limit_min=0.5 / 60).elapsed_s < 3


@pytest.mark.parametrize("words", ["", "[enforce fail at alloc_cpu.cpp] not enough memory: you tried to allocate 9 GB"])
def test_a_batch_that_does_not_fit_is_computed_in_parts_and_the_log_says_so(copper, words):
    plain, greedy = fitted(copper), fitted(copper, Greedy(fits=10, words=words))
    fit(plain, copper[:18], copper[18:], **QUICK, **EXACT)
    trainer = Trainer(greedy, copper[:18], copper[18:], **QUICK, **EXACT)
    trainer.fit()
    assert weights(greedy) == pytest.approx(weights(plain), abs=1e-9)
    assert greedy.largest <= 10
    (line, *more) = trainer.context.lines
    assert "do not fit into the memory of cpu: from now on at most" in line
    assert len(more) < 3  # it is learned once, not in each step


def test_a_structure_that_does_not_fit_alone_is_named(copper):
    with pytest.raises(RunFailed, match=r"structure \d+ \(Cu8\) with 8 atoms does not fit .* on its own"):
        fit(fitted(copper, Greedy(fits=6)), copper, **QUICK)


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_batch(copper):
    toy = fitted(copper, Poisoned())
    trainer = Trainer(toy, copper[:18], copper[18:], **QUICK)
    with pytest.raises(
        DivergedTraining, match=r"epoch 3, step 13: the loss of the batch with structure \d+ "
    ) as caught:
        trainer.fit()
    assert caught.value.batch == order_of(18, 4, 0, 2)[2].tolist()
    assert np.isfinite(weights(toy)).all()
    assert not any(value.requires_grad and value.grad is not None for value in toy.network.parameters())


def test_a_gradient_that_is_not_finite_stops_the_training_too(copper):
    class Edge(Toy):
        def evaluate(self, batch, properties=("energy",), *, create_graph=False):
            answer = super().evaluate(batch, properties, create_graph=create_graph)
            zero = self.network.moment * 0
            # The square root of zero is zero and its derivative is not a number.
            return type(answer)(answer.energies + zero.abs().sqrt(), answer.forces, answer.stresses, answer.magmoms)

    with pytest.raises(DivergedTraining, match="the gradient of the batch"):
        fit(fitted(copper, Edge()), copper, **QUICK)


def test_long_gradients_are_shortened(copper):
    toy = fitted(copper)
    trainer = Trainer(toy, copper, **QUICK, gradient_clip=1e-3)
    trainer.prepare()
    for value in trainer.weights.parameters:
        value.grad = torch.full_like(value, 0.5)
    length = trainer.weights.clip(1e-3)
    assert length == pytest.approx(0.5 * math.sqrt(sum(value.numel() for value in trainer.weights.parameters)))
    left = torch.cat([value.grad.flatten() for value in trainer.weights.parameters]).norm()
    assert float(left) == pytest.approx(1e-3, rel=1e-5)


def test_magnetic_moments_are_learned_alone_without_their_sign(copper):
    moments = [Record(one.atoms, magmoms=np.full(len(one), -0.7)) for one in copper[:8]]
    toy = Toy()
    only = {"energy_weight": 0.0, "forces_weight": 0.0, "magmoms_weight": 1.0}
    outcome = fit(toy, moments, **{**QUICK, "epochs": 100}, **only)
    assert float(toy.network.moment.detach()) == pytest.approx(0.7, abs=0.02)
    assert math.isnan(outcome.metrics["forces_mae_meV_A"])


def test_a_large_validation_set_is_sampled_during_training_and_whole_at_the_end(copper):
    trainer = Trainer(fitted(copper), copper[:8], copper[8:], **QUICK, validation_structures=5)
    outcome = trainer.fit()
    assert len(trainer.watched) == 5
    assert sum(row["n"] for row in outcome.groups) == 16


def test_data_without_the_wanted_labels_are_refused_by_the_name_of_the_label(copper):
    bare = Dataset([Record(one.atoms, energy=one.energy) for one in copper[:4]])
    with pytest.raises(InvalidTask, match="has no labels of forces"):
        fit(Toy(), bare, **QUICK)
    assert fit(Toy(), bare, **QUICK, forces_weight=0.0).epochs == 4
    with pytest.raises(InvalidTask, match="has no labels of magmoms"):
        fit(Toy(), copper, **QUICK, magmoms_weight=1.0)
    with pytest.raises(InvalidTask, match="empty"):
        fit(Toy(), [], **QUICK)


def test_a_label_that_is_not_a_number_is_refused_with_its_index(copper):
    forces = copper[3].forces.copy()
    forces[1, 2] = np.nan
    spoiled = [*copper[:3], Record(copper[3].atoms, energy=copper[3].energy, forces=forces)]
    with pytest.raises(InvalidTask, match=r"structure 3 \(Cu4\): the label of forces is not a finite number"):
        fit(Toy(), spoiled, **QUICK)


def test_a_structure_that_the_potential_refuses_is_named(copper):
    gold = copper[1].atoms.copy()
    gold.symbols[0] = "Au"
    with pytest.raises(UnsupportedElement, match=r"the training set, structure 1 \(Au.*\).*Au"):
        fit(Toy(), [copper[0], Record(gold, energy=0.0, forces=np.zeros((4, 3)))], **QUICK)


def test_options_out_of_bounds_are_refused_with_a_sentence(copper):
    with pytest.raises(InvalidTask, match="learning_rate"):
        Trainer(Toy(), copper, learning_rate=-1)
    with pytest.raises(InvalidTask, match="momentum"):
        Trainer(Toy(), copper, momentum=0.9)


def test_the_network_comes_back_as_it_was_lent(copper):
    toy = fitted(copper)
    toy.network.inner.requires_grad_(False)
    fit(toy, copper, **QUICK)
    assert [value.requires_grad for value in toy.network.parameters()] == [False, True, True]
    assert not toy.network.training

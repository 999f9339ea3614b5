"""The view of a training, without a browser: it reads a folder that somebody else writes."""

import os
import time

import numpy as np
import pandas as pd
import pytest
from labkit_widgets import Launcher, RunBrowser, RunPanel, TrainingView, panel_for
from labkit_widgets.training_curves import INTERVAL_S
from labkit_widgets.training_model import (
    MAX_POINTS,
    Parity,
    TrainingModel,
    TrainingPicture,
    best_row,
    is_training,
)

from labkit.errors import LabkitError
from labkit.potentials import Potential

from .tasks import WritesFrames
from .training_tasks import PretendsToTrain


@pytest.fixture
def finished(store):
    return PretendsToTrain(epochs=12).run(store=store)


@pytest.fixture
def view(finished):
    view = TrainingView(finished)
    yield view
    view.close()


def test_loss_and_errors_have_their_curves_with_units_on_logarithmic_axes(view):
    titles = [figure.layout.yaxis.title.text for figure in view.curves.figures]
    assert titles == ["Loss", "Energy MAE (meV/atom)", "Force MAE (meV/Å)", "Learning rate"]
    assert all(figure.layout.yaxis.type == "log" for figure in view.curves.figures)
    assert all(figure.layout.xaxis.title.text == "Epoch" for figure in view.curves.figures)
    loss = view.curves.figures[0]
    assert [trace.name for trace in loss.data] == ["training", "validation"]
    assert list(loss.data[0].x) == list(range(1, 13))
    assert loss.data[1].y[-1] == pytest.approx(1.2 * loss.data[0].y[-1])


def test_batches_are_drawn_by_optimiser_step(view):
    assert view.folds.selected_index is None
    assert [figure.layout.yaxis.title.text for figure in view.batches.figures] == ["Loss of a batch", "Gradient norm"]
    assert view.batches.figures[0].layout.xaxis.title.text == "Optimiser step"
    assert len(view.batches.figures[0].data[0].x) == 48


def test_the_line_says_epoch_time_learning_rate_and_memory(view):
    words = view.picture.words()
    assert words.startswith("epoch 12 of 12")
    assert "learning rate 0.00069" in words
    assert "512 MB" in words
    assert "best so far: epoch 12 · energy MAE 13.8 meV/atom · force MAE 91.9 meV/Å" in view._best.value


def test_the_rest_is_estimated_from_the_last_epochs_while_the_run_goes_on(store, soon):
    run = PretendsToTrain(epochs=1000, pause_s=0.1).launch(store=store)
    view = TrainingView(run)
    soon(lambda: (view.picture.epoch or 0) >= 2)
    assert "s an epoch · about" in view.picture.words()
    assert 20 < view.picture.left_s < 1000
    run.cancel()
    soon(lambda: "left" not in view.picture.words())
    view.close()


def test_parity_is_drawn_with_its_errors(view):
    assert set(view.parity.figures) == {"energy", "forces"}
    energy = view.parity.parity["energy"]
    assert (energy.n, energy.epoch) == (50, 12)
    assert list(view.parity.figures["energy"].data[1].x) == list(energy.reference)
    assert list(energy.index) == list(range(50))
    assert f"MAE {1000 * energy.mae:.3g} meV/atom" in view.parity._texts["energy"].value
    assert view.parity.figures["forces"].layout.xaxis.title.text == "Reference force (eV/Å)"


def test_errors_by_group_are_those_of_the_last_best_epoch(view):
    assert view.model.groups() is None  # nothing new since the view read them
    found = TrainingModel(view.run).groups()
    assert list(found) == ["Vacancy", "Liquid"]
    assert found["Liquid"]["forces_mae_meV_A"] == pytest.approx(2 * found["Vacancy"]["forces_mae_meV_A"])
    assert "<th>Liquid</th>" in view.parity.groups.value
    assert "force MAE (meV/Å)" in view.parity.groups.value


def test_a_view_made_before_the_first_epoch_grows_and_draws_at_most_twice_a_second(store, soon):
    run = PretendsToTrain(epochs=400, pause_s=0.02).launch(store=store)
    view = TrainingView(run)
    assert view.picture == TrainingPicture(epochs=400)
    assert view.folds.selected_index == 0  # single batches: all that moves before the first epoch is over
    assert "waiting for the first epoch" in view._line.value
    soon(lambda: view.curves.figures and len(view.curves.figures[0].data[0].x) > 2)
    drawn, draw = [], view.curves.draw
    view.curves.draw = lambda table: (drawn.append(time.monotonic()), draw(table))
    before = len(view.curves.figures[0].data[0].x)
    soon(lambda: len(drawn) >= 4)
    assert len(view.curves.figures[0].data[0].x) > before
    assert np.diff(drawn).min() > 0.9 * INTERVAL_S
    assert INTERVAL_S >= 0.5
    run.cancel()
    view.close()


def test_stop_and_resume_are_there_and_the_curves_go_on(store, soon):
    run = PretendsToTrain(epochs=400, pause_s=0.05).launch(store=store)
    view = TrainingView(run)
    soon(lambda: (view.picture.epoch or 0) >= 3)
    view.status.stop.click()
    soon(lambda: run.state == "cancelled", 2.0)
    stopped = len(run.table("training"))
    soon(lambda: not view.status.resume.disabled)
    view.status.resume.click()
    soon(lambda: len(run.table("training")) > stopped + 2)
    steps = run.table("training")["step"].to_list()
    assert steps == list(range(1, len(steps) + 1))
    soon(lambda: view.picture.epoch > stopped)
    run.cancel()
    view.close()


def test_the_factor_on_the_learning_rate_reaches_the_run_and_nonsense_is_explained(store, soon):
    run = PretendsToTrain(epochs=400, pause_s=0.02).launch(store=store)
    view = TrainingView(run)
    soon(lambda: run.state == "running")
    view.factor.value = 0.1
    view.apply.click()
    soon(lambda: run.table("training").get("learning_rate", pd.Series([1.0])).iloc[-1] < 2e-4)
    view.factor.value = 0.0
    view.apply.click()
    assert "must lie between 0 and 1000; 0 was given" in view.error.value
    run.cancel()
    view.close()


def test_there_is_no_potential_before_the_first_validation(view):
    with pytest.raises(LabkitError, match="has no best potential yet"):
        _ = view.potential
    view.folds.selected_index = 1
    assert "no best potential yet" in view._card_place.children[0].value


def test_the_best_potential_opens_and_has_a_card(store):
    view = TrainingView(PretendsToTrain(epochs=2, saves_best=True).run(store=store), device="cpu")
    assert isinstance(view.potential, Potential)
    assert view.potential is view.potential
    view.folds.selected_index = 1
    card = view._card_place.children[0].card
    assert (card.name, card.trained_on, card.n_parameters) == ("fine-tuned", "mo-mlearn", 412_525)
    assert card.errors_by_group == {"Vacancy": {"n": 25, "energy_mae_meV_atom": 3.0, "forces_mae_meV_A": 40.0}}
    stamp = view.model.best_folder / "potential.json"
    before = view.potential
    os.utime(stamp, (1, 1))
    assert view.potential is not before
    view.close()


def test_a_broken_parity_file_is_said_and_the_curves_stay(store, soon):
    run = PretendsToTrain(epochs=3, broken_parity=True).run(store=store)
    with pytest.raises(ValueError, match="50 reference values and 49 predicted ones"):
        TrainingModel(run).parity()
    (run.folder / "parity.json").rename(run.folder / "parity.later")
    view = TrainingView(run)
    (run.folder / "parity.later").rename(run.folder / "parity.json")
    soon(lambda: "50 reference values and 49 predicted ones" in view.error.value)
    assert len(view.curves.figures) == 4
    view.close()


def test_a_training_gets_its_own_panel_wherever_runs_are_shown(store, finished, soon):
    frames = WritesFrames(frames=2).run(store=store)
    assert is_training(finished)
    assert not is_training(frames)
    for run, kind in ((finished, TrainingView), (frames, RunPanel)):
        panel = panel_for(run)
        assert type(panel) is kind
        panel.close()
    browser = RunBrowser(store)
    browser.select(finished.id)
    browser.open_button.click()
    assert type(browser._place.children[0]) is TrainingView
    browser.close()
    launcher = Launcher(PretendsToTrain, store=store)
    launcher.form.set(epochs=3)
    launcher.start.click()
    assert type(launcher.panel) is TrainingView
    soon(lambda: launcher.run.state == "finished")
    launcher.close()


def test_parity_leaves_out_what_is_no_number_and_thins_what_is_too_much():
    one = Parity.of([1.0, np.nan, 3.0], [1.5, 2.0, 3.0], [4, 5, 6])
    assert (one.n, one.mae, list(one.index)) == (2, 0.25, [4, 6])
    many = Parity.of(list(range(10_000)), [1 + x for x in range(10_000)])
    assert (len(many.reference), many.n, many.mae) == (MAX_POINTS, 10_000, 1.0)
    assert many.reference[-1] == 9999
    nothing = Parity.of([], [])
    assert nothing.n == 0


def test_the_best_epoch_is_that_of_the_lowest_validation_loss_and_nan_is_never_best():
    table = pd.DataFrame({"step": [1, 2, 3], "validation_loss": [2.0, 1.0, np.nan], "train_loss": [3.0, 2.0, 1.0]})
    assert best_row(table) == 1
    assert best_row(table.assign(validation_loss=np.nan)) == 2
    assert best_row(table[["step"]]) is None

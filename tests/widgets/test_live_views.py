"""Views that follow a run, without a browser: they read a folder that somebody else writes."""

import time

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from labkit_widgets import AtomsView, DiffusionView, LiveCurves, RunView, TrajectoryView
from labkit_widgets.curves_model import MAX_POINTS, abscissa, axis_title, panels, thin
from labkit_widgets.diffusion_model import DiffusionModel, in_words
from labkit_widgets.run_model import RunPicture, clock
from labkit_widgets.trajectory_model import TrajectoryModel

from labkit.simulators import Relaxation

from .tasks import Fails, WritesFrames, crystal


@pytest.fixture
def finished(store):
    return WritesFrames(n_atoms=64, frames=40, timestep_fs=2.0).run(store=store)


def test_a_trajectory_view_made_before_the_first_frame_shows_it_when_it_comes(store, soon):
    run = WritesFrames(frames=5, start_after_s=0.7).launch(store=store)
    view = TrajectoryView(run)
    assert view.atoms is None
    assert view.caption == "waiting for the first frame"
    soon(lambda: view.atoms is not None and view.slider.max == 4)
    assert view.caption.startswith("frame 5 of 5")
    view.close()


def test_a_follower_shows_the_newest_frame_until_the_user_goes_back(finished):
    model = TrajectoryModel(finished)
    assert model.following
    assert model.index == 39
    model.go(10)
    assert not model.following
    model.poll()
    assert model.index == 10
    model.go(39)
    assert model.following


def test_the_caption_names_frame_step_and_time(finished):
    view = TrajectoryView(finished)
    view.go(9)
    assert view.caption == "frame 10 of 40 · step 9 · 18.0 fs"
    assert view.slider.value == 9
    assert not view.live.value


def test_the_slider_moves_the_atoms(finished):
    view = TrajectoryView(finished)
    last = view.atoms.positions.copy()
    view.slider.value = 0
    assert not np.allclose(view.atoms.positions, last)


def test_a_list_of_frames_can_be_scrubbed_and_has_no_live_button():
    frames = [bulk("Si"), bulk("Si") * (2, 1, 1)]
    view = TrajectoryView(frames)
    view.go(1)
    assert len(view.atoms) == 4
    assert all(view.live not in getattr(box, "children", ()) for box in view.children)


def test_a_change_in_the_number_of_atoms_rebuilds_the_scene(store):
    run = WritesFrames(n_atoms=8, frames=6, grow=True).run(store=store)
    view = TrajectoryView(run)
    assert len(view.atoms) == 16
    scene = view.view.canvas._scene["id"]
    view.go(0)
    assert len(view.atoms) == 8
    assert view.view.canvas._scene["id"] != scene


def test_several_views_may_watch_one_run(store, soon):
    run = WritesFrames(frames=30, pause_s=0.02).launch(store=store)
    views = [TrajectoryView(run) for _ in range(3)] + [LiveCurves(run), RunView(run), DiffusionView(run)]
    soon(lambda: all(view.slider.max == 29 for view in views[:3]))
    soon(lambda: views[4].state == "finished")
    for view in views:
        view.close()


def test_frames_that_come_too_fast_are_dropped_and_the_last_is_shown_all_the_same(soon):
    view = AtomsView(bulk("Cu", cubic=True))
    for number in range(50):
        atoms = bulk("Cu", cubic=True)
        atoms.positions += 0.01 * number
        view.show(atoms)
    assert view.sent <= 2
    assert view.dropped >= 40
    soon(lambda: view._waiting is None)
    assert view.canvas._positions[0, 0] == pytest.approx(0.49, abs=1e-5)
    view.close()


def test_a_frame_with_positions_that_are_no_numbers_is_not_drawn():
    view = AtomsView(bulk("Cu", cubic=True))
    broken = bulk("Cu", cubic=True)
    broken.positions[0] = np.nan
    view.show(broken)
    assert "not numbers" in view._error.value
    assert np.isfinite(view.atoms.positions).all()


def test_a_changed_cell_is_drawn_again_without_rebuilding_the_atoms():
    view = AtomsView(bulk("Cu", cubic=True))
    scene = view.canvas._scene["id"]
    grown = bulk("Cu", cubic=True)
    grown.set_cell(grown.cell * 1.1, scale_atoms=True)
    view.show(grown)
    assert view.canvas._scene["id"] == scene
    assert view.canvas._scene["cell"]["edges"][0][1][0] == pytest.approx(grown.cell[0, 0], abs=1e-3)


def test_live_curves_have_a_panel_for_temperature_and_one_for_energies(finished):
    curves = LiveCurves(finished)
    assert [figure.layout.yaxis.title.text for figure in curves.figures] == ["Temperature (K)", "Energy change (eV)"]
    assert curves.figures[0].layout.xaxis.title.text == "Time (fs)"
    assert len(curves.figures[0].data[0].x) == 40
    curves.close()


def test_a_long_curve_is_thinned_and_keeps_its_peaks():
    x = np.arange(100_000.0)
    y = np.sin(x / 500)
    y[77_777] = 9.0
    few_x, few_y = thin(x, y)
    assert len(few_x) <= MAX_POINTS
    assert few_y.max() == 9.0
    assert (few_x[0], few_x[-1]) == (0.0, 99_999.0)


def test_axes_carry_units_and_long_runs_are_shown_in_picoseconds():
    assert axis_title("pressure_GPa") == "Pressure (GPa)"
    assert [one.axis for one in panels(["step", "time_fs", "temperature_K", "volume_A3"])] == [
        "Temperature (K)",
        "Volume (Å³)",
    ]
    values, title = abscissa(pd.DataFrame({"time_fs": [0.0, 5000.0]}))
    assert title == "Time (ps)"
    assert values[-1] == 5.0


def test_the_diffusion_model_reads_each_frame_once_and_names_the_error(finished):
    model = DiffusionModel(finished)
    assert model.poll() == 40
    assert model.poll() == 0
    results = {one.species: one for one in model.compute()}
    assert set(results) == {"Na", "Cl"}
    assert results["Na"].diffusion.D_cm2_s > 0
    assert "±" in in_words(results["Na"])
    assert model.frames()[1] == 2.0


@pytest.mark.parametrize(
    ("steps", "kept", "spacing_fs"),
    [
        ([0, 1, 2, 3, 4, 6, 8, 10], [0, 2, 4, 6, 8, 10], 4.0),
        ([0, 10, 20, 30, 45, 60, 75, 90], [0, 30, 60, 90], 60.0),
        ([0, 7, 14, 24, 34, 44, 54, 64], [14, 24, 34, 44, 54, 64], 20.0),
    ],
    ids=["doubled", "without a common interval but with a common multiple", "the longest even stretch"],
)
def test_frames_at_unequal_times_are_thinned_to_equal_ones(finished, steps, kept, spacing_fs):
    model = DiffusionModel(finished)
    for step in steps:
        atoms = crystal(8)
        atoms.info["step"] = step
        model._frames.append(atoms)
    frames, spacing = model.frames()
    assert [one.info["step"] for one in frames] == kept
    assert spacing == spacing_fs


def test_a_diffusion_view_waits_with_a_sentence_until_there_are_enough_frames(store):
    run = WritesFrames(frames=5).run(store=store)
    view = DiffusionView(run)
    view.refresh()
    assert "waiting for 20 frames (5 so far)" in view.text.value
    view.close()


def test_stop_says_so_at_once_and_the_run_is_over_within_two_seconds(store, soon):
    run = WritesFrames(frames=10_000, pause_s=0.05).launch(store=store)
    view = RunView(run)
    soon(lambda: run.state == "running")
    began = time.monotonic()
    view.stop.click()
    assert time.monotonic() - began < 0.5
    assert view.stop.description == "Stopping…"
    assert view.stop.disabled
    soon(lambda: run.state == "cancelled", 2.0)
    soon(lambda: not view.resume.disabled)
    view.close()


def test_pause_resume_and_the_target_temperature_reach_the_run(store, soon):
    run = WritesFrames(frames=400, pause_s=0.02).launch(store=store)
    view = RunView(run)
    soon(lambda: run.state == "running")
    view.temperature.value = 650.0
    view.apply.click()
    soon(lambda: 650.0 in run.table("thermo").get("temperature_K", pd.Series()).to_numpy())
    view.pause.click()
    soon(lambda: run.state == "paused")
    soon(lambda: not view.resume.disabled)
    view.resume.click()
    soon(lambda: run.state == "running")
    view.temperature.value = -1.0
    view.apply.click()
    assert "between 0 and 10000 K" in view.error.value
    run.cancel()
    view.close()


def test_a_stopped_run_is_resumed_from_the_view(store, soon):
    run = WritesFrames(frames=400, pause_s=0.02).launch(store=store)
    view = RunView(run)
    soon(lambda: run.state == "running")
    run.cancel()
    soon(lambda: not view.resume.disabled)
    view.resume.click()
    soon(lambda: run.state == "running")
    run.cancel()
    view.close()


def test_the_error_of_a_failed_run_is_shown_and_escaped(store):
    run = Fails().launch(store=store).wait(20)
    view = RunView(run)
    assert run.state == "failed"
    assert "&lt;img" in view.error.value
    view._fold.selected_index = 0
    assert "<img" not in view.error.value + view._log.value + view._head.value
    view.close()


def test_a_run_whose_folder_vanished_is_shown_as_broken(finished, store):
    store.delete(finished)
    picture = RunPicture.of(finished)
    assert not picture.can_stop
    assert picture.state in ("broken", "interrupted")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (125, "2 min 05 s"), (11_520, "3 h 12 min")])
def test_a_duration_reads_as_a_person_says_it(seconds, text):
    assert clock(seconds) == text


def test_the_curves_of_a_relaxation_are_those_of_its_own_table(store):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    run = Relaxation(structures=[atoms], potential="emt").run(store=store)
    view = LiveCurves(run)
    assert view.table == "relaxation"
    titles = [figure.layout.yaxis.title.text for figure in view.figures]
    assert any("eV/Å" in title for title in titles)
    assert view.figures[0].layout.xaxis.title.text == "Step"
    assert view.note.value == ""
    view.close()

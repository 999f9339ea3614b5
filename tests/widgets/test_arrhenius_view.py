"""The Arrhenius view without a browser: points as they come, lines, what is extrapolated, experiment beside."""

import threading

import numpy as np
import pytest
from ase import Atoms
from labkit_widgets import arrhenius_view
from labkit_widgets.arrhenius_model import BY_SIGMA, ArrheniusModel, Experiment
from labkit_widgets.arrhenius_view import ArrheniusView
from labkit_widgets.iso_surface import IsoSurface

from labkit.analysis import nernst_einstein
from labkit.analysis.probability_density import probability_density
from labkit.analysis.transport import TransportPoint
from labkit.errors import LabkitError
from labkit.runs.tables import TableWriter
from labkit.structures import named

from .arrhenius_tasks import PretendsToDiffuse
from .training_tasks import PretendsToTrain

MEASURED = {"label": "measured, pellet", "temperature_K": 298.0, "sigma_S_cm": 1.3e-3}


def lithium(name):
    atoms = named("LiCoO2").repeat((2, 2, 1))
    atoms.info["name"] = name
    return atoms


@pytest.fixture
def finished(store):
    structures = [lithium("ordered"), lithium("disordered")]
    return PretendsToDiffuse(structures=structures, temperatures_K=[600, 800, 1000], species="Li").run(store=store)


@pytest.fixture
def view(finished):
    view = ArrheniusView(finished, experiment=[MEASURED])
    yield view
    view.close()


def trace(view, name, mode="markers"):
    return next(one for one in view.figure.data if one.name == name and one.mode == mode)


def test_each_structure_has_its_points_with_bars_and_its_line(view):
    assert [point.name for point in view.points] == ["ordered"] * 3 + ["disordered"] * 3
    points = trace(view, "ordered")
    np.testing.assert_allclose(sorted(points.x), [1.0, 1.25, 1000 / 600])
    assert len(points.error_y.array) == 3
    assert "Ea = 0.20 ± " in view.text.value
    assert "Ea = 0.30 ± " in view.text.value
    assert view.figure.layout.yaxis.type == "log"
    assert view.figure.layout.yaxis.title.text == "D (cm²/s)"


def test_what_is_extrapolated_is_dashed_and_called_so(view):
    inside, beyond = trace(view, "ordered", "lines"), trace(view, "ordered: extrapolated", "lines")
    assert beyond.line.dash == "dash"
    assert inside.line.dash == "solid"
    assert max(inside.x) == pytest.approx(1000 / 600)
    assert min(beyond.x) == pytest.approx(1000 / 600)
    assert max(beyond.x) == pytest.approx(1000 / 300)
    assert view.text.value.count("extrapolated from 600 to 1000 K") == 2
    assert beyond.showlegend


def test_the_other_quantity_is_sigma_T_by_nernst_and_einstein(view):
    D = trace(view, "ordered").y[0]
    view.quantity.value = BY_SIGMA
    point = next(one for one in view.points if one.name == "ordered")
    sigma = nernst_einstein(D, point.n_ions, point.volume_A3, point.temperature_K)
    assert trace(view, "ordered").y[0] == pytest.approx(sigma * point.temperature_K)
    assert view.figure.layout.yaxis.title.text == "σT (S K/cm)"
    assert "S/cm" in view.text.value
    assert trace(view, "measured, pellet").y[0] == pytest.approx(1.3e-3 * 298)
    view.quantity.value = "D"
    assert trace(view, "ordered").y[0] == pytest.approx(D)


def test_a_slow_fit_in_the_background_does_not_overwrite_what_the_button_asked_for(view, monkeypatch):
    fitting, go_on, fit = threading.Event(), threading.Event(), arrhenius_view.line_of

    def slow(*args, **named):
        if threading.current_thread() is background:
            fitting.set()
            go_on.wait(10)
        return fit(*args, **named)

    monkeypatch.setattr(arrhenius_view, "line_of", slow)
    D = list(trace(view, "ordered").y)
    background = threading.Thread(target=view.refresh)
    button = threading.Thread(target=lambda: setattr(view.quantity, "value", BY_SIGMA))
    background.start()
    assert fitting.wait(10)
    button.start()
    button.join(0.3)
    go_on.set()
    background.join(10)
    button.join(10)
    assert view.figure.layout.yaxis.title.text == "σT (S K/cm)"
    points = [point for point in view.points if point.name == "ordered"]
    np.testing.assert_allclose(trace(view, "ordered").y, [one.sigma_S_cm * one.temperature_K for one in points])
    assert list(trace(view, "ordered").y) != D


def test_an_error_of_the_reader_goes_away_when_the_table_is_whole_again(view, finished, soon):
    table = finished.folder / "diffusion.csv"
    whole = table.read_text(encoding="utf-8")
    table.write_text("step\n1\n", encoding="utf-8")
    soon(lambda: "The runs could not be read" in view.error.value)
    with pytest.raises(KeyError):
        view.refresh()  # it is not forgotten that this table was not read
    assert len(view.points) == 6
    table.write_text(whole, encoding="utf-8")
    soon(lambda: view.error.value == "")


def test_the_table_says_what_the_plot_shows(view):
    for words in ("structure", "1000", "2.09e-05", "ordered", "σ (S/cm)"):
        assert words in view.table.value
    assert view.table.value.count("<tr>") == 7


def test_a_doubtful_point_is_hollow_and_fitted_on_request_only(store):
    task = PretendsToDiffuse(structures=[lithium("x")], temperatures_K=[500, 700, 900], rounds=9, species="Li")
    run = task.model_copy(update={"rounds": 9, "pause_s": 0.2}).launch(store=store)
    view = ArrheniusView(run)
    try:
        while len(view.refresh()) < 3:
            pass
        run.cancel()
        view.refresh()
        assert "doubtful: less than one hop each" in view.table.value
        assert len(trace(view, "x: doubtful").x) == 1
        assert "from 700 to 900 K" in view.text.value
        view.doubtful.value = True
        assert "from 500 to 900 K" in view.text.value
    finally:
        view.close()


def test_a_trajectory_that_stopped_as_unstable_is_hollow_or_left_out_of_the_mean(store):
    task = PretendsToDiffuse(structures=[lithium("x")], temperatures_K=[600, 800, 1000], seeds=[0, 1], species="Li")
    run = task.model_copy(update={"unstable": [0, 1, 2]}).run(store=store)  # both seeds at 600 K, one at 800 K
    view = ArrheniusView(run)
    try:
        hot, middle, cold = view.points
        assert (hot.n_runs, middle.n_runs, cold.n_runs) == (2, 1, 2)
        assert (hot.trusted, middle.trusted, cold.trusted) == (True, True, False)
        assert cold.warning == "the trajectory stopped early: step 9: two atoms met."
        assert len(trace(view, "x: doubtful").x) == 1
        assert "from 800 to 1000 K" in view.text.value
    finally:
        view.close()


def test_the_end_of_an_unstable_trajectory_is_seen_without_a_new_coefficient(finished):
    model = ArrheniusModel.of(finished)
    assert model.poll()
    assert not model.poll()
    TableWriter(finished.folder / "trajectories.csv").write(0, {"trajectory": 0, "state": "failed", "reason": "boom."})
    assert model.poll()
    assert [one.warning for one in model.points() if one.warning] == ["the trajectory stopped early: boom."]


def test_points_arrive_while_the_run_works_and_the_bars_shrink(store, soon):
    task = PretendsToDiffuse(structures=[lithium("x")], temperatures_K=[700, 900], rounds=60, pause_s=0.1, species="Li")
    view = ArrheniusView(task.launch(store=store))
    try:
        soon(lambda: len(trace(view, "x").x) == 2)
        first = view.points[0].error_cm2_s
        soon(lambda: view.points[0].error_cm2_s < 0.8 * first, timeout=20)
        assert view.error.value == ""
    finally:
        view.close()


def test_plain_results_are_shown_as_well_as_runs(finished):
    more = [TransportPoint("elsewhere", T, 1e-3 * np.exp(-3000 / T), 1e-7, 24, 1000.0) for T in (600.0, 900.0)]
    view = ArrheniusView([finished, *more])
    try:
        assert {point.name for point in view.points} == {"ordered", "disordered", "elsewhere"}
    finally:
        view.close()
    lone = ArrheniusView(more[:1])
    try:
        assert "no line yet" in lone.text.value
        assert "a line needs two temperatures" in lone.text.value
    finally:
        lone.close()


def test_what_cannot_be_shown_is_refused_with_a_sentence(store, finished):
    other = PretendsToTrain(epochs=1).run(store=store)
    with pytest.raises(LabkitError, match="an Arrhenius view shows runs of BatchedDynamics"):
        ArrheniusView(other)
    with pytest.raises(TypeError, match="not int"):
        ArrheniusModel.of([finished, 3])
    with pytest.raises(ValueError, match="needs a temperature and either sigma_S_cm or D_cm2_s"):
        Experiment("x", 300.0)


def test_text_from_a_file_is_never_markup():
    evil = [TransportPoint("<img src=x onerror=1>", T, 1e-6 * T, 1e-7, 24, 1000.0) for T in (600.0, 900.0)]
    view = ArrheniusView(evil)
    try:
        assert "<img" not in view.table.value + view.text.value
    finally:
        view.close()


def test_an_iso_surface_holds_the_share_that_its_slider_says():
    generator = np.random.default_rng(0)
    frames = []
    for _ in range(200):
        places = np.vstack([1 + generator.normal(0, 0.3, 3), [3, 3, 3]])
        frames.append(Atoms("LiO", places, cell=[6, 6, 6], pbc=True))
    density = probability_density(frames, "Li", spacing_A=0.3).smoothed(0.3)
    view = IsoSurface(density, share=0.5)
    try:
        assert view.level == pytest.approx(density.level_that_holds(0.5))
        assert view.canvas._volume["cube"] == density.cube()
        view.slider.value = 0.9
        assert view.canvas._volume["level"] == pytest.approx(density.level_that_holds(0.9))
        assert "times the mean" in view._words.value
        view.error.value = "The surface could not be moved"
        view.show(density.smoothed(0.5))
        assert view.error.value == ""
        assert view.canvas._volume["level"] < density.level_that_holds(0.5)
    finally:
        view.close()

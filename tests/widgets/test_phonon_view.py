"""The phonon view without a browser: bands, units, modes that move, structures taken, two potentials, a live run."""

import numpy as np
import pytest
from ase.build import bulk
from labkit_widgets.phonon_figure import MOST_CRYSTALS
from labkit_widgets.phonon_model import UNITS
from labkit_widgets.phonon_source import is_phonons
from labkit_widgets.phonon_view import PhononView
from labkit_widgets.phonon_wave import FRAMES, MOST_ATOMS, drawn_cell, smallest_cell

from .phonon_tasks import PretendsToVibrate, perovskite, salt, springs


@pytest.fixture(scope="module")
def crystals():
    return {"soft": perovskite(), "softer": perovskite(-0.7, 3.2), "salt": salt()}


@pytest.fixture(scope="module")
def shown(crystals):
    view = PhononView(crystals)
    yield view
    view.close()


@pytest.fixture
def view(shown):
    """One view for all tests, put back to where it began: its sums take a second."""
    shown.overlay.value = shown.elements.value = True
    shown.unit.value, shown.chosen.value, shown.plots.tabs.selected_index = "THz", "soft", 0
    shown.mode_view.amplitude.value = 0.4
    first = shown.model.first("soft")
    shown.select(first.qpoint, first.branch, play=False)
    return shown


def bands_of(view, slot=0):
    trace = view.plots.figure.data[slot]
    return np.asarray(trace.x), np.asarray(trace.y)


def click(view, slot, vertex):
    points = type("Points", (), {"point_inds": [vertex], "trace_index": slot})
    view.plots.figure._clicked(None, points, None)


def test_bands_and_states_are_those_of_the_crystal(view, crystals):
    bands, dos = crystals["soft"].bands(), crystals["soft"].dos()
    x, y = bands_of(view)
    drawn = np.sort(y[np.isfinite(y)])
    np.testing.assert_allclose(drawn, np.sort(bands.frequencies_THz.ravel()), atol=1e-4)
    assert set(np.round(x[np.isfinite(x)], 5)) == set(np.round(bands.distances.astype("f4"), 5))
    layout = view.plots.figure.layout
    assert list(layout.xaxis.ticktext) == [label for _, label in bands.ticks]
    assert (layout.yaxis.title.text, layout.xaxis2.title.text) == ("Frequency (THz)", "States (1/THz)")
    total = view.plots.figure.data[MOST_CRYSTALS + 1]
    assert np.trapezoid(total.x, total.y) == pytest.approx(15, rel=0.03)
    elements = {trace.name: trace for trace in view.plots.figure.data[2 * MOST_CRYSTALS + 1 :] if len(trace.x)}
    assert set(elements) == {"Ba", "Fe", "O"}
    np.testing.assert_allclose(sum(np.asarray(one.x) for one in elements.values()), dos.total, rtol=1e-4, atol=1e-4)
    view.elements.value = False
    assert not any(len(trace.x) for trace in view.plots.figure.data[2 * MOST_CRYSTALS + 1 :])


def test_what_is_imaginary_is_shaded_and_named(view, crystals):
    layout = view.plots.figure.layout
    assert (layout.shapes[0].visible, layout.shapes[0].y1) == (True, 0)
    assert layout.yaxis.range[0] < crystals["soft"].bands().frequencies_THz.min() < 0
    lowest = crystals["soft"].imaginary()[0]
    assert view.mode.imaginary
    assert (view.mode.frequency_THz, view.mode.degeneracy) == (pytest.approx(lowest.frequency_THz), lowest.degeneracy)
    sentence = f"imaginary {-lowest.frequency_THz:.2f}i THz: the structure gains energy along this mode"
    assert sentence in view.mode_view.note.value
    assert f"{-lowest.frequency_THz:.2f}i THz</td>" in view.table.value
    view.chosen.value = "salt"
    assert not view.plots.figure.layout.shapes[0].visible
    assert "no imaginary modes" in view.table.value
    assert (view.mode.label, view.mode.branch, view.mode.degeneracy) == ("Γ", 3, 3)


@pytest.mark.parametrize("unit", ["cm⁻¹", "meV"])
def test_a_unit_is_put_on_everything(view, unit):
    figure = view.plots.figure
    before, states, low = bands_of(view)[1], np.asarray(figure.data[MOST_CRYSTALS + 1].x), figure.layout.yaxis.range[0]
    view.unit.value = unit
    factor = {"cm⁻¹": 33.35641, "meV": 4.1356677}[unit]
    assert UNITS[unit] == pytest.approx(factor, rel=1e-7)
    np.testing.assert_allclose(bands_of(view)[1], factor * before, rtol=1e-5)
    np.testing.assert_allclose(figure.data[MOST_CRYSTALS + 1].x, states / factor, rtol=1e-5)
    assert figure.layout.yaxis.range[0] == pytest.approx(factor * low)
    assert figure.layout.yaxis.title.text == f"Frequency ({unit})"
    assert unit in view.menu.label
    assert unit in view.table.value
    assert figure.data[MOST_CRYSTALS].y[0] == pytest.approx(factor * view.mode.frequency_THz)


def test_a_click_on_a_band_lets_that_mode_move(view, crystals):
    bands = crystals["soft"].bands()
    at, branch = view.plots.figure._places[0]
    vertex = int(np.flatnonzero((at == 61) & (branch == 7))[0])
    click(view, 0, vertex)
    assert (view.mode.qpoint, view.mode.branch) == (pytest.approx(tuple(bands.qpoints[61])), 7)
    assert view.mode.frequency_THz == pytest.approx(bands.frequencies_THz[61, 7], abs=1e-6)
    assert view.mode_view.play.playing
    assert "a stretch of a longer wave" in view.mode_view.note.value
    ring = view.plots.figure.data[MOST_CRYSTALS]
    assert (ring.x[0], ring.y[0]) == (pytest.approx(bands.distances[61]), pytest.approx(view.mode.frequency_THz))
    assert view.mode_view.take_button.disabled
    with pytest.raises(ValueError, match="no small cell"):
        view.take()
    gap = int(np.flatnonzero(at < 0)[0])
    mode = view.mode
    click(view, 0, gap)
    assert view.mode == mode


def test_the_wave_is_seen_over_several_cells_at_the_amplitude_of_the_slider(view):
    mode = view.select("R", 0)
    assert mode.qpoint == (0.5, 0.5, 0.5)
    view.mode_view.amplitude.value = 0.7
    frames = view.frames
    assert len(frames) == FRAMES
    rest = np.mean([frame.positions for frame in frames], axis=0)
    far = np.linalg.norm([frame.positions - rest for frame in frames], axis=2)
    assert far.max() == pytest.approx(0.7)
    np.testing.assert_allclose(frames[FRAMES // 2].positions - rest, rest - frames[0].positions, atol=1e-9)
    assert len(frames[0]) == 40
    scene = view.mode_view.view.canvas._scene["id"]
    view.select("R", 5, play=False)
    assert view.mode_view.view.canvas._scene["id"] == scene
    view.select("R", 0, play=False)
    view.mode_view.slider.value = 3
    np.testing.assert_allclose(view.mode_view.view.atoms.positions, frames[3].positions)
    view.mode_view.amplitude.value = 0.1
    now = view.mode_view.view.atoms.positions - rest
    np.testing.assert_allclose(now, (frames[3].positions - rest) / 7, atol=1e-9)


def test_the_structure_that_is_taken_is_displaced_along_the_mode(view, crystals):
    soft = crystals["soft"].imaginary()[0]
    view.select(soft.qpoint, soft.branch)
    view.mode_view.amplitude.value = 0.3
    view.mode_view.take_button.click()
    made = view.structure
    assert "view.structure holds" in view.mode_view.said.value
    assert made.pbc.all()
    assert len(made) == 5 * np.prod(smallest_cell(soft.qpoint))
    moved = made.positions - crystals["soft"].atoms.repeat(smallest_cell(soft.qpoint)).positions
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(0.3)
    view.mode_view.amplitude.value = 0.9
    view.select("Γ", 14)
    assert view.structure is made


def test_the_menu_offers_imaginary_modes_first_and_each_set_once(view, crystals):
    words = [label for label, _ in view.menu.options]
    count = len(crystals["soft"].imaginary())
    assert all("imaginary" in one for one in words[:count])
    assert len(set(words)) == len(words)
    gamma = [mode for mode in view.menu.modes if mode.label == "Γ"]
    assert sum(mode.degeneracy for mode in gamma) == 15
    view.menu.value = words.index(next(one for one in words if one.startswith("X")))
    assert view.mode.label == "X"
    assert view.mode_view.play.playing


def test_crystals_of_the_same_atoms_are_laid_over_each_other(view, crystals):
    assert [trace.name for trace in view.plots.figure.data[:MOST_CRYSTALS] if len(trace.x)] == ["soft", "softer"]
    assert [view.plots.figure.data[at].line.dash for at in (0, 1)] == ["solid", "dash"]
    drawn = bands_of(view, 1)[1]
    wanted = crystals["softer"].frequencies_THz(crystals["soft"].bands().qpoints)
    np.testing.assert_allclose(np.sort(drawn[np.isfinite(drawn)]), np.sort(wanted.ravel()), atol=1e-4)
    click(view, 1, 5)
    assert (view.name, view.mode.name) == ("softer", "softer")
    assert view.crystal is crystals["softer"]
    view.overlay.value = False
    assert (len(bands_of(view, 1)[1]), view.mode.name) == (0, "softer")


def test_thermal_functions_are_summed_when_looked_at(view, crystals):
    assert not any(key[0] == "thermal" for key in view.model._kept)
    view.plots.tabs.selected_index = 1
    assert [heat.name for heat in view.plots.heats] == ["soft", "softer"]
    view.chosen.value = "salt"
    (heat,) = view.plots.heats
    kJ_mol = 96.48533212
    expected = crystals["salt"].thermal([300.0])
    free, entropy, capacity = heat.at(300.0)
    assert free == pytest.approx(kJ_mol * expected.free_energy_eV[0], rel=1e-6)
    assert entropy == pytest.approx(1e3 * kJ_mol * expected.entropy_eV_K[0], rel=1e-6)
    assert capacity == pytest.approx(1e3 * kJ_mol * expected.heat_capacity_eV_K[0], rel=1e-6)
    assert heat.limit == pytest.approx(6 * 8.314462618)
    view.chosen.value = "soft"
    assert ("imaginary and left out" in view.plots.heat.value, "LO-TO" in view.facts.value) == (True, True)


def test_the_drawn_cells_hold_the_wave_and_not_too_many_atoms(crystals):
    atoms = crystals["soft"].atoms
    assert drawn_cell(atoms, (0.5, 0.5, 0.0)) == ((2, 2, 2), True)
    counts, fits = drawn_cell(atoms, (1 / 3, 0.0, 0.0))
    assert (counts[0] % 3, fits) == (0, True)
    counts, fits = drawn_cell(atoms, (0.01, 0.0, 0.0))
    assert (fits, counts[0] > counts[1]) == (False, True)
    assert np.prod(counts) * len(atoms) <= MOST_ATOMS
    assert smallest_cell((0.137, 0.0, 0.0)) is None


def test_one_atom_in_the_cell_is_enough():
    view = PhononView([springs(bulk("Cu", "fcc", a=3.6), (2, 2, 2), 2.0, 0.1, 2.8)], unit="meV")
    assert (view.name, view.mode.branches, view.mode.label != "Γ", view.error.value) == ("Cu", 3, True, "")
    assert ("Cu: 1 atom, 3 branches" in view.facts.value, "LO-TO" in view.facts.value) == (True, False)
    view.close()


def test_what_cannot_be_shown_is_said(view):
    with pytest.raises(TypeError, match="HarmonicCrystal"):
        PhononView([3])
    with pytest.raises(ValueError, match="no phonons"):
        PhononView({})
    with pytest.raises(ValueError, match="unit 'furlong'"):
        PhononView(salt(), unit="furlong")
    with pytest.raises(ValueError, match="'Q' is no special point of soft; known are"):
        view.select("Q", 0)
    with pytest.raises(ValueError, match="branch 15 does not exist"):
        view.select("Γ", 15)
    assert view.error.value == ""


def test_a_run_is_followed_while_it_computes(store, soon):
    run = PretendsToVibrate(pause_s=0.3).launch()
    assert is_phonons(run)
    view = PhononView(run)
    soon(lambda: view.crystal is not None, timeout=20)
    run.wait(20)
    soon(lambda: view.plots.names == ["NaCl", "NaCl (2)"] and view.mode is not None)
    assert (view.run.id, view.mode.name, view.error.value) == (run.id, "NaCl", "")
    view.close()


def test_a_damaged_file_of_a_run_is_said_beside_the_good_ones(store):
    run = PretendsToVibrate(damaged=True).run()
    view = PhononView(run)
    assert list(view.model.crystals) == ["NaCl"]
    assert "phonons-1.npz is not a readable file of phonons" in view.error.value
    salt(5.0).write(run.folder / "phonons-1.npz")
    view._poll()
    assert view.error.value == ""
    assert list(view.model.crystals) == ["NaCl", "NaCl (2)"]
    view.close()

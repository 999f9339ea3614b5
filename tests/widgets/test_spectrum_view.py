"""The spectrum view without a browser: sliders, modes, measurements, a second set of phonons."""

import numpy as np
import pytest
from ase.build import bulk
from labkit_widgets.spectrum_mode import FRAMES
from labkit_widgets.spectrum_model import MOST_POINTS, ONE_MODE, SpectrumModel, stems, thinned
from labkit_widgets.spectrum_view import SpectrumView

from labkit.analysis.luminescence import HuangRhys, huang_rhys
from labkit.analysis.luminescence_lineshape import lineshape
from labkit.analysis.luminescence_measurement import HC_EV_NM, read_spectrum
from labkit.analysis.luminescence_modes import normal_modes

ZPL = 1.945


def phonons(stiffness=1.0):
    """A toy of eight atoms: random springs, one atom displaced."""
    rng = np.random.default_rng(0)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    root = rng.normal(size=(24, 24))
    modes = normal_modes(atoms, stiffness * (root @ root.T / 4 + 8 * np.eye(24)))
    excited = atoms.copy()
    excited.positions[0] += [0.1, 0.12, -0.06]
    return huang_rhys(modes, atoms, excited)


@pytest.fixture(scope="module")
def sets():
    return {"DFT": phonons(), "Tersoff": phonons(1.3)}


@pytest.fixture
def view(sets):
    view = SpectrumView(sets, ZPL)
    yield view
    view.close()


def trace(view, name):
    return next(one for one in view.figure.data if one.name == name)


def text_of(line, count=150, factor=9.0):
    x = np.linspace(1.75, 1.97, count)
    return "\n".join(f"{a:.6f} {factor * b:.8f}" for a, b in zip(x, line.at(x), strict=True))


def test_what_is_drawn_is_what_labkit_says(view, sets):
    view.temperature.value = 300
    line = lineshape(sets["DFT"], ZPL, temperature_K=300)
    drawn = trace(view, "DFT")
    np.testing.assert_allclose(drawn.y, line.at(np.asarray(drawn.x)), rtol=2e-2, atol=2e-3 * line.intensity.max())
    assert max(drawn.y) == pytest.approx(line.intensity.max(), rel=0.01)
    assert view.line.temperature_K == 300
    assert f"<td>{sets['DFT'].total:.4f}</td>" in view.facts.value
    assert f"<td>{line.zpl_weight:.4f}</td>" in view.facts.value
    assert view.figure.layout.xaxis.title.text == "Photon energy (eV)"
    assert "computed in" in view.note.value


@pytest.mark.parametrize(("control", "value"), [("temperature", 500), ("gamma", 6.0), ("sigma", 15.0), ("zpl", 1.8)])
def test_each_slider_moves_the_line(view, control, value):
    before = (np.array(trace(view, "DFT").x), np.array(trace(view, "DFT").y))
    getattr(view, control).value = value
    after = (np.array(trace(view, "DFT").x), np.array(trace(view, "DFT").y))
    assert any(a.shape != b.shape or np.abs(a - b).max() > 1e-6 for a, b in zip(after, before, strict=True))
    assert view.error.value == ""
    if control == "zpl":
        assert after[0][after[1].argmax()] == pytest.approx(1.8, abs=1e-3)
        assert view.figure.layout.xaxis.range[0] < 1.8 < view.figure.layout.xaxis.range[1]


def test_absorption_lies_on_the_other_side(view):
    view.kind.value = "absorption"
    x, y = (np.asarray(one) for one in (trace(view, "DFT").x, trace(view, "DFT").y))
    assert np.trapezoid(x * y, x) / np.trapezoid(y, x) > ZPL
    assert view.line.kind == "absorption"


def test_the_other_phonons_are_dashed_and_one_click_away(view, sets):
    assert (trace(view, "DFT").line.dash, trace(view, "Tersoff").line.dash) == ("solid", "dash")
    view.compare.value = False
    assert len(trace(view, "Tersoff").x) == 0
    view.chosen.value = "Tersoff"
    assert trace(view, "Tersoff").line.dash == "solid"
    assert view.phonons.total == sets["Tersoff"].total
    np.testing.assert_allclose(view.stems.data[3].x, sets["Tersoff"].energies_meV[stems(sets["Tersoff"])])
    assert view.mode == sets["Tersoff"].strongest


def test_the_one_effective_mode_is_drawn_on_request(view, sets):
    assert len(trace(view, ONE_MODE).x) == 0
    view.one_mode.value = True
    line = lineshape(sets["DFT"].single_mode(), ZPL)
    assert max(trace(view, ONE_MODE).y) == pytest.approx(line.intensity.max(), rel=0.01)
    assert trace(view, ONE_MODE).showlegend
    view.one_mode.value = False
    assert len(trace(view, ONE_MODE).x) == 0


def test_a_click_on_a_stem_rings_its_mode_and_lets_it_move(view, sets):
    place = int(stems(sets["DFT"])[3])
    view.stems._clicked(None, type("Points", (), {"point_inds": [3]}), None)
    assert view.mode == place
    assert view.menu.value == place
    assert list(view.stems.data[2].x) == [sets["DFT"].energies_meV[place]]
    assert view.mode_view.mode == sets["DFT"].mode[place]
    assert view.mode_view.play.playing
    view.mode_view.slider.value = FRAMES // 4
    moved = view.mode_view.view.atoms.positions - sets["DFT"].modes.atoms.positions
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(0.4)
    assert f"{sets['DFT'].energies_meV[place]:.1f} meV" in view.mode_view.note.value
    atoms = view.mode_view.view
    assert (atoms.motion.max(), len(atoms.motion)) == (1.0, 8)
    assert atoms.canvas._scene["tints"] == atoms.motion.round(3).tolist()
    assert "colorScheme" in atoms.canvas._scene["style"][0]["params"]
    view.mode_view.by_motion.value = False
    assert "colorScheme" not in atoms.canvas._scene["style"][0]["params"]
    other = view.menu.options[0][1]
    view.menu.value = other
    assert view.mode == other == sets["DFT"].strongest
    with pytest.raises(ValueError, match="mode 999 does not exist"):
        view.select(999)
    view.stems._places = np.array([999])
    view.stems._clicked(None, type("Points", (), {"point_inds": [0]}), None)
    assert "mode 999 does not exist" in view.mode_view.error.value


def test_a_pasted_measurement_is_scaled_onto_the_line(view):
    view.paste.value = text_of(view.line)
    view.overlay.click()
    dots = trace(view, "measured")
    np.testing.assert_allclose(dots.y, view.line.at(np.asarray(dots.x)), atol=1e-3)
    assert view.measured.unit == "eV"
    assert view.paste_error.value == ""
    rows = [line.split() for line in text_of(view.line).splitlines()]
    view.paste.value = "\n".join(f"{HC_EV_NM / float(a)} {b}" for a, b in rows)
    view.overlay.click()
    assert view.measured.unit == "nm"
    view.remove.click()
    assert view.measured is None
    assert len(trace(view, "measured").x) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 line(s) with two numbers"),
        ("1.9 1\n1.8 <b>\n1.7 3", "line 2 holds no two numbers: &#x27;1.8 &lt;b&gt;"),
        ("11 1\n12 2\n13 3", "nothing in common with the calculated spectrum"),
    ],
)
def test_an_error_stands_beside_the_box_and_the_old_measurement_stays(view, text, words):
    view.paste.value = text_of(view.line)
    view.overlay.click()
    before = view.measured
    view.paste.value = text
    view.overlay.click()
    assert words in view.paste_error.value
    assert view.measured is before
    assert len(trace(view, "measured").x) == 150


def test_a_measurement_may_be_given_from_the_start(sets):
    given = read_spectrum(text_of(lineshape(sets["DFT"], ZPL)))
    view = SpectrumView(sets["DFT"], ZPL, measured=given)
    try:
        assert view.measured is given
        assert len(trace(view, "measured").x) == 150
    finally:
        view.close()


def test_what_cannot_be_drawn_is_said_and_goes_away(view, monkeypatch):
    monkeypatch.setattr(view.model, "draw", lambda *_: 1 / 0)
    view.temperature.value = 400
    assert "The spectrum could not be drawn: division by zero" in view.error.value
    monkeypatch.undo()
    view.temperature.value = 410
    assert view.error.value == ""


def test_phonons_without_eigenvectors_are_shown_but_do_not_move():
    bare = HuangRhys(*(np.array([x]) for x in (65.0, 3.0, 0.5, 1.0)), np.array([0]), 0.5, 0.2)
    view = SpectrumView(bare, ZPL, sigma_meV=0.0)
    try:
        assert "without eigenvectors" in view.mode_view.note.value
        assert view.chosen.options == ("phonons 1",)
    finally:
        view.close()


def test_what_is_no_set_of_phonons_is_refused(sets):
    with pytest.raises(TypeError, match="not int"):
        SpectrumView([3], ZPL)
    with pytest.raises(ValueError, match="no phonons"):
        SpectrumView({}, ZPL)
    with pytest.raises(ValueError, match="Temperature of the phonons: 5000 lies outside"):
        SpectrumView(sets, ZPL, temperature_K=5000)
    with pytest.raises(ValueError, match="zpl_eV=-1 must be positive"):
        SpectrumView(sets, -1)
    named = SpectrumModel.of([sets["DFT"], sets["DFT"]])
    assert list(named.sets) == ["phonons 1", "phonons 2"]


def test_names_are_never_markup(sets):
    view = SpectrumView({"<img src=x>": sets["DFT"]}, ZPL)
    try:
        assert "<img" not in view.facts.value
    finally:
        view.close()


def test_a_sharp_spectrum_keeps_all_its_lines_within_few_points(sets):
    line = lineshape(sets["DFT"], ZPL, gamma_meV=0.2, sigma_meV=0.0)
    x, y = thinned(line, line.span_eV())
    assert len(x) <= MOST_POINTS
    assert (np.diff(x) > 0).all()
    inside = (line.energies_eV >= x[0]) & (line.energies_eV <= x[-1])
    assert y.max() == line.intensity[inside].max()
    tall = line.intensity[inside] > 0.1 * line.intensity.max()
    assert np.isin(line.intensity[inside][tall].max(), y)


def test_nothing_lives_on_after_the_view_is_closed(sets):
    view = SpectrumView(sets, ZPL)
    parts = [view.figure, view.stems, view.mode_view, view.mode_view.view]
    view.close()
    assert all(part.comm is None for part in parts)
    assert not view.mode_view.play.playing
